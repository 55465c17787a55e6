"""Measured points from a CSV file: settings of variables, one or several measured values, replicates included."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.digits import plain
from aiida_inversedesign.campaign.number_words import LARGEST
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.values import copies, is_index, why_unreadable
from aiida_inversedesign.spaces.parameters.point import Point, Value
from aiida_inversedesign.spaces.parameters.space import ParameterSpace

#: A file of more rows or columns is not one of experiments.
MOST_ROWS, MOST_COLUMNS = 1_000_000, 1000


Row = tuple[Value | None, ...]


class PointsError(InverseDesignError):
    """A file that is not a table of points, with the line and what to do."""


@dataclass(frozen=True)
class Measured:
    """What a data set knows of a point.

    :param values: mean of each property over the replicates.
    :param errors: standard error of each mean, where there are at least two replicates.
    :param replicates: number of rows.
    """

    point: Point
    values: dict[str, float]
    errors: dict[str, float]
    replicates: int


@dataclass(frozen=True, eq=False)
class PointSet:
    """The rows of a file as they are.

    :param columns: names, in the order of the file.
    :param rows: a number or word for each column; None where the file has none.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    _asked: tuple[dict[str, bool], dict[str, Measured]] | None = field(default=None, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The columns with a name in which at least half of the values that are there are numbers."""
        found = []
        for place, name in enumerate(self.columns):
            values = [row[place] for row in self.rows if row[place] is not None]
            if values and not is_index(name) and 2 * sum(not isinstance(value, str) for value in values) >= len(values):
                found.append(name)
        return tuple(found)

    def unreadable(self, names: Iterable[str]) -> list[str]:
        """The values of columns that are not numbers, in a sentence for each column with the first three."""
        texts = []
        for name in names:
            place = self.columns.index(name)
            bad = [(line, row[place]) for line, row in enumerate(self.rows, 2) if isinstance(row[place], str)]
            if bad:
                shown = ', '.join(f'{value!r} in row {line} ({why_unreadable(value)})' for line, value in bad[:3])
                texts.append(f'{len(bad)} of {len(self)} values of {name} are not read: {shown}')
        return texts

    def copied(self, names: Iterable[str], properties: Iterable[str]) -> list[tuple[str, str]]:
        """Pairs of a variable and a property of which one is the other in another unit or on another scale."""
        numeric = set(self.numeric)
        columns = {name: self._numbers(name) for name in {*names, *properties} & numeric}
        return [
            (name, other)
            for name in names
            for other in properties
            if name in columns and other in columns and name != other and copies(columns[name], columns[other])
        ]

    def _numbers(self, name: str) -> NDArray[np.float64]:
        place = self.columns.index(name)
        cells = [row[place] for row in self.rows]
        return np.array([math.nan if cell is None or isinstance(cell, str) else cell for cell in cells])

    def measured(self, words: Mapping[str, bool]) -> dict[str, Measured]:
        """Every point of some variables with its values, by its key; rows of equal settings are replicates.

        :param words: names of the variables, and whether the values of each are words.
        :raises PointsError: if a variable is not a column, or a row has no value of one.
        """
        places = {name: place for place, name in enumerate(self.columns)}
        missing = [name for name in words if name not in places]
        if missing:
            raise PointsError(
                f'the data have no column {missing[0]!r} for the variable of that name; they have '
                f'{", ".join(self.columns[:20])}'
            )
        properties = [name for name in self.numeric if name not in words]
        groups: dict[str, tuple[Point, list[Row]]] = {}
        for line, row in enumerate(self.rows, 2):
            point = Point({name: _setting(row[places[name]], name, is_word, line) for name, is_word in words.items()})
            groups.setdefault(point.key, (point, []))[1].append(row)
        return {key: _mean(point, rows, properties, places) for key, (point, rows) in groups.items()}

    def points(self, space: ParameterSpace) -> list[Point]:
        """The different points, in the order of the file."""
        return [item.point for item in self.measured(_words(space)).values()]

    def outside(self, space: ParameterSpace) -> tuple[int, str]:
        """How many of the points do not lie in a space, and what is wrong with the first in words."""
        broken = [words for point in self.points(space) if (words := space.violation(point))]
        return len(broken), broken[0] if broken else ''

    def measured_at(self, point: Point) -> Measured | None:
        """What is known of a point, or None."""
        words = {name: isinstance(value, str) for name, value in point.values.items()}
        if self._asked is None or self._asked[0] != words:
            # a campaign asks for the same variables again and again
            object.__setattr__(self, '_asked', (words, self.measured(words)))
        known: dict[str, Measured] = self._asked[1] if self._asked else {}
        return known.get(point.key)

    def to_bytes(self) -> bytes:
        """The rows as CSV in a fixed form; :meth:`from_bytes` reads it."""
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator='\n')
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow(
                ['' if value is None else repr(value) if isinstance(value, float) else value for value in row]
            )
        return sink.getvalue().encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> PointSet:
        """The rows of a CSV file (UTF-8, with or without a byte order mark; commas, semicolons or tabs).

        :raises PointsError: with the line, if it is not such a table.
        """
        try:
            text = content.decode('utf-8-sig')
        except UnicodeDecodeError as error:
            raise PointsError(f'not UTF-8 text ({error}): save the table as CSV with UTF-8') from error
        lines = text.splitlines()
        if not lines:
            raise PointsError('the file is empty: the first line must name the columns')
        delimiter = max(',;\t', key=lines[0].count)
        table = list(csv.reader(lines, delimiter=delimiter))
        columns = tuple(name.strip() for name in table[0])
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            raise PointsError(f'line 1: the column {repeated[0]!r} is there twice: rename one')
        if len(columns) > MOST_COLUMNS or len(table) > MOST_ROWS:
            raise PointsError(
                f'{len(table)} rows and {len(columns)} columns are more than {MOST_ROWS} and {MOST_COLUMNS}'
            )
        rows = []
        for line, cells in enumerate(table[1:], 2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise PointsError(f'line {line}: {len(cells)} cells for {len(columns)} columns')
            rows.append(tuple(_value(cell.strip(), name, line) for cell, name in zip(cells, columns, strict=True)))
        if not rows:
            raise PointsError('the file names columns and has no rows')
        return cls(columns, tuple(rows))


def _words(space: ParameterSpace) -> dict[str, bool]:
    return {name: bool(variable.choices) for name, variable in space.variables.items()}


def _setting(value: Value | None, name: str, is_word: bool, line: int) -> Value:
    """The value of a variable in a row."""
    if value is None:
        raise PointsError(f'line {line}: no value of the variable {name}')
    if is_word:
        return value if isinstance(value, str) else plain(value)
    if isinstance(value, str):
        raise PointsError(f'line {line}: {name} = {value!r} {why_unreadable(value)}')
    return value


def _value(cell: str, name: str, line: int) -> Value | None:
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        return cell
    if not math.isfinite(number):
        raise PointsError(f'line {line}: {name} = {cell} is not a finite number: leave the cell empty')
    if abs(number) > LARGEST:
        raise PointsError(f'line {line}: {name} = {cell} is larger than {LARGEST:g}: models cannot compute with it')
    return number


def _mean(point: Point, rows: Sequence[Row], properties: Sequence[str], places: Mapping[str, int]) -> Measured:
    values, errors = {}, {}
    for name in properties:
        cells = [row[places[name]] for row in rows]
        known = [float(cell) for cell in cells if cell is not None and not isinstance(cell, str)]
        if not known:
            continue
        mean = values[name] = math.fsum(known) / len(known)
        if len(known) > 1:
            deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))
            errors[name] = deviation / math.sqrt(len(known))
    return Measured(point, values, errors, len(rows))
