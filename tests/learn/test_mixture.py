"""Weights that follow the evidence, and a mixture that behaves as one model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize

from aiida_inversedesign.learn.choice import fit_chosen
from aiida_inversedesign.learn.models.forest import fit_forest
from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.learn.models.mixture import Mixture, mixed, stacking_weights
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state


def data(n: int, seed: int = 0):
    X = np.random.default_rng(seed).normal(size=(n, 4))
    return X, np.sin(X[:, 0]) + 0.5 * np.abs(X[:, 1]) + 0.1 * np.random.default_rng(seed + 1).normal(size=n)


@pytest.fixture(scope='module')
def mixture() -> Mixture:
    X, y = data(40)
    return Mixture((fit_gp(X, y), fit_forest(X, y, 3)), np.array([0.7, 0.3]))


def test_weights_are_the_maximum_of_the_likelihood_with_three_rows_of_prior():
    densities = np.log(np.random.default_rng(4).random((60, 3)) * [1.0, 1.3, 0.2])

    def loss(angles):
        weights = np.exp(angles) / np.exp(angles).sum()
        return -np.log(np.exp(densities) @ weights).sum() - np.log(weights).sum()

    best = minimize(loss, np.zeros(3), method='BFGS').x
    assert stacking_weights(densities) == pytest.approx(np.exp(best) / np.exp(best).sum(), abs=1e-3)


def test_weights_without_evidence_are_equal_and_with_much_of_it_go_to_one():
    assert stacking_weights(np.zeros((5, 4))) == pytest.approx([0.25] * 4)
    assert stacking_weights(np.empty((0, 2))) == pytest.approx([0.5, 0.5])
    certain = np.column_stack([np.zeros(500), np.full(500, -800.0)])
    assert stacking_weights(certain) == pytest.approx([501.5 / 503, 1.5 / 503])


def test_moments_are_those_of_draws(mixture):
    points = data(5, 7)[0]
    mean, deviation = mixture.predict(points)
    draws = mixture.sample(points, 20000, 1)
    assert draws.mean(axis=0) == pytest.approx(mean, abs=0.03)
    assert draws.std(axis=0) == pytest.approx(deviation, rel=0.05)
    assert np.array_equal(draws, mixture.sample(points, 20000, 1))
    assert mixture.within(points, -np.inf, np.inf) == pytest.approx(1)
    assert mixture.within(points, mean[0], np.inf)[0] == pytest.approx(0.5)


def test_disagreement_widens():
    mean, deviation = mixed(
        np.array([0.5, 0.5]), [(np.array([0.0]), np.array([1.0])), (np.array([4.0]), np.array([1.0]))]
    )
    assert (mean[0], deviation[0]) == (2.0, pytest.approx(5**0.5))


def test_pending_points_narrow_and_keep_the_mean(mixture):
    points = data(3, 9)[0] + 1.5
    told = mixture.condition(points)
    assert told.predict(points)[0] == pytest.approx(mixture.predict(points)[0], abs=0.02)
    assert (told.predict(points)[1] < mixture.predict(points)[1]).all()
    assert mixture.condition(points[:0]) is mixture


def test_the_state_is_plain_and_gives_the_same_model(mixture):
    again = regressor_from_state(json.loads(json.dumps(mixture.state())))
    points = data(20, 11)[0]
    assert again.kind == 'mixture'
    for one, two in zip(again.predict(points), mixture.predict(points), strict=True):
        assert np.allclose(one, two, rtol=1e-9)
    with pytest.raises(RegressorError, match='version 7'):
        Mixture.from_state({**mixture.state(), 'version': 7})


def test_it_errs_less_than_its_parts_where_neither_is_right():
    errors = {'auto': 0.0, 'gp': 0.0, 'forest': 0.0, 'bootstrap': 0.0}
    for seed in range(6):
        X, y = data(60, seed * 10)
        test, values = data(300, seed * 10 + 5)
        for kind in errors:
            errors[kind] += float(np.abs(fit_chosen(X, y, kind)[0].predict(test)[0] - values).mean())
    assert errors['auto'] < 1.02 * min(errors.values())
