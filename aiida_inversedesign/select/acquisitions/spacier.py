"""SPACIER: a temporary target that moves towards the wanted region as data arrive.

A(S, Y*) = −‖Y* − f̂(S)‖² − σ(S) − λ inf_{Y∈U} ‖Y* − Y‖² is maximised over the candidate S and the temporary target Y*
together (Terakura's slides; Nanjo et al., npj Comput. Mater. 2025). U is the product of the hit ranges and of what the
constraints allow: a box. For a given S with the point p of U nearest to f̂(S), the best Y* lies on the line between
the two, Y* = (f̂ + λ p) / (1 + λ), so that A = −λ/(1 + λ) ‖f̂(S) − p‖² − σ(S). Everything is counted in standard
deviations of the data; σ(S) is the norm over the properties.

σ(S) is a penalty: the target region is approached over candidates that are predicted well. Where a region lies outside
of the data this is slower than to go for the probability of a hit, which grows with σ (figures:
:func:`aiida_inversedesign.campaign.contracts.acquisition.resolve`).
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Goal, narrow
from aiida_inversedesign.select.problem import Marginals, SearchProblem
from aiida_inversedesign.select.rule import Marginal

#: λ: reaching the temporary target and bringing it nearer to U count alike.
_NEARER = 1.0


class Spacier(Marginal):
    """The candidate that can be reached and brings the wanted region nearer."""

    name = 'spacier'
    words = 'SPACIER, which moves the target region outwards'
    citations = ('spacier2025',)

    def shrinks(self, problem: SearchProblem) -> bool:
        """No: it asks for small deviations, which pending candidates lower."""
        return False

    def refuses(self, goal: Goal) -> str:
        """It needs a region to move towards."""
        if goal.defines_hits:
            return ''
        return 'needs a region to move towards: give every objective a target, a window or a hit threshold'

    def looked_at(self, problem: SearchProblem) -> frozenset[str]:
        """The constraints are sides of the region."""
        return frozenset(problem.intervals)

    def value(self, problem: SearchProblem, inputs: Array, marginals: Marginals) -> Array:
        """max over Y* of A(S, Y*), shape (n,)."""
        distance, spread = np.zeros(len(inputs)), np.zeros(len(inputs))
        for name, (low, high) in region(problem).items():
            mean, deviation = marginals[name]
            scale = problem.models[name].scale
            distance += ((mean - np.clip(mean, low, high)) / scale) ** 2
            spread += (deviation / scale) ** 2
        return -_NEARER / (1 + _NEARER) * distance - np.sqrt(spread)


def region(problem: SearchProblem) -> dict[str, tuple[float, float]]:
    """The box U: for each property what hits and constraints allow."""
    box = dict(problem.intervals)
    for utility in problem.utilities:
        narrow(box, utility.property, utility.low, utility.high)
    return box
