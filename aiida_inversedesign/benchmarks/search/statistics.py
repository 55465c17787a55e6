"""Figures of a benchmark: hits with bootstrap intervals, and what random search would need, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array, Mask

#: Resamples of the seeds; the intervals are 95 % percentile intervals (Efron, Ann. Stat. 7, 1 (1979)).
RESAMPLES = 4000


@dataclass(frozen=True)
class Estimate:
    """A figure over seeds with its 95 % interval; an end or a value is None where it is not known."""

    value: float | None
    low: float | None
    high: float | None

    def named(self, name: str) -> dict[str, float | None]:
        """Plain data, its value under a name."""
        return {name: self.value, 'low': self.low, 'high': self.high}


def mean_over_seeds(values: Sequence[float] | Array) -> Estimate:
    """Mean and bootstrap interval; one seed gives no interval."""
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return Estimate(None, None, None)
    if len(numbers) == 1:
        return Estimate(float(numbers[0]), None, None)
    low, high = np.quantile(_resampled(numbers).mean(axis=1), [0.025, 0.975])
    return Estimate(float(numbers.mean()), float(low), float(high))


def median_over_seeds(values: Sequence[float] | Array) -> Estimate:
    """Median and bootstrap interval of numbers of which some may be infinite: censored, not reached.

    What lies among the infinite ones is None: it is larger than the budget, but by how much is not known.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        return Estimate(None, None, None)
    middle = _finite(_median(numbers[None])[0])
    if len(numbers) == 1:
        return Estimate(middle, None, None)
    medians = np.sort(_median(_resampled(numbers)))
    # order statistics, because infinite medians cannot be interpolated
    low, high = (medians[round(q * (len(medians) - 1))] for q in (0.025, 0.975))
    return Estimate(middle, _finite(low), _finite(high))


def ratio_of_medians(pairs: Array) -> Estimate:
    """Median of the first row / median of the second with its bootstrap interval: the columns are drawn together.

    :param pairs: shape (2, n), positive; some may be infinite: censored. What lies among them is None.
    """
    if not pairs.size:
        return Estimate(None, None, None)
    with np.errstate(invalid='ignore', divide='ignore'):
        value = float(np.divide(*_median(pairs)))
        drawn = np.random.default_rng(0).integers(0, pairs.shape[1], (RESAMPLES, pairs.shape[1]))
        ratios = np.divide(_median(pairs[0][drawn]), _median(pairs[1][drawn]))
    if pairs.shape[1] == 1 or np.isnan(ratios).any():
        return Estimate(_finite(value) if value > 0 else None, None, None)
    ratios = np.sort(ratios)
    low, high = (ratios[round(q * (RESAMPLES - 1))] for q in (0.025, 0.975))
    return Estimate(*(_finite(item) if item > 0 else None for item in (value, low, high)))


def _resampled(numbers: Array) -> Array:
    rng = np.random.default_rng(0)
    return numbers[rng.integers(0, len(numbers), (RESAMPLES, len(numbers)))]


def _median(rows: Array) -> Array:
    ordered = np.sort(rows, axis=1)
    count = ordered.shape[1]
    return np.asarray((ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def evaluations_until(hits: Sequence[bool] | Mask, number: int) -> float:
    """Evaluations until the ``number``-th hit; infinite if it did not come.

    :param hits: whether each evaluation was a hit, in order.
    """
    found = np.flatnonzero(np.asarray(hits, dtype=bool))
    return float(found[number - 1] + 1) if len(found) >= number else math.inf


def random_mean(number: int, total: int, size: int) -> float:
    """Mean evaluations of random search without repeats until ``number`` of ``total`` hits in a pool of ``size``."""
    return number * (size + 1) / (total + 1)


def random_hits(evaluations: int, total: int, size: int) -> tuple[float, int, int]:
    """Hits of random search: mean, and the central 95 % of single runs (hypergeometric distribution)."""
    from scipy.stats import hypergeom

    drawn = min(evaluations, size)
    low, high = hypergeom.ppf([0.025, 0.975], size, total, drawn)
    return drawn * total / size, int(low), int(high)


def hypervolume(points: Array, reference: Array) -> float:
    """Volume between points and a reference that they all exceed (more is better); points shape (n, k)."""
    import torch
    from botorch.utils.multi_objective.hypervolume import Hypervolume

    able = points[(points > reference).all(axis=1)]
    if not len(able):
        return 0.0
    return float(Hypervolume(torch.from_numpy(reference.copy())).compute(torch.from_numpy(able.copy())))
