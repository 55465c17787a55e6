"""What the methods sections of several engines share. Imports no aiida."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence."""
    return ' and '.join(filter(None, (', '.join(words[:-1]), words[-1]))) if words else ''


def calculator(section: Mapping[str, Any], cite: Any) -> str:
    """An ASE calculator with its arguments and source."""
    arguments = ', '.join(f'{key} = {value}' for key, value in (section.get('arguments') or {}).items())
    return f'{section.get("calculator")!r}{f" ({arguments})" if arguments else ""}{cite("ase2017")}'


def has_bulk_moduli(facts: Any) -> bool:
    """Whether an evaluation of the campaign made an equation of state."""
    return any('bulk_modulus' in item.properties for item in facts.record.evaluations)
