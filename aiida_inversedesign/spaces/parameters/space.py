"""The space ``parameters``: variables with bounds, steps and units, mixtures, and linear constraints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.space import Coordinate, SpaceSection, Value
from aiida_inversedesign.campaign.section import ContradictionError, Count, Finite, Model, Positive
from aiida_inversedesign.campaign.text.digits import plain
from aiida_inversedesign.spaces.parameters.point import Point, PointReader

#: Sums of mixtures and linear constraints hold within this share of the size of their terms: rounding of decimals.
TOLERANCE = 1e-6

#: Most values that are listed one by one where a variable is described.
MOST_LISTED = 12

#: The heading of a column: published tables have units, signs and blanks in them.
VariableName = Annotated[str, Field(pattern=r'^[^\x00-\x20]([^\x00-\x1f]{0,78}[^\x00-\x20])?$')]
Choice = Annotated[str, Field(pattern=r'^[^\x00-\x1f=,]{1,80}$')]


class Variable(Model):
    """One variable: ``min`` and ``max`` (with ``step``, a grid), ``values``, or ``choices``."""

    min: Finite | None = Field(None, description='lowest value')
    max: Finite | None = Field(None, description='highest value')
    step: Positive | None = Field(None, description='distance of allowed values, counted from min; 1 for integers')
    values: list[Finite] = Field([], description='the allowed numbers, one by one')
    choices: list[Choice] = Field([], description='the allowed words, which have no order')
    unit: str = Field('', max_length=40, description='unit of the numbers')
    scale: Literal['linear', 'log'] = Field('linear', description='log: equal ratios count as equal distances')

    def contradictions(self) -> Iterator[ContradictionError]:
        """What does not go together in this variable."""
        bounded = self.min is not None or self.max is not None
        if bounded + bool(self.values) + bool(self.choices) != 1:
            yield ContradictionError('a variable needs exactly one of min and max, values, or choices')
        if bounded and (self.min is None or self.max is None):
            yield ContradictionError('min and max belong together: give both')
        elif self.min is not None and self.max is not None and not self.min < self.max:
            yield ContradictionError(f'min must be below max, got {plain(self.min)} and {plain(self.max)}')
        if self.step is not None and not bounded:
            yield ContradictionError('belongs to min and max', ('step',))
        for name, items in (('values', self.values), ('choices', self.choices)):
            if items and len(set(items)) < 2:
                yield ContradictionError('needs at least two different ones', (name,))
        lowest = self.min if bounded else min(self.values, default=None)
        if self.scale == 'log' and (lowest is None or lowest <= 0):
            yield ContradictionError('log needs numbers above 0', ('scale',))

    @property
    def allowed(self) -> tuple[Value, ...] | None:
        """The values in a list; None for a continuous variable."""
        if self.choices:
            return tuple(dict.fromkeys(self.choices))
        if self.values:
            return tuple(sorted(set(self.values)))
        if self.step is None or self.min is None or self.max is None:
            return None
        number = math.floor((self.max - self.min) / self.step * (1 + 1e-9))
        return tuple(self.min + self.step * index for index in range(number + 1))

    @property
    def words(self) -> str:
        """What it may be, e.g. ``6 … 12 mm in steps of 2``."""
        if self.choices:
            return ', '.join(self.choices)
        low, high = self.bounds
        listed = self.values and len(self.values) <= MOST_LISTED
        text = ', '.join(map(plain, sorted(self.values))) if listed else f'{plain(low)} … {plain(high)}'
        text += f' {self.unit}' if self.unit else ''
        text += f', {len(set(self.values))} values' if self.values and not listed else ''
        return (
            text + (f' in steps of {plain(self.step)}' if self.step else '') + (', log' if self.scale == 'log' else '')
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest number; of choices the first and last index."""
        if self.choices:
            return 0.0, float(len(set(self.choices)) - 1)
        if self.values:
            return min(self.values), max(self.values)
        return float(self.min or 0.0), float(self.max or 0.0)


class Mixture(Model):
    """Variables that are shares of a whole."""

    variables: list[VariableName] = Field(min_length=2, description='numbers that add up')
    total: Positive = Field(1.0, description='what they add up to')
    tolerance: Annotated[Finite, Field(ge=0)] = Field(
        0.0, description='how far the sum of measured points may be off, e.g. where a table is rounded'
    )


