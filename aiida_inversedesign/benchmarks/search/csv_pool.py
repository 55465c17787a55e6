"""A pool from a CSV file as people publish them: variables (numbers or words), measured values, replicates."""

from __future__ import annotations

import csv
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.benchmarks.common import Report
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.campaign.contracts.space import Value
from aiida_inversedesign.campaign.text.number_words import LARGEST
from aiida_inversedesign.libraries.bounded import read_lines
from aiida_inversedesign.libraries.entries import number_of
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.libraries.values import copies, counts_up, is_index, unreadable
from aiida_inversedesign.spaces.parameters.point import PointReader
from aiida_inversedesign.spaces.parameters.space import ParameterSpace, Variable

#: Most columns of a file.
_MOST_COLUMNS = 10_000
#: Columns that name a row; where every cell differs, each row is a candidate of its own.
_NAMES = ('id', 'material_id', 'name', 'formula')
#: A column of words with more different ones is a text, unless it is asked for; one with so few numbers is a grid.
_MOST_WORDS, _MOST_VALUES = 30, 30
#: Headings of a column that counts the rows.
_INDICES = ('index', 'idx', 'row', 'no', 'no.', 'nr', 'nr.', '#', 'number', 'level_0', 'entry', 'sample', 'n')
#: Words for a missing value.
_MISSING = ('', 'nan', 'na', 'n/a', 'none', 'null', 'inf', '-inf')
#: Where the names of the rows are kept; a column without a name is an index and never read.
_LABEL = ''

Cells = Sequence[Value | None]


def read_csv(
    path: Path,
    properties: Sequence[str],
    ignore: Sequence[str],
    variables: Sequence[str],
    report: Report,
) -> Pool:
    """Read a file whose first line names the columns.

    Rows of equal variables are replicates, which make one candidate: the mean of their values with its standard error.
    Only where a column names each row, and no variables are asked for, every row is a candidate.

    :param properties: columns of the answers.
    :param ignore: columns that are not variables.
    :param variables: columns that are; by default every other one that has a name, is not constant, and is neither
        mostly empty nor text.
    :raises PoolError: if the file is not such a table, a column does not exist, or no variable remains.
    """
    header, table = _table(path, report)
    for name in (*properties, *ignore, *variables):
        if name not in header:
            raise PoolError(f'{path}: there is no column {name!r}; columns are {", ".join(filter(None, header))[:400]}')
    twice = sorted({*properties, *ignore} & set(variables))
    if twice:
        raise PoolError(f'{path}: {twice[0]!r} is named as a variable and as a property or ignored: choose one')
    whole = [row for row in table if len(row) == len(header)]
    lost: Counter[str] = Counter()
    if len(table) > len(whole):
        lost['with another number of cells than the header'] = len(table) - len(whole)
    columns = {name: [row[index] for row in whole] for index, name in enumerate(header)}
    names, ignored = _variables(columns, properties, ignore, variables)
    if not names:
        raise PoolError(f'{path}: no column remains as a variable besides {", ".join(properties)}')
    words = {name: not _numeric(columns[name]) for name in names}
    used = {name: columns[name] if words.get(name) else _numbers(columns[name]) for name in (*properties, *names)}
    copied = {
        name: f'copies {other}'
        for name in names
        for other in properties
        if not words[name] and not variables and copies(_filled(used[name]), _filled(used[other]))
    }
    if len(copied) == len(names):
        raise PoolError(
            f'{path}: every variable copies what is searched for ({", ".join(copied)}): name those that do not with '
            '--variables'
        )
    names, ignored = [name for name in names if name not in copied], ignored | copied
    used = {name: cells for name, cells in used.items() if name not in copied}
    for name in properties:
        for why, number in _unreadable(columns[name]).items():
            lost[f'with an unreadable {name} ({why})'] += number
    keep = np.ones(len(whole), dtype=bool)
    for name in properties:
        keep &= np.array([not unreadable(cell) for cell in columns[name]], dtype=bool)
    # the properties first: a row without an answer is not a candidate, whatever its variables
    for name, cells in used.items():
        bad = keep & np.array([cell is None for cell in cells], dtype=bool)
        if bad.any():
            lost[f'without {name}'] += int(bad.sum())
        keep &= ~bad
    labels = None if variables else _row_names(columns, len(whole))
    if labels:
        # a variable without a description, so that no two rows are replicates
        used[_LABEL] = labels
    chosen = np.flatnonzero(keep).tolist()
    for name in {*properties, *(name for name in names if not words[name])}:
        for row in chosen:
            if (value := number_of(used[name][row])) is not None:
                _check_size(path, row, name, value)
    points = PointSet(tuple(used), tuple(tuple(cells[index] for cells in used.values()) for index in chosen))
    found = list(
        points.listed(
            PointReader({**{name: words[name] for name in names}, **({_LABEL: True} if labels else {})})
        ).measured.values()
    )
    space = _space({name: [item.content.values[name] for item in found] for name in names}, words)
    features, described = space.describe([item.content for item in found], [None] * len(found))
    errors = {name: _column([item.errors.get(name, math.nan) for item in found]) for name in properties}
    return Pool(
        path.name,
        tuple(str(item.content.values[_LABEL]) if labels else item.content.key for item in found),
        features,
        tuple(described),
        {name: _column([item.values[name] for item in found]) for name in properties},
        dict(lost),
        ignored,
        variables={name: variable.words for name, variable in space.variables.items()},
        errors={name: column for name, column in errors.items() if np.isfinite(column).any()},
        repeats={name: [item.repeats.get(name, (1, 0.0)) for item in found] for name in properties},
        rows=len(chosen),
    )


