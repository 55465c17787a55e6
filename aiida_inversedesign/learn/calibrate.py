"""Whether deviations are honest: the factor that gives 80 % intervals their coverage, shrunk where rows are few."""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.arrays import Array

#: Half width of an 80 % interval of the normal distribution in standard deviations.
Z80 = 1.2815515655446004
#: So many rows pull as strongly to their own factor as the prior belief pulls to one.
_PRIOR_ROWS = 20
#: Range of the factor, by judgement: left-out rows are never so like new ones that more could be trusted.
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


def tailed_log_density(values: Array, means: Array, deviations: Array) -> Array:
    """Log density under Student's t distributions with four degrees of freedom, shape (n,).

    Their 80 % intervals are those of the normal distributions with the same means and deviations; a value far off
    costs the logarithm of its distance, not the square.
    """
    # 1.5332 deviations are the half width of its 80 % interval
    width = deviations * Z80 / 1.5332062740589438
    z = (values - means) / width
    return np.asarray(-2.5 * np.log1p(z**2 / 4) - np.log(width) + math.log(3 / 8))
