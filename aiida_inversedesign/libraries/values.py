"""Values of properties in tables of others: which are numbers, and which should have been."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.text.number_words import LARGEST, hint
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.library import Skipped

#: words that stand for a value that is missing
MISSING = frozenset(('', 'nan', 'na', 'n/a', '#n/a', 'none', 'null', '-', '--', '–', '?', '.', 'missing', 'unknown'))
#: most unreadable values of a column that are listed one by one
LISTED = 10_000
#: integers beyond it are not all doubles: rather identifiers than measured values
_EXACT = 2**53
#: two columns whose correlation is nearer to 1 or −1 say the same
_COPY = 1e-4
#: points of a list that is taken for a curve: three numbers are rather a vector
LEAST_POINTS, MOST_POINTS = 5, 100_000
#: fewest rows of which that can be said
_LEAST_ROWS = 8


def is_index(name: str) -> bool:
    """Whether a column is the index of rows that pandas writes: without a name, or ``Unnamed: 0``."""
    return not name.strip() or bool(re.fullmatch(r'Unnamed: \d+', name.strip()))


def counts_up(values: Iterable[object]) -> bool:
    """Whether values are 0, 1, 2 … or 1, 2, 3 … in this order."""
    numbers = [entries.number_of(value) for value in values]
    return len(numbers) > 2 and numbers[0] in (0, 1) and numbers == [numbers[0] + step for step in range(len(numbers))]


def why_unreadable(value: object) -> str:
    """What is wrong with a value that should be a number; empty where nothing is, or nothing is there."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        number = entries.number_of(value)
        if number is None:
            return 'is too large for a number'
        return '' if int(number) == value or abs(number) > LARGEST else 'has more digits than double precision holds'
    if isinstance(value, float) and not math.isfinite(value):
        return 'is not finite'
    if not isinstance(value, str) or not value.strip() or entries.number_of(value) is not None:
        return ''
    if value.strip().lower() in MISSING:
        return 'stands for a missing value'
    words = hint(value)
    return 'is not a number' + (f': {words}' if words else '')


def unreadable(value: object) -> str:
    """What is wrong with a value that is there and should be a number; empty where it only says that none is known."""
    missing = value.strip().lower() in MISSING if isinstance(value, str) else not isinstance(value, int)
    return '' if missing else why_unreadable(value)


def curves_of(fields: Mapping[str, Any], leave_out: frozenset[str]) -> dict[str, tuple[float, ...]]:
    """The fields of an entry that are lists of finite numbers, long enough to be functions of an axis."""
    found = {}
    for name, value in fields.items():
        if not isinstance(value, list) or not LEAST_POINTS <= len(value) <= MOST_POINTS or name in leave_out:
            continue
        numbers = [entries.number_of(item) for item in value if not isinstance(item, str)]
        known = tuple(number for number in numbers if number is not None and abs(number) <= LARGEST)
        if len(known) == len(value):
            found[name] = known
    return found


@dataclass
class _Column:
    numbers: int = 0
    like_numbers: int = 0
    unreadable: int = 0
    listed: list[tuple[str, str, str]] = field(default_factory=list)


class Columns:
    """The numeric fields of the entries of an import, and what could not be read of them."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}
        self._indices: dict[str, str] = {}

    def numbers(self, where: str, fields: Mapping[str, Any], leave_out: frozenset[str]) -> dict[str, float]:
        """The numbers among the fields of an entry, but those above 1e100, which overflow where they are squared."""
        found: dict[str, float] = {}
        for name, value in fields.items():
            if not isinstance(name, str) or name in leave_out:
                continue
            number = entries.number_of(value)
            if is_index(name):
                self._indices.setdefault(name, where)
                continue
            why = why_unreadable(value)
            if not why and number is not None and abs(number) > LARGEST:
                why = f'is larger than {LARGEST:g}: models cannot compute with it'
            if why:
                self._note(name, where, str(value), why)
            elif number is not None:
                found[name] = number
                self._columns.setdefault(name, _Column()).numbers += 1
        return found

    def _note(self, name: str, where: str, value: str, why: str) -> None:
        column = self._columns.setdefault(name, _Column())
        column.unreadable += 1
        column.like_numbers += why != 'is not a number'
        if len(column.listed) < LISTED:
            column.listed.append((where, value[:40], why))

    def remarks(self) -> list[Skipped]:
        """Each value that is not read in a column of numbers, and columns that are an index."""
        found = [
            Skipped(
                where,
                f'the column {name or "without a name"!r} is an index of rows: not a property',
                entries.INDEX,
                name,
            )
            for name, where in self._indices.items()
        ]
        for name, column in self._columns.items():
            known = column.numbers + column.unreadable
            # a column of texts, of which some look like numbers, is none of numbers
            if not column.unreadable or 2 * (column.numbers + column.like_numbers) < known:
                continue
            found += [
                Skipped(f'{where}, {name}', f'{value!r} {why}', entries.VALUE, name)
                for where, value, why in column.listed
            ]
            more = column.unreadable - len(column.listed)
            found += [Skipped(f'{name}', f'{more} further values', entries.VALUE, name)] * (more > 0)
        return found


def copies(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Whether two columns of numbers are the same but for unit and zero, or for the scale (a logarithm, a rank).

    :param first: shape (n,), NaN where unknown; ``second`` likewise.
    """
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < _LEAST_ROWS:
        return False
    one, two = first[known], second[known]
    if len(np.unique(one)) < _LEAST_ROWS or len(np.unique(two)) < _LEAST_ROWS:
        return False
    ranks = [np.unique(values, return_inverse=True)[1].astype(np.float64) for values in (one, two)]
    return any(_correlation(*pair) > 1 - _COPY for pair in ((one, two), (ranks[0], ranks[1])))


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    a, b = ((values - values.mean()) / (np.abs(values - values.mean()).max() or 1.0) for values in (first, second))
    return abs(float((a * b).sum())) / (math.sqrt(float((a * a).sum()) * float((b * b).sum())) or 1.0)
