"""Adaptive tempering: how strongly a population is weighted by its likelihoods, and who has offspring.

A fixed schedule of temperatures is too hot for one likelihood and too cold for another: too hot, the offspring are
spread over all that was met, most of which is far from the region; too cold, they all descend from one member. The
temperature follows instead from the effective sample size, (Σw)²/Σw² with w = p^β, as in adaptive sequential Monte
Carlo (Jasra, Stephens, Doucet and Tsagaris, Scand. J. Stat. 38, 1 (2011)). It is sought again in each step and may
rise: where one member is far better than all others, the others stay parents.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array

#: Bounds of log β between which it is sought. Log-likelihoods lie between −10⁶ (the floor of a region's) and 0, and
#: differences of 10⁻⁴ between them decide nothing.
LEAST, MOST = -25.0, 10.0
#: Halvings of these bounds: β is then known to eight digits.
HALVINGS = 30


def effective_size(weights: Array) -> float:
    """(Σw)²/Σw²: as many equal weights are as uneven as these.

    :param weights: shape (n,), at least one of them positive.
    """
    return float(weights.sum() ** 2 / (weights @ weights))


def tempered(logs: Array, size: float) -> Array:
    """Weights ∝ p^β with this effective size, shape (n,); their sum is 1.

    Where there are at most ``size``, all have the same weight. Where more than ``size`` are equally the best, these
    alone have any.

    :param logs: log p, finite, shape (n,), n ≥ 1.
    """
    excess = logs - logs.max()
    if len(logs) <= size:
        return np.full(len(logs), 1 / len(logs))
    low, high = LEAST, MOST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if effective_size(np.exp(np.exp(middle) * excess)) > size:
            low = middle
        else:
            high = middle
    weights = np.exp(np.exp(low) * excess)
    return np.asarray(weights / weights.sum())


def systematic(weights: Array, number: int, rng: np.random.Generator) -> list[int]:
    """Systematic resampling: each index as often as ``number`` times its weight, rounded up or down.

    Kitagawa, J. Comput. Graph. Stat. 5, 1 (1996).

    :param weights: shape (n,), sum 1.
    """
    shares = (rng.random() + np.arange(number)) / number
    last = int(np.flatnonzero(weights)[-1])
    found = np.searchsorted(np.cumsum(weights), shares, side='right')
    # the sum of the weights may be 1 less a rounding error
    return [min(int(index), last) for index in found]
