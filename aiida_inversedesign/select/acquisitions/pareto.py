"""Several objectives: expected hypervolume improvement, in closed form and from joint draws.

Sources: Yang, Emmerich, Deutz and Bäck, J. Glob. Optim. 75, 3 (2019) (closed form by cells, here with composite
utilities and logarithms); Daulton, Balandat and Bakshy, NeurIPS 2021 (integration over the observed front, NEHVI).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.normal import log_difference
from aiida_inversedesign.select.problem import Marginals, SearchProblem
from aiida_inversedesign.select.rule import Marginal, ranked_gains, refined

#: Joint draws, by judgement: enough to order candidates whose volumes differ by a tenth of their deviation.
_SAMPLES = 64
#: Candidates that the joint draws look at.
_MOST = 500
#: The reference point lies so far below the worst of the front, as a share of its extent (BoTorch's rule).
_BELOW = 0.1


class LogExpectedHypervolumeImprovement(Marginal):
    """log of the expected hypervolume improvement over the observed front, objectives independent."""

    name = 'log_ehvi'
    words = 'the expected hypervolume improvement'
    citations: ClassVar[tuple[str, ...]] = ('ehvi2019',)

    def shrinks(self, problem: SearchProblem) -> bool:
        """The hypervolume is convex in each utility; the utilities are in their properties unless one is a tent."""
        return super().shrinks(problem) and all(utility.sign for utility in problem.utilities)

    def refuses(self, goal: Goal) -> str:
        """A hypervolume needs several objectives."""
        return '' if len(goal.objectives) > 1 else 'is for several objectives: use auto or log_ei'

    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        """Sum over the cells above the front of the product of the expected widths that are filled."""
        # what is only pending must not move the point that volumes are counted from
        lower, upper = cells(utilities(problem), reference_point(utilities(problem, settled=True)))
        total = np.full(len(inputs), -np.inf)
        # each edge is shared by many cells: its expectation is computed once
        gains = []
        for index, utility in enumerate(problem.utilities):
            edges = np.unique(np.concatenate([lower[:, index], upper[:, index]]))
            finite = edges[np.isfinite(edges)]
            mean, deviation = marginals[utility.property]
            gains.append({edge: utility.log_gain(mean, deviation, edge) for edge in finite.tolist()})
        for low, high in zip(lower.tolist(), upper.tolist(), strict=True):
            part = np.zeros(len(inputs))
            for index in range(len(gains)):
                above = gains[index][low[index]]
                part += above if np.isinf(high[index]) else log_difference(above, gains[index][high[index]])
            total = np.logaddexp(total, part)
        return total


class NoisyExpectedHypervolumeImprovement(LogExpectedHypervolumeImprovement):
    """The same averaged over joint draws of the pending candidates and the shortlist (qLogNEHVI).

    What was evaluated is known without noise (an evaluation repeats itself), so that of NEHVI's integrals the one over
    the pending candidates is left; without any the closed form is the answer.
    """

    name = 'log_nehvi'
    words = 'the noisy expected hypervolume improvement of the batch'
    citations = ('ehvi2019', 'botorch2020')

    def shrinks(self, problem: SearchProblem) -> bool:
        """Up to the noise of the draws, which is no guarantee."""
        return False

    def score(self, problem: SearchProblem, inputs: Array, pending: Array) -> Array:
        first = super().score(problem, inputs, pending)
        if not len(pending):
            return first
        observed = utilities(problem)
        reference = reference_point(observed)
        front = observed[non_dominated(observed)]

        def exact(short: Integers) -> Array:
            points = np.concatenate([pending, inputs[short]])
            drawn = np.stack(
                [
                    utility.value(problem.models[utility.property].sample(points, _SAMPLES, problem.seed + index))
                    for index, utility in enumerate(problem.utilities)
                ],
                axis=-1,
            )
            gain = np.zeros(len(short))
            for one in drawn:
                lower, upper = cells(np.concatenate([front, one[: len(pending)]]), reference)
                filled = np.minimum(one[len(pending) :, None], upper[None]) - lower[None]
                gain += np.maximum(filled, 0.0).prod(axis=2).sum(axis=1)
            return ranked_gains(gain / _SAMPLES, first[short]) + problem.log_weight(
                inputs[short], problem.marginals(inputs[short])
            )

        return refined(first, exact, _MOST)


def utilities(problem: SearchProblem, settled: bool = False) -> Array:
    """Utilities of the feasible observations that have every objective, shape (n, m).

    :param settled: leave pending candidates out.
    """
    values = np.stack([u.value(problem.observed.values[u.property]) for u in problem.utilities], axis=-1)
    kept = np.isfinite(values).all(axis=1) & problem.feasible
    if settled:
        kept[len(kept) - problem.pending :] = False
    return np.asarray(values[kept])


def reference_point(observed: Array) -> Array:
    """The point that the hypervolume is counted from, shape (m,).

    A tenth of the front's extent below its worst values; where the front is one point, below the worst of all
    observations; without observations one standard deviation below the prior mean or threshold.
    """
    if not len(observed):
        return -np.ones(observed.shape[1])
    front = observed[non_dominated(observed)]
    worst, extent = front.min(axis=0), np.ptp(front, axis=0)
    # utilities are in standard deviations of the properties
    flat = extent <= 1e-12
    everything = np.ptp(observed, axis=0)
    extent = np.where(flat, np.where(everything > 1e-12, everything, 1.0), extent)
    worst = np.where(flat, np.minimum(worst, observed.min(axis=0)), worst)
    return np.asarray(worst - _BELOW * extent)


def non_dominated(values: Array) -> NDArray[np.bool_]:
    """Which rows no other row exceeds in every column, shape (n,); of equal rows the first counts."""
    order = np.lexsort(tuple(-values[:, column] for column in reversed(range(values.shape[1]))))
    kept = np.zeros(len(values), dtype=bool)
    front = np.empty((0, values.shape[1]))
    for index in order.tolist():
        if not (front >= values[index]).all(axis=1).any():
            kept[index] = True
            front = np.concatenate([front, values[[index]]])
    return kept


def cells(observed: Array, reference: Array) -> tuple[Array, Array]:
    """Disjoint boxes that fill the space above the reference point which no observation dominates.

    :param observed: shape (n, m).
    :param reference: shape (m,).
    :returns: lower and upper corners, each of shape (boxes, m); upper ones may be infinite.
    """
    above = observed[(observed > reference).all(axis=1)]
    if not len(above):
        return reference[None], np.full((1, len(reference)), np.inf)
    front = above[non_dominated(above)]
    if front.shape[1] == 2:
        front = front[np.argsort(front[:, 0])]
        # from left to right: a column above each point's height, and one right of the last point
        left = np.concatenate([[reference[0]], front[:, 0]])
        right = np.concatenate([front[:, 0], [np.inf]])
        bottom = np.concatenate([front[:, 1], [reference[1]]])
        return np.stack([left, bottom], axis=1), np.stack([right, np.full(len(left), np.inf)], axis=1)
    import torch
    from botorch.utils.multi_objective.box_decompositions.non_dominated import FastNondominatedPartitioning

    partition = FastNondominatedPartitioning(torch.from_numpy(reference.copy()), torch.from_numpy(front.copy()))
    corners = partition.get_hypercell_bounds().numpy()
    return corners[0], corners[1]
