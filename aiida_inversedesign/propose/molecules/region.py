"""How probable it is that a molecule lies in the region that is searched for, by the surrogate's posterior."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Goal, narrow
from aiida_inversedesign.campaign.row import EvaluationRow, best_row

Bounds = dict[str, tuple[float, float]]


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


def log_window(mean: Array, deviation: Array, low: float, high: float) -> Array:
    """log[Φ((high − μ)/σ) − Φ((low − μ)/σ)], shape (n,), finite however far the window lies away.

    The tail that is farther from the window is turned to the other side, where the difference keeps its digits.
    """
    upper, lower = (high - mean) / deviation, (low - mean) / deviation
    turned = lower > 0
    upper, lower = np.where(turned, -lower, upper), np.where(turned, -upper, lower)
    most, least = log_ndtr(upper), log_ndtr(lower)
    with np.errstate(divide='ignore', invalid='ignore'):
        difference = most + np.log1p(-np.exp(np.minimum(least - most, 0.0)))
    return np.asarray(np.maximum(np.nan_to_num(difference, nan=-1e6, neginf=-1e6), -1e6), dtype=np.float64)


def scorer(surrogate: Any, space: Any, bounds: Bounds) -> Callable[[Sequence[Any]], Array]:
    """The log-likelihood of the region for molecules, shape (n,): Σ log P(low ≤ y ≤ high) with normal posteriors."""

    def score(molecules: Sequence[Any]) -> Array:
        if not molecules:
            return np.zeros(0)
        predicted = surrogate.predict(space, molecules, [None] * len(molecules))
        total = np.zeros(len(molecules))
        for name, (low, high) in bounds.items():
            mean, deviation = predicted[name]
            total += log_window(mean, deviation, low, high)
        return total

    return score