class LinearConstraint(Model):
    """Bounds on a weighted sum of numbers."""

    weights: dict[VariableName, Finite] = Field(min_length=1, description='weight of each variable in the sum')
    min: Finite | None = Field(None, description='lowest allowed sum')
    max: Finite | None = Field(None, description='highest allowed sum')

    @property
    def words(self) -> str:
        """The sum, e.g. ``1 a + 2 b``."""
        return ' + '.join(f'{plain(weight)} {name}' for name, weight in self.weights.items())

    def contradictions(self) -> Iterator[ContradictionError]:
        """Whether there are bounds."""
        if self.min is None and self.max is None:
            yield ContradictionError('needs min, max or both')
        elif self.min is not None and self.max is not None and self.min > self.max:
            yield ContradictionError(f'min must not be above max, got {plain(self.min)} and {plain(self.max)}')


class ParameterSpace(SpaceSection):
    """Settings of a process, of a composition or of a design."""

    noun: ClassVar[str] = 'point'
    nouns: ClassVar[str] = 'points'
    key_name: ClassVar[str] = 'point'
    source: ClassVar[str] = 'sobol'
    screens: ClassVar[tuple[str, ...]] = ('constraints', 'duplicate')
    nodes: ClassVar[str] = 'aiida_inversedesign.nodes.points'

    kind: Literal['parameters'] = Field(description='candidates are settings of variables')
    variables: dict[VariableName, Variable] = Field(min_length=1, max_length=200, description='the variables by name')
    mixtures: list[Mixture] = Field([], description='groups of variables that add up to a total')
    constraints: list[LinearConstraint] = Field([], description='bounds on weighted sums of variables')
    samples: Count = Field(1024, le=100_000, description='points of one proposal; a smaller grid is listed completely')

    def contradictions(self) -> Iterator[ContradictionError]:
        """Whether mixtures and constraints name numbers of the space, and can be kept."""
        numbers = {name: variable for name, variable in self.variables.items() if not variable.choices}
        named = [('mixtures', index, name) for index, item in enumerate(self.mixtures) for name in item.variables]
        named += [('constraints', index, name) for index, item in enumerate(self.constraints) for name in item.weights]
        for group, index, name in named:
            if name not in numbers:
                yield ContradictionError(f'{name!r} is not a variable with numbers', (group, index), tuple(numbers))
        seen: set[str] = set()
        for index, item in enumerate(self.mixtures):
            own = set(item.variables)
            if len(own) < len(item.variables) or own & seen:
                yield ContradictionError('a variable belongs to one mixture, once', ('mixtures', index))
            seen |= own
            least, most = (sum(numbers[name].bounds[side] for name in own & set(numbers)) for side in (0, 1))
            if own <= set(numbers) and not least <= item.total * (1 + TOLERANCE) <= most * (1 + 2 * TOLERANCE):
                yield ContradictionError(
                    f'its variables add up to {plain(least)} … {plain(most)}, never to {plain(item.total)}',
                    ('mixtures', index),
                )

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Point:
        """The point of plain data."""
        return Point.from_dict(data)

    @property
    def reader(self) -> PointReader:
        """Columns of the variables' names."""
        return PointReader({name: bool(variable.choices) for name, variable in self.variables.items()})

    @property
    def headings(self) -> Mapping[str, str]:
        """The variables with their units."""
        return {name: variable.unit for name, variable in self.variables.items()}

    @property
    def is_continuous(self) -> bool:
        """Whether a variable may take any number between bounds."""
        return any(variable.allowed is None for variable in self.variables.values())

    @property
    def renewed(self) -> int:
        """A grid that is listed completely is not proposed again; everything else with each generation."""
        return 0 if self.grid_size is not None and self.grid_size <= self.samples else self.samples

    @property
    def grid_size(self) -> int | None:
        """Number of points of the grid, constraints left aside; None if a variable is continuous."""
        sizes = [variable.allowed for variable in self.variables.values()]
        return None if any(size is None for size in sizes) else math.prod(len(size or ()) for size in sizes)

    def violation(self, point: Point) -> str:
        """Which bound, mixture or constraint a point breaks, in words; empty if it keeps all."""
        for name, variable in self.variables.items():
            if name not in point.values:
                return f'{name} has no value'
            value, allowed = point.values[name], variable.allowed
            if isinstance(value, str) or variable.choices:
                if value not in variable.choices:
                    return f'{name} = {value} is not among {", ".join(variable.choices) or "numbers"}'
                continue
            low, high = variable.bounds
            slack = TOLERANCE * max(high - low, abs(high), abs(low))
            if not low - slack <= value <= high + slack:
                return f'{name} = {plain(value)} is outside {plain(low)} … {plain(high)}'
            if allowed is not None and min(abs(value - float(item)) for item in allowed) > slack:
                return f'{name} = {plain(value)} is not on its grid'
        return next(self._broken(point), '')

    def _broken(self, point: Point) -> Iterator[str]:
        for mixture in self.mixtures:
            total = math.fsum(float(point.values[name]) for name in mixture.variables)
            slack = TOLERANCE * mixture.total * len(mixture.variables)
            if abs(total - mixture.total) > mixture.tolerance + slack:
                wanted = plain(mixture.total) + (f' ± {plain(mixture.tolerance)}' if mixture.tolerance else '')
                yield f'{" + ".join(mixture.variables)} = {total:g}, not {wanted}'
        for item in self.constraints:
            terms = [weight * float(point.values[name]) for name, weight in item.weights.items()]
            total, slack = math.fsum(terms), TOLERANCE * max(map(abs, terms))
            if item.min is not None and total < item.min - slack:
                yield f'{item.words} = {total:g} is below {plain(item.min)}'
            if item.max is not None and total > item.max + slack:
                yield f'{item.words} = {total:g} is above {plain(item.max)}'

    def describe(self, contents: Sequence[Any], probabilities: Sequence[float | None]) -> tuple[Array, list[str]]:
        """Numbers between 0 and 1 for each variable with numbers, and 0 or 1 for each choice.

        :returns: shape (n, d), d the number of variables with numbers plus that of all choices.
        """
        columns: dict[str, list[float]] = {}
        for name, variable in self.variables.items():
            values = [point.values[name] for point in contents]
            if variable.choices:
                for choice in variable.allowed or ():
                    columns[f'{name}={choice}'] = [float(value == choice) for value in values]
            else:
                columns[name] = self.unit_scale(name, np.array(values, dtype=np.float64)).tolist()
        return np.array(list(columns.values()), dtype=np.float64).reshape(len(columns), len(contents)).T, list(columns)

    def unit_scale(self, name: str, values: Array) -> Array:
        """Numbers of a variable on the scale from 0 (its lowest) to 1 (its highest), shape (n,)."""
        variable = self.variables[name]
        low, high = variable.bounds
        if variable.scale == 'log':
            return np.asarray(np.log(values / low) / math.log(high / low))
        # the variables of a data set may be constant
        return np.asarray((values - low) / ((high - low) or 1.0))

    def in_own_unit(self, name: str, values: Array) -> tuple[Array, str]:
        """The numbers of a variable, shape (n,), of which :meth:`unit_scale` makes descriptors; choices stay 0 or 1."""
        variable = self.variables.get(name)
        if variable is None or variable.choices:
            return values, ''
        low, high = variable.bounds
        if variable.scale == 'log':
            return np.asarray(low * np.exp(values * math.log(high / low))), variable.unit
        return np.asarray(low + values * (high - low)), variable.unit

    def coordinates(self, contents: Sequence[Any]) -> list[Coordinate]:
        """Every variable with its unit and bounds."""
        return [
            Coordinate(
                name,
                tuple(point.values[name] for point in contents),
                variable.unit,
                tuple(dict.fromkeys(variable.choices)),
                None if variable.choices else variable.bounds,
                variable.scale == 'log',
            )
            for name, variable in self.variables.items()
        ]

    def plan(self) -> list[tuple[str, str]]:
        """The size of the space, each variable, and what restricts them."""
        size = 'a continuous space' if self.grid_size is None else f'a grid of {self.grid_size} points'
        number = len(self.variables)
        words = [('space', f'{number} variable{"s" if number > 1 else ""}, {size}')]
        words += [('variable', f'{name}: {variable.words}') for name, variable in self.variables.items()]
        return words + [('constraint', text) for text in self._restrictions()]

    def methods(self) -> str:
        """The variables in a sentence."""
        names = [f'{name} ({variable.words})' for name, variable in self.variables.items()]
        rest = f', with {"; ".join(self._restrictions())}' if self.mixtures or self.constraints else ''
        return f'The variables were {", ".join(names)}{rest}.'

    def _restrictions(self) -> list[str]:
        """Mixtures and linear constraints as equations."""
        words = [f'{" + ".join(item.variables)} = {plain(item.total)}' for item in self.mixtures]
        for item in self.constraints:
            low = '' if item.min is None else f'{plain(item.min)} ≤ '
            words.append(f'{low}{item.words}' + ('' if item.max is None else f' ≤ {plain(item.max)}'))
        return words
