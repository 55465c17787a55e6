"""The surrogate of a property that is a function: one kind, or those that compete on curves they have not seen.

A regression predicts centred curves, of the property itself or, for densities, of its square root: these are positive
and many points are near zero, where absolute errors of a root are more even. What a regression misses on left-out
curves is a covariance along the axis of its own (``unresolved``): it is not white, and deviations of integrals would be
far too small without it. Intervals use the distribution of the standardised misses at each point, not the normal one:
where most curves are near zero misses have heavy tails, elsewhere they do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.curves.curve import Axis, Curve, CurveError, check_grid, check_learnable, matrix
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.learn.calibrate import Z80
from aiida_inversedesign.learn.curves.regressions import KINDS, CurveRegression, positive_part, square_root
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs
from aiida_inversedesign.learn.scaling import scaling, standardised
from aiida_inversedesign.learn.threads import one_thread

STATE_VERSION = 1
#: What may be asked for.
NAMES = (*KINDS, 'auto')
#: Ends the name of a recipe that learns the square root.
ROOT = '/root'
#: Rows that decide; fewer than the first decide nothing.
_LEAST_ROWS, _MOST_ROWS, _FOLDS = 10, 1000, 5
#: More rows than this are too many for principal components with Gaussian processes to compete in ``auto``.
_MOST_FOR_PROCESSES = 2000
#: Levels at which the distribution of standardised misses is kept, and so many rows weigh as the normal one.
_LEVELS = tuple(float(level) for level in np.concatenate([np.linspace(0.05, 0.95, 19), [0.98, 0.99]]))
_PRIOR_ROWS = 20
#: So many rows weigh as the misses of all points: with 20 to 100 phonon densities 5, 10 and 20 differ by less than
#: their errors (interval score of 80 % bands).
_PRIOR_POINT = 10
#: Joint draws of curves, from which functionals that are not linear follow; candidates drawn at once.
_DRAWS, _CHUNK = 400, 64


@dataclass(frozen=True, eq=False)
class CurveModel:
    """A fitted surrogate of curves; everything it says is in the unit of the property.

    :param recipe: kind, with ``/root`` where it learns the square root.
    :param X: training inputs, shape (n, d), raw. :param Y: training curves, shape (n, T), NaN where there is no value.
    :param grid: points of the axis, shape (T,).
    :param unresolved: covariance along the axis of what the regression misses, shape (T, T), of the root where that is
        learned.
    :param misses: absolute standardised misses at ``_LEVELS``, increasing: of all points together, then of each point,
        shape (1 + T, levels); states of earlier versions have those of all points only.
    :param record: which recipes competed, and their scores.
    """

    recipe: str
    X: Array
    Y: Array
    grid: Array
    settings: dict[str, Any]
    unresolved: Array
    misses: Array
    center: Array
    width: Array
    mean: Array
    regression: CurveRegression = field(repr=False)
    positive: bool = False
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Which regression it is."""
        return self.recipe.removesuffix(ROOT)

    @property
    def is_root(self) -> bool:
        """Whether it learns the square root."""
        return self.recipe.endswith(ROOT)

    def inputs(self, X: Array) -> Array:
        """Standardised inputs, cut at five deviations, shape (m, d)."""
        X = check_inputs(X, self.X.shape[1])
        return standardised(X, self.center, self.width)

    def predict(self, X: Array) -> Array:
        """The median of each curve, shape (m, T): the mean, where the property itself is learned.

        :raises RegressorError: if the inputs have another number of columns or are not finite.
        """
        with one_thread():
            return self._back(self.mean + self.regression.mean(self.inputs(X)))

    def band(self, X: Array, level: float) -> tuple[Array, Array]:
        """Ends of the central intervals of a new curve's values, each of shape (m, T)."""
        with one_thread():
            inputs = self.inputs(X)
            mean = self.mean + self.regression.mean(inputs)
            rows = self.misses[1:] if len(self.misses) > 1 else self.misses
            reach = np.array([np.interp(level, [0.0, *_LEVELS], [0.0, *row]) for row in rows])
            reach = reach * self._deviations(inputs)
        return self._back(mean - reach), self._back(mean + reach)

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of new curves, jointly along the axis, shape (number, m, T)."""
        rng = np.random.default_rng(seed)
        with one_thread():
            drawn = self.regression.draw(self.inputs(X), number, rng)
            spread = rng.standard_normal(drawn.shape) @ square_root(self.unresolved)
            return self._back(self.mean + drawn + spread * self._stretch)

    def functional(self, X: Array, functional: Functional, axis: Axis, seed: int = 0) -> tuple[Array, Array]:
        """Mean and standard deviation of a number of each new curve, each of shape (m,).

        Of a linear functional in closed form; of others, and where the square root is learned, from joint draws.

        :raises CurveError: if the grid does not cover its range, or no draw of a curve has such a number.
        """
        if functional.is_linear and not self.is_root:
            return self.linear(X, functional.weights(self.grid, axis))
        found = self.draws_of(X, functional, axis, seed)
        known = np.isfinite(found)
        if not known.any(axis=0).all():
            raise CurveError(f'no predicted curve of a candidate has a {functional.label}: nothing to choose by')
        return np.nanmean(found, axis=0), np.nanstd(found, axis=0)

    def linear(self, X: Array, weights: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of a weighted sum of the values of each new curve, each of shape (m,).

        :param weights: shape (T,); of values of the root, where that is learned.
        """
        with one_thread():
            inputs = self.inputs(X)
            numbers, matrices = self.regression.parts(inputs)
            variance = numbers @ np.einsum('i,kij,j->k', weights, matrices, weights)
            variance += self._stretch**2 * float(weights @ self.unresolved @ weights)
            mean = (self.mean + self.regression.mean(inputs)) @ weights
        return mean, np.sqrt(np.maximum(variance, 0.0))

    def draw_each(self, X: Array, number: int, seed: int) -> Array:
        """Draws of each new curve by itself, all from the same random numbers, shape (number, m, T)."""
        rng = np.random.default_rng(seed)
        with one_thread():
            inputs = self.inputs(X)
            noise = rng.standard_normal((number, len(self.grid))) @ square_root(self.unresolved)
            drawn = self.regression.scatter(inputs, number, rng)
            drawn += (self.mean + self.regression.mean(inputs))[None] + self._stretch * noise[:, None]
            return self._back(drawn)

    def with_rows(self, X: Array, Y: Array) -> CurveModel:
        """The model of other rows on the same grid: settings, unresolved covariance and misses are kept."""
        with one_thread():
            return _assemble(X, Y, self.grid, self.recipe, self.settings, self.unresolved, self.misses, self.record)

    def draws_of(self, X: Array, functional: Functional, axis: Axis, seed: int = 0) -> Array:
        """Draws of a number of each new curve, shape (draws, m); NaN where a drawn curve has none."""
        found = np.empty((_DRAWS, len(X)))
        for begin in range(0, len(X), _CHUNK):
            part = X[begin : begin + _CHUNK]
            drawn = self.sample(part, _DRAWS, seed + begin)
            numbers = functional.of_rows(self.grid, drawn.reshape(-1, len(self.grid)), axis)
            found[:, begin : begin + len(part)] = numbers.reshape(_DRAWS, len(part))
        return found

    def on(self, X: Array, points: Array, axis: Axis, name: str = 'the property') -> Array:
        """Predicted curves at other points of the axis, shape (m, number of points).

        :raises CurveError: if a point lies outside of the grid.
        """
        check_grid(np.asarray(points, dtype=np.float64), 'the points')
        return np.stack([Curve(name, '', axis, self.grid, row).at(points) for row in self.predict(X)])

    @property
    def _stretch(self) -> float:
        """Factor by which 80 % intervals are wider than normal ones."""
        return float(np.interp(0.8, _LEVELS, self.misses[0])) / Z80

    def _deviations(self, inputs: Array) -> Array:
        return deviations(self.regression, inputs, self.unresolved)

    def _back(self, values: Array) -> Array:
        if self.is_root:
            return np.asarray(np.maximum(values, 0.0) ** 2)
        return np.maximum(values, 0.0) if self.positive else values

    def state(self) -> dict[str, Any]:
        """Plain JSON data from which :meth:`from_state` makes the same model."""
        return {
            'version': STATE_VERSION,
            'recipe': self.recipe,
            'X': self.X.tolist(),
            'Y': [[value if np.isfinite(value) else None for value in row] for row in self.Y.tolist()],
            'grid': self.grid.tolist(),
            'settings': self.settings,
            'unresolved': self.unresolved.tolist(),
            'misses': self.misses.tolist(),
            'record': self.record,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CurveModel:
        """The model of :meth:`state`; nothing is chosen or optimised again.

        :raises RegressorError: if it was written by another version.
        """
        if state.get('version') != STATE_VERSION:
            raise RegressorError(
                f'curves of state version {state.get("version")!r}; this package reads {STATE_VERSION}: fit them again'
            )
        X, Y, grid, unresolved, misses = (
            np.array(state[key], dtype=np.float64) for key in ('X', 'Y', 'grid', 'unresolved', 'misses')
        )
        with one_thread():
            misses = np.atleast_2d(misses)
            return _assemble(X, Y, grid, state['recipe'], state['settings'], unresolved, misses, state['record'])


def fit_curve_set(curves: Sequence[Curve], X: Array, kind: str = 'auto', seed: int = 0) -> CurveModel:
    """The surrogate of curves, which may have different grids.

    :param X: inputs, shape (n, d).
    :raises CurveError: if there is only one curve, all are equal, or they are not of one quantity.
    """
    check_learnable(curves)
    grid, rows = matrix(curves)
    return fit_curves(X, rows, grid, kind, seed)


def fit_curves(X: Array, Y: Array, grid: Array, kind: str = 'auto', seed: int = 0) -> CurveModel:
    """The surrogate of curves on one grid.

    :param X: inputs, shape (n, d). :param Y: curves, shape (n, T), NaN where a curve has no value.
    :param kind: one of ``NAMES``, or a recipe: a kind with ``/root``.
    :raises RegressorError: if the kind is unknown, or the shapes differ.
    """
    X, Y = check_rows(X, Y, grid)
    recipes = _recipes(kind, Y)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(X))[:_MOST_ROWS])
    folds = rng.permutation(len(rows)) % min(_FOLDS, len(rows))
    found: dict[str, _Trial] = {}
    with one_thread():
        for recipe in recipes:
            found[recipe] = _try(X, Y, grid, recipe, rows, folds, seed)
        best = min(found, key=lambda name: found[name].error) if len(rows) >= _LEAST_ROWS else recipes[0]
        record = {
            'chosen': best,
            'n': len(rows),
            'folds': _FOLDS,
            'candidates': {name: {'mae': trial.error} for name, trial in found.items()},
        }
        trial = found[best]
        return _assemble(X, Y, grid, best, trial.settings, trial.unresolved, trial.misses, record)


