"""A point: a value for each variable of a space of parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Value = float | str

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

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data: ``values``."""
        return {'values': dict(self.values)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Point:
        """The point of :meth:`to_dict`."""
        return cls(dict(data['values']))
