"""Kernels and ridges of KRFD: those with the least absolute error on curves that were left out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.learn.curves.kernels import Form, Systems, Width
from aiida_inversedesign.learn.curves.krfd import Axes, Krfd, KrfdSettings, Ridges

#: More rows and more points than these do not sharpen the choice enough for their time.
_ROWS, _POINTS, _FOLDS = 400, 100, 5
_SYSTEM_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_AXIS_WIDTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
_RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
_SYSTEM_FORMS: tuple[Form, ...] = ('gaussian', 'exponential', 'laplacian')
_AXIS_FORMS: tuple[Form, ...] = ('gaussian', 'exponential')
#: Where the search starts, and how often it goes round.
_STARTS = (
    KrfdSettings(Width('gaussian', 1.0), Width('gaussian', 0.1), Ridges(1e-3, 1e-3, 1e-2)),
    KrfdSettings(Width('exponential', 1.0), Width('exponential', 0.03), Ridges(1e-2, 1e-2, 1e-2)),
)
_ROUNDS = 2


def choose(X: Array, Y: Array, known: NDArray[np.bool_], grid: Array, seed: int = 0) -> KrfdSettings:
    """Search coordinate by coordinate: kernel of the systems, kernel of the axis, each ridge.

    :param X: standardised inputs, shape (n, d).
    :param Y: centred curves, shape (n, T).
    :param known: which of their values count, shape (n, T); others stand in for values that were not measured.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(X))[:_ROWS])
    points = np.unique(np.linspace(0, len(grid) - 1, min(len(grid), _POINTS)).round().astype(int))
    X, Y, known, grid = X[rows], Y[np.ix_(rows, points)], known[np.ix_(rows, points)], grid[points]
    folds = rng.permutation(len(X)) % min(_FOLDS, len(X))
    score = functools.lru_cache(maxsize=None)(_scorer(X, Y, known, grid, folds))
    best = min(_STARTS, key=score)
    moves: Sequence[Callable[[KrfdSettings], Any]] = (
        lambda at: [replace(at, systems=Width(form, width)) for form in _SYSTEM_FORMS for width in _SYSTEM_WIDTHS],
        lambda at: [replace(at, ridges=replace(at.ridges, systems=ridge)) for ridge in _RIDGES],
        lambda at: [replace(at, axis=Width(form, width)) for form in _AXIS_FORMS for width in _AXIS_WIDTHS],
        lambda at: [replace(at, ridges=replace(at.ridges, axis=ridge)) for ridge in _RIDGES],
        lambda at: [replace(at, ridges=replace(at.ridges, constant=ridge)) for ridge in _RIDGES],
    )
    for _ in range(_ROUNDS):
        before = best
        for move in moves:
            best = min([best, *move(best)], key=score)
        if best == before:
            break
    return best


def _scorer(
    X: Array, Y: Array, known: NDArray[np.bool_], grid: Array, folds: Integers
) -> Callable[[KrfdSettings], float]:
    """Gives the mean absolute error on left-out curves; eigenvectors are computed once for each kernel."""

    @functools.lru_cache(maxsize=4 * _FOLDS)
    def systems(kernel: Width, fold: int) -> tuple[Systems, Array]:
        found = Systems.of(X[folds != fold], kernel)
        return found, found.project(X[folds == fold])

    @functools.lru_cache(maxsize=16)
    def axis(kernel: Width) -> Axes:
        return Axes.of(grid, kernel)

    def score(settings: KrfdSettings) -> float:
        errors = []
        for fold in np.unique(folds):
            trained, projected = systems(settings.systems, int(fold))
            model = Krfd.fit(trained, axis(settings.axis), Y[folds != fold], settings)
            out = folds == fold
            errors.append(np.abs(model.mean_of(projected) - Y[out])[known[out]])
        return float(np.concatenate(errors).mean())

    return score
