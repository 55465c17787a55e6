"""Numbers that a goal may ask of a curve: its value at a point, moments, edges, distances to another curve.

Curves are straight lines between the points of their grid, and every integral is exact for these. A functional is
*linear* if that of a sum of curves is the sum of theirs; a normal posterior of curves then gives a normal posterior of
it in closed form, by its weights (:meth:`Functional.weights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.curves.curve import Axis, Curve, CurveError, covers
from aiida_inversedesign.campaign.files import FileRefusedError, read_bounded

Name = Literal['value', 'mean', 'integral', 'peak', 'first_moment', 'width', 'band_edge', 'distance', 'above', 'below']
Metric = Literal['L1', 'L2', 'earth_mover']

NAMES: tuple[str, ...] = get_args(Name)
#: Bytes of a file with a target curve.
_LARGEST_FILE = 5_000_000
LINEAR = frozenset(('value', 'mean', 'integral'))
#: Those that count a curve as a distribution, which cannot be negative.
_DENSITIES = frozenset(('first_moment', 'width'))


@dataclass(frozen=True, eq=False)
class Functional:
    """A number of a curve.

    :param name: what is computed, see :meth:`of`.
    :param at: the point of ``value``.
    :param range: lowest and highest point that count; None: the whole axis.
    :param threshold: of ``band_edge``; instead of a curve for ``above`` and ``below``.
    :param target: the other curve of ``distance``, ``above`` and ``below``.
    :param metric: of ``distance``.
    """

    name: str
    at: float | None = None
    range: tuple[float, float] | None = None
    threshold: float | None = None
    target: Curve | None = None
    metric: str = 'L1'

    @classmethod
    def of(
        cls,
        name: str,
        at: float | None = None,
        range: tuple[float, float] | None = None,
        threshold: float | None = None,
        target: Curve | None = None,
        metric: str = 'L1',
    ) -> Functional:
        """A functional, checked.

        ``value`` at a point; ``mean`` and ``integral`` over a range; ``peak`` (position of the largest value);
        ``first_moment`` and ``width`` (mean and standard deviation of the axis, weighted by the curve); ``band_edge``
        (first point at which the curve falls below a threshold); ``distance`` to another curve: ``L1`` (integral of
        the absolute difference), ``L2`` (root of that of its square) or ``earth_mover`` (how far the area of one, as
        a share of all, has to be moved to become the other); ``above`` and ``below`` (smallest margin to another
        curve or to a threshold; positive if it holds everywhere).

        :raises CurveError: if the name is unknown, or what it needs is missing.
        """
        if name not in NAMES:
            import difflib

            near = difflib.get_close_matches(name, NAMES, 1)
            raise CurveError(
                f'functional {name!r} is unknown{f": {near[0]}?" if near else ""}; known: {", ".join(NAMES)}'
            )
        if (name == 'value') != (at is not None):
            raise CurveError(
                'value needs at: the point of the axis' if at is None else f'{name} takes no at: give range'
            )
        if name == 'value' and range is not None:
            raise CurveError('value takes no range: at is the point; for a mean over a range write mean')
        if range is not None and not (np.isfinite(range).all() and range[0] < range[1]):
            raise CurveError(f'range must be [low, high] with low < high, got {list(range)}')
        if name == 'band_edge' and threshold is None:
            raise CurveError('band_edge needs threshold: the edge is where the curve first falls below it')
        if name == 'distance' and target is None:
            raise CurveError('distance needs a target curve')
        if name in ('above', 'below') and (target is None) == (threshold is None):
            raise CurveError(f'{name} needs either a target curve or a threshold')
        if metric not in get_args(Metric):
            raise CurveError(f'metric {metric!r} is unknown: {", ".join(get_args(Metric))}')
        if metric == 'earth_mover' and target is not None and (target.values < 0).any():
            raise CurveError(f'{target.name} is negative somewhere: earth_mover compares densities; use L1 or L2')
        return cls(name, at, range, threshold, target, metric)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Functional:
        """A functional of plain data, as a campaign file writes it: the target is the ``curve``.

        :raises CurveError: see :meth:`of`.
        """
        curve = data.get('curve')
        target = None if curve is None else Curve.from_dict(curve, 'curve')
        span = data.get('range')
        return cls.of(
            data['functional'],
            data.get('at'),
            None if span is None else (span[0], span[1]),
            data.get('threshold'),
            target,
            data.get('metric') or 'L1',
        )

    @property
    def is_linear(self) -> bool:
        """Whether it is linear in the curve."""
        return self.name in LINEAR

    def unit(self, unit: str, axis: Axis) -> str:
        """Its unit, for curves of a unit on an axis."""
        if self.name in ('peak', 'first_moment', 'width', 'band_edge'):
            return axis.unit
        if self.name == 'distance' and self.metric == 'earth_mover':
            return axis.unit
        if self.name == 'integral' or (self.name == 'distance' and self.metric == 'L1'):
            return _product(unit, axis.unit)
        if self.name == 'distance':
            return _product(unit, f'{axis.unit}^(1/2)' if axis.unit else '')
        return unit

    @property
    def label(self) -> str:
        """What a table calls it."""
        parts = [] if self.at is None else [f'at {self.at:g}']
        parts += [] if self.threshold is None else [f'{self.threshold:g}']
        parts += [] if self.target is None else [f'{self.metric} {self.target.name}' * (self.name == 'distance')]
        parts += [] if self.range is None else [f'{self.range[0]:g}..{self.range[1]:g}']
        inside = ', '.join(part for part in parts if part)
        return f'{self.name}({inside})' if inside else self.name

    def of_curve(self, curve: Curve) -> float:
        """The number of one curve.

        :raises CurveError: if the curve does not cover the range, is of another unit than the target, or has no such
            number: then it says why.
        """
        if self.target is not None:
            curve.matches(self.target)
        number = float(self.of_rows(curve.grid, curve.values[None], curve.axis, curve.name)[0])
        if np.isnan(number):
            why = 'its area is not positive there, or it is negative somewhere: only a density has one'
            if self.name == 'band_edge':
                why = f'it does not fall below {self.threshold:g} there'
            raise CurveError(f'{curve.name} has no {self.label}: {why}')
        return number

    def check(self, like: Curve) -> None:
        """Raise unless curves of this unit on this axis can have the number.

        :param like: any curve from the first to the last point of the axis.
        :raises CurveError: if the range is not covered, or the target is of another quantity.
        """
        if self.target is not None:
            like.matches(self.target)
        self.of_rows(like.grid, like.values[None], like.axis, like.name)

    def weights(self, grid: Array, axis: Axis, name: str = 'the curve') -> Array:
        """Weights of the values on a grid, shape (T,), whose sum of products is the functional.

        :raises CurveError: if it is not linear, or the grid does not cover its range.
        """
        if not self.is_linear:
            raise CurveError(f'{self.name} is not linear in the curve: it has no weights')
        return self.of_rows(grid, np.eye(len(grid)), axis, name)

    def of_rows(self, grid: Array, rows: Array, axis: Axis, name: str = 'the curve') -> Array:
        """The numbers of many curves on one grid.

        :param rows: values, shape (n, T).
        :returns: shape (n,); NaN where a curve has no such number, e.g. no value below the threshold.
        :raises CurveError: if the grid does not cover the range.
        """
        if self.name == 'value':
            assert self.at is not None  # noqa: S101 - checked when it was made
            covers(grid, self.at, self.at, axis, name)
            return _at(grid, rows, np.array([self.at]))[:, 0]
        points, values, other = self._shared(grid, rows, axis, name)
        if self.name in ('mean', 'integral'):
            area = _integral(points, values)
            return area if self.name == 'integral' else area / (points[-1] - points[0])
        if self.name == 'peak':
            return np.asarray(points[np.argmax(values, axis=1)])
        if self.name in _DENSITIES:
            return _moment(points, values, self.name)
        if self.name == 'band_edge':
            assert self.threshold is not None  # noqa: S101
            return _edge(points, values, self.threshold)
        if self.name == 'distance':
            return _distance(points, values, other, self.metric)
        gap = values - other
        return np.asarray((gap if self.name == 'above' else -gap).min(axis=1))

    def _shared(self, grid: Array, rows: Array, axis: Axis, name: str) -> tuple[Array, Array, Array]:
        """Points of the range, of curves and target together; values of the curves and of the target there."""
        low, high = self.range or (float(grid[0]), float(grid[-1]))
        covers(grid, low, high, axis, name)
        extra = [np.array([low, high]), grid]
        if self.target is not None:
            covers(self.target.grid, low, high, axis, f'the target {self.target.name}')
            extra.append(self.target.grid)
        points = np.unique(np.concatenate(extra))
        points = points[(points >= low) & (points <= high)]
        if self.target is not None:
            other = np.interp(points, self.target.grid, self.target.values)
        else:
            other = np.full(len(points), 0.0 if self.threshold is None else self.threshold)
        return points, _at(grid, rows, points), other


def read_target(path: Path, like: tuple[str, Axis, str] | None = None) -> Curve:
    """The curve in a file: JSON (as :meth:`.curve.Curve.to_dict`), or CSV with a header ``axis [unit],name [unit]``.

    :param like: unit, axis and name of the property that it is to be compared with.
    :raises CurveError: if it cannot be read, or is in another unit.
    """
    try:
        text = read_bounded(path, _LARGEST_FILE).decode('utf-8-sig')
    except (FileRefusedError, UnicodeDecodeError) as error:
        raise CurveError(f'{path}: cannot be read: {error}') from error
    curve = _from_json(text, path) if path.suffix == '.json' else _from_csv(text, path)
    if like is not None:
        unit, axis, name = like
        Curve(name, unit, axis, curve.grid, curve.values).matches(
            Curve(f'the target {path.name}', curve.unit, curve.axis, curve.grid, curve.values)
        )
    return curve


def _from_json(text: str, path: Path) -> Curve:
    import json

    try:
        return Curve.from_dict(json.loads(text), str(path))
    except ValueError as error:
        if isinstance(error, CurveError):
            raise
        raise CurveError(f'{path}: not JSON: {error}') from error


def _from_csv(text: str, path: Path) -> Curve:
    import csv
    import re

    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    heads = [re.fullmatch(r'\s*(.+?)\s*(?:[\[(](.*)[\])])?\s*', cell) for cell in rows[0]] if rows else []
    if len(heads) != 2 or any(len(row) != 2 for row in rows):
        raise CurveError(f'{path}: expected two columns with a header, e.g. "frequency [cm^-1],phonon_dos []"')
    (axis, axis_unit), (name, unit) = ((head[1], head[2] or '') if head else ('', '') for head in heads)
    grid, values = ([row[column] for row in rows[1:]] for column in (0, 1))
    return Curve.of(name, grid, values, Axis(axis, axis_unit), unit, where=str(path))


def _product(one: str, other: str) -> str:
    return ' '.join(part for part in (one, other) if part)


def _at(grid: Array, rows: Array, points: Array) -> Array:
    """Values of rows at points inside the grid, shape (n, number of points)."""
    index = np.clip(np.searchsorted(grid, points, side='right') - 1, 0, len(grid) - 2)
    share = np.clip((points - grid[index]) / (grid[index + 1] - grid[index]), 0.0, 1.0)
    return np.asarray(rows[:, index] * (1 - share) + rows[:, index + 1] * share)


def _integral(points: Array, values: Array) -> Array:
    return np.asarray((values[:, 1:] + values[:, :-1]) @ np.diff(points) / 2)


def _moment(points: Array, values: Array, name: str) -> Array:
    """Mean or standard deviation of the axis under each curve; NaN where it is not a density."""
    steps, middle = np.diff(points), (points[1:] + points[:-1]) / 2
    left, right = values[:, :-1], values[:, 1:]
    # Simpson's rule is exact for a line times a parabola
    center = points.mean()
    x0, x1, xm = points[:-1] - center, points[1:] - center, middle - center
    area = _integral(points, values)
    with np.errstate(divide='ignore', invalid='ignore'):
        first = (left * x0 + 2 * (left + right) * xm + right * x1) @ steps / 6 / area
        second = (left * x0**2 + 2 * (left + right) * xm**2 + right * x1**2) @ steps / 6 / area
        found = first + center if name == 'first_moment' else np.sqrt(np.maximum(second - first**2, 0.0))
    good = (area > 0) & (values.min(axis=1) >= 0)
    return np.where(good, found, np.nan)


def _edge(points: Array, values: Array, threshold: float) -> Array:
    """First point at which each curve is below the threshold, having been at it or above; NaN if there is none."""
    under = values < threshold
    falls = under[:, 1:] & ~under[:, :-1]
    index = np.argmax(falls, axis=1)
    rows = np.arange(len(values))
    high, low = values[rows, index], values[rows, index + 1]
    with np.errstate(divide='ignore', invalid='ignore'):
        share = (high - threshold) / (high - low)
    found = points[index] + share * (points[index + 1] - points[index])
    found = np.where(falls.any(axis=1), found, np.nan)
    return np.where(under[:, 0], points[0], found)


def _distance(points: Array, values: Array, other: Array, metric: str) -> Array:
    if metric == 'earth_mover':
        with np.errstate(divide='ignore', invalid='ignore'):
            shares = values / _integral(points, values)[:, None]
            target = other / _integral(points, other[None])[0]
        # between points the difference of the shares is a parabola: its absolute value by ten steps each
        fine = np.unique(np.concatenate([np.linspace(a, b, 11) for a, b in pairwise(points)]))
        gap = _at(points, shares - target, fine)
        moved = np.concatenate(
            [np.zeros((len(gap), 1)), np.cumsum((gap[:, 1:] + gap[:, :-1]) / 2 * np.diff(fine), axis=1)], axis=1
        )
        good = (values.min(axis=1) >= 0) & (_integral(points, values) > 0)
        return np.where(good, _absolute(fine, moved), np.nan)
    gap = values - other
    if metric == 'L1':
        return _absolute(points, gap)
    left, right = gap[:, :-1], gap[:, 1:]
    return np.asarray(np.sqrt((left**2 + left * right + right**2) @ np.diff(points) / 3))


def _absolute(points: Array, gap: Array) -> Array:
    """Integral of the absolute value of lines that may cross zero."""
    left, right = gap[:, :-1], gap[:, 1:]
    total = np.abs(left) + np.abs(right)
    crossing = left * right < 0
    squares = np.where(crossing, (left**2 + right**2) / np.where(total > 0, total, 1.0), total)
    return np.asarray(squares @ np.diff(points) / 2)
