"""Searches that may ask a cheaper method first: which candidate at which fidelity is worth most for its cost.

What the cheaper method says is a lower fidelity: where it was asked, its value is the estimate from which the surrogate
starts (:class:`~aiida_inversedesign.learn.models.transfer.Estimate`), elsewhere what a Gaussian process of its values
predicts, with that uncertainty. The gain of an evaluation is its expected improvement; that of asking the cheaper
method is the same times the correlation of the two, times the ratio of the costs (the augmented expected improvement
of Huang, Allen, Notz and Miller, Struct. Multidisc. Optim. 32, 369 (2006), eq. 12, without replicates).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.benchmarks.search.loop import Indices, Question, Step
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError, read_estimates
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.surrogate import estimate_column
from aiida_inversedesign.select.promise import promise
from aiida_inversedesign.select.utility import Utility

if TYPE_CHECKING:
    from aiida_inversedesign.learn.surrogate import Surrogate

Array = NDArray[np.float64]
#: Fits a surrogate to descriptors of what was observed, their names and the answers.
Fitted = Callable[[Array, tuple[str, ...], Indices, dict[str, Array]], 'Surrogate']

#: Arms that may ask the cheaper method begin with this.
FIDELITY = 'fidelity'
#: Evaluations with which an arm begins that knows the cheaper method: the default of ``select.initial``, and one more
#: than a surrogate needs. What spreads over the pool are the questions to the cheaper method.
_FIRST = 4
#: Rows of the cheaper method on which its model is fitted, as in ``transfer``.
_FITTED = 400


@dataclass(frozen=True, eq=False)
class Cheap:
    """A cheaper method.

    :param values: what it says of the property, shape (n,); NaN where it says nothing, whenever it is asked.
    :param ratio: how many times it may be asked for the cost of one evaluation.
    """

    values: Array
    ratio: float


def with_cheap(pool: Pool, path: Path, ratio: float, goal: Goal) -> Pool:
    """The pool with a cheaper method, whose answers have to be paid for.

    :param path: as for :func:`~aiida_inversedesign.benchmarks.search.pool.read_estimates`.
    :raises PoolError: if the goal has several properties, or the file says nothing of its property.
    """
    objective = goal.objectives[0]
    if len(goal.properties) > 1 or objective.kind not in ('maximize', 'minimize'):
        raise PoolError('--cheap needs a goal with one property that is maximised or minimised')
    found = read_estimates(pool, path)
    if objective.property not in found:
        raise PoolError(f'{path}: it has no column {objective.property!r} with numbers')
    return replace(pool, cheap=Cheap(found[objective.property], ratio))


@dataclass
class FidelitySearcher:
    """An arm of ours that may ask the cheaper method.

    :param fit: of the arm. :param choose_as: how the arm chooses among candidates, given their descriptors.
    :param asked: places at which the cheaper method was asked so far.
    """

    question: Question
    cheap: Cheap
    fit: Fitted
    choose_as: Callable[[Surrogate, Array, Indices, dict[str, Array], int, int], Step]
    asked: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The property."""
        return self.question.goal.objectives[0].property

    def start(self, points: list[int]) -> list[int]:
        """The starting points: first the cheaper method is asked of random candidates, at the cost of one evaluation.

        Of the few evaluations half are the best of these; the others are those that searches without it begin with.
        """
        able = np.flatnonzero(np.isfinite(self.cheap.values))
        drawn = np.random.default_rng([self.question.seed, 22]).permutation(able)
        self.asked = [int(index) for index in drawn[: int(self.cheap.ratio)]]
        worth = promise(self.question.goal, [{self.name: float(self.cheap.values[index])} for index in self.asked])
        assert worth is not None  # noqa: S101  (every one has a value)
        number = min(_FIRST, len(points))
        best = [self.asked[index] for index in np.argsort(-worth, kind='stable')[: (number + 1) // 2]]
        return [*best, *(index for index in points if index not in best)][:number]

    def choose(self, observed: Indices, values: dict[str, Array], size: int, generation: int) -> Step:
        """Ask the cheaper method as long as that is worth more for its cost, then choose."""
        known = np.isfinite(self.cheap.values[observed])
        # what was evaluated tells how the two methods go together
        self.asked += [int(index) for index in observed[known] if index not in self.asked]
        while True:
            features, uncertainty = self._described()
            names = (*self.question.names, estimate_column(self.name))
            surrogate = self.fit(features[observed], names, observed, values)
            more = self._worth_asking(surrogate, features, uncertainty, observed, values)
            if not more:
                return self.choose_as(surrogate, features, observed, values, size, generation)
            self.asked += more

    def _described(self) -> tuple[Array, Array]:
        """Descriptors with the estimate as the last column, shape (n, d + 1), and its uncertainty, shape (n,)."""
        from aiida_inversedesign.learn.fit import scaling
        from aiida_inversedesign.learn.models.gp import fit_gp

        raw = self.question.features
        center, width = scaling(raw)
        inputs = np.clip((raw - center) / width, -5.0, 5.0)
        rows = np.array(self.asked[-_FITTED:], dtype=np.int64)
        mean, deviation = fit_gp(inputs[rows], self.cheap.values[rows], 'ard').predict(inputs)
        asked = np.array(self.asked, dtype=np.int64)
        mean[asked], deviation[asked] = self.cheap.values[asked], 0.0
        return np.column_stack([raw, mean]), deviation

    def _worth_asking(
        self, surrogate: Surrogate, features: Array, uncertainty: Array, observed: Indices, values: dict[str, Array]
    ) -> list[int]:
        """Places at which asking is worth more for its cost than any evaluation, at most one evaluation's worth."""
        left = np.setdiff1d(np.arange(len(features)), observed)
        model = surrogate.models[self.name]
        mean, deviation = model.predict(surrogate.standardise(features[left]))
        # the slope of the estimate is near 1: its uncertainty adds to that of the surrogate
        own = uncertainty[left]
        total = np.sqrt(deviation**2 + own**2)
        utility = Utility.of(self.question.goal.objectives[0], 0.0, 1.0)
        gain = utility.log_gain(mean, total, float(utility.value(values[self.name]).max()))
        able = np.isfinite(self.cheap.values[left]) & (own > 0)
        with np.errstate(divide='ignore'):
            asking = np.where(able, gain + np.log(own / total) + np.log(self.cheap.ratio), -np.inf)
        chosen = np.flatnonzero(asking > gain.max())
        order = chosen[np.argsort(-asking[chosen], kind='stable')][: int(self.cheap.ratio)]
        return [int(index) for index in left[order]]
