"""The fast form of KRFD against the equations that it solves, written out with Kronecker products."""

from __future__ import annotations

import numpy as np
import pytest
from toy import toy

from aiida_inversedesign.learn.curves.kernels import Systems, Width
from aiida_inversedesign.learn.curves.krfd import Axes, Krfd, KrfdSettings, Ridges

SETTINGS = [
    KrfdSettings(Width('laplacian', 1.0), Width('gaussian', 0.3), Ridges(0.1, 0.05, 0.02)),
    KrfdSettings(Width('gaussian', 0.7), Width('exponential', 0.2), Ridges(0.01, 0.5, 0.1)),
    KrfdSettings(Width('exponential', 1.0), Width('laplacian', 1.0), Ridges(1.0, 0.001, 1.0)),
]


def dense(settings, X, new, grid, Y):
    """Mean and covariance (in units of the noise) of all new curves, by the normal equations of Θ and c together."""
    n, points = Y.shape
    t = ((grid - grid[0]) / np.ptp(grid))[:, None]
    G, T, one = settings.systems(X, X), settings.axis(t, t), np.ones((points, 1))
    ridges = settings.ridges
    prior = np.zeros((n * points + n,) * 2)
    prior[: n * points, : n * points] = (
        ridges.axis * np.kron(G @ G, T)
        + ridges.systems * np.kron(G, T @ T)
        + ridges.systems * ridges.axis * np.kron(G, T)
    )
    prior[n * points :, n * points :] = points * ridges.constant * G
    design = np.hstack([np.kron(G, T), np.kron(G, one)])
    known = np.isfinite(Y).ravel()
    precision = design[known].T @ design[known] + prior
    g = settings.systems(new, X)
    asked = np.hstack([np.kron(g, T), np.kron(g, one)])
    mean = asked @ np.linalg.solve(precision, design[known].T @ Y.ravel()[known])
    return mean.reshape(len(new), points), asked @ np.linalg.solve(precision, asked.T)


def problem():
    grid, X, Y = toy(24, 1, 7)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return grid, X[:20], X[20:], Y[:20] - Y[:20].mean(axis=0)


@pytest.mark.parametrize('settings', SETTINGS)
def test_mean_covariance_and_draws_are_those_of_the_joint_posterior(settings):
    grid, X, new, Y = problem()
    mean, covariance = dense(settings, X, new, grid, Y)
    model = Krfd.fit(Systems.of(X, settings.systems), Axes.of(grid, settings.axis), Y, settings)
    assert np.allclose(model.mean(new), mean, atol=1e-6)
    numbers, matrices = model.parts(new)
    for index in range(len(new)):
        own = slice(7 * index, 7 * index + 7)
        assert np.allclose(
            np.einsum('k,kij->ij', numbers[index], matrices), model.noise * covariance[own, own], atol=1e-7
        )
    drawn = model.draw(new, 4000, np.random.default_rng(0)).reshape(4000, -1)
    assert np.allclose(np.cov(drawn.T), model.noise * covariance, atol=0.1 * model.noise * covariance.max())


def test_curves_that_lack_points_give_the_posterior_of_those_that_are_there():
    grid, X, new, Y = problem()
    Y = np.where(np.random.default_rng(0).uniform(size=Y.shape) < 0.4, np.nan, Y)
    mean, _ = dense(SETTINGS[0], X, new, grid, Y)
    model = Krfd.fit(Systems.of(X, SETTINGS[0].systems), Axes.of(grid, SETTINGS[0].axis), Y, SETTINGS[0])
    assert np.allclose(model.mean(new), mean, atol=3e-3)
    full = Krfd.fit(model.systems, model.axis, np.nan_to_num(Y), SETTINGS[0])
    assert not np.allclose(full.mean(new), mean, atol=0.1)


@pytest.mark.parametrize('form', ['gaussian', 'exponential', 'laplacian', 'linear'])
def test_eigenvectors_give_the_kernel_back(form):
    _, X, new, _ = problem()
    systems = Systems.of(X, Width(form, 0.8))
    assert np.allclose((systems.vectors * systems.values) @ systems.vectors.T, systems.kernel(X, X), atol=1e-8)
    assert systems.project(new).shape == (4, len(systems.values))