def _table(path: Path, report: Report) -> tuple[list[str], list[list[str | None]]]:
    """The names of the columns, and the cells of each row: None where there is no value."""

    def text() -> Iterator[str]:
        for number, line in enumerate(read_lines(path, lambda done: report('reading', done)), 1):
            if line is None:
                raise PoolError(f'{path}, line {number}: the line has more than 16 MiB')
            yield line.decode('utf-8-sig' if number == 1 else 'utf-8', errors='replace')

    lines = text()
    first = next(lines, '')
    delimiter = max(',;\t', key=first.count)
    try:
        table = list(csv.reader(itertools.chain([first], lines), strict=True, delimiter=delimiter))
    except csv.Error as error:
        raise PoolError(f'{path}: not a CSV file ({error})') from error
    report('reading', 1.0)
    header = [name.strip() for name in table[0]] if table else []
    named = [name for name in header if name]
    if not named or len(header) > _MOST_COLUMNS or len(set(named)) != len(named):
        raise PoolError(f'{path}: the first line must name the columns, each once, at most {_MOST_COLUMNS}')
    cells = ([cell.strip() for cell in row] for row in table[1:])
    return header, [[None if cell.lower() in _MISSING else cell for cell in row] for row in cells if any(row)]


def _check_size(path: Path, row: int, name: str, number: float) -> None:
    if abs(number) > LARGEST:
        raise PoolError(
            f'{path}, row {row + 2}: {name} = {number:g} is larger than {LARGEST:g}: models cannot compute with it'
        )


def _numbers(cells: Cells) -> list[Value | None]:
    return [number_of(cell) for cell in cells]


def _numeric(cells: Cells) -> bool:
    """Whether at least half of the values are numbers."""
    known = [cell for cell in cells if cell is not None]
    return 2 * sum(number_of(cell) is not None for cell in known) >= len(known)


def _filled(cells: Cells) -> Array:
    return _column([math.nan if cell is None else float(cell) for cell in cells])


def _unreadable(cells: Cells) -> dict[str, int]:
    """How many values should be numbers and are not, with the first of them."""
    bad = [(cell, why) for cell in cells if (why := unreadable(cell))]
    return {f'{bad[0][0]!r} {bad[0][1]}': len(bad)} if bad else {}


def _column(values: Sequence[float]) -> Array:
    return np.array(values, dtype=np.float64)


def _variables(
    columns: Mapping[str, Cells], properties: Sequence[str], ignore: Sequence[str], asked: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Columns that describe a candidate, and why the others do not."""
    names: list[str] = []
    ignored: dict[str, str] = {}
    for name, cells in columns.items():
        different = {cell for cell in cells if cell is not None}
        if name in properties:
            continue
        if is_index(name) and name not in asked:
            ignored[name or 'without a name'] = 'an index'
        elif name in ignore or (asked and name not in asked):
            ignored[name] = 'as asked for' if name in ignore else 'not among the variables that were asked for'
        elif not asked and name.lower() in _NAMES:
            ignored[name] = 'names the row'
        elif not asked and name.strip().lower() in _INDICES and counts_up(cells):
            ignored[name] = 'an index: it counts the rows'
        elif 2 * sum(cell is None for cell in cells) > len(cells):
            ignored[name] = 'more than half of its cells are empty'
        elif len(different) < 2:
            ignored[name] = 'the same in every row'
        elif not asked and not _numeric(cells) and len(different) > _MOST_WORDS:
            ignored[name] = f'{len(different)} different words: a text'
        else:
            names.append(name)
    return names, ignored


def _row_names(columns: Mapping[str, Cells], number: int) -> list[Value | None] | None:
    """The cells of a column that names the rows, where every one differs."""
    for name in _NAMES:
        cells = next((cells for key, cells in columns.items() if key.lower() == name), ())
        if number and None not in cells and len(set(cells)) == number:
            return list(cells)
    return None


def _space(values: Mapping[str, Sequence[Value]], words: Mapping[str, bool]) -> ParameterSpace:
    """The space whose variables have these values.

    It is not validated: a column's name and words need not be those of a campaign file.
    """
    variables = {}
    for name, found in values.items():
        if words[name]:
            given: dict[str, Any] = {'choices': sorted(map(str, set(found)))}
        else:
            numbers = sorted({float(value) for value in found})
            given = {'values': numbers} if len(numbers) <= _MOST_VALUES else {'min': numbers[0], 'max': numbers[-1]}
        variables[name] = Variable.model_construct(**given)
    return ParameterSpace.model_construct(kind='parameters', variables=variables)
