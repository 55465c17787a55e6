"""What an acquisition is made of: a first value for every candidate, and where needed an exact one for a shortlist."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.problem import Problem

Array = NDArray[np.float64]

#: Candidates that joint methods look at, and that are scored again for the later places of a batch.
SHORTLIST = 1000
#: Candidates scored at once (memory: some tens of arrays of this length).
CHUNK = 65536


class Rule(Protocol):
    """One family of acquisitions."""

    #: What the campaign file calls it.
    name: ClassVar[str]

    def shrinks(self, problem: Problem) -> bool:
        """Whether a score can only shrink when further candidates are pending."""

    def refuses(self, goal: Goal) -> str:
        """Why it cannot serve this goal; empty if it can."""

    def score(self, problem: Problem, inputs: Array, pending: Array) -> Array:
        """Value of each candidate, the larger the better; pending ones count as evaluated.

        :param inputs: standardised descriptors, shape (n, d).
        :param pending: those of candidates running or already chosen, shape (p, d).
        :returns: shape (n,).
        """


def in_chunks(function: Callable[[Array], Array], inputs: Array) -> Array:
    """A score of many candidates with bounded memory, shape (n,)."""
    parts = [function(inputs[start : start + CHUNK]) for start in range(0, len(inputs), CHUNK)]
    return np.concatenate([np.empty(0), *parts])


def refined(first: Array, exact: Callable[[NDArray[np.int64]], Array], most: int = SHORTLIST) -> Array:
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
