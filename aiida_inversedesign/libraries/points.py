"""A data set from a CSV file: what each row names (a point, a molecule), measured values, replicates included."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.contracts.space import RowError, RowReader, SpaceSection, Value
from aiida_inversedesign.campaign.replicates import mean_of
from aiida_inversedesign.campaign.text.number_words import LARGEST
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.values import copies, is_index, why_unreadable

#: A file of more rows or columns is not one of experiments.
MOST_ROWS, MOST_COLUMNS = 1_000_000, 1000


Row = tuple[Value | None, ...]


class PointsError(InverseDesignError):
    """A file that is not a table of points, with the line and what to do."""


@dataclass(frozen=True)
class Measured:
    """What a data set knows of a content, e.g. a point.

    :param values: mean of each property over the replicates.
    :param errors: standard error of each mean, where there are at least two replicates.
    :param repeats: there also the number of measurements and the standard deviation of one.
    """

    content: Any
    values: dict[str, float]
    errors: dict[str, float]
    replicates: int
    repeats: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """What the rows of a data set name.

    :param measured: by the hash of each content, in the order of the file.
    :param left_out: line, kind and reason of each row that names none.
    """

    measured: dict[str, Measured]
    left_out: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, eq=False)
class PointSet:
    """The rows of a file as they are.

    :param columns: names, in the order of the file.
    :param rows: a number or word for each column; None where the file has none.
    :param lines: of the file, one for each row; empty: they follow each other from line 2.
    :param unread: what is wrong with lines that could not be read.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: tuple[int, ...] = ()
    unread: tuple[str, ...] = ()
    _asked: tuple[RowReader, Listing] | None = field(default=None, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The columns with a name in which at least half of the values that are there are numbers."""
        found = []
        for position, name in enumerate(self.columns):
            values = [row[position] for row in self.rows if row[position] is not None]
            if values and not is_index(name) and 2 * sum(not isinstance(value, str) for value in values) >= len(values):
                found.append(name)
        return tuple(found)

    def unreadable(self, names: Iterable[str]) -> list[str]:
        """The values of columns that are not numbers, in a sentence for each column with the first three."""
        texts = []
        for name in names:
            position = self.columns.index(name)
            bad = [(line, row[position]) for line, row in enumerate(self.rows, 2) if isinstance(row[position], str)]
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
        position = self.columns.index(name)
        cells = [row[position] for row in self.rows]
        return np.array([math.nan if cell is None or isinstance(cell, str) else cell for cell in cells])

    def listed(self, reader: RowReader) -> Listing:
        """Every content that the rows name, with its values; rows of the same content are replicates.

        :raises PointsError: if a column is missing, or a row names no content and the reader does not tolerate that.
        """
        if self._asked is None or self._asked[0] != reader:
            # a campaign asks with the same reader again and again
            object.__setattr__(self, '_asked', (reader, self._listed(reader)))
        return self._asked[1] if self._asked else Listing({}, ())

    def _listed(self, reader: RowReader) -> Listing:
        indices = {name: position for position, name in enumerate(self.columns)}
        try:
            columns = reader.columns(self.columns)
        except RowError as error:
            raise PointsError(str(error)) from error
        properties = [name for name in self.numeric if name not in columns]
        groups: dict[str, tuple[Any, list[Row]]] = {}
        left_out = []
        for number, row in enumerate(self.rows, 2):
            line = self.lines[number - 2] if self.lines else number
            try:
                content = reader.read({name: row[indices[name]] for name in columns})
            except RowError as error:
                if not reader.tolerant:
                    raise PointsError(f'line {line}: {error}') from error
                left_out.append((line, error.kind, str(error)))
                continue
            groups.setdefault(content.content_hash, (content, []))[1].append(row)
        measured = {key: _mean(content, rows, properties, indices) for key, (content, rows) in groups.items()}
        return Listing(measured, tuple(left_out))

    def contents(self, space: SpaceSection) -> list[Any]:
        """The different contents, in the order of the file.

        :raises PointsError: as :meth:`listed`; if the rows of a data set name no candidates of the space.
        """
        if space.reader is None:
            raise PointsError(f'the rows of a CSV file name no {space.nouns}: name a library')
        return [item.content for item in self.listed(space.reader).measured.values()]

    def outside(self, space: SpaceSection) -> tuple[int, str]:
        """How many of the contents do not lie in a space, and what is wrong with the first in words."""
        broken = [words for content in self.contents(space) if (words := space.violation(content))]
        return len(broken), broken[0] if broken else ''

    def measured_at(self, content: Any) -> Measured | None:
        """What is known of a content, or None."""
        return self.listed(content.reader).measured.get(content.content_hash)

    def to_bytes(self) -> bytes:
        """The rows as CSV in a fixed form; :meth:`from_bytes` reads it."""
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator='\n')
        writer.writerow(self.columns)
        written = 1
        for position, row in enumerate(self.rows):
            # an empty line for each that was left out, so that lines keep their numbers
            line = self.lines[position] if self.lines else position + 2
            sink.write('\n' * (line - written - 1))
            written = line
            writer.writerow(
                ['' if value is None else repr(value) if isinstance(value, float) else value for value in row]
            )
        return sink.getvalue().encode()

    @classmethod
    def from_bytes(cls, content: bytes, tolerant: bool = False) -> PointSet:
        """The rows of a CSV file (UTF-8, with or without a byte order mark; commas, semicolons or tabs).

        :param tolerant: whether a line that cannot be read is left out and counted (:attr:`unread`); each line is then
            read by itself, so that an open quotation mark costs one line.
        :raises PointsError: with the line, if it is not such a table.
        """
        try:
            text = content.decode('utf-8-sig', errors='replace' if tolerant else 'strict')
        except UnicodeDecodeError as error:
            raise PointsError(f'not UTF-8 text ({error}): save the table as CSV with UTF-8') from error
        texts = text.splitlines()
        if not texts:
            raise PointsError('the file is empty: the first line must name the columns')
        delimiter = max(',;\t', key=texts[0].count)
        columns = tuple(name.strip() for name in next(csv.reader(texts[:1], delimiter=delimiter)))
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            raise PointsError(f'line 1: the column {repeated[0]!r} is there twice: rename one')
        if len(columns) > MOST_COLUMNS or len(texts) > MOST_ROWS:
            raise PointsError(
                f'{len(texts)} rows and {len(columns)} columns are more than {MOST_ROWS} and {MOST_COLUMNS}'
            )
        rows, lines, unread = [], [], []
        table: Iterable[list[str]]
        if tolerant:
            table = (next(csv.reader([line], delimiter=delimiter), []) for line in texts[1:])
        else:
            table = csv.reader(texts[1:], delimiter=delimiter)
        for line, cells in enumerate(table, 2):
            if not any(cell.strip() for cell in cells):
                continue
            try:
                if len(cells) != len(columns):
                    raise PointsError(f'line {line}: {len(cells)} cells for {len(columns)} columns')
                rows.append(tuple(_value(cell.strip(), name, line) for cell, name in zip(cells, columns, strict=True)))
                lines.append(line)
            except PointsError as error:
                if not tolerant:
                    raise
                unread.append(str(error))
        if not rows:
            raise PointsError('the file names columns and has no rows')
        gaps = tolerant or lines != list(range(2, len(lines) + 2))
        return cls(columns, tuple(rows), tuple(lines) if gaps else (), tuple(unread))


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


def _mean(content: Any, rows: Sequence[Row], properties: Sequence[str], indices: Mapping[str, int]) -> Measured:
    found = {}
    for name in properties:
        cells = [row[indices[name]] for row in rows]
        known = [float(cell) for cell in cells if cell is not None and not isinstance(cell, str)]
        if known:
            found[name] = mean_of([{'value': value, 'unit': ''} for value in known])
    return Measured(
        content,
        {name: item['value'] for name, item in found.items()},
        {name: item['error'] for name, item in found.items() if 'error' in item},
        len(rows),
        {name: tuple(item['replicates']) for name, item in found.items() if 'replicates' in item},
    )
