"""What an acquisition looks at: goal, surrogate and observations, with everything counted in the same way.

An improvement is one over the best utility so far, but at most over the hit threshold: once a hit is found, further
hits are still wanted. Pending candidates count as evaluated at their predicted mean ("Kriging believer"; Ginsbourger,
Le Riche and Carraro 2010): the surrogate is conditioned on them and their means count among the values so far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Regressor
from aiida_inversedesign.campaign.goal import Goal, intervals
from aiida_inversedesign.select.normal import log_within
from aiida_inversedesign.select.observed import Observed, SelectError
from aiida_inversedesign.select.utility import Utility

Marginals = dict[str, tuple[Array, Array]]

#: An own distribution of a finite number of members says nothing about rarer things than this.
_RARE = 1e-9
#: No candidate is held to fail for certain.
_SURE = 1 - 1e-6


@dataclass(frozen=True)
class SearchProblem:
    """One choice to be made.

    :param models: one for each property of the goal.
    :param failure: a :class:`~aiida_inversedesign.learn.failure.FailureModel`, or None.
    :param pending: how many of the last observations are pending candidates at their predicted means.
    :raises SelectError: if a property of the goal is not modelled or not among the observations.
    """

    goal: Goal
    models: Mapping[str, Regressor]
    failure: Any
    observed: Observed
    seed: int = 0
    pending: int = 0

    @classmethod
    def of(cls, goal: Goal, surrogate: Any, observed: Observed, seed: int) -> SearchProblem:
        """The choice by a surrogate with ``models`` and, if it has learned from failures, ``failure``."""
        return cls(goal, surrogate.models, getattr(surrogate, 'failure', None), observed, seed)

    def __post_init__(self) -> None:
        missing = [name for name in self.goal.properties if name not in self.models]
        if missing:
            raise SelectError(f'the surrogate does not model {", ".join(missing)}, which the goal needs: fit it again')
        unknown = [name for name in self.goal.properties if name not in self.observed.values]
        if unknown:
            raise SelectError(f'the observations have no {", ".join(unknown)}, which the goal needs: give a column')

    @cached_property
    def utilities(self) -> list[Utility]:
        """One per objective."""
        return [
            Utility.of(objective, model.offset, model.scale)
            for objective in self.goal.objectives
            for model in [self.models[objective.property]]
        ]

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """What the constraints allow of each property."""
        return intervals(self.goal.constraints)

    @cached_property
    def feasible(self) -> NDArray[np.bool_]:
        """Which observations keep every constraint, shape (n,); a missing property does not."""
        kept = ~self.observed.failed
        for name, (low, high) in self.intervals.items():
            values = self.observed.values[name]
            with np.errstate(invalid='ignore'):
                kept = kept & (values >= low) & (values <= high)
        return kept

    def best(self, index: int = 0) -> float:
        """The utility of one objective that is to be improved on: the best feasible one, at most the threshold.

        Without a feasible observation it is one standard deviation below everything: a feasible candidate is an
        improvement whatever its value. Without any observation it is the threshold, or else the prior mean.
        """
        utility = self.utilities[index]
        values = self.observed.values[utility.property]
        known = np.isfinite(values) & ~self.observed.failed
        if not known.any():
            return 0.0
        if not (known & self.feasible).any():
            return float(utility.value(values[known]).min()) - 1.0
        best = float(utility.value(values[known & self.feasible]).max())
        return min(best, 0.0) if utility.has_hits else best

    def marginals(self, inputs: Array) -> Marginals:
        """Mean and standard deviation, shape (n,) each, of every property of the goal for inputs of shape (n, d)."""
        return {name: self.models[name].predict(inputs) for name in self.goal.properties}

    def log_weight(self, inputs: Array, marginals: Marginals, without: frozenset[str] = frozenset()) -> Array:
        """log of the probability that a candidate's evaluation succeeds and keeps every constraint, shape (n,).

        It is added to every score: the logarithmic ones are thereby multiplied by the probability, and the others
        lose one standard deviation for each factor e.

        :param without: properties whose constraints are looked at elsewhere.
        """
        weight = np.zeros(len(inputs))
        for name, (low, high) in self.intervals.items():
            if name not in without:
                weight = weight + self.log_between(name, inputs, marginals, low, high)
        # a rate that does not depend on the crystal changes no order
        if self.failure is not None and self.failure.width > 0:
            weight = weight + np.log1p(-np.minimum(self.failure.probability(inputs), _SURE))
        return weight

    def log_between(self, name: str, inputs: Array, marginals: Marginals, low: float, high: float) -> Array:
        """log of the probability that a property lies in an interval, shape (n,)."""
        mean, deviation = marginals[name]
        model = self.models[name]
        normal = log_within(mean, np.maximum(deviation, 1e-9 * model.scale), low, high)
        if model.normal:
            return normal
        # beyond what its members can say, the normal distribution still ranks
        own = model.within(inputs, low, high)
        return np.asarray(np.where(own > _RARE, np.log(np.maximum(own, _RARE)), np.minimum(normal, math.log(_RARE))))

    def given(self, pending: Array) -> SearchProblem:
        """The same choice if the pending candidates had been evaluated, each at its predicted mean; shape (m, d)."""
        if not len(pending):
            return self
        means = {name: mean for name, (mean, _) in self.marginals(pending).items()}
        for name in self.observed.values:
            means.setdefault(name, np.full(len(pending), np.nan))
        models = {name: self.models[name].condition(pending) for name in self.goal.properties}
        observed = self.observed.added(pending, means)
        return replace(self, models=models, observed=observed, pending=self.pending + len(pending))
