"""Answers as people and instruments write them: words of a command, rows of a CSV file. Imports no aiida."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiida_inversedesign.engines.external.combine import KINDS, Answer, Kind
from aiida_inversedesign.libraries.measured_text import (
    ERROR,
    CellError,
    csv_rows,
    decoded,
    heading_of,
    measurement,
    refuse_unit,
)

#: An answer that cannot be recorded, with what to do.
AnswerError = CellError
#: Headings that say something else than a value.
_OTHERS = ('candidate', 'kind', 'failed', 'instrument', 'by', 'note', 'files')
_ABOUT = ('instrument', 'by', 'note')
#: A longer reason or note belongs into an attached file.
LONGEST_TEXT = 2000


@dataclass(frozen=True)
class Answered:
    """An answer to a candidate.

    :param files: names of attached files. :param line: of the file in which it stands, 0 if it is not of a file.
    """

    candidate: str
    answer: Answer
    files: tuple[str, ...] = ()
    line: int = 0


@dataclass
class Sheet:
    """What a file holds: answers, and what is wrong with the rows that are not read."""

    answered: list[Answered] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def answer_of_words(
    words: Sequence[str], units: Mapping[str, str], kind: Kind = 'answer', failed: str = '', **about: str
) -> Answer:
    """The answer of the words ``property=value [± error] [unit] …`` of a command.

    :param units: the unit of each property that an answer may have.
    :raises AnswerError: with the word and what to write.
    """
    parts: list[str] = []
    for word in words:
        if '=' in word:
            parts.append(word)
        elif parts:
            parts[-1] += f' {word}'
        else:
            raise AnswerError(f'{word!r} is not an answer: write property=value, e.g. {_example(units)}')
    values: dict[str, Mapping[str, Any]] = {}
    for part in parts:
        name, _, text = (item.strip() for item in part.partition('='))
        _refuse_unknown(name, units)
        if name in values:
            raise AnswerError(f'{name} is given twice: give the second value with --replicate in a command of its own')
        values[name] = measurement(text, name, units[name])
    return _answer(values, failed, kind, about)


def _answer(values: dict[str, Mapping[str, Any]], failed: str, kind: Kind, about: Mapping[str, str]) -> Answer:
    if failed and values:
        raise AnswerError(
            f'it is said to have failed ({failed}), and {", ".join(values)} are given: write one or other'
        )
    kept = {name: text.strip() for name, text in about.items() if text.strip()}
    for text in (failed, *kept.values()):
        if len(text) > LONGEST_TEXT:
            raise AnswerError(f'a text of {len(text)} characters is too long (at most {LONGEST_TEXT}): attach a file')
    return Answer(values, failed, kind, kept)


def _refuse_unknown(name: str, units: Mapping[str, str]) -> None:
    if name in units:
        return
    near = difflib.get_close_matches(name, units, n=1)
    does = f'did you mean {near[0]!r}? ' if near else ''
    raise AnswerError(
        f'{name!r} is not a property of this campaign: {does}it has {", ".join(units)} (others are declared in '
        'evaluate.units of the campaign file)'
    )


def _example(units: Mapping[str, str]) -> str:
    name = next(iter(units), 'property')
    return f"'{name}=1.23 ± 0.04 {units.get(name, '')}".rstrip() + "'"


# -- files -------------------------------------------------------------------------------------------------------------


def read_sheet(
    content: bytes, name: str, units: Mapping[str, str], ignored: Collection[str] = (), kind: Kind = 'answer'
) -> Sheet:
    """The answers of a CSV file (commas, semicolons or tabs); what is wrong with a row says a message of its own.

    :param name: of the file, for messages and as the origin of its rows.
    :param ignored: headings of columns that ``ask`` writes and nobody has to fill.
    :param kind: of rows that do not say theirs.
    :raises AnswerError: if no row can be understood.
    """
    text = decoded(content, name)
    if not text.partition('\n')[0].strip():
        raise AnswerError(f'{name} line 1: no headings; write `candidate,{",".join(units)}` into the first line')
    try:
        table = list(csv_rows(text))
    except csv.Error as error:
        raise AnswerError(f'{name} is not a CSV file: {error}') from error
    sheet = Sheet()
    try:
        columns = _columns(table[0][1], units, ignored, sheet, name)
    except AnswerError as error:
        raise AnswerError(f'{name} line 1: {error}') from error
    width = len(table[0][1])
    for line, cells in table[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != width:
                more = '; a decimal comma? write a point' if len(cells) > width else ''
                raise AnswerError(f'{len(cells)} cells for {width} headings{more}')
            answered = _answered(cells, columns, units, kind, line, name)
        except AnswerError as error:
            sheet.problems.append(f'{name} line {line}: {error}')
            continue
        if answered is not None:
            sheet.answered.append(answered)
    return sheet


def _columns(
    headings: Sequence[str], units: Mapping[str, str], ignored: Collection[str], sheet: Sheet, file: str
) -> dict[str, list[int]]:
    """The indices of the columns by what they hold: a property or its error, or one of ``_OTHERS``."""
    indices: dict[str, list[int]] = {}
    for index, heading in enumerate(headings):
        name, unit = heading_of(heading.strip(), units)
        if not name or name in ignored:
            continue
        subject = name.removesuffix(ERROR)
        if name not in _OTHERS:
            _refuse_unknown(name if name in units or not name.endswith(ERROR) else subject, units)
            refuse_unit(name, unit, units[name if name in units else subject])
        indices.setdefault(name, []).append(index)
    if 'candidate' not in indices:
        raise AnswerError(f'no column `candidate`; there are {", ".join(headings[:20])}')
    for name, found in indices.items():
        if len(found) > 1:
            sheet.problems.append(
                f'{file} line 1: the column {name!r} is there {len(found)} times: only rows in which they agree are '
                'read; remove one'
            )
    return indices


def _answered(
    cells: Sequence[str], columns: Mapping[str, list[int]], units: Mapping[str, str], kind: Kind, line: int, file: str
) -> Answered | None:
    """The answer of a row, None where it has none yet."""

    def cell(name: str) -> str:
        found = {cells[index].strip() for index in columns.get(name, ())}
        found.discard('')
        if len(found) > 1:
            raise AnswerError(f'the columns {name!r} differ: {" and ".join(sorted(found))}')
        return found.pop() if found else ''

    values: dict[str, Mapping[str, Any]] = {}
    for name in units:
        text, error = cell(name), cell(name + ERROR)
        if text:
            values[name] = measurement(text, name, units[name], error)
        elif error:
            raise AnswerError(f'{name} has an error, {error}, and no value')
    failed, own_kind = cell('failed'), cell('kind').lower() or kind
    if not values and not failed:
        return None
    if own_kind not in KINDS:
        raise AnswerError(f'kind {own_kind!r} is not known: write {", ".join(KINDS)}, or nothing')
    candidate = cell('candidate')
    if not candidate:
        raise AnswerError('no candidate is named')
    about = {name: cell(name) for name in _ABOUT} | {'file': f'{file} line {line}'}
    files = tuple(filter(None, (item.strip() for item in cell('files').split(';'))))
    return Answered(candidate, _answer(values, failed, own_kind, about), files, line)


def sheet_of(
    questions: Iterable[Mapping[str, Any]], columns: Sequence[str], units: Mapping[str, str]
) -> list[list[str]]:
    """The rows of a CSV file to be filled in: heading first.

    :param questions: with ``candidate`` and ``settings``. :param columns: names of the settings.
    """
    rows = [['candidate', *columns, *(f'{name} ({unit})' if unit else name for name, unit in units.items())]]
    rows[0] += [f'{name}{ERROR}' for name in units] + ['failed', 'instrument', 'note']
    for item in questions:
        own = [str(item['settings'].get(name, '')) for name in columns]
        rows.append([item['candidate'], *own, *[''] * (len(rows[0]) - 1 - len(own))])
    return rows
