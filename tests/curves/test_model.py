"""Surrogates of curves: what they predict, how sure they are, and that they come back from plain data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toy import toy

from aiida_inversedesign.campaign.curves.curve import Axis, Curve, CurveError
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.learn.curves.model import CurveModel, fit_curve_set, fit_curves
from aiida_inversedesign.learn.regressor import RegressorError

AXIS = Axis('time', 's')
KINDS = ['krfd', 'linear', 'pointwise', 'fpca']


def hills(systems=60, seed=0):
    """Densities whose hill moves with the first input."""
    rng = np.random.default_rng(seed)
    X, grid = rng.uniform(-1, 1, (systems, 3)), np.linspace(0, 10, 41)
    values = np.exp(-0.5 * (grid - 5 - 2 * X[:, :1]) ** 2) * (1.5 + X[:, 1:2])
    return grid, X, np.maximum(values + 0.02 * rng.standard_normal(values.shape), 0)


@pytest.fixture(scope='module')
def models():
    grid, X, Y = toy(140, 0, 21)
    return X[120:], Y[120:], {kind: fit_curves(X[:120], Y[:120], grid, kind) for kind in KINDS}


@pytest.mark.parametrize('kind', KINDS)
def test_state_replays_the_same_predictions(models, kind):
    new, _, fitted = models
    model = fitted[kind]
    again = CurveModel.from_state(json.loads(json.dumps(model.state())))
    assert np.array_equal(model.predict(new), again.predict(new))
    assert np.array_equal(model.band(new, 0.8), again.band(new, 0.8))
    assert np.array_equal(model.sample(new, 3, 7), again.sample(new, 3, 7))
    with pytest.raises(RegressorError, match='fit them again'):
        CurveModel.from_state({**model.state(), 'version': 0})
    # states of earlier versions have the misses of all points together
    old = CurveModel.from_state(json.loads(json.dumps({**model.state(), 'misses': model.misses[0].tolist()})))
    assert np.array_equal(model.predict(new), old.predict(new))
    assert np.array_equal(model.sample(new, 3, 1), old.sample(new, 3, 1))


def test_bands_hold_their_share_at_each_point():
    # half of the axis is normal about a trend, on the other half few curves are far from zero
    rng = np.random.default_rng(0)
    X, grid = rng.uniform(-1, 1, (400, 2)), np.linspace(0, 1, 20)
    Y = X[:, :1] + 0.3 * rng.standard_normal((400, 20))
    Y[:, 10:] = np.where(rng.uniform(size=(400, 10)) < 0.06, 5.0, 0.0)
    model = fit_curves(X[:200], Y[:200], grid, 'pointwise')
    low, high = model.band(X[200:], 0.8)
    inside = ((low <= Y[200:]) & (Y[200:] <= high)).mean(axis=0)
    assert inside[:10] == pytest.approx(0.8, abs=0.08)
    assert inside[10:].mean() > 0.85
    assert np.diff([np.ptp(model.band(X[:5], level), axis=0) for level in (0.5, 0.8, 0.95)], axis=0).min() >= 0


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('settings', [{'name': 'value', 'at': 0.55}, {'name': 'mean', 'range': (0.2, 1.3)}])
def test_linear_functionals_in_closed_form_agree_with_joint_draws(models, kind, settings):
    new, _, fitted = models
    functional = Functional.of(**settings)
    mean, deviation = fitted[kind].functional(new[:6], functional, AXIS)
    drawn = fitted[kind].sample(new[:6], 1500, 3)
    numbers = functional.of_rows(fitted[kind].grid, drawn.reshape(-1, 21), AXIS).reshape(1500, 6)
    assert np.allclose(numbers.mean(axis=0), mean, atol=4 * deviation.max() / np.sqrt(1500))
    assert np.allclose(numbers.std(axis=0), deviation, rtol=0.15)


def test_the_deviation_of_an_integral_covers_what_it_misses(models):
    new, curves, fitted = models
    functional = Functional.of('integral')
    mean, deviation = fitted['krfd'].functional(new, functional, AXIS)
    misses = np.abs(functional.of_rows(fitted['krfd'].grid, curves, AXIS) - mean) / deviation
    assert 0.6 < (misses < 1.28).mean() <= 1.0


def test_krfd_predicts_best_and_linear_worst(models):
    new, curves, fitted = models
    errors = {kind: np.abs(model.predict(new) - curves).mean() for kind, model in fitted.items()}
    assert errors['krfd'] == min(errors.values())
    assert errors['linear'] == max(errors.values())


def test_auto_lets_all_compete_and_densities_stay_positive():
    grid, X, Y = hills()
    model = fit_curves(X[:50], Y[:50], grid, 'auto')
    assert set(model.record['candidates']) >= {*KINDS, 'krfd/root'}
    assert model.recipe == min(model.record['candidates'], key=lambda name: model.record['candidates'][name]['mae'])
    for level in (0.5, 0.8, 0.95):
        low, high = model.band(X[50:], level)
        assert (low >= 0).all()
        assert (low <= high).all()
    mean, deviation = model.functional(X[50:], Functional.of('first_moment'), AXIS)
    true = Functional.of('first_moment').of_rows(grid, Y[50:], AXIS)
    assert np.abs(mean - true).mean() < 0.5 * true.std()
    assert (deviation > 0).all()


def test_grids_of_their_own_are_learned_together():
    grid, X, Y = hills(40)
    rng = np.random.default_rng(3)
    curves = []
    for row in Y:
        own = np.sort(rng.permutation(41)[:25])
        curves.append(Curve.of('dos', grid[own], row[own], AXIS))
    model = fit_curve_set(curves, X, 'krfd')
    assert np.abs(model.predict(X) - Y).mean() < 0.5 * np.abs(Y - Y.mean(axis=0)).mean()
    assert model.on(X[:2], np.array([0.3, 7.1]), AXIS).shape == (2, 2)
    with pytest.raises(CurveError, match='nothing is extrapolated'):
        model.on(X[:2], np.array([0.3, 11.0]), AXIS)


@pytest.mark.parametrize('rows', [2, 3, 12])
@pytest.mark.parametrize('kind', KINDS)
def test_few_curves_still_give_finite_predictions(rows, kind):
    grid, X, Y = hills(rows + 2)
    model = fit_curves(X[:rows], Y[:rows], grid, kind)
    low, high = model.band(X[rows:], 0.95)
    assert np.isfinite(model.predict(X[rows:])).all()
    assert (high >= low).all()


def test_what_cannot_be_learned_from_is_refused():
    grid, X, Y = hills(12)
    curves = [Curve.of('dos', grid, row, AXIS) for row in Y]
    with pytest.raises(CurveError, match='at least 2'):
        fit_curve_set(curves[:1], X[:1])
    with pytest.raises(CurveError, match='are equal'):
        fit_curve_set([curves[0]] * 12, X)
    with pytest.raises(CurveError, match='at least 2'):
        fit_curves(X[:1], Y[:1], grid)
    with pytest.raises(RegressorError, match='choose of krfd, linear'):
        fit_curves(X, Y, grid, 'kfrd')
    with pytest.raises(RegressorError, match='no root'):
        fit_curves(X, Y - 1, grid, 'krfd/root')
    with pytest.raises(RegressorError, match='do not match'):
        fit_curves(X[:5], Y, grid)
    with pytest.raises(CurveError, match=r'\[3\] have no value'):
        fit_curves(X, np.where(np.arange(12)[:, None] == 2, np.nan, Y), grid)
    with pytest.raises(RegressorError, match='fitted on 3'):
        fit_curves(X, Y, grid, 'linear').predict(np.ones((1, 2)))
