"""Starting data: what was measured or computed before a campaign, read from a CSV file as rows of the arm ``known``."""

from __future__ import annotations

import csv
import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiida_inversedesign.campaign.contracts.space import Value
from aiida_inversedesign.campaign.files import FileRefusedError, read_bounded
from aiida_inversedesign.campaign.replicates import mean_of
from aiida_inversedesign.campaign.row import KNOWN, EvaluationRow, is_hit, with_copies
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.entries import LARGEST_CELL, Notes, number_of
from aiida_inversedesign.libraries.importers import CIF_NAMES, PLAIN_NAMES, crystal_of_cells, structure_columns
from aiida_inversedesign.libraries.measured_text import (
    ERROR,
    CellError,
    csv_rows,
    decoded,
    heading_of,
    measurement,
    refuse_unit,
)
from aiida_inversedesign.libraries.values import MISSING

#: No file of experiments is larger.
MOST_BYTES = 50_000_000
#: Most messages that are listed one by one.
_LISTED = 20
#: The column that says why a point could not be measured.
_FAILED = 'failed'


class KnownError(InverseDesignError):
    """Starting data that cannot be taken, with everything that is wrong."""

    def __init__(self, file: str, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        more = len(problems) - _LISTED
        shown = [*problems[:_LISTED], *([f'and {more} more'] if more > 0 else [])]
        super().__init__(
            f'the starting data {file} are not taken, nothing was recorded; correct or remove what is wrong:\n'
            + '\n'.join(f'  {text}' for text in shown)
        )


@dataclass
class Known:
    """What a file holds.

    :param rows: of each different candidate one, replicates averaged. :param lines: rows of the file with a value.
    :param remarks: what is left out, in sentences.
    """

    rows: list[EvaluationRow] = field(default_factory=list)
    lines: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """How much there is."""
        repeated = self.lines - len(self.rows)
        return f'{len(self.rows)} points' + (f' of {self.lines} rows, replicates averaged' if repeated else '')


def known_file(path: str | Path, settings: CampaignSettings) -> Known:
    """The starting data of a file.

    :raises KnownError: with every row that is wrong.
    """
    try:
        content = read_bounded(Path(path), MOST_BYTES)
    except FileRefusedError as error:
        raise KnownError(str(path), [str(error)]) from error
    return read_known(content, Path(path).name, settings)


def read_known(content: bytes, name: str, settings: CampaignSettings) -> Known:
    """The starting data of a CSV file (commas, semicolons or tabs), in the order of its rows.

    A row has the variables of the space, or a structure, and values of the goal's properties, also as ``142 ± 3`` or
    with their errors in ``<property>_error``; a column ``failed`` says why there is none. Rows of one candidate are
    replicates: their mean is one row.

    :param name: of the file, for messages.
    :raises KnownError: with every row and column that is wrong; then nothing of the file is taken.
    """
    try:
        text = decoded(content, name)
        table = [(line, cells) for line, cells in csv_rows(text) if any(cell.strip() for cell in cells)]
    except CellError as error:
        raise KnownError(name, [str(error)]) from error
    except csv.Error as error:
        raise KnownError(name, [f'not a CSV file: {error}']) from error
    units = {key: settings.unit(key) for key in settings.goal.properties}
    if not table:
        raise KnownError(name, [f'the file is empty: the first line names the columns, e.g. {_example(settings)}'])
    known = Known()
    columns, problems = _columns(table[0], settings, units, known)
    if problems:
        raise KnownError(name, problems)
    of_cells = _reader(settings, columns)
    groups: dict[str, list[tuple[Any, dict[str, Any], str]]] = {}
    empty = []
    for line, cells in table[1:]:
        try:
            found = _values(line, cells, len(table[0][1]), columns, units)
            if found is None:
                empty.append(line)
                continue
            content_ = of_cells({key: _cell(cells, place) for key, place in columns.items()})
            groups.setdefault(content_.content_hash, []).append((content_, *found))
            known.lines += 1
        except InverseDesignError as error:
            problems.append(f'line {line}: {error}')
    if not groups and not problems:
        problems.append(f'no row has a value of {" or ".join(units)}')
    if problems:
        raise KnownError(name, problems)
    if empty:
        shown = ', '.join(map(str, empty[:5])) + (' …' if len(empty) > 5 else '')
        known.remarks.append(f'{len(empty)} rows without a value of {" or ".join(units)} are left out (line {shown})')
    known.rows = with_copies(
        (_row(number, group, settings) for number, group in enumerate(groups.values(), 1)), settings.space.same_result
    )
    return known


def _columns(
    heading: tuple[int, Sequence[str]], settings: CampaignSettings, units: Mapping[str, str], known: Known
) -> tuple[dict[str, int], list[str]]:
    """The place of each column that is used, and what is wrong with the headings."""
    line, headings = heading
    own = dict.fromkeys((*CIF_NAMES, *PLAIN_NAMES), '') if settings.space.of_crystals else settings.space.headings
    if not own and settings.space.reader is not None:
        try:
            own = dict.fromkeys(settings.space.reader.columns([text.strip() for text in headings]), '')
        except InverseDesignError as error:
            return {}, [f'line {line}: {error}']
    taken = {**own, **units, **{name + ERROR: unit for name, unit in units.items()}, _FAILED: ''}
    loose = {_loose(name): name for name in reversed(taken)}
    places: dict[str, int] = {}
    problems, unused = [], []
    for place, text in enumerate(headings):
        name, unit = heading_of(loose.get(_loose(text), text.strip()), taken)
        name = loose.get(_loose(name), name)
        if name not in taken:
            unused.append(text.strip() or f'column {place + 1} without a heading')
            continue
        if name in places:
            problems.append(
                f'line {line}: the column {name!r} is there twice (columns {places[name] + 1} and {place + 1}): '
                'remove or rename one'
            )
        places.setdefault(name, place)
        try:
            refuse_unit(name, unit, taken[name])
        except CellError as error:
            problems.append(f'line {line}, column {place + 1}: {error}')
    problems += [f'line {line}: {text}' for text in _missing(places, unused, settings, units)]
    if unused:
        known.remarks.append(f'columns that are not used: {", ".join(unused[:20])}{" …" if len(unused) > 20 else ""}')
    return places, problems


def _missing(
    places: Mapping[str, int], unused: Sequence[str], settings: CampaignSettings, units: Mapping[str, str]
) -> Iterable[str]:
    """Columns without which no row says what it is, or what was found."""
    reader = settings.space.reader
    lacking = [name for name in settings.space.headings if name not in places]
    for name in lacking:
        yield f'no column {name!r} for the variable of that name{_nearest(name, unused)}'
    try:
        if settings.space.of_crystals:
            structure_columns(places)
        elif reader is None:
            yield f'{settings.space.nouns} cannot be given in a table'
        elif not lacking:
            reader.columns(list(places))
    except InverseDesignError as error:
        yield str(error)
    if not any(name in places for name in (*units, _FAILED)):
        yield f'no column of the goal: add {" or ".join(units)}{_nearest(next(iter(units), ""), unused)}'


def _nearest(name: str, unused: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, unused, n=1)
    return f'; did you mean {near[0]!r}?' if near else f'; there are {", ".join(unused[:20])}' if unused else ''


def _loose(name: str) -> str:
    """A heading without what people write differently."""
    return re.sub(r'[\s_-]+', '', name).casefold()


def _cell(cells: Sequence[str], place: int) -> str:
    return cells[place].strip()


def _values(
    line: int, cells: Sequence[str], width: int, columns: Mapping[str, int], units: Mapping[str, str]
) -> tuple[dict[str, Any], str] | None:
    """The measured values of a row and why it failed; None where it says neither."""
    if len(cells) != width:
        more = '; a decimal comma? write a point' if len(cells) > width else ''
        raise CellError(f'{len(cells)} cells for {width} columns{more}')

    def text(name: str) -> str:
        found = _cell(cells, columns[name]) if name in columns else ''
        return '' if found.lower() in MISSING else found

    values = {}
    for name, unit in units.items():
        if text(name):
            values[name] = measurement(text(name), name, unit, text(name + ERROR))
        elif text(name + ERROR):
            raise CellError(f'{name} has an error, {text(name + ERROR)}, and no value')
    failed = text(_FAILED)
    if failed and values:
        raise CellError(f'it is said to have failed ({failed}), and {", ".join(values)} are given: write one or other')
    return (values, failed) if values or failed else None


def _reader(settings: CampaignSettings, columns: Mapping[str, int]) -> Callable[[Mapping[str, str]], Any]:
    """What makes a candidate of the cells of a row."""
    space = settings.space
    if (reader := space.reader) is not None and not space.of_crystals:
        names = reader.columns(list(columns))

        def content(cells: Mapping[str, str]) -> Any:
            found = reader.read({name: _cell_value(cells[name]) for name in names})
            if broken := space.violation(found):
                raise CellError(f'{broken}: it lies outside of the space')
            return found

        return content
    names, elements = structure_columns(columns), settings.space.elements_used

    def crystal(cells: Mapping[str, str]) -> Any:
        found = crystal_of_cells(cells, names, LARGEST_CELL, Notes())
        foreign = sorted(set(found.counts) - elements) if elements else []
        if foreign:
            raise CellError(f'{names[0]}: {found.formula} has {", ".join(foreign)}: it lies outside of the space')
        return found

    return crystal


def _cell_value(text: str) -> Value | None:
    """What a reader is given of a cell: a finite number, a word, or None."""
    number = number_of(text.replace('\u2212', '-'))
    return (text or None) if number is None else number


def _row(number: int, group: Sequence[tuple[Any, dict[str, Any], str]], settings: CampaignSettings) -> EvaluationRow:
    """The row of a candidate; of one that failed in some rows, those with values count."""
    content = group[0][0]
    names = dict.fromkeys(name for _, values, _ in group for name in values)
    found = {name: mean_of([values[name] for _, values, _ in group if name in values]) for name in names}
    properties = {name: record['value'] for name, record in found.items()}
    return EvaluationRow(
        candidate=f'{KNOWN}_{number:04d}',
        generation=0,
        arm=KNOWN,
        key=content.key,
        status='completed' if properties else 'failed',
        proposed=content,
        properties=properties,
        errors={name: record['error'] for name, record in found.items() if 'error' in record},
        replicates={name: tuple(record['replicates']) for name, record in found.items() if 'replicates' in record},
        hit=is_hit(settings.goal, properties),
        reason='' if properties else '; '.join(Counter(failed for _, _, failed in group if failed)),
    )


def _example(settings: CampaignSettings) -> str:
    own = [CIF_NAMES[0]] if settings.space.of_crystals else list(settings.space.headings)
    return f'`{",".join([*own, *settings.goal.properties])}`'
