"""What is learned depends neither on the unit of a property nor on its zero."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.learn.regressor import normal_within, target_scale

RNG = np.random.default_rng(4)
X = RNG.uniform(size=(24, 2))
Y = np.sin(4 * X[:, 0]) + X[:, 1] ** 2
NEW = RNG.uniform(size=(40, 2))


def predicted(offset: float, spread: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    surrogate = fit_on_features(X, {'y': offset + spread * Y}, kind=kind)
    mean, deviation = surrogate.models['y'].predict(surrogate.standardise(NEW))
    return (mean - offset) / spread, deviation / spread


@pytest.mark.parametrize('kind', ['gp', 'forest', 'bootstrap', 'auto'])
@pytest.mark.parametrize(('offset', 'spread'), [(1e4, 1e-3), (-5e5, 1e-4), (1e6, 1e-2), (0.0, 1e-20), (0.0, 1e60)])
def test_small_spread_on_a_large_offset(kind: str, offset: float, spread: float) -> None:
    usual, deviations = predicted(0.0, 1.0, kind)
    mean, deviation = predicted(offset, spread, kind)
    assert np.abs(mean - usual).max() < 0.02 * Y.std()
    assert deviation == pytest.approx(deviations, rel=0.1)


@pytest.mark.parametrize(
    ('values', 'flat'),
    [
        ([-5e5, -5e5 + 1e-6, -5e5 - 1e-6], False),
        ([1e-20, 2e-20, 3e-20], False),
        ([0.3, 0.1 + 0.2, 0.3], True),
        ([1e8, 1e8 + 1.5e-8, 1e8], True),
        ([7.0, 7.0], True),
        ([0.0, 0.0], True),
        ([3.0], True),
    ],
)
def test_constant_relative_to_machine_precision(values: list[float], flat: bool) -> None:
    assert target_scale(np.array(values))[2] is flat


def test_probabilities_at_any_scale() -> None:
    for scale in (1e-20, 1.0, 1e20):
        inside = normal_within(np.array([0.0]), np.array([scale]), -scale, scale)
        assert inside == pytest.approx(0.6827, abs=1e-4)
    assert normal_within(np.array([-5e5]), np.array([1e-7]), -5e5 - 1e-7, -5e5 + 1e-7) == pytest.approx(0.68, abs=0.01)
