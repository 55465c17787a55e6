"""Matérn 5/2 kernels: one length scale for all columns, one per column, or composition and structure mixed.

The forms (all have unit variance):

``iso``
    one length scale for all columns;
``ard``
    one length scale per column;
``mixed``
    w₁ k(composition) + w₂ k(structure) + w₃ k(composition) k(structure), weights adding to one: what two crystals
    share in composition counts also where their structures differ, and the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers

_ROOT5 = math.sqrt(5.0)


@dataclass(frozen=True)
class Kernel:
    """A kernel with its parameters.

    :param form: ``iso``, ``ard`` or ``mixed``.
    :param groups: the length scale that each column uses, shape (d,).
    :param lengths: length scales, shape (g,), on the scale of the standardised columns.
    :param weights: of the three parts of ``mixed``, adding to one; else empty.
    """

    form: str
    groups: Integers
    lengths: Array
    weights: Array

    def __call__(self, A: Array, B: Array) -> Array:
        """Covariances between the rows of A, shape (n, d), and of B, shape (m, d): shape (n, m)."""
        if self.form != 'mixed':
            scales = self.lengths[self.groups]
            return matern(distances_between(A / scales, B / scales))
        parts = []
        for group in (0, 1):
            columns = self.groups == group
            parts.append(
                matern(distances_between(A[:, columns] / self.lengths[group], B[:, columns] / self.lengths[group]))
            )
        return self.mix(parts[0], parts[1])

    def slopes(self, A: Array, B: Array, weights: Array) -> Array:
        """Derivatives of Σⱼ wᵢⱼ k(Aᵢ, Bⱼ) with respect to the rows of A, shape (n, d).

        :param A: shape (n, d). :param B: shape (m, d). :param weights: w, shape (n, m).
        """
        if self.form != 'mixed':
            scales = self.lengths[self.groups]
            return _pulled(A / scales, B / scales, weights) / scales
        first, second, both = self.weights
        columns = [self.groups == group for group in (0, 1)]
        scaled = [
            (A[:, chosen] / length, B[:, chosen] / length) for chosen, length in zip(columns, self.lengths, strict=True)
        ]
        composition, structure = (matern(distances_between(*pair)) for pair in scaled)
        out = np.empty(A.shape)
        for group, factor in enumerate((first + both * structure, second + both * composition)):
            out[:, columns[group]] = _pulled(*scaled[group], weights * factor) / self.lengths[group]
        return out

    def mix(self, composition: Array, structure: Array) -> Array:
        """The parts of ``mixed``, shape (n, m) each, put together: shape (n, m)."""
        first, second, both = self.weights
        return np.asarray((first + both * structure) * composition + second * structure)

    def by_column(self) -> Kernel:
        """The same covariances, with a length scale for each column."""
        return Kernel('ard', np.arange(len(self.groups)), self.lengths[self.groups], np.empty(0))

    def random_features(self, number: int, rng: np.random.Generator) -> Callable[[Array], Array]:
        """Functions whose inner product is the kernel on average (Rahimi and Recht, NIPS 2007).

        Frequencies of a Matérn 5/2 kernel follow Student's t distribution with five degrees of freedom.

        :param number: of features; even.
        :returns: takes points of shape (n, d), gives features of shape (n, number).
        """
        half = number // 2

        def draw(columns: NDArray[np.bool_]) -> Array:
            stretch = np.sqrt(5.0 / rng.chisquare(5.0, size=half))
            waves = rng.standard_normal((len(columns), half)) * stretch
            return np.asarray(waves * (columns / self.lengths[self.groups])[:, None])

        if self.form == 'mixed':
            first, second = draw(self.groups == 0), draw(self.groups == 1)
            part = rng.choice(3, size=half, p=self.weights)
            frequencies = np.where(part == 0, first, np.where(part == 1, second, first + second))
        else:
            frequencies = draw(np.ones(len(self.groups), dtype=bool))

        def features(X: Array) -> Array:
            phases = X @ frequencies
            return np.concatenate([np.cos(phases), np.sin(phases)], axis=1) / math.sqrt(half)

        return features

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'form': self.form,
            'groups': self.groups.tolist(),
            'lengths': self.lengths.tolist(),
            'weights': self.weights.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Kernel:
        """The kernel of :meth:`state`."""
        return cls(
            state['form'],
            np.array(state['groups'], dtype=np.int64),
            np.array(state['lengths'], dtype=np.float64),
            np.array(state['weights'], dtype=np.float64),
        )


def start(form: str, dimension: int, composition: NDArray[np.bool_] | None = None) -> Kernel:
    """The kernel at which an optimisation begins: length scales √d, equal weights.

    :param composition: which columns describe the composition, shape (d,); needed by ``mixed``.
    """
    if form == 'mixed':
        if composition is None or composition.all() or not composition.any():
            raise ValueError('a mixed kernel needs columns of the composition and of the structure')
        groups = np.where(composition, 0, 1)
        return Kernel(form, groups, np.sqrt(np.bincount(groups).astype(np.float64)), np.full(3, 1 / 3))
    groups = np.arange(dimension) if form == 'ard' else np.zeros(dimension, dtype=np.int64)
    return Kernel(form, groups, np.full(int(groups.max()) + 1, math.sqrt(dimension)), np.empty(0))


def distances_between(A: Array, B: Array) -> Array:
    """Euclidean distances between rows, shape (n, m)."""
    squared = A @ B.T
    squared *= -2.0
    squared += (A * A).sum(axis=1)[:, None]
    squared += (B * B).sum(axis=1)
    np.maximum(squared, 0.0, out=squared)
    return np.asarray(np.sqrt(squared, out=squared))


def matern(distances: Array) -> Array:
    """Matérn 5/2 of distances in length scales, elementwise; the argument's memory is used."""
    distances *= _ROOT5
    decay = np.exp(-distances)
    polynomial = distances / 3.0
    polynomial += 1.0
    polynomial *= distances
    polynomial += 1.0
    polynomial *= decay
    return polynomial


def slope(distances: Array) -> Array:
    """−(1/r) d matern / dr at distances r, elementwise; derivatives with respect to length scales follow from it."""
    return np.asarray(5.0 / 3.0 * (1.0 + _ROOT5 * distances) * np.exp(-_ROOT5 * distances))


def _pulled(A: Array, B: Array, weights: Array) -> Array:
    """Derivatives of Σⱼ wᵢⱼ matern(‖Aᵢ − Bⱼ‖) with respect to the rows of A, shape (n, d)."""
    pull = weights * slope(distances_between(A, B))
    return np.asarray(pull @ B - pull.sum(axis=1)[:, None] * A)
