"""Points of a space of parameters: its grid, Sobol sequences, and neighbours of a point."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.space import Value
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.spaces.parameters.point import Point
from aiida_inversedesign.spaces.parameters.space import Mixture, ParameterSpace, Variable

#: Points drawn for each one wanted before the constraints count as too narrow to be met by drawing.
MOST_DRAWS = 200
#: Most rounds of a projection, and the change of a round, in shares of the range, after which it is settled: a tenth of
#: what the constraints tolerate.
ROUNDS, SETTLED = 500, 1e-7


class NoPointsError(InverseDesignError):
    """Constraints that no drawn point keeps."""


def grid(space: ParameterSpace) -> Iterator[Point]:
    """Every point of the grid that keeps all constraints, in the order of the variables."""
    names = list(space.variables)
    for values in itertools.product(*(space.variables[name].allowed or () for name in names)):
        point = Point(dict(zip(names, values, strict=True)))
        if not space.violation(point):
            yield point


def sobol(space: ParameterSpace, number: int, seed: int) -> list[Point]:
    """Different points that fill the space evenly and keep all constraints; fewer where the space holds no more.

    A scrambled Sobol sequence (A. B. Owen, J. Complexity 14, 466 (1998)); of a mixture the gaps between sorted numbers,
    which are uniform over the simplex. Points that break a constraint are drawn again.

    :raises NoPointsError: if none of 200 draws for each point wanted keeps the constraints.
    """
    from scipy.stats.qmc import Sobol

    engine = Sobol(len(space.variables), scramble=True, rng=np.random.default_rng(seed))
    found: dict[str, Point] = {}
    drawn, size = 0, 1 << max(number - 1, 1).bit_length()
    while len(found) < number and drawn < MOST_DRAWS * max(number, 32):
        for row in engine.random(size):
            point = from_unit(space, row)
            if not space.violation(point):
                found.setdefault(point.key, point)
        drawn += size
    if not found:
        raise NoPointsError(
            f'space: none of {drawn} points drawn keeps mixtures and constraints, e.g. '
            f'{space.violation(from_unit(space, np.full(len(space.variables), 0.5)))}: widen the bounds'
        )
    return list(found.values())[:number]


def from_unit(space: ParameterSpace, row: Array) -> Point:
    """The point of numbers between 0 and 1, one for each variable: on its grid, and with the sums of mixtures.

    :param row: shape (number of variables,).
    """
    values: dict[str, Value] = {}
    for (name, variable), share in zip(space.variables.items(), np.clip(row, 0.0, 1.0), strict=True):
        allowed = variable.allowed
        if allowed is not None:
            values[name] = allowed[min(int(share * len(allowed)), len(allowed) - 1)]
            continue
        low, high = variable.bounds
        values[name] = float(low * (high / low) ** share if variable.scale == 'log' else low + share * (high - low))
    shares = dict(zip(space.variables, row, strict=True))
    for mixture in space.mixtures:
        values |= _mixed(space, mixture, np.array([shares[name] for name in mixture.variables]))
    return Point(values)


def _mixed(space: ParameterSpace, mixture: Mixture, numbers: Array) -> dict[str, Value]:
    """Values of a mixture from numbers between 0 and 1: uniform over the simplex above the lowest values."""
    variables = [space.variables[name] for name in mixture.variables]
    lowest = np.array([variable.bounds[0] for variable in variables])
    # gaps of sorted uniform numbers; the last number has no part in it
    cuts = np.sort(numbers[:-1])
    gaps = np.diff(np.concatenate([[0.0], cuts, [1.0]]))
    values = lowest + gaps * (mixture.total - lowest.sum())
    return dict(
        zip(mixture.variables, summed(values, [item.step for item in variables], lowest, mixture.total), strict=True)
    )


def summed(values: Array, steps: list[float | None], lowest: Array, total: float) -> list[float]:
    """Numbers on their grids whose sum is the total: what rounding down leaves goes where it is missed most.

    :param values: of the variables, shape (d,), each in its unit; ``lowest`` likewise.
    """
    if any(step is None for step in steps):
        return [float(value) for value in values]
    widths = np.array([float(step or 1.0) for step in steps])
    counts = (values - lowest) / widths
    floors = np.floor(counts + 1e-9)
    left = round((total - float((lowest + floors * widths).sum())) / float(widths.min()))
    for position in np.argsort(floors - counts, kind='stable')[: max(left, 0)]:
        floors[position] += 1
    return [float(value) for value in lowest + floors * widths]


def projected(space: ParameterSpace, point: Point) -> Point | None:
    """The nearest point that keeps bounds, mixtures and linear constraints, on the grids; None if none is found.

    Numbers of grids are rounded, and the others are projected again. Distances are in shares of the variables' ranges.
    """
    names = [name for name, variable in space.variables.items() if not variable.choices]
    low, high = np.array([space.variables[name].bounds for name in names], dtype=np.float64).T
    width = np.where(high > low, high - low, 1.0)
    # each set: the sum of weights × shares lies between two numbers
    sets: list[tuple[Array, float, float]] = []
    for mixture in space.mixtures:
        weights = np.array([float(name in mixture.variables) for name in names])
        rest = mixture.total - float(weights @ low)
        sets.append((weights * width, rest, rest))
    for item in space.constraints:
        weights = np.array([item.weights.get(name, 0.0) for name in names])
        least, most = (-np.inf if item.min is None else item.min), (np.inf if item.max is None else item.max)
        sets.append((weights * width, least - float(weights @ low), most - float(weights @ low)))
    free = np.ones(len(names), dtype=bool)
    values = low + width * _nearest((np.array([float(point.values[name]) for name in names]) - low) / width, sets, free)
    for position, name in enumerate(names):
        if (allowed := space.variables[name].allowed) is not None:
            numbers = np.array(allowed, dtype=np.float64)
            values[position], free[position] = numbers[int(np.argmin(np.abs(numbers - values[position])))], False
    for mixture in space.mixtures:
        indices = [names.index(name) for name in mixture.variables]
        steps = [space.variables[name].step for name in mixture.variables]
        values[indices] = summed(values[indices], steps, low[indices], mixture.total)
    if free.any() and not free.all():
        values = low + width * _nearest((values - low) / width, sets, free)
    found = Point({**point.values, **dict(zip(names, values.tolist(), strict=True))})
    return None if space.violation(found) else found


def _nearest(start: Array, sets: Sequence[tuple[Array, float, float]], free: NDArray[np.bool_]) -> Array:
    """The nearest point of the unit cube in which each weighted sum lies between two numbers, shape (k,).

    By Dykstra's projections (Boyle and Dykstra, Lect. Notes Stat. 37, 28 (1986)).

    :param sets: weights, shape (k,), and the numbers. :param free: which entries may change, shape (k,).
    """
    here, corrections = start, np.zeros((len(sets) + 1, len(start)))
    for _ in range(ROUNDS):
        before = here
        for position in range(len(sets) + 1):
            wanted = here + corrections[position]
            if position == len(sets):
                here = np.where(free, np.clip(wanted, 0.0, 1.0), wanted)
            else:
                weights, least, most = sets[position]
                total, slope = float(weights @ wanted), weights * free
                away = min(max(total, least), most) - total
                here = wanted + away * slope / (float(slope @ slope) or 1.0)
            corrections[position] = wanted - here
        if float(np.abs(here - before).max()) < SETTLED:
            break
    return here


def neighbours(space: ParameterSpace, point: Point, width: float, number: int, rng: np.random.Generator) -> list[Point]:
    """Points near another one that keep all constraints.

    Numbers move by a normal step of ``width`` of their range, grids by at least one step; a choice changes with
    probability ``width``. What one component of a mixture gains another loses.

    :param number: points tried.
    """
    found: dict[str, Point] = {}
    in_mixture = {name for mixture in space.mixtures for name in mixture.variables}
    for _ in range(number):
        values = dict(point.values)
        moved = rng.random(len(space.variables)) < max(0.5, 1 / len(space.variables))
        for (name, variable), moves in zip(space.variables.items(), moved, strict=True):
            if name in in_mixture or not moves:
                continue
            values[name] = _moved(variable, values[name], width, rng)
        for mixture in space.mixtures:
            first, second = rng.choice(len(mixture.variables), 2, replace=False)
            _exchange(space, values, mixture.variables[int(first)], mixture.variables[int(second)], width, rng)
        other = Point(values)
        if other.key != point.key and not space.violation(other):
            found.setdefault(other.key, other)
    return list(found.values())


def _moved(variable: Variable, value: Value, width: float, rng: np.random.Generator) -> Value:
    allowed = variable.allowed
    if variable.choices and allowed is not None:
        return allowed[int(rng.integers(len(allowed)))] if rng.random() < max(width, 0.1) else value
    low, high = variable.bounds
    if allowed is not None:
        indices: Array = np.array(allowed, dtype=np.float64)
        here = int(np.argmin(np.abs(indices - float(value))))
        step = rng.normal() * width * len(indices)
        step = int(np.sign(step) * max(1, round(abs(step))))
        return float(indices[np.clip(here + step, 0, len(indices) - 1)])
    if variable.scale == 'log':
        return float(np.clip(float(value) * (high / low) ** (rng.normal() * width), low, high))
    return float(np.clip(float(value) + rng.normal() * width * (high - low), low, high))


def _exchange(
    space: ParameterSpace, values: dict[str, Value], gains: str, loses: str, width: float, rng: np.random.Generator
) -> None:
    """Move a part of one component of a mixture to another, within the bounds of both."""
    first, second = space.variables[gains], space.variables[loses]
    most = min(first.bounds[1] - float(values[gains]), float(values[loses]) - second.bounds[0])
    part = min(abs(rng.normal()) * width * (first.bounds[1] - first.bounds[0]), max(most, 0.0))
    step = first.step or second.step
    if step is not None:
        part = max(round(part / step), 1) * step if most >= step else 0.0
    values[gains], values[loses] = float(values[gains]) + part, float(values[loses]) - part
