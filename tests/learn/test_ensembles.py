"""Forests, bootstrap ensembles and transfer keep the contract of a regressor."""

from __future__ import annotations

import json

import numpy as np
import pytest
from coverage_of import calibration
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.learn.models.bootstrap import fit_bootstrap
from aiida_inversedesign.learn.models.forest import fit_forest
from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.learn.models.transfer import fit_transfer, learn_prior
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state


def truth(X):
    return 100 + 30 * np.sin(X[:, 0]) + 15 * X[:, 1] + 5 * X[:, 2] ** 2


def data(n: int = 60, d: int = 5, seed: int = 1):
    X = np.random.default_rng(seed).normal(size=(n, d))
    return X, truth(X)


@pytest.fixture(scope='module')
def prior():
    X = np.random.default_rng(50).normal(size=(600, 5))
    return learn_prior('cheap', X, 0.3 * truth(X) + np.cos(X[:, 3]), seed=0)


@pytest.fixture(scope='module')
def fits(prior):
    return {
        'gp': lambda X, y, seed=0: fit_gp(X, y),
        'forest': fit_forest,
        'bootstrap': fit_bootstrap,
        'transfer': lambda X, y, seed=0: fit_transfer(X, y, [prior]),
    }


KINDS = ('gp', 'forest', 'bootstrap', 'transfer')
each = pytest.mark.parametrize('kind', KINDS)


@each
def test_learns_and_says_how_well(fits, kind):
    X, y = data()
    model = fits[kind](X, y, seed=0)
    test, values = data(400, seed=2)
    found = calibration(values, *model.predict(test))
    assert found.mae < 0.7 * np.abs(values - values.mean()).mean()
    assert 0.65 <= found.coverage['80'] <= 0.95
    assert model.kind == kind
    assert (model.offset, model.scale) == (pytest.approx(y.mean()), pytest.approx(y.std(ddof=1)))
    assert np.allclose(model.y, y)
    assert np.allclose(model.X, X)


@each
def test_comes_back_from_its_state(fits, kind):
    X, y = data(30)
    model = fits[kind](X, y, seed=3)
    pending, test = data(3, seed=8)[0], data(20, seed=2)[0]
    for one in (model, model.condition(pending)):
        again = regressor_from_state(json.loads(json.dumps(one.state(), allow_nan=False)))
        assert again.kind == kind
        for first, second in zip(one.predict(test), again.predict(test), strict=True):
            assert np.allclose(first, second, rtol=1e-9, atol=1e-9)
        assert np.allclose(again.X, one.X)
    assert json.dumps(again.state()) == json.dumps(one.state())
    with pytest.raises(RegressorError, match='version 77'):
        regressor_from_state({**model.state(), 'version': 77})


