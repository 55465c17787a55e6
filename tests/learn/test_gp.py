"""The Gaussian process: interpolates, is sure where it has data, and comes back exactly from its state."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from botorch_model import botorch_model

from aiida_inversedesign.learn.calibrate import deviation_factor
from aiida_inversedesign.learn.models.gp import GaussianProcess, GpError, fit_gp
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state

COMPOSITION = np.array([True, True, False, False])
FORMS = ('iso', 'ard', 'mixed')


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
    # far from all data the prior remains, with the variance that left-out rows ask for
    assert far == pytest.approx(gp.outputscale**0.5 * y[:50].std(ddof=1), rel=0.05)
    assert (deviation > 0).all()


def test_fitting_leaves_the_global_generator_alone():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_gp(*data())
    assert torch.rand(1) == expected


@pytest.mark.parametrize('form', FORMS)
def test_state_round_trip_is_exact(form):
    X, y = data()
    gp = fit_gp(X, y, form=form, composition=COMPOSITION)
    again = regressor_from_state(json.loads(json.dumps(gp.state())))
    test = np.random.default_rng(9).normal(size=(50, 4))
    for one, other in zip(gp.predict(test), again.predict(test), strict=True):
        assert np.abs(one - other).max() <= 1e-10
    assert again.state() == gp.state()


def test_chunked_prediction_equals_one_by_one(monkeypatch):
    gp = fit_gp(*data())
    test = np.random.default_rng(9).normal(size=(7, 4))
    whole = gp.predict(test)
    monkeypatch.setattr('aiida_inversedesign.learn.models.gp._CHUNK', 2)
    for one, other in zip(whole, gp.predict(test), strict=True):
        assert np.allclose(one, other, rtol=1e-12)
    assert gp.predict(np.empty((0, 4)))[0].shape == (0,)


@pytest.mark.parametrize(('value', 'deviation'), [(50.0, 5.0), (0.0, 1.0), (-3.0, 0.3)])
def test_constant_targets(value, deviation):
    gp = fit_gp(np.random.default_rng(0).normal(size=(6, 3)), np.full(6, value))
    mean, far = gp.predict(np.full((1, 3), 100.0))
    assert mean[0] == pytest.approx(value, abs=1e-9)
    assert far[0] == pytest.approx(deviation, rel=1e-2)


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
    with pytest.raises(RegressorError, match=message):
        fit_gp(X, y)


def test_bad_prediction_and_state():
    gp = fit_gp(*data())
    with pytest.raises(RegressorError, match='fitted on 4 descriptors, asked about 2'):
        gp.predict(np.zeros((1, 2)))
    with pytest.raises(RegressorError, match='NaN'):
        gp.predict(np.full((1, 4), np.nan))
    with pytest.raises(GpError, match='version 99'):
        GaussianProcess.from_state({**gp.state(), 'version': 99})
    with pytest.raises(GpError, match='hyperparameters'):
        GaussianProcess.from_state({**gp.state(), 'hyperparameters': {}})
    with pytest.raises(GpError, match="unknown kernel 'rbf'"):
        fit_gp(*data(), form='rbf')


def test_a_state_that_cannot_be_read_is_named():
    state = fit_gp(*data(6)).state()
    with pytest.raises(GpError, match='version 1; this package reads 2'):
        regressor_from_state({**state, 'version': 1})
    with pytest.raises(RegressorError, match="no surrogate 'oracle'"):
        regressor_from_state({**state, 'kind': 'oracle'})


@pytest.mark.parametrize('form', FORMS)
def test_the_fit_and_the_posterior_are_those_of_botorch(form):
    import torch
    from gpytorch.mlls import ExactMarginalLogLikelihood

    X, y = data()
    gp = fit_gp(X, y, form=form, composition=COMPOSITION)
    test = np.random.default_rng(9).normal(size=(30, 4))
    with torch.no_grad():
        posterior = botorch_model(gp).posterior(torch.from_numpy(test), observation_noise=False)
        mean, variance = posterior.mean.numpy().ravel(), posterior.variance.numpy().ravel()
    own, deviation = gp.predict(test)
    assert np.allclose(mean * gp.scale + gp.offset, own, atol=1e-6)
    assert np.allclose(variance, (deviation / gp.scale) ** 2, atol=1e-6)
    if form == 'iso':
        from botorch.models import SingleTaskGP

        # the same kernel and priors, asked for the gradient at our optimum
        peer = SingleTaskGP(
            torch.from_numpy(X), torch.from_numpy((y - gp.offset) / gp.scale).unsqueeze(-1), outcome_transform=None
        )
        from gpytorch.kernels import MaternKernel

        prior = peer.covar_module.lengthscale_prior
        peer.covar_module = MaternKernel(nu=2.5, lengthscale_prior=prior).double()
        peer.covar_module.lengthscale = float(gp.kernel.lengths[0])
        peer.likelihood.noise = gp.noise
        peer.mean_module.constant = gp.mean
        peer.train()
        objective = ExactMarginalLogLikelihood(peer.likelihood, peer)(peer(*peer.train_inputs), peer.train_targets)
        objective.backward()
        assert max(abs(float(p.grad.sum())) for p in peer.parameters()) < 2e-3


@pytest.mark.parametrize('form', FORMS)
def test_pending_points_update_the_factor_exactly(form):
    X, y = data()
    gp = fit_gp(X, y, form=form, composition=COMPOSITION)
    rng = np.random.default_rng(3)
    pending, test = rng.normal(size=(3, 4)), rng.normal(size=(20, 4))
    told = gp.condition(pending[:1]).condition(pending[1:])
    again = GaussianProcess.assemble(
        np.vstack([X, pending]),
        np.concatenate([y, gp.predict(pending)[0]]),
        gp.offset,
        gp.scale,
        gp.kernel,
        gp.noise,
        gp.mean,
    )
    for one, other in zip(told.predict(test), replace(again, outputscale=gp.outputscale).predict(test), strict=True):
        assert np.allclose(one, other, rtol=1e-8)
    assert np.allclose(told.predict(test)[0], gp.predict(test)[0], rtol=1e-9)
    assert (told.predict(pending)[1] < gp.predict(pending)[1]).all()
    assert gp.condition(np.empty((0, 4))) is gp


def test_a_point_may_be_pending_twice():
    gp = fit_gp(*data())
    twice = gp.condition(gp.X[[0, 0]])
    assert np.isfinite(twice.predict(gp.X)[1]).all()


@pytest.mark.parametrize('form', FORMS)
def test_draws_have_the_moments_of_the_posterior(form, monkeypatch):
    X, y = data()
    gp = fit_gp(X, y, form=form, composition=COMPOSITION)
    test = np.random.default_rng(4).normal(size=(12, 4))
    mean, deviation = gp.predict(test)
    # random features are the same for all draws: their variances are right on average only
    for limit, tolerance in ((1000, 0.1), (5, 0.5)):
        monkeypatch.setattr('aiida_inversedesign.learn.models.gp._EXACT', limit)
        draws = gp.sample(test, 2000, seed=1)
        assert np.array_equal(draws, gp.sample(test, 2000, seed=1))
        assert np.abs(draws.mean(axis=0) - mean).max() < 0.15 * deviation.max()
        assert np.abs(draws.std(axis=0) / deviation - 1).max() < tolerance
        # neighbours vary together
        near = gp.sample(np.vstack([np.full((1, 4), 3.0), np.full((1, 4), 3.01), test]), 2000, seed=1)
        assert np.corrcoef(near[:, 0], near[:, 1])[0, 1] > 0.9


def test_leaving_out_in_closed_form_is_leaving_out():
    X, y = data(15)
    gp = fit_gp(X, y)
    means, deviations = gp.left_out()
    keep = np.arange(15) != 4
    rest = GaussianProcess.assemble(X[keep], y[keep], gp.offset, gp.scale, gp.kernel, gp.noise, gp.mean)
    mean, deviation = replace(rest, outputscale=gp.outputscale).predict(X[[4]])
    assert (means[4], deviations[4]) == (pytest.approx(mean[0]), pytest.approx(deviation[0]))


def test_rows_that_are_left_out_together_say_nothing_of_each_other():
    X, y = data()
    gp = fit_gp(X, y).with_factor(1.3)
    groups = np.arange(len(y)) % 20
    means, deviations = gp.left_out(groups)
    for group in range(20):
        rest = groups != group
        without = GaussianProcess.assemble(X[rest], y[rest], gp.offset, gp.scale, gp.kernel, gp.noise, gp.mean)
        mean, deviation = without.with_factor(1.3).predict(X[~rest])
        assert means[~rest] == pytest.approx(mean)
        assert deviations[~rest] == pytest.approx(deviation)


def test_one_scale_per_column_finds_the_columns_that_matter():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 12))
    y = np.sin(2 * X[:, 3]) + X[:, 7]
    one, each = fit_gp(X[:50], y[:50]), fit_gp(X[:50], y[:50], form='ard')
    assert set(np.argsort(each.kernel.lengths)[:2]) == {3, 7}
    errors = [np.abs(gp.predict(X[50:])[0] - y[50:]).mean() for gp in (one, each)]
    assert errors[1] < 0.6 * errors[0]


def test_within_counts_both_tails():
    gp = fit_gp(*data())
    test = np.random.default_rng(4).normal(size=(12, 4))
    mean, deviation = gp.predict(test)
    assert np.allclose(gp.within(test, -np.inf, np.inf), 1)
    assert np.allclose(gp.within(mean[:0, None] * np.zeros((0, 4)), 0, 1), [])
    assert np.allclose([gp.within(test[[i]], mean[i], np.inf)[0] for i in range(12)], 0.5)
    far = gp.within(test[:1], mean[0] + 30 * deviation[0], mean[0] + 31 * deviation[0])
    assert 0 < far[0] < 1e-100


def test_deviations_are_scaled_by_what_left_out_rows_say():
    rng = np.random.default_rng(0)
    z = rng.standard_normal(4000)
    assert deviation_factor(z) == pytest.approx(1, abs=0.05)
    assert deviation_factor(2 * z) == pytest.approx(2, abs=0.1)
    # one outlier among many does not matter, and few rows say little
    assert deviation_factor(np.append(z, 1e6)) == pytest.approx(1, abs=0.05)
    assert 1 < deviation_factor(np.array([-2.6, -1.2, 0.1, 1.1, 2.5])) < 1.3
    assert deviation_factor(np.empty(0)) == 1
    assert deviation_factor(np.full(500, 100.0)) == pytest.approx(3)


@pytest.mark.parametrize('form', ['iso', 'ard', 'mixed'])
def test_slopes_are_those_of_the_predictions(form):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((25, 4))
    y = 7 + 3 * X[:, 0] ** 2 - X[:, 2] * X[:, 3]
    model = fit_gp(X, y, form, np.array([True, True, False, False]) if form == 'mixed' else None).with_factor(1.7)
    points = rng.standard_normal((3, 4))
    means, deviations = model.slopes(points)
    for column, step in enumerate(1e-5 * np.eye(4)):
        above, below = model.predict(points + step), model.predict(points - step)
        assert means[:, column] == pytest.approx((above[0] - below[0]) / 2e-5, rel=1e-4, abs=1e-6)
        assert deviations[:, column] == pytest.approx((above[1] - below[1]) / 2e-5, rel=1e-4, abs=1e-6)
