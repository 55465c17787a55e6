"""A node of a Monte-Carlo tree and the choice below it, for searches over formulas and over strings.

Upper confidence bounds (UCT; Kocsis and Szepesvári, ECML 2006) on the mean of the scores and the best one in equal
parts, with progressive widening (Coulom, LNCS 4630, 72 (2007)); why:
:mod:`aiida_inversedesign.propose.generators.tree_search`.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array

#: weight of exploration in the confidence bound, of UCB1
EXPLORATION = math.sqrt(2)
#: a node visited n times looks at this many times √n of its choices
WIDENING = 2.0
#: runs that the first estimate of a child counts for
PRIOR = 1.0


@dataclass
class Node:
    """What is complete in part; arrays are over its possible next choices.

    :param open: which choices may still lead to something new.
    :param visits: runs through each. :param total: sum of their rewards. :param best: their best.
    """

    open: NDArray[np.bool_]
    visits: Array
    total: Array
    best: Array
    children: dict[int, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, possible: NDArray[np.bool_]) -> Node:
        """A node that no run has visited; ``possible``, shape (choices,), says which choices there are."""
        size = len(possible)
        return cls(possible, np.zeros(size), np.zeros(size), np.zeros(size))

    def choose(self, means: Array, deviation: float, rng: random.Random) -> int:
        """The choice with the highest bound among those that are looked at, which are more and more of them.

        :param means: estimate of each choice before it was visited; choices are looked at in this order.
        :param deviation: standard deviation of the rewards, in which exploration is counted.
        """
        visits = self.visits + PRIOR
        value = 0.5 * (self.total + PRIOR * means) / visits + 0.5 * np.where(self.visits > 0, self.best, means)
        bound = value + EXPLORATION * deviation * np.sqrt(np.log(visits.sum() + 1) / visits)
        looked_at = self.open & (self.visits > 0)
        width = math.ceil(WIDENING * math.sqrt(self.visits.sum() + 1))
        if looked_at.sum() < width:
            waiting = np.flatnonzero(self.open & ~looked_at)
            looked_at[waiting[np.argsort(-means[waiting], kind='stable')[: width - int(looked_at.sum())]]] = True
        bound[~looked_at] = -np.inf
        best = np.flatnonzero(bound >= bound.max() - 1e-12)
        return int(best[rng.randrange(len(best))])


def close_above(path: list[tuple[Node, int]]) -> None:
    """Close choices of a path, from its end upwards, below which nothing is open."""
    for (parent, above), (below, _) in zip(path[-2::-1], path[:0:-1], strict=True):
        if not below.open.any():
            parent.open[above] = False
