"""A point: a value for each variable of a space of parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiida_inversedesign.campaign.contracts.space import RowError, Value
from aiida_inversedesign.campaign.text.digits import plain
from aiida_inversedesign.campaign.text.number_words import hint

#: Significant digits of a value in a key: two points that differ by less are the same.
DIGITS = 9


def rounded(value: Value) -> Value:
    """The value that decides whether two points are equal."""
    if isinstance(value, str):
        return value
    # adding 0.0 turns -0.0 into 0.0
    return float(f'{value:.{DIGITS}g}') + 0.0


@dataclass(frozen=True, eq=False)
class Point:
    """One setting of all variables.

    :param values: number (in the variable's unit) or word of each variable, in the order of the space.
    """

    values: Mapping[str, Value]

    def __post_init__(self) -> None:
        object.__setattr__(self, 'values', {name: rounded(value) for name, value in self.values.items()})

    @cached_property
    def key(self) -> str:
        """All values, e.g. ``n=6, theta=75, shape=round``."""
        return ', '.join(
            f'{name}={value if isinstance(value, str) else f"{value:.{DIGITS}g}"}'
            for name, value in self.values.items()
        )

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the values by name."""
        return hashlib.sha256(json.dumps(dict(sorted(self.values.items()))).encode()).hexdigest()

    @property
    def reader(self) -> PointReader:
        """How a row of a data set names a point of these variables."""
        return PointReader({name: isinstance(value, str) for name, value in self.values.items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data: ``values``."""
        return {'values': dict(self.values)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Point:
        """The point of :meth:`to_dict`."""
        return cls(dict(data['values']))


@dataclass(frozen=True)
class PointReader:
    """Reads points from columns of the variables' names; a row without one of the values is an error.

    :param words: names of the variables, and whether the values of each are words.
    """

    words: Mapping[str, bool]
    tolerant: bool = False

    def columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The names of the variables.

        :raises RowError: if one is not a column.
        """
        missing = [name for name in self.words if name not in names]
        if missing:
            raise RowError(
                'column',
                f'the data have no column {missing[0]!r} for the variable of that name; they have '
                f'{", ".join(names[:20])}',
            )
        return tuple(self.words)

    def read(self, cells: Mapping[str, Value | None]) -> Point:
        """The point of a row.

        :raises RowError: if a variable has no value, or one that is not a number.
        """
        return Point({name: self._setting(name, cells[name]) for name in self.words})

    def _setting(self, name: str, value: Value | None) -> Value:
        if value is None:
            raise RowError('value', f'no value of the variable {name}')
        if self.words[name]:
            return value if isinstance(value, str) else plain(value)
        if isinstance(value, str):
            words = hint(value)
            raise RowError('value', f'{name} = {value!r} is not a number' + (f': {words}' if words else ''))
        return value
