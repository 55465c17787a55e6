"""The kinds of regressions of curves: KRFD, one regression for each point, functional linear, principal components.

Each maps standardised inputs to centred curves. ``choose`` finds its settings as plain data, ``fit`` makes the same
model of the same rows and settings, so that both together are its state. The covariance of a curve is a sum of numbers
of the system times matrices of the axis (``parts``), from which linear functionals follow in closed form.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.learn.curves.kernels import Systems, Width
from aiida_inversedesign.learn.curves.krfd import Axes, Krfd, KrfdSettings
from aiida_inversedesign.learn.curves.krfd_choice import choose as choose_krfd
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_gp
from aiida_inversedesign.learn.models.kernel import Kernel

#: Rows beyond which settings are chosen on a draw of them, and components of curves that are kept.
_ROWS, _SHARE, _MOST_COMPONENTS = 500, 0.99, 10
_RIDGES = np.array([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0])


class CurveRegression(Protocol):
    """Centred curves as a function of standardised inputs."""

    def mean(self, X: Array) -> Array:
        """Mean curves, shape (m, T)."""

    def parts(self, X: Array) -> tuple[Array, Array]:
        """Numbers, shape (m, k), and matrices, shape (k, T, T), whose products add up to the covariances of curves."""

    def draw(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Curves without noise, shape (number, m, T)."""

    def scatter(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Draws of each curve about its mean, by itself, all from the same random numbers, shape (number, m, T)."""


class CurveKind(ABC):
    """A kind of regression of curves."""

    name: ClassVar[str]

    @abstractmethod
    def choose(self, X: Array, Y: Array, grid: Array, seed: int) -> dict[str, Any]:
        """Settings for curves, shape (n, T), as plain data."""

    @abstractmethod
    def fit(self, X: Array, Y: Array, grid: Array, settings: dict[str, Any]) -> CurveRegression:
        """The model of these curves; nothing is chosen."""


class KrfdKind(CurveKind):
    """Bayesian kernel regression for functional outputs, see :mod:`aiida_inversedesign.learn.curves.krfd`."""

    name = 'krfd'

    def choose(self, X: Array, Y: Array, grid: Array, seed: int) -> dict[str, Any]:
        """Kernels and ridges by cross-validation."""
        return choose_krfd(X, filled(Y), np.isfinite(Y), grid, seed).state()

    def fit(self, X: Array, Y: Array, grid: Array, settings: dict[str, Any]) -> CurveRegression:
        """The exact posterior."""
        known = KrfdSettings.from_state(settings)
        return Krfd.fit(Systems.of(X, known.systems), _axes(grid.tobytes(), known.axis), Y, known)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A kernel ridge regression for each point of the axis.

    :param weights: in the basis of the systems, shape (r, T). :param ridges: of the points, shape (T,).
    :param noise: variance of an observation, shape (T,).
    """

    systems: Systems
    weights: Array
    ridges: Array
    noise: Array

    def mean(self, X: Array) -> Array:
        """Mean curves, shape (m, T)."""
        return np.asarray(self.systems.project(X) @ self.weights)

    def parts(self, X: Array) -> tuple[Array, Array]:
        """One part for each value of the ridge: points are independent of each other."""
        h, g = self.systems.project(X), self.systems.values
        values = np.unique(self.ridges)
        numbers = np.stack([h**2 @ (1 / (g * (g + ridge))) for ridge in values], axis=1)
        return numbers, np.stack([np.diag(self.noise * (self.ridges == ridge)) for ridge in values])

    def draw(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Curves of which each point, and each system, is drawn by itself."""
        return draw_from_parts(self.mean(X), *self.parts(X), number, rng)

    def scatter(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Each point by itself: draws of shape (number, n, m)."""
        numbers, matrices = self.parts(X)
        widths = np.sqrt(numbers @ np.diagonal(matrices, axis1=1, axis2=2))
        return np.asarray(widths * rng.standard_normal((number, 1, widths.shape[1])))


class PointwiseKind(CurveKind):
    """One kernel ridge regression for each point: a common kernel, a ridge each, both by leaving curves out."""

    name = 'pointwise'
    kernels: tuple[Width, ...] = tuple(
        Width(form, width)
        for form in ('gaussian', 'exponential', 'laplacian')
        for width in (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0)
    )

    def choose(self, X: Array, Y: Array, grid: Array, seed: int) -> dict[str, Any]:
        """Kernel and ridges with the least squared error of curves left out one by one, in closed form."""
        rows = np.random.default_rng(seed).permutation(len(X))[:_ROWS]
        X, Y = X[rows], filled(Y)[rows]
        found: list[tuple[float, Width, Array]] = []
        for kernel in self.kernels:
            systems = Systems.of(X, kernel)
            errors = np.stack([_left_out(systems, Y, ridge) for ridge in _RIDGES])
            best = self.best_ridges(errors)
            found.append((float(np.take_along_axis(errors, best[None], axis=0).mean()), kernel, _RIDGES[best]))
        _, kernel, ridges = min(found, key=lambda item: item[0])
        return {'systems': [kernel.form, kernel.width], 'ridges': ridges.tolist()}

    def best_ridges(self, errors: Array) -> Integers:
        """Index of the ridge of each point, of squared errors of shape (ridges, T)."""
        return np.asarray(errors.argmin(axis=0))

    def fit(self, X: Array, Y: Array, grid: Array, settings: dict[str, Any]) -> CurveRegression:
        """The regressions of all points."""
        form, width = settings['systems']
        systems, Y = Systems.of(X, Width(form, width)), filled(Y)
        ridges = np.array(settings['ridges'], dtype=np.float64)
        rotated, g = systems.vectors.T @ Y, systems.values[:, None]
        weights = rotated / (g + ridges)
        noise = ((Y - (systems.vectors * systems.values) @ weights) ** 2).mean(axis=0)
        return Ridge(systems, weights, ridges, noise)


class LinearKind(PointwiseKind):
    """The functional linear model: each descriptor has a coefficient that is a function of the axis."""

    name = 'linear'
    kernels = (Width('linear', 1.0),)

    def best_ridges(self, errors: Array) -> Integers:
        """One ridge for the whole curve, shape (m,), so that coefficients are as smooth as the curves."""
        return np.full(errors.shape[1], errors.mean(axis=1).argmin())


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of curves, each with a Gaussian process of its scores.

    :param components: shape (k, T), orthonormal.
    """

    components: Array
    processes: Sequence[GaussianProcess]

    def mean(self, X: Array) -> Array:
        """Mean curves, shape (m, T)."""
        return np.asarray(np.stack([process.predict(X)[0] for process in self.processes], axis=1) @ self.components)

    def parts(self, X: Array) -> tuple[Array, Array]:
        """One part for each component."""
        numbers = np.stack([process.predict(X)[1] ** 2 for process in self.processes], axis=1)
        return numbers, np.einsum('ki,kj->kij', self.components, self.components)

    def draw(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Curves of joint draws of each component's scores."""
        seeds = rng.integers(2**31, size=len(self.processes))
        pairs = zip(self.processes, seeds, strict=True)
        scores = np.stack([process.sample(X, number, int(seed)) for process, seed in pairs], axis=2)
        return np.asarray(scores @ self.components)

    def scatter(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """The score of each component by itself: draws of shape (number, n, m)."""
        widths = np.stack([process.predict(X)[1] for process in self.processes], axis=1)
        return np.asarray((widths * rng.standard_normal((number, 1, widths.shape[1]))) @ self.components)


class ComponentsKind(CurveKind):
    """Functional principal components with Gaussian processes."""

    name = 'fpca'

    def choose(self, X: Array, Y: Array, grid: Array, seed: int) -> dict[str, Any]:
        """Components that hold 99 % of the variance, ten at most, and the hyperparameters of their processes."""
        rows = np.random.default_rng(seed).permutation(len(X))[:_ROWS]
        Y = filled(Y)
        _, sizes, components = np.linalg.svd(Y, full_matrices=False)
        shares = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-300)
        components = components[: min(int(np.searchsorted(shares, _SHARE)) + 1, _MOST_COMPONENTS)]
        processes = [fit_gp(X[rows], Y[rows] @ component) for component in components]
        return {
            'components': components.tolist(),
            'processes': [
                {'kernel': item.kernel.state(), 'noise': item.noise, 'outputscale': item.outputscale}
                for item in processes
            ],
        }

    def fit(self, X: Array, Y: Array, grid: Array, settings: dict[str, Any]) -> CurveRegression:
        """The processes of these curves' scores."""
        components, Y = np.array(settings['components']), filled(Y)
        processes = []
        for component, known in zip(components, settings['processes'], strict=True):
            scores = Y @ component
            scale = float(scores.std()) or 1.0
            process = GaussianProcess.assemble(
                X, scores, float(scores.mean()), scale, Kernel.from_state(known['kernel']), float(known['noise'])
            )
            processes.append(process.with_factor(float(np.sqrt(known['outputscale']))))
        return Components(components, processes)


KINDS: dict[str, CurveKind] = {
    kind.name: kind for kind in (KrfdKind(), LinearKind(), PointwiseKind(), ComponentsKind())
}


@functools.lru_cache(maxsize=4)
def _axes(grid: bytes, kernel: Width) -> Axes:
    """The eigenvectors of an axis, which every fold shares."""
    return Axes.of(np.frombuffer(grid, dtype=np.float64), kernel)


def filled(Y: Array) -> Array:
    """Curves, shape (n, m), without gaps: lines between known points, beyond the ends the nearest known value."""
    if np.isfinite(Y).all():
        return Y
    found, indices = Y.copy(), np.arange(Y.shape[1])
    for row in found:
        known = np.isfinite(row)
        row[:] = np.interp(indices, indices[known], row[known])
    return found


def draw_from_parts(mean: Array, numbers: Array, matrices: Array, number: int, rng: np.random.Generator) -> Array:
    """Curves, each drawn by itself from its covariance, shape (number, m, T)."""
    found = np.empty((number, *mean.shape))
    for index, own in enumerate(numbers):
        root = square_root(np.einsum('k,kij->ij', own, matrices))
        found[:, index] = mean[index] + rng.standard_normal((number, len(root))) @ root
    return found


def positive_part(covariance: Array) -> Array:
    """A covariance, shape (m, m), without its negative eigenvalues."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def square_root(covariance: Array) -> Array:
    """The symmetric root of a covariance, shape (m, m), whose negative eigenvalues count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _left_out(systems: Systems, Y: Array, ridge: float) -> Array:
    """Mean squared error of each point when each curve is predicted from the others, shape (T,)."""
    share = systems.values / (systems.values + ridge)
    smooth = (systems.vectors * share) @ (systems.vectors.T @ Y)
    own = np.minimum((systems.vectors**2) @ share, 1 - 1e-9)
    return np.asarray((((Y - smooth) / (1 - own)[:, None]) ** 2).mean(axis=0))
