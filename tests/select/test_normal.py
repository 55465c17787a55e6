"""Expectations under normal distributions, against quadrature and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from aiida_inversedesign.select.normal import log_difference, log_h, log_rise, log_tent, log_within

MEANS, WIDTHS = st.floats(-6, 6), st.floats(0.05, 5)


@given(mean=MEANS, deviation=st.floats(0.2, 3), width=WIDTHS)
def test_the_tent_is_its_integral(mean, deviation, width):
    exact = sum(
        quad(lambda v: (width - abs(v)) * norm.pdf(v, mean, deviation), *part)[0] for part in ((-width, 0), (0, width))
    )
    ours = log_tent(np.array([mean]), np.array([deviation]), width)[0]
    assert math.exp(ours) == pytest.approx(exact, rel=1e-5, abs=1e-9)


@given(mean=MEANS, deviation=st.floats(0.2, 3), low=MEANS, width=WIDTHS)
def test_an_interval_has_its_probability(mean, deviation, low, width):
    # counted from the side of the mean, or the difference of the distribution functions would vanish
    if low > mean:
        exact = norm.sf(low, mean, deviation) - norm.sf(low + width, mean, deviation)
    else:
        exact = norm.cdf(low + width, mean, deviation) - norm.cdf(low, mean, deviation)
    ours = log_within(np.array([mean]), np.array([deviation]), low, low + width)[0]
    assert np.exp(ours) == pytest.approx(exact, rel=1e-7)


def test_far_tails_keep_their_order():
    z = np.array([-1e9, -1e7, -1e5, -1e3, -50.0, -5.0, -1.0, -0.99, 0.0, 5.0])
    assert (np.diff(log_h(z)) > 0).all()
    assert log_h(np.zeros(1))[0] == pytest.approx(norm.logpdf(0))
    far = np.array([-1e4, -1e3, -100.0, -30.0])
    one = np.ones(4)
    for values in (log_rise(far, one, 0.0), log_tent(far, one, 0.5), log_within(far, one, -1.0, 1.0)):
        assert np.isfinite(values).all()
        assert (np.diff(values) > 0).all()


def test_limits():
    zero, one = np.zeros(1), np.ones(1)
    assert log_within(zero, one, -np.inf, np.inf)[0] == 0
    assert log_within(zero, one, 1.0, 1.0)[0] == -np.inf
    assert log_tent(zero, one, 0.0)[0] == -np.inf
    assert log_tent(zero, one, -1.0)[0] == -np.inf
    assert log_difference(zero, zero)[0] == -np.inf
    assert log_difference(zero, np.full(1, -np.inf))[0] == 0
    # a certain prediction gains what it is above the level; a very narrow tent is its area times the density
    assert np.exp(log_rise(np.array([2.0]), np.array([1e-9]), 0.5))[0] == pytest.approx(1.5)
    assert log_tent(zero, one * 1e6, 1.0)[0] == pytest.approx(norm.logpdf(0, scale=1e6))
    assert np.exp(log_tent(np.array([0.3]), np.array([1e-9]), 1.0))[0] == pytest.approx(0.7)