def deviations(regression: CurveRegression, inputs: Array, unresolved: Array) -> Array:
    """Deviation of each value of new curves, shape (m, T)."""
    numbers, matrices = regression.parts(inputs)
    variance = numbers @ np.diagonal(matrices, axis1=1, axis2=2) + np.diag(unresolved)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


@dataclass(frozen=True, eq=False)
class _Trial:
    """What a recipe does on curves that it has not seen: mean absolute error, and its misses."""

    settings: dict[str, Any]
    error: float
    unresolved: Array
    misses: Array


def _recipes(kind: str, Y: Array) -> list[str]:
    """The recipes of a kind; the root competes where nothing is negative."""
    positive = bool(np.nanmin(Y) >= 0)
    if kind == 'auto':
        kinds = [name for name in KINDS if name != 'fpca' or len(Y) <= _MOST_FOR_PROCESSES]
        return kinds + [name + ROOT for name in ('krfd', 'pointwise', 'fpca') if positive and name in kinds]
    if kind.removesuffix(ROOT) not in KINDS:
        raise RegressorError(f'no surrogate of curves is called {kind!r}: choose of {", ".join(NAMES)}')
    if kind.endswith(ROOT) and not positive:
        raise RegressorError(f'{kind}: some values are negative, which have no root: use {kind.removesuffix(ROOT)}')
    return [kind]


