"""A property that is a function of an axis, such as a density of states: values on a grid, straight lines between.

This is the one module in which curves are checked, compared, averaged and interpolated. Nothing is extrapolated: what
lies beyond the grid of a curve is unknown, and asking for it is an error or, in a matrix of several curves, NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.errors import InverseDesignError

#: Most points of the union of grids; curves with more are interpolated on an even grid of ``_EVEN`` points.
_MOST_POINTS, _EVEN = 500, 200
#: Share of the length of an axis by which two of its points may differ and be the same.
_SAME = 1e-9
#: Level of the bands in which predictions are recorded and drawn.
LEVEL = 0.8
#: Largest size of a value that models can compute with.
_LARGEST = 1e100


class CurveError(InverseDesignError):
    """A curve that cannot be used, or of which something is asked that it does not tell."""


@dataclass(frozen=True)
class Axis:
    """What a curve is a function of.

    :param name: e.g. ``frequency``. :param unit: e.g. ``cm^-1``.
    """

    name: str
    unit: str = ''

    def __str__(self) -> str:
        return f'{self.name} ({self.unit})' if self.unit else self.name


@dataclass(frozen=True, eq=False)
class Curve:
    """One property of one candidate as a function of an axis; made with :meth:`of`, which checks it.

    :param name: of the property. :param unit: of its values.
    :param grid: points of the axis, increasing, shape (T,).
    :param values: at these points, shape (T,).
    """

    name: str
    unit: str
    axis: Axis
    grid: Array
    values: Array

    @classmethod
    def of(
        cls,
        name: str,
        grid: Any,
        values: Any,
        axis: Axis,
        unit: str = '',
        *,
        density: bool = False,
        where: str = '',
    ) -> Curve:
        """A curve of numbers that others have written.

        :param density: whether negative values are an error.
        :param where: what messages name as the location, e.g. file and line.
        :raises CurveError: if the numbers are not a curve: the message says which, where, and what to do.
        """
        index = f'{where}: {name}' if where else name
        points, numbers = _numbers(grid, f'{index}: the axis {axis.name}'), _numbers(values, f'{index}: the values')
        check_grid(points, f'{index}: the axis {axis.name}')
        if len(points) != len(numbers):
            raise CurveError(
                f'{index}: {len(numbers)} values on an axis of {len(points)} points: each point needs one value; '
                'give the curve the grid that it was computed on'
            )
        if density and (numbers < 0).any():
            worst = int(np.argmin(numbers))
            raise CurveError(
                f'{index} is negative at {axis.name} = {points[worst]:g} ({numbers[worst]:g}): a density cannot be; '
                'remove the noise, or say that the property is not a density'
            )
        return cls(name, unit, axis, points, numbers)

    def at(self, points: Any) -> Array:
        """Values at points of the axis, shape (k,), by straight lines between those of the grid.

        :raises CurveError: if a point lies outside of the grid.
        """
        wanted = np.atleast_1d(np.asarray(points, dtype=np.float64))
        covers(self.grid, float(wanted.min()), float(wanted.max()), self.axis, self.name)
        return np.asarray(np.interp(wanted, self.grid, self.values))

    def matches(self, other: Curve) -> None:
        """Raise unless the other curve is one of the same quantity, on the same axis and in the same units.

        :raises CurveError: naming what differs.
        """
        for what, own, theirs in (
            ('axis', self.axis.name, other.axis.name),
            (f'unit of the axis {self.axis.name}', self.axis.unit, other.axis.unit),
            ('unit', self.unit, other.unit),
        ):
            if own != theirs:
                raise CurveError(
                    f'{self.name} and {other.name} differ in the {what}: {own or "none"!r} and {theirs or "none"!r}; '
                    'convert one of them, units are never guessed'
                )

    def same_as(self, other: Curve, tolerance: float = 1e-9) -> bool:
        """Whether another curve has the same values within a share of the largest, wherever either has a point.

        :raises CurveError: if it is not one of the same quantity.
        """
        self.matches(other)
        length = max(np.ptp(self.grid), np.ptp(other.grid))
        ends = np.abs([self.grid[0] - other.grid[0], self.grid[-1] - other.grid[-1]])
        if ends.max() > _SAME * length:
            return False
        both = np.union1d(self.grid, other.grid)
        gap = np.abs(np.interp(both, self.grid, self.values) - np.interp(both, other.grid, other.values)).max()
        return bool(gap <= tolerance * max(np.abs(self.values).max(), np.abs(other.values).max()))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        axis = {'name': self.axis.name, 'unit': self.axis.unit, 'grid': self.grid.tolist()}
        return {'name': self.name, 'unit': self.unit, 'axis': axis, 'values': self.values.tolist()}

    @classmethod
    def from_dict(cls, data: Any, where: str = '') -> Curve:
        """The curve of :meth:`to_dict`, or of a file that others wrote.

        :raises CurveError: if something is missing.
        """
        axis = data.get('axis') if isinstance(data, dict) else None
        if not isinstance(axis, dict) or not {'name', 'grid'} <= set(axis) or 'values' not in data:
            raise CurveError(
                f'{where or "curve"}: expected {{"name", "unit", "axis": {{"name", "unit", "grid"}}, "values"}}'
            )
        known = Axis(str(axis['name']), str(axis.get('unit', '')))
        return cls.of(
            str(data.get('name', 'curve')), axis['grid'], data['values'], known, str(data.get('unit', '')), where=where
        )


@dataclass(frozen=True, eq=False)
class Bands:
    """Predictions of one property for several candidates.

    :param grid: points of the axis, shape (T,).
    :param median: shape (q, T). :param low: lower end of the 80 % band. :param high: the upper end.
    """

    grid: Array
    median: Array
    low: Array
    high: Array


def check_grid(points: Array, what: str) -> None:
    """Raise unless points, shape (m,), are an axis: at least two, increasing.

    :raises CurveError: naming the first point that is out of order.
    """
    if len(points) < 2:
        raise CurveError(f'{what} has {len(points)} point(s): a curve needs at least 2')
    steps = np.diff(points)
    if (steps <= 0).any():
        first = int(np.argmax(steps <= 0))
        how = 'repeats' if steps[first] == 0 else 'goes back to'
        raise CurveError(
            f'{what} is not increasing: point {first + 2} {how} {points[first + 1]:g} after {points[first]:g}; '
            'sort the points with their values, one value per point'
        )


def covers(grid: Array, low: float, high: float, axis: Axis, name: str) -> None:
    """Raise unless a range lies on the grid, shape (m,), in the unit of the axis.

    :raises CurveError: saying what the grid covers.
    """
    slack = _SAME * float(grid[-1] - grid[0])
    if low < grid[0] - slack or high > grid[-1] + slack:
        asked = f'{low:g}' if low == high else f'{low:g} to {high:g}'
        unit = f' {axis.unit}' if axis.unit else ''
        raise CurveError(
            f'{name} is known for {axis.name} from {grid[0]:g} to {grid[-1]:g}{unit}, asked for {asked}: '
            'nothing is extrapolated; choose a range inside'
        )


def common_grid(curves: Sequence[Curve]) -> Array:
    """The axis on which curves are compared: their own where all have the same, or else the union of their points.

    A union of more than 500 points is replaced by an even grid of 200. Shape (m,), in the unit of the axis.

    :raises CurveError: if there are no curves, or they are not of one quantity.
    """
    if not curves:
        raise CurveError('there is no curve')
    for other in curves[1:]:
        curves[0].matches(other)
    if all(_same_grid(curves[0].grid, other.grid) for other in curves[1:]):
        return curves[0].grid
    points = np.unique(np.concatenate([curve.grid for curve in curves]))
    keep = np.concatenate([[True], np.diff(points) > _SAME * np.ptp(points)])
    points = points[keep]
    return points if len(points) <= _MOST_POINTS else np.linspace(points[0], points[-1], _EVEN)


def matrix(curves: Sequence[Curve], grid: Array | None = None) -> tuple[Array, Array]:
    """The grid, shape (T,), and values of all curves on it, shape (n, T).

    On the union of different grids a curve has values at its own points only, as points between are not measured; NaN
    elsewhere. On a grid that is not made of their points, curves are interpolated, and NaN beyond their ends.

    :param grid: default: :func:`common_grid`.
    """
    points = common_grid(curves) if grid is None else grid
    rows = np.full((len(curves), len(points)), np.nan)
    slack = _SAME * float(np.ptp(points))
    for row, curve in zip(rows, curves, strict=True):
        index = np.clip(np.searchsorted(points, curve.grid - slack), 0, len(points) - 1)
        if (np.abs(points[index] - curve.grid) <= 2 * slack).all():
            row[index] = curve.values
        else:
            inside = (points >= curve.grid[0] - slack) & (points <= curve.grid[-1] + slack)
            row[inside] = np.interp(points[inside], curve.grid, curve.values)
    return points, rows


def mean_curve(curves: Sequence[Curve]) -> Curve:
    """The mean over all curves that are known at each point of the common grid."""
    grid, rows = matrix(curves)
    first = curves[0]
    return Curve(f'mean of {first.name}', first.unit, first.axis, grid, np.nanmean(rows, axis=0))


def check_learnable(curves: Sequence[Curve]) -> None:
    """Raise unless there is something to learn from curves.

    :raises CurveError: if there is only one, or they do not differ.
    """
    if len(curves) < 2:
        raise CurveError(f'{len(curves)} curve(s): at least 2 are needed to learn from, and 10 to choose a model')
    _, rows = matrix(curves)
    spread = np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
    if spread.max() <= _SAME * np.nanmax(np.abs(rows)):
        raise CurveError(f'all {len(curves)} curves of {curves[0].name} are equal: there is nothing to learn')


def _same_grid(one: Array, other: Array) -> bool:
    return len(one) == len(other) and bool(np.abs(one - other).max() <= _SAME * np.ptp(one))


def _numbers(values: Any, what: str) -> Array:
    """Numbers as doubles of an array of their own."""
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise CurveError(f'{what} are not a list of numbers: {str(values)[:60]!r}') from None
    if numbers.ndim != 1:
        raise CurveError(f'{what}: expected one list of numbers, got {numbers.ndim} dimensions')
    bad = np.flatnonzero(~np.isfinite(numbers) | (np.abs(numbers) > _LARGEST))
    if len(bad):
        raise CurveError(
            f'{what} contain {len(bad)} that are not finite numbers, first {numbers[bad[0]]:g} at position '
            f'{bad[0] + 1}: leave these points out, with their points of the axis and their values'
        )
    return numbers
