"""Numbers of curves, by a model of the whole curves: what a search for a functional learns beside the number itself.

What is learned of a curve depends on the functional. Moments, widths and earth mover's distances count a curve as a
distribution: its cumulative share is learned, in which the first moment is linear, and an earth mover's distance is the
area between two of them. For all other functionals the curve itself is learned. Where the number is linear in what is
learned, its normal posterior follows in closed form, else from draws with the seed of the fit; each candidate is drawn
from the same random numbers, so that what is predicted of it does not depend on the others.

The mean over draws of a distance is too large where single curves scatter: a line through numbers of left-out curves
corrects it. Which regression of the curves is used, its left-out numbers tell (``auto``).

A row that has its number and not its curve, as starting data may be, says nothing of the curves. The line, the choice
of the regression and the calibration are those of all rows: each is predicted from curves of other rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows, Regressor, Setting, SurrogateKind
from aiida_inversedesign.campaign.curves.curve import Axis
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.learn.calibrate import deviation_factor, tailed_log_density
from aiida_inversedesign.learn.curves.model import CurveModel, fit_curves
from aiida_inversedesign.learn.curves.regressions import filled
from aiida_inversedesign.learn.models.plain import PlainRegressor
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs, check_training, target_scale

STATE_VERSION = 1
#: What competes where no kind is named. Of 539 phonon densities, 20 to 60 rows: principal components are behind both
#: for distances (correlation 0.77 to 0.81 of predicted and true ones), and the linear model for everything.
AUTO = ('krfd', 'pointwise')
#: Functionals of a curve as a distribution.
_SHARES = frozenset(('first_moment', 'width'))
#: Points of an axis that are learned at most: further ones take time and tell nothing new.
POINTS = 200
#: Draws of each number; candidates, and joint draws, at a time.
_DRAWS, _CHUNK, _AT_ONCE = 100, 128, 16
#: Folds by which the line between predicted and true numbers is measured.
_FOLDS = 5
#: Fewer curves than this are not learned: as rows of any property (``learn.fit.MINIMUM_ROWS``).
_LEAST_CURVES = 3
#: Fewer rows than this tell no line; no line is flatter than this, or the order of the candidates would be lost.
_LEAST_ROWS, _LEAST_SLOPE = 10, 0.1


@dataclass(frozen=True, eq=False)
class Reading:
    """What is learned of curves, and how their number is read from it.

    :param points: of the axis, shape (T,).
    """

    functional: Functional
    axis: Axis
    points: Array

    @classmethod
    def of(cls, curves: CurveRows) -> Reading:
        """For curves, on at most 200 points of their axis."""
        found, grid = cls(curves.functional, curves.axis, curves.grid), curves.grid
        if found.is_share:
            low, high = found.functional.range or (float(grid[0]), float(grid[-1]))
            grid = np.concatenate([[low], grid[(grid > low) & (grid < high)], [high]])
        if len(grid) > POINTS:
            grid = grid[np.unique(np.linspace(0, len(grid) - 1, POINTS).round().astype(int))]
        return replace(found, points=grid)

    @property
    def is_share(self) -> bool:
        """Whether the cumulative share is learned."""
        return self.functional.name in _SHARES or (
            self.functional.name == 'distance' and self.functional.metric == 'earth_mover'
        )

    def learned(self, grid: Array, values: Array) -> Array:
        """What is learned of curves, shape (n, T).

        :param values: of curves on a grid, shape (n, any), NaN where a curve has none.
        """
        values = filled(values)
        if not self.is_share:
            return np.stack([np.interp(self.points, grid, row) for row in values])
        ends = self.points[[0, -1]]
        fine = np.unique(np.concatenate([grid[(grid > ends[0]) & (grid < ends[1])], self.points]))
        rows = np.stack([np.interp(fine, grid, row) for row in values])
        area = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(_cells(fine, rows), axis=1)], axis=1)
        with np.errstate(divide='ignore', invalid='ignore'):
            shares = area / area[:, -1:]
        if not np.isfinite(shares).all():
            raise RegressorError(f'a curve has no area, so that it has no {self.functional.label}: leave its row out')
        return np.asarray(shares[:, np.searchsorted(fine, self.points)])

    @property
    def is_linear(self) -> bool:
        """Whether the number is linear in what is learned."""
        return self.functional.name == 'first_moment' if self.is_share else self.functional.is_linear

    def weights(self) -> tuple[Array, float] | None:
        """Weights of what is learned, shape (T,), and a constant, that make the number; None if it is not linear."""
        if not self.is_linear:
            return None
        if self.is_share:
            return -_cells(self.points, np.eye(len(self.points))).sum(axis=1), float(self.points[-1])
        return self.functional.weights(self.points, self.axis), 0.0

    def numbers(self, rows: Array) -> Array:
        """The numbers of what is learned, shape (n, T); NaN where there is none."""
        if not self.is_share:
            return np.asarray(self.functional.of_rows(self.points, rows, self.axis))
        rows = np.clip(rows, 0.0, 1.0)
        if self.functional.name == 'distance':
            gap = np.abs(rows - self._target)
            return np.asarray(_cells(self.points, gap).sum(axis=1))
        # from the upper end, where the share is one: E[x] = −∫F, E[x²] = −2∫xF
        x = self.points - self.points[-1]
        first = -_cells(self.points, rows).sum(axis=1)
        if self.functional.name == 'first_moment':
            return np.asarray(first + self.points[-1])
        return np.asarray(np.sqrt(np.maximum(-2 * _cells(self.points, x * rows).sum(axis=1) - first**2, 0.0)))

    @property
    def _target(self) -> Array:
        target = self.functional.target
        assert target is not None  # noqa: S101 - a distance has one
        return np.asarray(self.learned(target.grid, target.values[None])[0])


def _cells(points: Array, rows: Array) -> Array:
    """Area between neighbouring points, shape (n, T − 1)."""
    return np.asarray((rows[:, 1:] + rows[:, :-1]) / 2 * np.diff(points))


@dataclass(frozen=True, eq=False)
class CurveNumber(PlainRegressor):
    """One number of curves; :attr:`y` counts it from ``origin`` in ``unit``.

    :param X: inputs of all rows, shape (n, d). :param y: their targets, shape (n,).
    :param model: of what is learned of the curves of those rows that have one.
    :param line: constant and slope by which numbers of the model become the targets.
    """

    X: Array
    y: Array
    reading: Reading
    model: CurveModel
    origin: float
    unit: float
    line: tuple[float, float]
    seed: int
    factor: float = 1.0

    kind = 'curves'

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the number, each of shape (m,)."""
        mean, deviation = raw_numbers(self.model, self.reading, check_inputs(X, self.X.shape[1]), self.seed)
        # where no draw of a curve has the number, nothing is known of it
        known = np.isfinite(mean)
        usual = target_scale(self.y)[1]
        return (
            np.where(known, self._targets(mean), self.y.mean()),
            self.factor * np.where(known, np.abs(self.line[1] / self.unit) * deviation, usual),
        )

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the number at all points jointly, shape (number, m), from joint draws of the curves."""
        X = check_inputs(X, self.X.shape[1])
        mean, _ = self.predict(X)
        found = np.empty((number, len(X)))
        for begin in range(0, number, _AT_ONCE):
            part = found[begin : begin + _AT_ONCE]
            seeds = np.random.SeedSequence([seed, begin]).generate_state(1)
            drawn = self.model.sample(X, len(part), int(seeds[0]))
            part[:] = self._targets(self.reading.numbers(drawn.reshape(-1, drawn.shape[2])).reshape(part.shape))
        found = np.where(np.isfinite(found), found, mean)
        return np.asarray(mean + self.factor * (found - mean))

    def _targets(self, numbers: Array) -> Array:
        return np.asarray(self.line[0] + self.line[1] * (numbers - self.origin) / self.unit)

    def with_factor(self, factor: float) -> CurveNumber:
        """The model with a factor on its deviations."""
        return replace(self, factor=factor)

    def with_rows(
        self, X: Array, y: Array, errors: Array | None = None, curves: CurveRows | None = None
    ) -> CurveNumber:
        """The model of other rows: kernels, ridges and the factor are kept.

        :raises RegressorError: if fewer than three of these rows have their curves.
        """
        if curves is None or (known := curves.known).sum() < _LEAST_CURVES:
            raise RegressorError('a model of curves cannot take rows without their curves')
        model = self.model.with_rows(X[known], self.reading.learned(curves.grid, curves.values[known]))
        trial = _Trial.of(model, X, y, known, self.reading, (self.origin, self.unit), self.seed)
        return replace(self, X=X, y=y, model=model, line=trial.line)

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        functional, axis = self.reading.functional, self.reading.axis
        target = functional.target
        about = {name: getattr(functional, name) for name in ('at', 'range', 'threshold', 'metric')}
        return {
            'version': STATE_VERSION,
            'kind': self.kind,
            'y': self.y.tolist(),
            # without rows that have no curve the inputs are those of the model
            **({'X': self.X.tolist()} if len(self.X) > len(self.model.X) else {}),
            'functional': {
                'functional': functional.name,
                'curve': None if target is None else target.to_dict(),
                **{name: list(value) if isinstance(value, tuple) else value for name, value in about.items()},
            },
            'axis': [axis.name, axis.unit],
            'model': self.model.state(),
            'counted': [self.origin, self.unit],
            'line': list(self.line),
            'seed': self.seed,
            'factor': self.factor,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CurveNumber:
        """The model of :meth:`state`; nothing is chosen or optimised again."""
        if state.get('version') != STATE_VERSION:
            raise RegressorError(f'state of curves of version {state.get("version")!r}; known is {STATE_VERSION}')
        model = CurveModel.from_state(state['model'])
        reading = Reading(Functional.from_dict(state['functional']), Axis(*state['axis']), model.grid)
        (origin, unit), (constant, slope) = state['counted'], state['line']
        y = np.array(state['y'], dtype=np.float64)
        X = np.array(state['X'], dtype=np.float64) if 'X' in state else model.X
        return cls(X, y, reading, model, origin, unit, (constant, slope), state['seed'], state['factor'])


def raw_numbers(model: CurveModel, reading: Reading, X: Array, seed: int) -> tuple[Array, Array]:
    """Mean and deviation of the number of each curve by itself, each of shape (m,); NaN where no draw has one."""
    linear = reading.weights()
    if linear is not None:
        mean, deviation = model.linear(X, linear[0])
        return mean + linear[1], deviation
    mean, deviation = np.full(len(X), np.nan), np.full(len(X), np.nan)
    for begin in range(0, len(X), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        drawn = model.draw_each(X[part], _DRAWS, seed)
        numbers = reading.numbers(drawn.reshape(-1, drawn.shape[2])).reshape(drawn.shape[:2])
        some: NDArray[np.bool_] = np.asarray(np.isfinite(numbers).any(axis=0))
        indices = np.arange(begin, begin + len(some))[some]
        mean[indices] = np.nanmean(numbers[:, some], axis=0)
        deviation[indices] = np.nanstd(numbers[:, some], axis=0)
    return mean, deviation


@dataclass(frozen=True, eq=False)
class _Trial:
    """A model, and what it says of targets that it has not seen.

    :param mean: by the line, shape (n,). :param deviation: likewise. :param score: mean log density of the targets.
    """

    model: CurveModel
    line: tuple[float, float]
    mean: Array
    deviation: Array
    score: float

    @classmethod
    def of(
        cls,
        model: CurveModel,
        X: Array,
        y: Array,
        known: NDArray[np.bool_],
        reading: Reading,
        counted: tuple[float, float],
        seed: int,
    ) -> _Trial:
        """A fifth of the rows, X of shape (n, d), is left out at a time, and settings are kept.

        :param model: of the rows that have their curves, ``known`` of shape (n,).
        """
        folds = np.random.default_rng(seed).permutation(len(X)) % _FOLDS
        mean, deviation = np.full(len(X), np.nan), np.full(len(X), np.nan)
        for fold in np.unique(folds):
            out = folds == fold
            rest = ~out[known]
            if rest.sum() >= 2:
                part = model.with_rows(model.X[rest], model.Y[rest])
                mean[out], deviation[out] = raw_numbers(part, reading, X[out], seed)
        numbers = np.where(np.isfinite(mean), (mean - counted[0]) / counted[1], y.mean())
        line = (0.0, 1.0)
        if len(y) >= _LEAST_ROWS and numbers.std() > 0:
            slope = max(float(np.cov(numbers, y, bias=True)[0, 1] / numbers.var()), _LEAST_SLOPE)
            line = (float(y.mean() - slope * numbers.mean()), slope)
        mean, deviation = line[0] + line[1] * numbers, line[1] * deviation / counted[1]
        deviation = np.where(np.isfinite(deviation) & (deviation > 0), deviation, target_scale(y)[1])
        factor = deviation_factor((y - mean) / deviation)
        return cls(model, line, mean, deviation, float(tailed_log_density(y, mean, factor * deviation).mean()))


class CurvesKind(SurrogateKind):
    """Models of whole curves, of which the property is a number."""

    name = 'curves'
    regressor = CurveNumber
    words = 'kernel regressions of whole curves'
    citations = ('krfd2025',)
    needs = ('curves',)

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        reading, trial, curves = self._best(X, y, setting)
        return CurveNumber(X, y, reading, trial.model, curves.origin, curves.unit, trial.line, setting.seed)

    def lacks(self, setting: Setting) -> str:
        """See :class:`SurrogateKind`; a few curves are needed too."""
        lacks = super().lacks(setting)
        if lacks or setting.curves is None:
            return lacks
        known = setting.curves.known
        if known.sum() >= _LEAST_CURVES:
            return ''
        return (
            f'needs at least {_LEAST_CURVES} curves, and {known.sum()} of {len(known)} rows have theirs: evaluate more '
            'candidates first, or use another surrogate'
        )

    def left_out(self, X: Array, y: Array, setting: Setting) -> tuple[Array, Array]:
        """Mean and deviation, shape (n,) each, by regressions that have not seen a fifth of the curves."""
        _, trial, _ = self._best(X, y, setting)
        return trial.mean, trial.deviation

    def _best(self, X: Array, y: Array, setting: Setting) -> tuple[Reading, _Trial, CurveRows]:
        X, y = check_training(X, y)
        curves = setting.curves
        lacks = self.lacks(setting)
        if curves is None or lacks:
            raise RegressorError(f'{self.name} {lacks}')
        known = curves.known
        values = curves.values[known]
        if float(np.ptp(filled(values), axis=0).max()) == 0:
            raise RegressorError(f'{len(values)} curve(s) that do not differ: there is nothing to learn from')
        reading = Reading.of(curves)
        kinds = AUTO if curves.kind == 'auto' else (curves.kind,)
        learned, counted = reading.learned(curves.grid, values), (curves.origin, curves.unit)
        models = [fit_curves(X[known], learned, reading.points, kind, setting.seed) for kind in kinds]
        trials = [_Trial.of(model, X, y, known, reading, counted, setting.seed) for model in models]
        return reading, max(trials, key=lambda trial: trial.score), curves
