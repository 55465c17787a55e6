"""An acquisition applied to one choice: found by its name, checked against the goal, scored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.contracts.acquisition import Acquisition, acquisition, resolve
from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.errors import SelectError
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.select.problem import SearchProblem

Array = NDArray[np.float64]


class Score:
    """An acquisition applied to one choice; larger scores are better.

    :param part: what is computed.
    :param problem: goal, surrogate and observations.
    """

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


def make_acquisition(name: str, goal: Goal, surrogate: Any, observed: Observed, seed: int) -> Score:
    """The acquisition of a name.

    :param surrogate: models of every property of the goal.
    :param observed: the evaluations so far.
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
