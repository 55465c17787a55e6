"""Properties that most crystals have at exactly one value."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.learn.models.hurdle import fit_hurdle, usual_value
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state


def gaps(n: int = 150, seed: int = 0):
    """Zero for four in five, else a smooth function: a crude band gap."""
    X = np.random.default_rng(seed).normal(size=(n, 4))
    return X, np.where(X[:, 0] > 0.8, 2 + 0.5 * X[:, 1], 0.0)


def test_the_usual_value():
    assert usual_value(np.array([0, 0, 1.0])) == 0
    assert usual_value(np.array([0, 0.5, 1.0])) is None
    assert usual_value(np.array([2.0])) is None
    assert usual_value(np.empty(0)) is None


def test_probabilities_of_a_window_are_honest_and_better_than_those_of_a_process():
    X, y = gaps()
    test, values = gaps(3000, 1)
    hit = (values > 1.5) & (values < 2.5)

    def cost(model):
        chance = np.clip(model.within(test, 1.5, 2.5), 1e-6, 1 - 1e-6)
        return -np.where(hit, np.log(chance), np.log1p(-chance)).mean(), chance

    (ours, chance), (plain, _) = cost(fit_hurdle(X, y)), cost(fit_gp(X, y))
    assert ours < 0.8 * plain
    assert chance.mean() == pytest.approx(hit.mean(), abs=0.05)
    sure = chance > 0.5
    assert hit[sure].mean() > 0.6


def test_moments_are_those_of_the_draws():
    model = fit_hurdle(*gaps())
    test, _ = gaps(20, 1)
    mean, deviation = model.predict(test)
    draws = model.sample(test, 4000, seed=2)
    assert np.array_equal(draws, model.sample(test, 4000, seed=2))
    assert (draws == 0).mean() > 0.5
    assert np.abs(draws.mean(axis=0) - mean).max() < 0.1
    assert np.abs(draws.std(axis=0) - deviation).max() < 0.15
    assert np.allclose(model.within(test, -np.inf, np.inf), 1)
    assert (model.within(test, -0.1, 0.1) > model.within(test, 0.1, 0.3)).all()


def test_pending_points():
    model = fit_hurdle(*gaps())
    test, _ = gaps(50, 1)
    updated = model.condition(test[:3])
    assert np.allclose(updated.predict(test)[0], model.predict(test)[0], atol=0.25)
    assert len(updated.X) == len(updated.y) == 153
    assert model.condition(test[:0]) is model


def test_comes_back_from_its_state():
    model = fit_hurdle(*gaps(40))
    test, _ = gaps(30, 1)
    for one in (model, model.condition(test[:2])):
        again = regressor_from_state(json.loads(json.dumps(one.state(), allow_nan=False)))
        assert np.allclose(again.predict(test), one.predict(test), rtol=1e-9)
        assert np.array_equal(again.y, one.y)
        assert (again.offset, again.scale) == (one.offset, one.scale)
    with pytest.raises(RegressorError, match='version 5'):
        regressor_from_state({**model.state(), 'version': 5})


@pytest.mark.parametrize('others', [0, 1, 2, 3])
def test_few_other_values(others):
    X, _ = gaps(12)
    y = np.zeros(12)
    y[:others] = [2.0, 2.4, 1.8][:others]
    model = fit_hurdle(X, y)
    chance = model.within(X, 1.0, 3.0)
    assert ((chance >= 0) & (chance < 1)).all()
    assert np.isfinite(model.predict(X)).all()
    if others:
        assert chance[:others].mean() > chance[others:].mean()
        assert model.predict(X)[0][0] > model.predict(X)[0][-1]


def test_other_data_are_refused():
    X, _ = gaps(12)
    with pytest.raises(RegressorError, match='at least half of the rows'):
        fit_hurdle(X, X[:, 0])
    with pytest.raises(RegressorError, match='at least half of the rows'):
        fit_hurdle(X[:1], np.zeros(1))
