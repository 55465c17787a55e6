"""Expectations and utilities in closed form, against many digits and quadrature."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from given_models import (
    BAND,
    BOTTOM,
    HIGH,
    INF,
    LOW,
    TOP,
)
from scipy.integrate import quad
from scipy.stats import norm

from aiida_inversedesign.campaign.goal import Goal, Objective
from aiida_inversedesign.select.normal import log_difference, log_h, log_rise, log_tent, log_within
from aiida_inversedesign.select.utility import Utility

# -- expectations under normal distributions -----------------------------------------------------------------------


@pytest.mark.parametrize('z', [4.0, 0.0, -0.5, -0.999, -1.0, -1.001, -3.0, -40.0, -1e4, -9e5, -1e6, -1.1e6, -1e8])
def test_log_h_at_every_distance(z: float) -> None:
    with mpmath.workdps(60):
        x = mpmath.mpf(z)
        exact = -x * x / 2 - mpmath.log(2 * mpmath.pi) / 2
        # φ(z) + z Φ(z) = φ(z) (1 − |z| √(π/2) erfcx(|z|/√2)), the latter by its series far out
        if z > -30:
            exact = mpmath.log(mpmath.npdf(x) + x * mpmath.ncdf(x))
        else:
            exact += mpmath.log(1 / x**2 - 3 / x**4 + 15 / x**6 - 105 / x**8 + 945 / x**10)
    assert log_h(np.array([z]))[0] == pytest.approx(float(exact), rel=1e-15 if z < -1e6 else 1e-9, abs=1e-9)


@pytest.mark.parametrize('mean', [-12.0, -3.0, 0.0, 0.4, 3.0, 12.0])
@pytest.mark.parametrize('deviation', [0.5, 2.0])
def test_logarithms_of_probabilities_and_rises(mean: float, deviation: float) -> None:
    m, d = np.array([mean]), np.array([deviation])
    with mpmath.workdps(300):
        low, high = ((mpmath.mpf(edge) - mpmath.mpf(mean)) / deviation for edge in (-1, 2))
        within = mpmath.log(mpmath.ncdf(high) - mpmath.ncdf(low))
        z = (mpmath.mpf(mean) - 1) / deviation
        rise = mpmath.log(deviation * (mpmath.npdf(z) + z * mpmath.ncdf(z)))
        above = mpmath.log(mpmath.ncdf((mpmath.mpf(mean) - 1) / deviation))
        below = mpmath.log(mpmath.ncdf((1 - mpmath.mpf(mean)) / deviation))
        at = [(mpmath.mpf(mean) + shift) / deviation for shift in (1.5, 0, -1.5)]
        terms = [deviation * (mpmath.npdf(x) + x * mpmath.ncdf(x)) for x in at]
        tent = mpmath.log(terms[0] - 2 * terms[1] + terms[2])
    assert log_within(m, d, -1.0, 2.0)[0] == pytest.approx(float(within), rel=1e-8, abs=1e-12)
    assert log_within(m, d, 1.0, INF)[0] == pytest.approx(float(above), rel=1e-8, abs=1e-12)
    assert log_within(m, d, -INF, 1.0)[0] == pytest.approx(float(below), rel=1e-8, abs=1e-12)
    assert log_rise(m, d, 1.0)[0] == pytest.approx(float(rise), rel=1e-8, abs=1e-9)
    assert log_tent(m, d, 1.5)[0] == pytest.approx(float(tent), rel=1e-7, abs=1e-9)
    assert log_tent(m, d, np.array([1.5]))[0] == log_tent(m, d, 1.5)[0]


def test_narrow_tents_are_their_area_times_the_density() -> None:
    mean, deviation = np.array([0.5, -0.5, 0.0]), np.array([2.0, 2.0, 0.5])
    for width in (1e-4, 1e-6):
        expected = np.log(width**2) + norm.logpdf(mean, 0, deviation)
        assert log_tent(mean, deviation, width) == pytest.approx(expected, rel=1e-6)
    assert log_tent(np.zeros(3), np.ones(3), np.array([0.0, -1.0, 1.0]))[:2].tolist() == [-INF, -INF]


def test_differences_of_logarithms() -> None:
    larger, smaller = np.log([3.0, 3.0, 5.0, 2.0]), np.array([math.log(2.0), -INF, math.log(0.001), math.log(2.0)])
    assert np.exp(log_difference(larger, smaller)) == pytest.approx([1.0, 3.0, 4.999, 0.0])
    assert log_difference(np.array([-INF]), np.array([-INF])).tolist() == [-INF]
    assert log_within(np.zeros(1), np.ones(1), INF, INF).tolist() == [-INF]


# -- utilities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('objective', 'expected'),
    [
        ({'maximize': True}, Utility('k', 1, 2.0, 0.0, 4.0, -INF, INF, False)),
        ({'minimize': True}, Utility('k', -1, 2.0, 0.0, 4.0, -INF, INF, False)),
        ({'maximize': True, 'hit': 3.0}, Utility('k', 1, 3.0, 0.0, 4.0, 3.0, INF, True)),
        ({'minimize': True, 'hit': 3.0}, Utility('k', -1, 3.0, 0.0, 4.0, -INF, 3.0, True)),
        ({'window': [1.0, 3.0]}, Utility('k', 0, 2.0, 0.25, 4.0, 1.0, 3.0, True)),
        ({'target': 5.0, 'tolerance': 2.0}, Utility('k', 0, 5.0, 0.5, 4.0, 3.0, 7.0, True)),
    ],
)
def test_a_utility_is_counted_from_the_threshold(objective: dict[str, Any], expected: Utility) -> None:
    assert Utility.of(Objective(property='k', **objective), 2.0, 4.0) == expected


@pytest.mark.parametrize('goal', [TOP, HIGH, BAND, LOW, BOTTOM], ids=['top', 'high', 'band', 'low', 'bottom'])
def test_expectations_of_a_utility_are_its_integrals(goal: Goal) -> None:
    utility = Utility.of(goal.objectives[0], 2.0, 2.0)
    m, d = np.array([2.2]), np.array([1.0])
    for level in (-0.5, 0.1):

        def gain(y: float, level: float = level) -> float:
            return max(float(utility.value(np.array([y]))[0]) - level, 0.0) * norm.pdf(y, 2.2, 1.0)

        edges = sorted({utility.origin + sign * 2.0 * (utility.half - level) for sign in (-1, 1)} | {utility.origin})
        exact = quad(gain, -6, 10, points=edges, limit=200)[0]
        assert np.exp(utility.log_gain(m, d, level))[0] == pytest.approx(exact, rel=1e-6)
        chance = np.mean(utility.value(norm.ppf((np.arange(20000) + 0.5) / 20000, 2.2, 1.0)) >= level)
        assert np.exp(utility.log_above(m, d, level))[0] == pytest.approx(chance, abs=1e-4)
    assert utility.deviation(np.array([1.0, 0.0])).tolist() == [0.5, 1e-9]


def test_above_the_height_of_a_tent_there_is_nothing() -> None:
    utility = Utility.of(BAND.objectives[0], 2.0, 2.0)
    assert utility.half == 0.25
    for level in (0.25, 0.5):
        assert utility.log_above(np.array([2.5, 2.4]), np.ones(2), level).tolist() == [-INF, -INF]
        assert utility.log_gain(np.array([2.5]), np.ones(1), level).tolist() == [-INF]
    assert utility.value(np.array([2.0, 2.5, 3.0, 4.0])).tolist() == [0.0, 0.25, 0.0, -0.5]
