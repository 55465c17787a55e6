"""Measured values as people write them: numbers with errors and units, headings with units, texts of spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import Any

from aiida_inversedesign.campaign.text.number_words import LARGEST, hint
from aiida_inversedesign.errors import InverseDesignError

_NUMBER = r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?'
_MEASURED = re.compile(rf'({_NUMBER})\s*(?:(?:±|\+/-|\+-)\s*((?>{_NUMBER})(?![\d,.:])|\S*)\s*(.*)|(.*))', re.DOTALL)
_HEADING = re.compile(r'(.*?)\s*(?:\((.*)\)|\[(.*)\])')
#: End of the heading of a column of standard errors.
ERROR = '_error'


class CellError(InverseDesignError):
    """A value, heading or text that cannot be taken, with what to do."""


def measurement(text: str, name: str, unit: str, error: str = '') -> dict[str, Any]:
    """Value, unit and error of a text such as ``45.2``, ``45.2 ± 0.4`` or ``45.2 ± 0.4 MPa``.

    :param unit: the one it has to have. :param error: its standard error, where that stands by itself.
    :raises CellError: if it is something else.
    """
    plain = text.strip().replace('\u2212', '-')
    found = _MEASURED.fullmatch(plain)
    own_unit = '' if found is None else (found[3] or found[4] or '').strip()
    if found is None or re.match(r'[\d,.:/±(]', own_unit):
        words = 'write the uncertainty as value ± error' if own_unit.startswith('(') else hint(plain)
        words = '' if '±' in plain or '+-' in plain or '+/-' in plain else words
        raise CellError(f'{name} = {text.strip()!r} is not a number' + (f': {words}' if words else ''))
    refuse_unit(name, own_unit, unit)
    if error and found[2]:
        raise CellError(f'{name} = {text.strip()!r} has an error, and {name}{ERROR} has another: write one of them')
    value = _number(found[1], name)
    item: dict[str, Any] = {'value': value, 'unit': unit}
    deviation = error.strip() or (found[2] or '')
    if not deviation and found[2] is None:
        return item
    if not re.fullmatch(_NUMBER, deviation):
        words = hint(deviation)
        raise CellError(f'the error {deviation!r} of {name} is not a number' + (f': {words}' if words else ''))
    item['error'] = _number(deviation, f'the error of {name}')
    if item['error'] < 0:
        raise CellError(f'the error {deviation} of {name} is negative: a standard error is 0 or more')
    return item


def _number(text: str, name: str) -> float:
    value = float(text)
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise CellError(f'{name} = {text} is larger than {LARGEST:g}: models cannot compute with it')
    return value


def refuse_unit(name: str, given: str, unit: str) -> None:
    """Refuse a unit that is not the one of a property.

    :raises CellError: with the right one.
    """
    if given and _plain(given) != _plain(unit):
        right = unit or 'no unit'
        raise CellError(f'{name} is given in {given!r}; the campaign has it in {right}: convert the value')


def _plain(unit: str) -> str:
    """A unit without what is only spelled differently."""
    text = unicodedata.normalize('NFKC', unit.strip()).replace('\u212b', 'Å').replace('\u03bc', 'µ')
    text = unicodedata.normalize('NFKC', text).replace('degC', '°C').replace('oC', '°C').replace('Angstrom', 'Å')
    text = re.sub(r'[\s^*·⋅]', '', text)
    return '' if text in ('1', '-', '–') else text


def heading_of(heading: str, names: Collection[str]) -> tuple[str, str]:
    """Name and unit of a heading such as ``strength (MPa)``; one of ``names`` is taken as it is."""
    found = _HEADING.fullmatch(heading)
    if heading in names or found is None:
        return heading, ''
    return found[1].strip(), (found[2] or found[3] or '').strip()


def decoded(content: bytes, name: str) -> str:
    """The text of a file: UTF-8 or, with a byte order mark, UTF-16, as spreadsheets write it."""
    encoding = 'utf-16' if content[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig'
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b'\n') + 1
        raise CellError(f'{name} line {line}: not UTF-8 text; save the table as "CSV UTF-8"') from error


def csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text with commas, semicolons or tabs, each with the line in which it begins."""
    lines = text.splitlines(keepends=True)
    delimiter = max(',;\t', key=lines[0].count) if lines else ','
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=False)
    begun = 1
    for cells in reader:
        yield begun, cells
        begun = reader.line_num + 1


def json_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The objects of lines as rows of cells, the first with the names of all keys."""
    found: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                data = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise CellError(f'line {number}: not JSON: {error}') from error
            if not isinstance(data, dict):
                raise CellError(f'line {number}: expected an object, {{"column": value, …}}, a line for each row')
            found.append((number, data))
    names = list(dict.fromkeys(name for _, data in found for name in data))
    if found:
        yield found[0][0], names
    for number, data in found:
        yield number, [_cell_of(data.get(name)) for name in names]


def _cell_of(value: Any) -> str:
    if value is None:
        return ''
    return value if isinstance(value, str) else json.dumps(value)
