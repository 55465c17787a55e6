"""The order of candidates by what a potential estimates of the goal's properties, before anything is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.utility import Utility


def promise(goal: Goal, estimates: Sequence[Mapping[str, float]]) -> Array | None:
    """How promising each candidate is: the least of its utilities, in standard deviations of the estimates, shape (n,).

    Minus infinity where an objective or a constraint is not estimated, or an estimate does not keep a constraint.

    :param estimates: of each candidate, length n, in the properties' units.
    :returns: None if no candidate has an estimate of every objective.
    """
    values = {
        name: np.array([item.get(name, np.nan) for item in estimates], dtype=np.float64) for name in goal.properties
    }
    worst = np.full(len(estimates), np.inf)
    for objective in goal.objectives:
        own = values[objective.property]
        if not np.isfinite(own).any():
            return None
        scale = float(np.nanstd(own)) or 1.0
        worst = np.minimum(worst, Utility.of(objective, float(np.nanmean(own)), scale).value(own))
    for item in goal.constraints:
        own = values[item.property]
        if not np.isfinite(own).any():
            # what the potential does not know decides nothing
            continue
        low, high = item.bounds
        worst = np.where(np.isfinite(own) & (own >= low) & (own <= high), worst, -np.inf)
    worst = np.where(np.isfinite(worst), worst, -np.inf)
    return worst if np.isfinite(worst).any() else None
