"""What an acquisition is made of: a first value for every candidate, and where needed an exact one for a shortlist."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.acquisition import Acquisition
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.problem import Marginals, SearchProblem

#: Candidates that joint methods look at, and that are scored again for the later slots of a batch.
SHORTLIST = 1000
#: Candidates scored at once (memory: some tens of arrays of this length).
CHUNK = 65536


def in_chunks(function: Callable[[Array], Array], inputs: Array) -> Array:
    """A score of many candidates with bounded memory, shape (n,)."""
    parts = [function(inputs[start : start + CHUNK]) for start in range(0, len(inputs), CHUNK)]
    return np.concatenate([np.empty(0), *parts])


def refined(first: Array, exact: Callable[[Integers], Array], most: int = SHORTLIST) -> Array:
    """Exact values for the best of a first pass; the others follow below them in the order of the first.

    :param first: shape (n,).
    :param exact: values of the candidates at these indices, shape (k,).
    :returns: shape (n,).
    """
    order = np.argsort(-first, kind='stable')
    short, rest = order[:most], order[most:]
    scores = np.empty(len(first))
    if len(short):
        scores[short] = exact(short)
        scores[rest] = scores[short].min() - 1.0 - np.arange(len(rest)) / max(len(rest), 1)
    return scores


def ranked_gains(gains: Array, first: Array) -> Array:
    """Logarithms of gains, shape (n,); those that no draw found follow in the order of a first pass."""
    found = gains > 0
    values = np.log(np.where(found, gains, 1.0))
    floor = values[found].min() if found.any() else 0.0
    values[~found] = floor - 1.0 - np.argsort(np.argsort(-first[~found], kind='stable'), kind='stable')
    return np.asarray(values)


class Marginal(Acquisition):
    """An acquisition that needs the mean and standard deviation of each candidate only."""

    #: Whether it is defined for one objective only.
    single: ClassVar[bool] = False

    def shrinks(self, problem: SearchProblem) -> bool:
        """Conditioning keeps the means and lowers the deviations: true where the score rises with the deviation."""
        # a probability of feasibility can rise when the prediction gets sharper
        return not problem.intervals

    def refuses(self, goal: Goal) -> str:
        """Why it cannot serve this goal; empty if it can."""
        several = self.single and len(goal.objectives) > 1
        return 'is for one objective: use auto, log_nehvi, log_ehvi or pi' if several else ''

    def score(self, problem: SearchProblem, inputs: Array, pending: Array) -> Array:
        given = problem.given(pending)

        def part(points: Array) -> Array:
            marginals = given.marginals(points)
            return self.value(given, points, marginals) + given.log_weight(points, marginals, self.looked_at(given))

        return in_chunks(part, inputs)

    def looked_at(self, problem: SearchProblem) -> frozenset[str]:
        """Properties whose constraints :meth:`value` takes into account itself."""
        return frozenset()

    @abstractmethod
    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        """Value without the probability of feasibility, shape (n,)."""
