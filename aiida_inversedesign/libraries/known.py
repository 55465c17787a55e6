"""Starting data: what was measured or computed before a campaign, as rows of the arm ``known``.

They come from a CSV file, or from one with a JSON object a line, whose keys are the columns.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from aiida_inversedesign.campaign.contracts.space import Value
from aiida_inversedesign.campaign.curves.curve import Curve, mean_curve
from aiida_inversedesign.campaign.curves.functionals import Functional
from aiida_inversedesign.campaign.files import FileRefusedError, read_bounded
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import PROPERTIES
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
    json_rows,
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
    """The starting data of a CSV file (commas, semicolons or tabs), or of one of JSON lines, in the order of its rows.

    A row has the variables of the space, or a structure, and values of the goal's properties, also as ``142 ± 3`` or
    with their errors in ``<property>_error``; a column ``failed`` says why there is none. Of a property that is a
    function a row may have the curve, from which its numbers follow, or the numbers alone. Rows of one candidate are
    replicates: their mean is one row.

    :param name: of the file, for messages; JSON lines if it ends with ``.jsonl``.
    :raises KnownError: with every row and column that is wrong; then nothing of the file is taken.
    """
    try:
        text = decoded(content, name)
        read = json_rows if name.lower().endswith('.jsonl') else csv_rows
        table = [(line, cells) for line, cells in read(text) if any(cell.strip() for cell in cells)]
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
    groups: dict[str, list[_Measured]] = {}
    empty = []
    for line, cells in table[1:]:
        try:
            found = _values(line, cells, len(table[0][1]), columns, settings, units)
            if found is None:
                empty.append(line)
                continue
            content_ = of_cells({key: _cell(cells, index) for key, index in columns.items()})
            groups.setdefault(content_.content_hash, []).append(_Measured(content_, *found))
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
    known.remarks += without_curves(
        settings.goal, [(row.properties, row.curves) for row in known.rows], settings.learn.surrogate
    )
    return known


def without_curves(
    goal: Goal, rows: Sequence[tuple[Mapping[str, float], Collection[str]]], surrogate: str
) -> Iterator[str]:
    """How many starting points have the number of a curve alone, and what becomes of them, in sentences.

    :param rows: properties of each point, and the names of its curves. :param surrogate: as ``learn.surrogate``.
    """
    if surrogate not in ('auto', 'mixture', 'curves'):
        return
    for number, asked in goal.functionals.items():
        given = [curves for properties, curves in rows if number in properties]
        alone = sum(asked['property'] not in curves for curves in given)
        if alone:
            yield (
                f'{alone} of {len(given)} points of the starting data have {number} without the curve '
                f'{asked["property"]}: models of whole curves are not fitted to them, only corrected and calibrated'
            )


def _columns(
    heading: tuple[int, Sequence[str]], settings: CampaignSettings, units: Mapping[str, str], known: Known
) -> tuple[dict[str, int], list[str]]:
    """The index of each column that is used, and what is wrong with the headings."""
    line, headings = heading
    own = dict.fromkeys((*CIF_NAMES, *PLAIN_NAMES), '') if settings.space.of_crystals else settings.space.headings
    if not own and settings.space.reader is not None:
        try:
            own = dict.fromkeys(settings.space.reader.columns([text.strip() for text in headings]), '')
        except InverseDesignError as error:
            return {}, [f'line {line}: {error}']
    taken = {**own, **units, **{name + ERROR: unit for name, unit in units.items()}, _FAILED: ''}
    taken |= dict.fromkeys(_functions(settings), '')
    loose = {_loose(name): name for name in reversed(taken)}
    indices: dict[str, int] = {}
    problems, unused = [], []
    for index, text in enumerate(headings):
        name, unit = heading_of(loose.get(_loose(text), text.strip()), taken)
        name = loose.get(_loose(name), name)
        if name not in taken:
            unused.append(text.strip() or f'column {index + 1} without a heading')
            continue
        if name in indices:
            problems.append(
                f'line {line}: the column {name!r} is there twice (columns {indices[name] + 1} and {index + 1}): '
                'remove or rename one'
            )
        indices.setdefault(name, index)
        try:
            refuse_unit(name, unit, taken[name])
        except CellError as error:
            problems.append(f'line {line}, column {index + 1}: {error}')
    problems += [f'line {line}: {text}' for text in _missing(indices, unused, settings, units)]
    if unused:
        known.remarks.append(f'columns that are not used: {", ".join(unused[:20])}{" …" if len(unused) > 20 else ""}')
    return indices, problems


def _missing(
    indices: Mapping[str, int], unused: Sequence[str], settings: CampaignSettings, units: Mapping[str, str]
) -> Iterable[str]:
    """Columns without which no row says what it is, or what was found."""
    reader = settings.space.reader
    lacking = [name for name in settings.space.headings if name not in indices]
    for name in lacking:
        yield f'no column {name!r} for the variable of that name{_nearest(name, unused)}'
    try:
        if settings.space.of_crystals:
            structure_columns(indices)
        elif reader is None:
            yield f'{settings.space.nouns} cannot be given in a table'
        elif not lacking:
            reader.columns(list(indices))
    except InverseDesignError as error:
        yield str(error)
    if not any(name in indices for name in (*units, *_functions(settings), _FAILED)):
        yield f'no column of the goal: add {" or ".join(units)}{_nearest(next(iter(units), ""), unused)}'


def _nearest(name: str, unused: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, unused, n=1)
    return f'; did you mean {near[0]!r}?' if near else f'; there are {", ".join(unused[:20])}' if unused else ''


def _loose(name: str) -> str:
    """A heading without what people write differently."""
    return re.sub(r'[\s_-]+', '', name).casefold()


def _cell(cells: Sequence[str], index: int) -> str:
    return cells[index].strip()


def _values(
    line: int,
    cells: Sequence[str],
    width: int,
    columns: Mapping[str, int],
    settings: CampaignSettings,
    units: Mapping[str, str],
) -> tuple[dict[str, Any], str, dict[str, Curve]] | None:
    """The measured values of a row, why it failed, and its curves; None where it says nothing."""
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
    curves = {name: _curve(text(name), name, settings) for name in _functions(settings) if text(name)}
    for name, asked in settings.goal.functionals.items():
        if asked['property'] in curves:
            if name in values:
                raise CellError(f'{name} follows from the curve {asked["property"]}: leave one of them out')
            number = Functional.from_dict(asked).of_curve(curves[asked['property']])
            values[name] = {'value': number, 'unit': units[name]}
    failed = text(_FAILED)
    if failed and values:
        raise CellError(f'it is said to have failed ({failed}), and {", ".join(values)} are given: write one or other')
    return (values, failed, curves) if values or failed else None


def _functions(settings: CampaignSettings) -> list[str]:
    """The properties that are functions of which the goal asks for numbers."""
    return list(dict.fromkeys(asked['property'] for asked in settings.goal.functionals.values()))


def _curve(text: str, name: str, settings: CampaignSettings) -> Curve:
    """The curve of a cell: a list on the axis that the campaign file declares, or an object with its axis."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CellError(f'{name} = {text[:40]!r} is not JSON: {error}') from error
    declared = getattr(settings.evaluate, 'functions', {}).get(name)
    if isinstance(data, list) and declared is not None:
        return cast(Curve, declared.curve(name, data, ''))
    found = Curve.from_dict({**data, 'name': name} if isinstance(data, dict) else data, name)
    # the axis that curves of the campaign have
    found.matches(PROPERTIES[name].on_axis() if declared is None else declared.curve(name, [0.0, 0.0], ''))
    return found


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


@dataclass(frozen=True)
class _Measured:
    """A row of a file: a candidate, records of its values by property, why it failed, and its curves."""

    content: Any
    values: dict[str, Any]
    failed: str
    curves: dict[str, Curve]


def _row(number: int, group: Sequence[_Measured], settings: CampaignSettings) -> EvaluationRow:
    """The row of a candidate; of one that failed in some rows, those with values count."""
    content = group[0].content
    names = dict.fromkeys(name for item in group for name in item.values)
    found = {name: mean_of([item.values[name] for item in group if name in item.values]) for name in names}
    curves = {name: [item.curves[name] for item in group if name in item.curves] for name in _functions(settings)}
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
        reason='' if properties else '; '.join(Counter(item.failed for item in group if item.failed)),
        curves={
            name: own[0] if len(own) == 1 else replace(mean_curve(own), name=name)
            for name, own in curves.items()
            if own
        },
    )


def _example(settings: CampaignSettings) -> str:
    own = [CIF_NAMES[0]] if settings.space.of_crystals else list(settings.space.headings)
    return f'`{",".join([*own, *settings.goal.properties])}`'
