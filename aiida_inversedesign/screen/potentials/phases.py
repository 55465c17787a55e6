"""The competing phases of candidates, and where candidates stand against the hull of one potential.

Phases are relaxed with the same potential as the candidates: energies of a library, of another potential or of DFT are
never part of this hull.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.hull import REFERENCE, Phase, Stability, convex_hull
from aiida_inversedesign.libraries.elemental import ElementalReferenceError, reference_crystal
from aiida_inversedesign.libraries.library import Library

#: Names of a library's entries among the phases.
PHASE = 'phase:'
#: eV/atom above the library's hull up to which an entry competes: a potential may put it on the hull.
NEAR = 0.05


def competing(
    library: Library | None, systems: Iterable[Collection[str]], exclude: Collection[str] = frozenset()
) -> dict[str, Crystal]:
    """Crystals that decide on the hull of these chemical systems, by name.

    They are the library's entries within the systems near its hull (those without an energy count as near), and the
    reference crystal of each element of which the library has none on the hull.

    :param systems: the elements of each.
    :param exclude: reduced formulas that are left out.
    """
    wanted = {frozenset(system) for system in systems}
    found: dict[str, Crystal] = {}
    elements: set[str] = set()
    for item in library or ():
        own = frozenset(item.crystal.species)
        energy = item.e_above_hull if item.e_above_hull is not None else 0.0
        if energy > NEAR or item.crystal.formula in exclude or not any(own <= system for system in wanted):
            continue
        found[f'{PHASE}{item.id}'] = item.crystal
        if len(own) == 1 and item.e_above_hull is not None and energy <= 0:
            elements |= own
    for symbol in sorted(set().union(*wanted) - elements):
        try:
            found[f'{REFERENCE}{symbol}'] = reference_crystal(symbol)
        except ElementalReferenceError:
            # the hull of such a system says that the reference is missing
            continue
    return found


def phases_named(names: Iterable[str], library: Library | None) -> dict[str, Crystal]:
    """The crystals of those names that :func:`competing` gave; other names are left out."""
    wanted = [name for name in names if is_phase(name)]
    known = {f'{PHASE}{item.id}': item.crystal for item in library or ()} if wanted else {}
    return {
        name: reference_crystal(name.removeprefix(REFERENCE)) if name.startswith(REFERENCE) else known[name]
        for name in wanted
    }


def needs_library(names: Iterable[str]) -> bool:
    """Whether one of these crystals is an entry of a library."""
    return any(name.startswith(PHASE) for name in names)


def is_phase(name: str) -> bool:
    """Whether a result is that of a competing phase, and not of a candidate."""
    return name.startswith((PHASE, REFERENCE))


def stabilities(
    records: Iterable[Mapping[str, Any]], computed: Mapping[str, tuple[Mapping[str, int], float]]
) -> dict[str, Stability]:
    """Where crystals stand against the hull of the phases and of each other, by name.

    :param records: results of the potential for the phases; those that failed are left out.
    :param computed: atoms of each element and energy (eV/atom, the same potential) of each crystal.
    """
    phases = {
        record['id']: Phase(record['id'], Counter(record['species']), record['energy'])
        for record in records
        if 'failed' not in record and math.isfinite(record['energy'])
    }
    references: dict[str, float] = {}
    for phase in phases.values():
        if len(phase.counts) == 1:
            (symbol,) = phase.counts
            references[symbol] = min(phase.energy, references.get(symbol, math.inf))
    own = [Phase(name, counts, energy) for name, (counts, energy) in computed.items() if math.isfinite(energy)]
    return convex_hull([*phases.values(), *own], references).stability
