"""Expectations under normal distributions on a logarithmic scale, exact far into the tails.

Sources: Ament et al., NeurIPS 2023, appendix A (log h); the rest follows by differences of two such terms.
"""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.arrays import Array

_HALF_LOG_2PI = math.log(2 * math.pi) / 2
_HALF_LOG_HALF_PI = math.log(math.pi / 2) / 2
#: Below this the first term of the asymptotic series of log h is exact: the next one, 3/z² = 3e-12, is less than the
#: rounding of z²/2.
_FAR = -1e6
#: Narrower than this, in standard deviations, a tent counts as a point: here the relative error of that (w²/12 = 1e-9)
#: is less than the rounding of the differences (2e-16 / w² = 2e-8).
_NARROW = 1e-4


def log_density(z: Array) -> Array:
    """log φ(z) of the standard normal distribution, elementwise: any shape."""
    return np.asarray(-(z**2) / 2 - _HALF_LOG_2PI)


def log_h(z: Array) -> Array:
    """log of h(z) = φ(z) + z Φ(z), the expected improvement of a standard normal variable shifted by z.

    Elementwise, any shape; exact in the far tail (log_h of S. Ament *et al.*, NeurIPS (2023)).
    """
    from scipy.special import erfcx, ndtr

    z = np.asarray(z, dtype=np.float64)
    result = np.empty_like(z)
    near, far = z > -1.0, z < _FAR
    middle = ~(near | far)
    result[near] = np.log(np.exp(log_density(z[near])) + z[near] * ndtr(z[near]))
    part = z[middle]
    result[middle] = log_density(part) + _log_one_minus(
        np.log(erfcx(-part / math.sqrt(2)) * np.abs(part)) + _HALF_LOG_HALF_PI
    )
    result[far] = log_density(z[far]) - 2 * np.log(np.abs(z[far]))
    return result


def log_within(mean: Array, deviation: Array, low: float | Array, high: float | Array) -> Array:
    """log of Φ((high − mean) / deviation) − Φ((low − mean) / deviation); either bound may be infinite.

    :param mean: shape (n,); ``deviation`` and bounds broadcast with it, all in one unit.
    :returns: shape (n,).
    """
    from scipy.special import log_ndtr

    lower, upper = (low - mean) / deviation, (high - mean) / deviation
    # counted from the side where the tail is thin, or the difference would vanish
    mirrored = lower > 0
    first = np.where(mirrored, -upper, lower)
    last = np.where(mirrored, -lower, upper)
    return log_difference(log_ndtr(last), log_ndtr(first))


def log_rise(mean: Array, deviation: Array, level: float | Array) -> Array:
    """log E[(v − level)⁺] of normal variables v.

    :param mean: shape (n,); ``deviation`` and ``level`` broadcast with it, all in one unit.
    :returns: shape (n,).
    """
    return np.asarray(log_h((mean - level) / deviation) + np.log(deviation))


def log_tent(mean: Array, deviation: Array, width: float | Array) -> Array:
    """log E[(width − |v|)⁺] of a normal variable v: a tent of half width and height ``width`` around zero.

    :param mean: shape (n,); ``deviation`` and ``width`` broadcast with it, all in one unit.
    :returns: shape (n,).
    """
    mean = -np.abs(mean)
    width = np.broadcast_to(np.asarray(width, dtype=np.float64), mean.shape)
    result = np.full(mean.shape, -np.inf)
    narrow = (width > 0) & (width < _NARROW * deviation)
    wide = (width > 0) & ~narrow
    m, d, w = mean[wide], deviation[wide], width[wide]
    # the tent is (v + w)⁺ − 2 v⁺ + (v − w)⁺; with a mean left of its ridge the first term is the largest
    first, second, third = log_h((m + w) / d), log_h(m / d), log_h((m - w) / d)
    share = 2 * np.exp(second - first) - np.exp(third - first)
    result[wide] = first + np.log(np.maximum(1.0 - share, 1e-16)) + np.log(d)
    m, d, w = mean[narrow], deviation[narrow], width[narrow]
    result[narrow] = 2 * np.log(w) - np.log(d) + log_density(m / d)
    return result


def log_difference(larger: Array, smaller: Array) -> Array:
    """log(exp(larger) − exp(smaller)), −∞ where they are equal; elementwise: any shape."""
    with np.errstate(invalid='ignore'):
        gap = np.where(np.isneginf(smaller), -np.inf, smaller - larger)
    return np.asarray(larger + _log_one_minus(np.minimum(gap, 0.0)))


def _log_one_minus(x: Array) -> Array:
    """log(1 − eˣ) for x ≤ 0."""
    with np.errstate(divide='ignore'):
        return np.asarray(np.where(x > -math.log(2), np.log(-np.expm1(np.minimum(x, 0.0))), np.log1p(-np.exp(x))))
