"""The probability of failure: small while nothing fails, local where failures are, calibrated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.learn.failure import FailureModel, fit_failure
from aiida_inversedesign.learn.regressor import RegressorError


def test_without_failures_the_probability_is_small_and_shrinks():
    rng = np.random.default_rng(0)
    rates = [
        fit_failure(rng.normal(size=(n, 6)), np.zeros(n, bool)).probability(np.zeros((1, 6)))[0] for n in (2, 20, 200)
    ]
    assert 0.1 > rates[0] > rates[1] > rates[2] > 0
    assert rates[1] < 0.03


def test_failures_that_depend_on_the_crystal_are_learned():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 6))
    chance = 1 / (1 + np.exp(-4 * (X[:, 0] - 1)))
    model = fit_failure(X, rng.random(120) < chance)
    test = rng.normal(size=(2000, 6))
    probability, true = model.probability(test), 1 / (1 + np.exp(-4 * (test[:, 0] - 1)))
    assert model.evidence > 0
    assert np.corrcoef(probability, true)[0, 1] > 0.7
    failed = rng.random(2000) < true
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 1)):
        inside = (probability >= low) & (probability < high)
        assert failed[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.12)


def test_random_failures_give_the_base_rate():
    rng = np.random.default_rng(2)
    X, failed = rng.normal(size=(80, 6)), rng.random(80) < 0.2
    probability = fit_failure(X, failed).probability(rng.normal(size=(50, 6)))
    assert np.ptp(probability) < 0.15
    assert probability.mean() == pytest.approx(failed.mean(), abs=0.05)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30), failures=st.integers(0, 30), seed=st.integers(0, 5))
def test_always_a_probability_and_back_from_its_state(n, failures, seed):
    rng = np.random.default_rng(seed)
    X, failed = rng.normal(size=(n, 3)), np.arange(n) < failures
    model = fit_failure(X, failed)
    test = np.vstack([X, rng.normal(size=(10, 3)), np.full((1, 3), 50.0)])
    probability = model.probability(test)
    assert ((probability > 0) & (probability < 1)).all()
    # far from everything the base rate remains, drawn towards even odds by what is not known there
    assert abs(probability[-1] - 0.5) <= abs(model.base_rate - 0.5) + 1e-9
    again = FailureModel.from_state(json.loads(json.dumps(model.state())))
    assert np.allclose(again.probability(test), probability, rtol=1e-9)


def test_bad_data_are_named():
    with pytest.raises(RegressorError, match='one per row'):
        fit_failure(np.zeros((3, 2)), np.zeros(2, bool))
    with pytest.raises(RegressorError, match='one per row'):
        fit_failure(np.zeros((0, 2)), np.zeros(0, bool))
    with pytest.raises(RegressorError, match='NaN'):
        fit_failure(np.full((3, 2), np.nan), np.zeros(3, bool))
    model = fit_failure(np.zeros((3, 2)), np.zeros(3, bool))
    with pytest.raises(RegressorError, match='asked about 5'):
        model.probability(np.zeros((1, 5)))
    with pytest.raises(RegressorError, match='version 9'):
        FailureModel.from_state({**model.state(), 'version': 9})
