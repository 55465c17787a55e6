"""From a kernel mean descriptor back to the atomic fractions of a mixture.

The atomic fractions of a point κ are the w ≥ 0 with Σw = 1 that minimise ½ wᵀPw − (Kκ)ᵀw with P = KKᵀ, which is
½‖wK − κ‖² without its constant. That quadratic programme is solved as non-negative least squares: on the plane Σw = 1
the residual is wA with A = K − 1κᵀ, and the v ≥ 0 that minimises ‖vA‖² + s²(Σv − 1)² is the wanted w times
s²/(‖wA‖² + s²), for every s > 0. SciPy's active-set method finds it exactly, and P, whose condition number is the
square of K's, is never formed.

A point that is not a formula gives a smear; :mod:`aiida_inversedesign.chemistry.kmd.decoding` makes formulas
of it.

Sources: Kusaba et al., Phys. Rev. B 108, 134107 (2023); Lawson and Hanson, Solving Least Squares Problems (1974),
chapter 23.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.kmd.kernel import KernelMean, KmdError, kernel_mean

#: largest grid that is tried in search of one that can be inverted
LARGEST_GRID = 256
#: elements tried for one of a sparse mixture
EXCHANGES = 5
#: weights below this are rounding errors of the solver
NEGLIGIBLE = 1e-12


class Inverse:
    """The inverse of a kernel mean descriptor over some elements.

    :param elements: the elements a mixture may hold; default: all of the element table.
    :raises KmdError: if P is not positive definite, so that the answer is not unique; says which grid would do.
    :raises ElementError: if the element table has no data for an element.
    """

    def __init__(self, descriptor: KernelMean, elements: Iterable[str] | None = None) -> None:
        table = element_table()
        self.descriptor = descriptor
        self.elements = table.symbols if elements is None else tuple(dict.fromkeys(elements))
        if not self.elements:
            raise KmdError('no elements to make formulas of: name at least one')
        self._rows = np.array(table.rows(self.elements))
        self.kernel: Array = descriptor.kernel[self._rows]
        kernel = self.kernel
        if not is_invertible(kernel):
            raise KmdError(_refusal(descriptor, self.elements))
        # ‖wK − κ‖² = ‖wR − κQ‖² + a constant, with K = RQᵀ: R has as many columns as elements
        self._basis, upper = np.linalg.qr(kernel.T)
        self.rows: Array = np.ascontiguousarray(upper.T)
        self._scale = float(np.linalg.norm(self.rows, 2))

    def weights(self, points: Array) -> Array:
        """Atomic fractions that come nearest to each point, over the element table.

        :param points: shape (n, d).
        :returns: shape (n, m), rows ≥ 0 with sum 1.
        """
        points = self._checked(points)
        found = np.zeros((len(points), len(element_table().symbols)))
        for row, target in enumerate(points @ self._basis):
            found[row, self._rows] = self._solve(target)
        return found

    def residuals(self, weights: Array, points: Array) -> Array:
        """‖wK − κ‖ of each row of weights (n, m) and points (n, d), shape (n,)."""
        return np.asarray(np.linalg.norm(weights @ self.descriptor.kernel - points, axis=1))

    def project(self, point: Array) -> tuple[Array, float]:
        """A point in the coordinates of :attr:`rows`, and its squared distance to all that the elements span.

        :param point: shape (d,).
        :returns: shape (number of elements,); ‖wK − κ‖² is the squared distance there plus that number.
        """
        point = self._checked(point[None, :])[0]
        target: Array = point @ self._basis
        return target, float(((point - self._basis @ target) ** 2).sum())

    def sparse(self, target: Array, most: int) -> tuple[list[int], Array]:
        """At most so many elements, as indices of :attr:`elements`, and their fractions, for a projected point.

        The least weight is dropped until few enough are left; then elements are exchanged one by one while that brings
        the descriptor nearer.

        :param target: projected point, shape (elements,).
        :returns: indices, and fractions of the same length that add up to one.
        :raises KmdError: if ``most`` is less than 1.
        """
        if most < 1:
            raise KmdError(f'at most {most} elements: a formula needs at least one')
        everything = self._solve(target)
        support = np.flatnonzero(everything).tolist()
        values = everything[support]
        while len(support) > most:
            del support[int(np.argmin(values))]
            values = self._solve(target, support)
        best = self._distance(target, support, values)
        improved = best > NEGLIGIBLE * self._scale
        while improved:
            improved = False
            for position in range(min(most, len(self.elements))):
                rest = support[:position] + support[position + 1 :]
                for number in self._complements(target, rest, support):
                    trial = [*support[:position], number, *support[position + 1 :]]
                    fractions = self._solve(target, trial)
                    distance = self._distance(target, trial, fractions)
                    if distance < best * (1 - 1e-9):
                        support, values, best, improved = trial, fractions, distance, True
        kept = values > 0
        return [number for number, keep in zip(support, kept, strict=True) if keep], values[kept]

    def _complements(self, target: Array, rest: list[int], without: list[int]) -> list[int]:
        """The elements that, mixed into the best mixture of the rest, come nearest to the target."""
        if not rest:
            gaps = ((self.rows - target) ** 2).sum(axis=1)
        else:
            offset = self._solve(target, rest) @ self.rows[rest] - target
            away = self.rows - target - offset
            share = np.clip(-(away @ offset) / np.maximum((away**2).sum(axis=1), 1e-300), 0.0, 1.0)
            gaps = ((offset + share[:, None] * away) ** 2).sum(axis=1)
        return [int(number) for number in np.argsort(gaps, kind='stable') if number not in without][:EXCHANGES]

    def _checked(self, points: Array) -> Array:
        width = self.descriptor.kernel.shape[1]
        if points.ndim != 2 or points.shape[1] != width:
            raise KmdError(f'points of shape {points.shape}: points of this descriptor have {width} columns')
        if not np.isfinite(points).all():
            raise KmdError('a point of the descriptor has a value that is not a number')
        return points

    def _solve(self, target: Array, support: list[int] | None = None) -> Array:
        """Fractions over the elements, or over some of them, for a projected point."""
        from scipy.optimize import nnls

        rows = self.rows if support is None else self.rows[support]
        matrix = np.vstack([(rows - target).T, np.full(len(rows), self._scale)])
        wanted = np.zeros(len(matrix))
        wanted[-1] = self._scale
        values, _ = nnls(matrix, wanted, maxiter=10 * max(len(rows), 10))
        values = np.where(values > NEGLIGIBLE * values.sum(), values, 0.0)
        return np.asarray(values / values.sum())

    def _distance(self, target: Array, support: list[int], values: Array) -> float:
        return float(np.linalg.norm(values @ self.rows[support] - target))


def is_invertible(kernel: Array) -> bool:
    """Whether P = KKᵀ is positive definite to working precision; ``kernel`` is K, shape (elements, grid points)."""
    if kernel.shape[1] < kernel.shape[0]:
        return False
    singular = np.linalg.svd(kernel, compute_uv=False)
    return bool(singular[-1] ** 2 > len(kernel) * np.finfo(float).eps * singular[0] ** 2)


def sufficient_grid(features: Sequence[str], elements: Iterable[str]) -> int | None:
    """The least number of grid points with which the descriptor ``1d`` of these features can be inverted.

    :returns: None if no number up to 256 does.
    """
    rows = element_table().rows(elements)
    grids = range(2, LARGEST_GRID + 1)
    return next((grid for grid in grids if is_invertible(kernel_mean('1d', grid, features).kernel[rows])), None)


def _refusal(descriptor: KernelMean, elements: Sequence[str]) -> str:
    """Why a descriptor cannot be inverted, and what would do."""
    table = element_table()
    columns = [table.names.index(name) for name in descriptor.features]
    alike: dict[tuple[float, ...], list[str]] = {}
    for symbol in elements:
        alike.setdefault(tuple(table.values[table.index[symbol], columns].tolist()), []).append(symbol)
    twins = next((group for group in alike.values() if len(group) > 1), None)
    name = 'md' if descriptor.grid is None else f'1d with n = {descriptor.grid} grid points'
    start = (
        f'the kernel mean descriptor {name} of {len(descriptor.features)} feature(s) cannot be inverted over '
        f'{len(elements)} elements (KKᵀ is not positive definite)'
    )
    if twins:
        return f'{start}: {twins[0]} and {twins[1]} have the same features: name more features, or leave one out'
    grid = sufficient_grid(descriptor.features, elements)
    if grid is None:
        return f'{start}, nor with any n up to {LARGEST_GRID}: name more features, or fewer elements'
    return f'{start}: use {"1d with " if descriptor.grid is None else ""}n = {grid}'
