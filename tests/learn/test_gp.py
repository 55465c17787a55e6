"""The Gaussian process: interpolates, is sure where it has data, and comes back exactly from its state."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aiida_inversedesign.learn.gp import GaussianProcess, GpError, fit_gp


def data(n: int = 25, d: int = 4, seed: int = 1):
    X = np.random.default_rng(seed).normal(size=(n, d))
    return X, 100 + 40 * np.sin(X[:, 0]) + 10 * X[:, 1]


def test_learns_and_knows_where():
    X, y = data(60)
    gp = fit_gp(X[:50], y[:50])
    mean, deviation = gp.predict(X[50:])
    assert np.abs(mean - y[50:]).mean() < 0.3 * y.std()
    at_data, far = gp.predict(X[:1])[1][0], gp.predict(np.full((1, 4), 30.0))[1][0]
    assert at_data < 0.3 * far
    # far from all data the prior remains
    assert far == pytest.approx(y[:50].std(ddof=1), rel=0.05)
    assert (deviation > 0).all()


def test_same_seed_same_process():
    X, y = data()
    first, second = fit_gp(X, y, seed=3), fit_gp(X, y, seed=3)
    assert json.dumps(first.state()) == json.dumps(second.state())


def test_fitting_leaves_the_global_generator_alone():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_gp(*data())
    assert torch.rand(1) == expected


def test_state_round_trip_is_exact():
    X, y = data()
    gp = fit_gp(X, y)
    again = GaussianProcess.from_state(json.loads(json.dumps(gp.state())))
    test = np.random.default_rng(9).normal(size=(50, 4))
    for one, other in zip(gp.predict(test), again.predict(test), strict=True):
        assert np.abs(one - other).max() <= 1e-10
    assert again.state() == gp.state()


def test_chunked_prediction_equals_one_by_one(monkeypatch):
    gp = fit_gp(*data())
    test = np.random.default_rng(9).normal(size=(7, 4))
    whole = gp.predict(test)
    monkeypatch.setattr('aiida_inversedesign.learn.gp._CHUNK', 2)
    for one, other in zip(whole, gp.predict(test), strict=True):
        assert np.allclose(one, other, rtol=1e-12)
    assert gp.predict(np.empty((0, 4)))[0].shape == (0,)


@pytest.mark.parametrize(('value', 'deviation'), [(50.0, 5.0), (0.0, 1.0), (-3.0, 0.3)])
def test_constant_targets(value, deviation):
    gp = fit_gp(np.random.default_rng(0).normal(size=(6, 3)), np.full(6, value))
    mean, far = gp.predict(np.full((1, 3), 100.0))
    assert mean[0] == pytest.approx(value, abs=1e-9)
    assert far[0] == pytest.approx(deviation, rel=1e-3)


def test_one_row():
    gp = fit_gp(np.zeros((1, 3)), np.array([7.0]))
    mean, deviation = gp.predict(np.zeros((1, 3)))
    assert mean[0] == pytest.approx(7.0)
    assert 0 < deviation[0] < 0.7


def test_duplicates_with_different_values_average():
    X, y = data()
    X[1], y[0], y[1] = X[0], 90.0, 110.0
    mean, deviation = fit_gp(X, y).predict(X[:1])
    assert 85 < mean[0] < 115
    assert np.isfinite(deviation).all()


@pytest.mark.parametrize(
    ('X', 'y', 'message'),
    [
        (np.zeros((0, 3)), np.zeros(0), 'no rows'),
        (np.zeros((2, 0)), np.zeros(2), 'no descriptors'),
        (np.zeros((2, 3)), np.zeros(3), 'one target per row'),
        (np.zeros((2, 3)), np.array([1.0, np.nan]), r'targets of row\(s\) \[1\]'),
        (np.array([[0.0], [np.inf]]), np.zeros(2), r'descriptors of row\(s\) \[1\]'),
    ],
)
def test_unusable_data_is_named(X, y, message):
    with pytest.raises(GpError, match=message):
        fit_gp(X, y)


def test_bad_prediction_and_state():
    gp = fit_gp(*data())
    with pytest.raises(GpError, match='fitted on 4 descriptors, asked about 2'):
        gp.predict(np.zeros((1, 2)))
    with pytest.raises(GpError, match='NaN'):
        gp.predict(np.full((1, 4), np.nan))
    with pytest.raises(GpError, match='version 99'):
        GaussianProcess.from_state({**gp.state(), 'version': 99})
    with pytest.raises(GpError, match='hyperparameters'):
        GaussianProcess.from_state({**gp.state(), 'hyperparameters': {}})