@pytest.mark.parametrize('kind', ['forest', 'bootstrap'])
def test_the_seed_decides_what_is_drawn(fits, kind):
    X, y = data(30)
    test = data(20, seed=2)[0]
    one, two, other = (fits[kind](X, y, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.predict(test)[1], two.predict(test)[1])
    assert not np.allclose(one.predict(test)[1], other.predict(test)[1], rtol=1e-6)


@each
def test_draws_are_those_of_their_seed(fits, kind):
    model, test = fits[kind](*data(30)), data(20, seed=2)[0]
    drawn = model.sample(test, 4, 1)
    assert np.array_equal(drawn, model.sample(test, 4, 1))
    assert not np.allclose(drawn, model.sample(test, 4, 2))


@each
def test_the_global_generators_are_left_alone(fits, kind):
    np.random.seed(4)
    expected = np.random.rand()
    np.random.seed(4)
    fits[kind](*data(20), seed=3)
    assert np.random.rand() == expected


@each
def test_pending_points_narrow_their_neighbourhood_and_move_no_mean(fits, kind):
    X, y = data()
    model = fits[kind](X, y, seed=0)
    test = data(200, seed=2)[0]
    before = model.predict(test)
    widest = test[np.argsort(-before[1])[:3]]
    updated = model.condition(widest)
    after = updated.predict(test)
    assert np.allclose(before[0], after[0], rtol=1e-9)
    assert (after[1] <= before[1] * 1.05).all()
    assert updated.predict(widest)[1].sum() < 0.95 * model.predict(widest)[1].sum()
    assert len(updated.X) == len(X) + 3
    assert np.allclose(updated.y[-3:], model.predict(widest)[0])
    assert model.condition(np.empty((0, 5))) is model
    # one after the other or all at once
    steps = model.condition(widest[:1]).condition(widest[1:])
    assert np.allclose(steps.predict(test)[0], after[0], rtol=1e-9)
    assert np.abs(steps.predict(test)[1] / after[1] - 1).max() < 0.2


@each
def test_draws_have_the_predicted_moments(fits, kind):
    model = fits[kind](*data(), seed=0)
    test = data(15, seed=2)[0]
    mean, deviation = model.predict(test)
    draws = model.sample(test, 3000, seed=1)
    assert draws.shape == (3000, 15)
    assert np.abs(draws.mean(axis=0) - mean).max() < 0.1 * deviation.max()
    assert np.abs(draws.std(axis=0) / deviation - 1).max() < 0.12


@each
def test_probability_of_an_interval(fits, kind):
    model = fits[kind](*data(), seed=0)
    test = data(100, seed=2)[0]
    mean, _ = model.predict(test)
    low, high = float(np.quantile(mean, 0.4)), float(np.quantile(mean, 0.6))
    below, inside, above = (model.within(test, *pair) for pair in ((-np.inf, low), (low, high), (high, np.inf)))
    assert np.allclose(below + inside + above, 1)
    assert inside[(mean > low) & (mean < high)].mean() > 1.2 * inside[mean > high].mean()
    drawn = model.sample(test[:5], 4000, seed=3)
    assert np.allclose(((drawn > low) & (drawn < high)).mean(axis=0), inside[:5], atol=0.05)


@each
def test_bad_data_are_defined(fits, kind):
    fit = fits[kind]
    rng = np.random.default_rng(0)
    # constant targets
    mean, deviation = fit(rng.normal(size=(8, 5)), np.full(8, 50.0), seed=0).predict(rng.normal(size=(4, 5)))
    assert np.allclose(mean, 50, atol=1e-6)
    assert ((deviation > 0.1) & (deviation <= 6)).all()
    # one row
    mean, deviation = fit(np.zeros((1, 5)), np.array([7.0]), seed=0).predict(np.zeros((2, 5)))
    assert np.allclose(mean, 7)
    assert ((deviation > 0) & (deviation < 1)).all()
    # duplicates with different values
    X, y = data(20)
    X[1], y[0], y[1] = X[0], 90.0, 130.0
    mean, deviation = fit(X, y, seed=0).predict(X[:1])
    assert 80 < mean[0] < 140
    assert deviation[0] > 0
    # more columns than rows
    X = rng.normal(size=(6, 5)).repeat(10, axis=1)[:, :5] if kind == 'transfer' else rng.normal(size=(6, 60))
    mean, deviation = fit(X, X[:, 0], seed=0).predict(X)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()
    # no rows, NaN
    for X, y, message in (
        (np.empty((0, 5)), np.empty(0), 'no rows'),
        (np.zeros((2, 5)), np.array([1, np.nan]), r'targets of row\(s\) \[1\]'),
        (np.full((2, 5), np.nan), np.zeros(2), r'descriptors of row\(s\) \[0, 1\]'),
        (np.zeros((2, 5)), np.zeros(3), 'one target per row'),
    ):
        with pytest.raises(RegressorError, match=message):
            fit(X, y, seed=0)
    model = fit(*data(12), seed=0)
    with pytest.raises(RegressorError, match='fitted on 5 descriptors, asked about 2'):
        model.predict(np.zeros((1, 2)))
    with pytest.raises(RegressorError, match='NaN'):
        model.within(np.full((1, 5), np.nan), 0, 1)


@each
def test_no_points_no_answers(fits, kind):
    model = fits[kind](*data(12), seed=0)
    mean, deviation = model.predict(np.empty((0, 5)))
    assert mean.shape == deviation.shape == model.within(np.empty((0, 5)), 0, 1).shape == (0,)
    assert model.sample(np.empty((0, 5)), 3, 1).shape == (3, 0)


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_units_do_not_matter(factor, shift):
    X, y = data(15)
    test = data(5, seed=2)[0]
    for fit in (fit_gp, fit_bootstrap):
        mean, deviation = fit(X, y).predict(test)
        other = fit(X, factor * y + shift).predict(test)
        assert np.allclose(other[0], factor * mean + shift, rtol=1e-3, atol=1e-2 * factor)
        assert np.allclose(other[1], factor * deviation, rtol=1e-2)


def test_transfer_needs_fewer_rows(prior):
    X, y = data(12)
    test, values = data(300, seed=2)
    errors = [np.abs(model.predict(test)[0] - values).mean() for model in (fit_gp(X, y), fit_transfer(X, y, [prior]))]
    assert errors[1] < 0.5 * errors[0]
    assert prior.error < 0.2
    assert prior.rows == 600


def test_a_useless_prior_does_little_harm():
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(300, 5))
    useless = learn_prior('noise', Z, rng.normal(size=300))
    X, y = data(40)
    test, values = data(300, seed=2)
    plain, other = fit_gp(X, y, form='ard'), fit_transfer(X, y, [useless])
    errors = [np.abs(model.predict(test)[0] - values).mean() for model in (plain, other)]
    assert errors[1] < 1.25 * errors[0]


def test_a_prior_leaves_out_what_it_cannot_use():
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = X[:, 0].copy()
    y[:5] = np.nan
    assert learn_prior('some', X, y).rows == 25
    with pytest.raises(RegressorError, match=r"9 rows of 'few' to transfer from"):
        learn_prior('few', X[:9], X[:9, 0])
    with pytest.raises(RegressorError, match='different values'):
        learn_prior('flat', X, np.ones(30))
    with pytest.raises(RegressorError, match=r'name learn\.source'):
        fit_transfer(X, X[:, 0], [])


def test_a_forest_does_not_mind_irrelevant_columns_or_jumps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30))
    y = np.where(X[:, 4] > 0, 10.0, 0.0)
    forest, gp = fit_forest(X[:80], y[:80]), fit_gp(X[:80], y[:80])
    errors = [np.abs(model.predict(X[80:])[0] - y[80:]).mean() for model in (forest, gp)]
    assert errors[0] < errors[1]
    # two values are possible, nothing between
    assert forest.within(X[80:], 3, 7).mean() < 0.25
