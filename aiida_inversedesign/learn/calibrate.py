"""Whether deviations are honest: the factor that gives 80 % intervals their coverage, shrunk where rows are few."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Half width of an 80 % interval of the normal distribution in standard deviations.
Z80 = 1.2815515655446004
#: So many rows pull as strongly to their own factor as the prior belief pulls to one.
_PRIOR_ROWS = 20
_LIMITS = (0.5, 3.0)


def deviation_factor(z: Array) -> float:
    """Factor on deviations after which 80 % of left-out rows lie within their 80 % intervals.

    The 80 % quantile of |z| is used, not the mean square, which a single outlier would decide. Its logarithm is
    shrunk to zero by n / (n + 20) and the factor kept between 0.5 and 3.

    :param z: (value − mean) / deviation of rows predicted without themselves, shape (n,).
    """
    z = np.abs(z[np.isfinite(z)])
    if len(z) == 0:
        return 1.0
    raw = math.log(max(float(np.quantile(z, 0.8)) / Z80, 1e-6))
    low, high = (math.log(limit) for limit in _LIMITS)
    return math.exp(min(max(raw * len(z) / (len(z) + _PRIOR_ROWS), low), high))


@dataclass(frozen=True)
class Calibration:
    """How predictions compare with what was found.

    :param n: number of rows.
    :param coverage: share of values within the central 50, 80 and 95 % intervals.
    :param spread: standard deviation of z-scores; 1 is honest.
    :param log_likelihood: mean log density of the values under normal distributions, in the property's unit.
    :param mae: mean absolute error, in the property's unit.
    """

    n: int
    coverage: dict[str, float]
    spread: float
    log_likelihood: float
    mae: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def calibration(values: Array, means: Array, deviations: Array) -> Calibration:
    """Compare values with predictions of them, arrays of shape (n,), n at least 1."""
    z = (values - means) / deviations
    shares = {'50': 0.6744897501960817, '80': Z80, '95': 1.959963984540054}
    return Calibration(
        len(z),
        {name: float((np.abs(z) <= width).mean()) for name, width in shares.items()},
        float(np.sqrt((z**2).mean())),
        float(log_density(values, means, deviations).mean()),
        float(np.abs(values - means).mean()),
    )


def log_density(values: Array, means: Array, deviations: Array) -> Array:
    """Log density of values under normal distributions, shape (n,)."""
    z = (values - means) / deviations
    return np.asarray(-0.5 * z**2 - np.log(deviations) - 0.5 * math.log(2 * math.pi))


def tailed_log_density(values: Array, means: Array, deviations: Array) -> Array:
    """Log density under Student's t distributions with four degrees of freedom, shape (n,).

    Their 80 % intervals are those of the normal distributions with the same means and deviations; a value far off
    costs the logarithm of its distance, not the square.
    """
    # 1.5332 deviations are the half width of its 80 % interval
    width = deviations * Z80 / 1.5332062740589438
    z = (values - means) / width
    return np.asarray(-2.5 * np.log1p(z**2 / 4) - np.log(width) + math.log(3 / 8))
