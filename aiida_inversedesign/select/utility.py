"""How good a value of a property is: one utility per objective, and its expectations under a normal distribution.

A utility is counted in standard deviations of the property (the surrogate's scale). It rises or falls with the
property, from the hit threshold where there is one; for a target or window it is the margin to the nearer edge. In
every case a utility ≥ 0 means a hit where a hit is defined. The property is modelled, not the distance to its target:
the expectations are those of the composite function (Astudillo and Frazier, ICML 2019), here in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.goal import Objective
from aiida_inversedesign.select.normal import log_rise, log_tent, log_within


@dataclass(frozen=True)
class Utility:
    """The utility of one objective.

    :param property: name of the property.
    :param sign: +1 if it rises with the property, −1 if it falls, 0 for a tent.
    :param origin: value of the property where v = 0: the threshold, or the middle of a window.
    :param half: half the width of the window in standard deviations; 0 without one.
    :param scale: one standard deviation in the property's unit.
    :param low: lowest value of a hit; infinite where open or where no hit is defined.
    :param high: highest value of a hit.
    :param has_hits: whether the objective defines hits.
    """

    property: str
    sign: int
    origin: float
    half: float
    scale: float
    low: float
    high: float
    has_hits: bool

    @classmethod
    def of(cls, objective: Objective, offset: float, scale: float) -> Utility:
        """The utility of an objective whose property has this mean and standard deviation."""
        bounds = objective.hit_range
        low, high = bounds or (-math.inf, math.inf)
        if math.isfinite(low) and math.isfinite(high):
            return cls(objective.property, 0, (low + high) / 2, (high - low) / 2 / scale, scale, low, high, True)
        sign = 1 if objective.kind == 'maximize' else -1
        origin = offset if bounds is None else low if sign > 0 else high
        return cls(objective.property, sign, origin, 0.0, scale, low, high, bounds is not None)

    def value(self, y: Array) -> Array:
        """Utility of values of the property."""
        v = (y - self.origin) / self.scale
        return np.asarray(self.sign * v if self.sign else self.half - np.abs(v))

    def log_gain(self, mean: Array, deviation: Array, level: float | Array) -> Array:
        """log of the expected improvement E[(u − level)⁺], shape (n,).

        :param mean: of the property, in its unit, shape (n,).
        :param level: utility over which an improvement counts.
        """
        m, d = self._standard(mean, deviation)
        return log_rise(m, d, level) if self.sign else log_tent(m, d, self.half - level)

    def log_above(self, mean: Array, deviation: Array, level: float) -> Array:
        """log of the probability that the utility is at least ``level``, shape (n,)."""
        m, d = self._standard(mean, deviation)
        if self.sign:
            return log_within(m, d, level, math.inf)
        reach = self.half - level
        return log_within(m, d, -reach, reach) if reach > 0 else np.full(len(m), -np.inf)

    def deviation(self, deviation: Array) -> Array:
        """Standard deviations, any shape, from the property's unit to the utility's scale; never zero."""
        return np.asarray(np.maximum(deviation / self.scale, 1e-9))

    def _standard(self, mean: Array, deviation: Array) -> tuple[Array, Array]:
        v = (mean - self.origin) / self.scale
        return np.asarray(self.sign * v if self.sign else v), self.deviation(deviation)
