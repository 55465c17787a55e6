"""Whether two pieces of plain data are the same, and if not, where and by how much. Imports no aiida."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal['identical', 'within_tolerance', 'different']

#: Deviations of numbers are relative to the larger of the two, and to this where both are smaller.
SCALE = 1e-2

#: Longest piece of a value that a message quotes.
_QUOTED = 60


@dataclass(frozen=True)
class Comparison:
    """How what was stored compares with what was found again.

    :param deviation: largest relative deviation of two numbers at the same location.
    :param where: the location of that deviation, or of the first difference: ``rows.3.properties.band_gap``.
    :param message: what was stored there and what was found, in words; empty if they are identical.
    """

    status: Status
    deviation: float = 0.0
    where: str = ''
    message: str = ''


IDENTICAL = Comparison('identical')


def deviation(stored: float, found: float) -> float:
    """Relative deviation of two numbers; 0 if both are NaN or the same infinity, infinite if only one is."""
    if stored == found or (math.isnan(stored) and math.isnan(found)):
        return 0.0
    if not (math.isfinite(stored) and math.isfinite(found)):
        return math.inf
    return abs(stored - found) / max(abs(stored), abs(found), SCALE)


def compare(stored: Any, found: Any, tolerance: float) -> Comparison:
    """Compare two pieces of plain data (mappings, sequences, numbers, text, booleans, None).

    :param tolerance: largest relative deviation of two numbers that is not a difference.
    """
    if stored == found:
        return IDENTICAL
    largest, where, pair = 0.0, '', (stored, found)
    for location, one, other, amount in _differences(stored, found, ()):
        if amount > largest:
            largest, where, pair = amount, '.'.join(location), (one, other)
        if amount > tolerance:
            break
    if largest == 0:
        return IDENTICAL
    message = f'{where or "value"}: stored {_quote(pair[0])}, found {_quote(pair[1])}'
    return Comparison('different' if largest > tolerance else 'within_tolerance', largest, where, message)


def difference(stored: Any, found: Any, tolerance: float) -> str:
    """Where and how two pieces of plain data differ, in words; empty if they do not."""
    comparison = compare(stored, found, tolerance)
    return comparison.message if comparison.status == 'different' else ''


def worst(comparisons: Sequence[Comparison]) -> Comparison:
    """The one that says most against two sets of data being the same; identical if there is none."""
    order = ('identical', 'within_tolerance', 'different')
    return max(comparisons, key=lambda item: (order.index(item.status), item.deviation), default=IDENTICAL)


def _differences(
    stored: Any, found: Any, location: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Any, float]]:
    """Location, both values and the deviation of all that is not equal; infinite where it does not concern numbers."""
    if isinstance(stored, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys([*stored, *found]):
            if key not in stored or key not in found:
                yield (*location, str(key)), stored.get(key, _NOTHING), found.get(key, _NOTHING), math.inf
            else:
                yield from _differences(stored[key], found[key], (*location, str(key)))
    elif _is_sequence(stored) and _is_sequence(found):
        if len(stored) != len(found):
            yield (*location, 'length'), len(stored), len(found), math.inf
            return
        for index, (one, other) in enumerate(zip(stored, found, strict=True)):
            if one != other:
                yield from _differences(one, other, (*location, str(index)))
    elif _is_number(stored) and _is_number(found):
        if amount := deviation(float(stored), float(found)):
            yield location, stored, found, amount
    elif stored != found:
        yield location, stored, found, math.inf


class _Nothing:
    def __repr__(self) -> str:
        return 'nothing'


_NOTHING = _Nothing()


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _quote(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _QUOTED else f'{text[:_QUOTED]}…'
