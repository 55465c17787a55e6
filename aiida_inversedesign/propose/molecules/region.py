"""How probable it is that a molecule lies in the region that is searched for, by the surrogate's posterior."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Goal, narrow
from aiida_inversedesign.campaign.row import EvaluationRow, best_row
from aiida_inversedesign.select.normal import log_within

Bounds = dict[str, tuple[float, float]]
#: The least log-probability of a window: weights stay finite where its two ends are one number. A prediction 1400
#: standard deviations away has it; no annealing tells such molecules apart.
_LEAST = -1e6


def region_of(goal: Goal, rows: Sequence[EvaluationRow]) -> Bounds:
    """Lowest and highest value of each property in the region: that of hits.

    Where an objective names no hit it is what is better than the best evaluation that keeps the constraints.
    """
    best = best_row(goal, rows)
    bounds: Bounds = {}
    for objective in goal.objectives:
        value = None if best is None else best.properties.get(objective.property)
        low, high = objective.hit_range or (-math.inf, math.inf)
        if objective.hit_range is None and value is not None:
            low, high = (value, math.inf) if objective.kind == 'maximize' else (-math.inf, value)
        bounds[objective.property] = low, high
    for item in goal.constraints:
        narrow(bounds, item.property, *item.bounds)
    return bounds


def scorer(surrogate: Any, space: Any, bounds: Bounds) -> Callable[[Sequence[Any]], Array]:
    """The log-likelihood of the region for molecules, shape (n,): Σ log P(low ≤ y ≤ high) with normal posteriors."""

    def score(molecules: Sequence[Any]) -> Array:
        if not molecules:
            return np.zeros(0)
        predicted = surrogate.predict(space, molecules, [None] * len(molecules))
        total = np.zeros(len(molecules))
        for name, (low, high) in bounds.items():
            mean, deviation = predicted[name]
            total += np.maximum(log_within(mean, deviation, low, high), _LEAST)
        return total

    return score
