"""Searches that start from what an earlier one found in another pool: the transfer between campaigns, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.earlier import foreseen
from aiida_inversedesign.learn.models.transfer import Prior, learn_prior
from aiida_inversedesign.select.promise import promise

#: Arms that start from an earlier search begin with the first; those that start from one in the same pool whose answers
#: are in a random order, so that it was led by nothing and says nothing, with the second.
FROM, SHUFFLED = 'from', 'shuffled'


@dataclass(frozen=True, eq=False)
class Earlier:
    """What an earlier search evaluated.

    :param features: descriptors, shape (n, d). :param values: answers by property, each of shape (n,).
    """

    features: Array
    values: dict[str, Array]

    def priors(self, seed: int) -> tuple[Prior, ...]:
        """One prior for each property, as campaigns learn them."""
        return tuple(learn_prior(name, self.features, column, seed, True) for name, column in self.values.items())


def informed_start(priors: Sequence[Prior], goal: Goal, features: Array, points: Sequence[int]) -> list[int]:
    """The starting points of a search that knows priors: half of them by these, as campaigns choose them.

    :param points: those of searches without: the first of them are the other half.
    """
    worth = promise(goal, foreseen(priors, features))
    if worth is None:
        return list(points)
    best = [int(index) for index in np.argsort(-worth, kind='stable')[: (len(points) + 1) // 2]]
    return [*best, *(index for index in points if index not in best)][: len(points)]