def _try(X: Array, Y: Array, grid: Array, recipe: str, rows: Integers, folds: Integers, seed: int) -> _Trial:
    center, width = scaling(X)
    inputs = standardised(X, center, width)
    root = recipe.endswith(ROOT)
    kind, Z = KINDS[recipe.removesuffix(ROOT)], np.sqrt(Y) if root else Y
    settings = kind.choose(inputs, Z - _mean(Z), grid, seed)
    inputs, Z = inputs[rows], Z[rows]
    errors, absolute = np.full(Z.shape, np.nan), np.full(Z.shape, np.nan)
    numbers, matrices, order = [], [], []
    for fold in np.unique(folds):
        out = folds == fold
        mean = _mean(Z[~out])
        regression = kind.fit(inputs[~out], Z[~out] - mean, grid, settings)
        predicted = mean + regression.mean(inputs[out])
        errors[out] = Z[out] - predicted
        absolute[out] = np.abs(np.maximum(predicted, 0.0) ** 2 - Z[out] ** 2) if root else np.abs(errors[out])
        weight, matrix_ = regression.parts(inputs[out])
        numbers.append(weight @ np.diagonal(matrix_, axis1=1, axis2=2))
        matrices.append(np.einsum('k,kij->ij', weight.sum(axis=0), matrix_))
        order.append(np.flatnonzero(out))
    resolved = np.sum(matrices, axis=0) / len(Z)
    known = np.nan_to_num(errors)
    counts = np.isfinite(errors).astype(np.float64)
    missed = known.T @ known / np.maximum(counts.T @ counts, 1.0)
    unresolved = positive_part(missed - resolved)
    variance = np.concatenate(numbers)[np.argsort(np.concatenate(order))] + np.diag(unresolved)
    with np.errstate(divide='ignore', invalid='ignore'):
        scores = np.abs(errors) / np.sqrt(variance)
    return _Trial(settings, float(np.nanmean(absolute)), unresolved, _quantiles(scores))


