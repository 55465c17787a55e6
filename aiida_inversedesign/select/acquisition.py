"""An acquisition applied to one choice: found by its name, checked against the goal, scored."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.acquisition import Acquisition, acquisition, resolve
from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.campaign.contracts.surrogate import Differentiable
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.observed import Observed, SelectError
from aiida_inversedesign.select.problem import Marginals, SearchProblem
from aiida_inversedesign.select.rule import Marginal

#: Predictions that one gradient of a model's own counts as: that of the point, and slopes, which took 1.2 to 2.8 times
#: as long for 20 to 200 rows of 6 and of 290 descriptors.
OWN_CALLS = 4
#: Step of the derivatives of an acquisition with respect to mean and deviation, in deviations: half of the digits.
_STEP = 1e-5


class Score:
    """An acquisition applied to one choice; larger scores are better."""

    def __init__(self, part: Acquisition, problem: SearchProblem) -> None:
        self.part, self.problem = part, problem

    @property
    def name(self) -> str:
        """What was asked for, ``auto`` resolved."""
        return self.part.name

    @property
    def submodular(self) -> bool:
        """Whether a score can only shrink when further candidates are pending."""
        return self.part.shrinks(self.problem)

    def score(self, inputs: Array, pending: Array) -> Array:
        """Value of each candidate given that the pending ones are evaluated too.

        :param inputs: standardised descriptors of the candidates, shape (n, d); none give no scores.
        :param pending: those of candidates running or already chosen, shape (p, d).
        :returns: shape (n,); equal for candidates between which nothing is known to differ.
        :raises SelectError: if there is not one score per candidate, or a score is not a number.
        """
        if not len(inputs):
            return np.empty(0)
        scores = np.asarray(self.part.score(self.problem, inputs, pending), dtype=np.float64)
        if scores.shape != (len(inputs),):
            raise SelectError(f'{self.name} gives scores of shape {scores.shape} for {len(inputs)} candidates')
        if np.isnan(scores).any():
            raise SelectError(f'{self.name} is not a number for {int(np.isnan(scores).sum())} candidates')
        return scores

    @property
    def differentiable(self) -> bool:
        """Whether :meth:`changes` follow from the models' own gradients, without a prediction at the other points."""
        models = [self.problem.models[name] for name in self.problem.goal.properties]
        return isinstance(self.part, Marginal) and all(
            isinstance(model, Differentiable) and model.normal for model in models
        )

    def changes(self, here: Array, there: Array) -> tuple[Array, int]:
        """How the score changes from one point to others near it, and the predictions that this counts as.

        To first order by the models' own gradients where every model has one and the acquisition needs means and
        deviations alone, :data:`OWN_CALLS` predictions; otherwise exactly by differences of scores, one for each point
        and one for the first.

        :param here: standardised descriptors, shape (d,).
        :param there: of the others, shape (n, d).
        :returns: shape (n,).
        """
        points = np.vstack([here, there])
        if not self.differentiable:
            scores = self.score(points, points[:0])
            return scores[1:] - scores[0], len(points)
        assert isinstance(self.part, Marginal)  # noqa: S101
        gradient = _gradient(self.part, self.problem, points[:1])
        found = (there - here) @ gradient
        # the rate of failures is not one of the models, and costs no prediction
        problem = self.problem
        without = frozenset(problem.intervals)
        weights = problem.log_weight(points, {}, without)
        return np.asarray(found + weights[1:] - weights[0]), OWN_CALLS


def _gradient(part: Marginal, problem: SearchProblem, point: Array) -> Array:
    """Gradient of a score, failures left aside, with respect to the descriptors of one point, shape (d,)."""
    marginals = problem.marginals(point)
    looked_at = part.looked_at(problem)

    def value(changed: Marginals) -> float:
        weight = problem.log_weight(point, changed, looked_at)
        return float((part.value(problem, point, changed) + weight)[0])

    gradient = np.zeros(point.shape[1])
    for name, pair in marginals.items():
        step = _STEP * max(float(pair[1][0]), 1e-9 * problem.models[name].scale)
        model: Any = problem.models[name]
        for which, slopes in enumerate(model.slopes(point)):
            sides = []
            for sign in (1.0, -1.0):
                moved = list(pair)
                moved[which] = moved[which] + sign * step
                sides.append(value({**marginals, name: (moved[0], moved[1])}))
            gradient += (sides[0] - sides[1]) / (2 * step) * slopes[0]
    return gradient


def make_acquisition(name: str, goal: Goal, surrogate: Any, observed: Observed, seed: int) -> Score:
    """The acquisition of a name.

    :param surrogate: models of every property of the goal.
    :raises SelectError: if it is not installed, the acquisition cannot serve the goal, or a property is missing.
    """
    problem = SearchProblem.of(goal, surrogate, observed, seed)
    try:
        part = acquisition(resolve(name, goal))
    except PartError as error:
        raise SelectError(str(error)) from error
    reason = part.refuses(goal)
    if reason:
        raise SelectError(f'{part.name} {reason}')
    return Score(part, problem)
