"""Bayesian kernel regression of curves (KRFD), in its fast form.

Curves of n systems at T points are Y = G Θ T + M c 1ᵀ + noise: kernels G between systems and T between points of the
axis, and a constant of each system. With ridges λ_G, λ_T and λ_M

    Θ = (G + λ_G)⁻¹ (Y − M c 1ᵀ) (T + λ_T)⁻¹,   [T_n (M + λ_M) − s_B A M] c = Y 1 − A Y B 1,

A = G (G + λ_G)⁻¹, B = T (T + λ_T)⁻¹, s_B = 1ᵀ B 1 and T_n the number of points. The constants have the kernel of the
systems (M = G, its own ridge): then one eigendecomposition of each kernel serves every ridge, the system for c is
diagonal, and the joint posterior of Θ and c, the cross term included, is exact in closed form. Its covariance between
two points of one curve has four parts, each a number of the system times a matrix of the axis.

Where curves lack points, the missing ones are replaced by their predictions until nothing changes, which is the maximum
of the same posterior given the points that are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.curves.kernels import Systems, Width, eigen

#: Rounds in which missing points are replaced, and the change, as a share of the spread, that ends them.
_ROUNDS, _CHANGE = 200, 1e-4


@dataclass(frozen=True)
class Ridges:
    """λ_G of the systems, λ_T of the axis, λ_M of the constants."""

    systems: float
    axis: float
    constant: float


@dataclass(frozen=True)
class KrfdSettings:
    """Kernels and ridges."""

    systems: Width
    axis: Width
    ridges: Ridges

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'systems': [self.systems.form, self.systems.width],
            'axis': [self.axis.form, self.axis.width],
            'ridges': [self.ridges.systems, self.ridges.axis, self.ridges.constant],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> KrfdSettings:
        """The settings of :meth:`state`."""
        return cls(Width(*state['systems']), Width(*state['axis']), Ridges(*state['ridges']))


@dataclass(frozen=True, eq=False)
class Axes:
    """What the kernel of the axis makes of a grid: eigenvalues (r,), eigenvectors (T, r)."""

    values: Array
    vectors: Array

    @classmethod
    def of(cls, grid: Array, kernel: Width) -> Axes:
        """Of a grid, shape (m,), whose length counts as one."""
        points = ((grid - grid[0]) / (grid[-1] - grid[0]))[:, None]
        return cls(*eigen(kernel(points, points)))


@dataclass(frozen=True, eq=False)
class Krfd:
    """A fitted model of curves that were centred; ``noise`` is the variance of an observation about its curve.

    :param theta: Θ in the bases of both kernels, shape (r, s).
    :param constants: c in the basis of the systems, shape (r,).
    :param outer: q of the system for c, shape (r,).
    """

    settings: KrfdSettings
    systems: Systems
    axis: Axes
    theta: Array
    constants: Array
    outer: Array
    noise: float

    @classmethod
    def fit(cls, systems: Systems, axis: Axes, Y: Array, settings: KrfdSettings) -> Krfd:
        """The model of curves, shape (n, T), NaN where a curve has no value."""
        known = np.isfinite(Y)
        if known.all():
            return cls._solve(systems, axis, Y, settings)
        spread = float(np.nanstd(Y)) or 1.0
        own = systems.vectors * systems.values
        filled = np.where(known, Y, 0.0)
        model = cls._solve(systems, axis, filled, settings)
        for _ in range(_ROUNDS):
            found = np.where(known, Y, model.mean_of(own))
            change = float(np.abs(found - filled).max())
            filled = found
            model = cls._solve(systems, axis, filled, settings)
            if change < _CHANGE * spread:
                break
        return cls._solve(systems, axis, filled, settings, known)

    @classmethod
    def _solve(
        cls, systems: Systems, axis: Axes, Y: Array, settings: KrfdSettings, known: NDArray[np.bool_] | None = None
    ) -> Krfd:
        ridges, points = settings.ridges, Y.shape[1]
        g, s = systems.values, axis.values
        a = g / (g + ridges.systems)
        b = axis.vectors @ (s / (s + ridges.axis) * axis.vectors.sum(axis=0))
        rotated = systems.vectors.T @ Y
        outer = points * (g + ridges.constant) - float(b.sum()) * a * g
        constants = (rotated.sum(axis=1) - a * (rotated @ b)) / outer
        rest = rotated @ axis.vectors - np.outer(g * constants, axis.vectors.sum(axis=0))
        theta = rest / np.outer(g + ridges.systems, s + ridges.axis)
        model = cls(settings, systems, axis, theta, constants, outer, 0.0)
        errors = (Y - model.mean_of(systems.vectors * g))[np.ones(Y.shape, dtype=bool) if known is None else known]
        # maximum of the posterior under an inverse gamma prior (1, 1) in units of the spread
        unit = float(np.var(Y)) or 1.0
        noise = unit * (float(errors @ errors) / unit + 2) / (4 + errors.size)
        return cls(settings, systems, axis, theta, constants, outer, noise)

    def mean_of(self, projected: Array) -> Array:
        """Mean curves of points that were projected on the systems, shape (m, T)."""
        smooth = (projected @ self.theta) @ (self.axis.vectors * self.axis.values).T
        return np.asarray(smooth + (projected @ self.constants)[:, None])

    def mean(self, X: Array) -> Array:
        """Mean curves at inputs, shape (m, T)."""
        return self.mean_of(self.systems.project(X))

    def parts(self, X: Array) -> tuple[Array, Array]:
        """The covariance of curves without noise: numbers of the systems, shape (m, 4), and matrices (4, T, T)."""
        h, g, ridges = self.systems.project(X), self.systems.values, self.settings.ridges
        a = g / (g + ridges.systems)
        smooth, b = self._axis_parts()
        one = np.ones(len(b))
        outer = h**2 / (g * self.outer)
        numbers = [h**2 @ (1 / (g * (g + ridges.systems))), outer.sum(axis=1), outer @ a, outer @ a**2]
        matrices = [smooth, np.outer(one, one), -(np.outer(b, one) + np.outer(one, b)), np.outer(b, b)]
        return self.noise * np.stack(numbers, axis=1), np.stack(matrices)

    def draw(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Curves without noise at all inputs jointly, shape (number, m, T)."""
        h, g, s, ridges = self.systems.project(X), self.systems.values, self.axis.values, self.settings.ridges
        a, (_, b) = g / (g + ridges.systems), self._axis_parts()
        left = h / np.sqrt(g * (g + ridges.systems))
        right = self.axis.vectors * np.sqrt(s / (s + ridges.axis))
        found = np.empty((number, len(X), len(b)))
        for index in range(number):
            constants = rng.standard_normal(len(g)) / np.sqrt(g * self.outer)
            found[index] = left @ rng.standard_normal((len(g), len(s))) @ right.T
            found[index] += (h @ constants)[:, None] - np.outer(h @ (a * constants), b)
        return np.asarray(self.mean_of(h) + np.sqrt(self.noise) * found)

    def scatter(self, X: Array, number: int, rng: np.random.Generator) -> Array:
        """Draws about the mean, shape (number, n, m): of each input they are the same, whatever the others are."""
        return self.draw(X, number, rng) - self.mean(X)

    def _axis_parts(self) -> tuple[Array, Array]:
        """B, shape (T, T), and B 1, shape (T,)."""
        share = self.axis.values / (self.axis.values + self.settings.ridges.axis)
        smooth = (self.axis.vectors * share) @ self.axis.vectors.T
        return smooth, smooth.sum(axis=1)