def _quantiles(scores: Array) -> Array:
    """Quantiles of absolute standardised misses, shape (n, T): of all points, and then of each, shape (1 + T, levels).

    Where rows are few, those of all points are shrunk to the normal distribution, and those of a point to all points.
    """
    from scipy.special import ndtri

    found = [np.asarray(ndtri(0.5 + np.array(_LEVELS) / 2))]
    for values, rows in ((scores, len(scores)), *((column, None) for column in scores.T)):
        known = values[np.isfinite(values)]
        if not len(known):
            found.append(found[min(1, len(found) - 1)])
            continue
        number = len(known) if rows is None else rows
        share = number / (number + (_PRIOR_POINT if rows is None else _PRIOR_ROWS))
        found.append(share * np.quantile(known, _LEVELS) + (1 - share) * found[min(1, len(found) - 1)])
    return np.stack(found[1:])


def _assemble(
    X: Array,
    Y: Array,
    grid: Array,
    recipe: str,
    settings: dict[str, Any],
    unresolved: Array,
    misses: Array,
    record: dict[str, Any],
) -> CurveModel:
    center, width = scaling(X)
    inputs = standardised(X, center, width)
    Z = np.sqrt(Y) if recipe.endswith(ROOT) else Y
    mean = _mean(Z)
    regression = KINDS[recipe.removesuffix(ROOT)].fit(inputs, Z - mean, grid, settings)
    positive = bool(np.nanmin(Y) >= 0)
    return CurveModel(
        recipe, X, Y, grid, settings, unresolved, misses, center, width, mean, regression, positive, record
    )


def _mean(Z: Array) -> Array:
    """The mean curve; points that no curve has take the mean of all values."""
    counts = np.isfinite(Z).sum(axis=0)
    total = np.nansum(Z, axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nanmean(Z))


def check_rows(X: Array, Y: Array, grid: Array) -> tuple[Array, Array]:
    """Inputs and curves as doubles of their own.

    :raises RegressorError: if shapes differ, or inputs are not finite.
    :raises CurveError: if a curve has no value, or there are too few of them.
    """
    X, Y = np.array(X, dtype=np.float64), np.array(Y, dtype=np.float64)
    check_grid(np.asarray(grid), 'the axis')
    if X.ndim != 2 or Y.shape != (len(X), len(grid)):
        raise RegressorError(f'inputs of shape {X.shape} and curves of {Y.shape} on {len(grid)} points do not match')
    if not np.isfinite(X).all():
        raise RegressorError('descriptors contain NaN or infinity: leave these rows out')
    if len(X) < 2:
        raise CurveError(f'{len(X)} curve(s): at least 2 are needed to learn from')
    empty = np.flatnonzero(~np.isfinite(Y).any(axis=1))
    if len(empty):
        raise CurveError(f'curve(s) {(empty[:5] + 1).tolist()} have no value at all: leave them out')
    return X, Y
