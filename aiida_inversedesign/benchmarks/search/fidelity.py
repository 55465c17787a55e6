"""Searches that may ask a cheaper method first: which candidate at which fidelity is worth most for its cost.

Where the cheaper method was asked, its value is the estimate from which the surrogate starts
(:class:`~aiida_inversedesign.learn.models.transfer.Estimate`), elsewhere what a Gaussian process of its values predicts
(:mod:`aiida_inversedesign.learn.estimates`). :mod:`aiida_inversedesign.select.fidelity` says what asking is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.search.loop import Question, Step
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError, read_estimates
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.estimates import expected_estimates
from aiida_inversedesign.learn.surrogate import estimate_column
from aiida_inversedesign.select.fidelity import worth_asking
from aiida_inversedesign.select.promise import promise

if TYPE_CHECKING:
    from aiida_inversedesign.learn.surrogate import Surrogate

#: Fits a surrogate to descriptors of what was observed, their names and the answers.
Fitted = Callable[[Array, tuple[str, ...], Integers, dict[str, Array]], 'Surrogate']

#: Arms that may ask the cheaper method begin with this.
FIDELITY = 'fidelity'
#: Evaluations with which an arm begins that knows the cheaper method: the default of ``select.initial``, and one more
#: than a surrogate needs. What spreads over the pool are the questions to the cheaper method.
_FIRST = 4


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
    :param asked: indices at which the cheaper method was asked so far.
    """

    question: Question
    cheap: Cheap
    fit: Fitted
    choose_as: Callable[[Surrogate, Array, Integers, dict[str, Array], int, int], Step]
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

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
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
        raw = self.question.features
        mean, deviation = expected_estimates(raw, self.asked, self.cheap.values)
        return np.column_stack([raw, mean]), deviation

    def _worth_asking(
        self, surrogate: Surrogate, features: Array, uncertainty: Array, observed: Integers, values: dict[str, Array]
    ) -> list[int]:
        """Integers at which asking is worth more for its cost than any evaluation, at most one evaluation's worth."""
        left = np.setdiff1d(np.arange(len(features)), observed)
        mean, deviation = surrogate.models[self.name].predict(surrogate.standardise(features[left]))
        unknown = np.where(np.isfinite(self.cheap.values[left]), uncertainty[left], 0.0)
        chosen = worth_asking(
            self.question.goal.objectives[0], mean, deviation, unknown, values[self.name], self.cheap.ratio
        )
        return [int(index) for index in left[chosen]]
