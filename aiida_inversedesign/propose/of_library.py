"""What sources learn from a library: once, and from entries whose formulas may be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.libraries.library import Library, Template

Learned = TypeVar('Learned')


def known_entries(library: Library, excluded: frozenset[str]) -> list[Template]:
    """Entries with known elements whose reduced formulas are not excluded."""
    return [
        item for item in library if item.crystal.formula not in excluded and not unknown_elements(item.crystal.counts)
    ]


def once_per_library(
    learn: Callable[[Library, frozenset[str]], Learned],
) -> Callable[[Library, frozenset[str]], Learned]:
    """Keep in memory what was learned from the last four libraries, by their content and what is left out of them."""
    kept: dict[tuple[str, frozenset[str]], Learned] = {}

    def learned(library: Library, excluded: frozenset[str]) -> Learned:
        key = (library.content_hash, excluded)
        if key not in kept:
            while len(kept) >= 4:
                del kept[next(iter(kept))]
            kept[key] = learn(library, excluded)
        return kept[key]

    return learned
