"""Energy above the convex hull of a campaign's own calculations and references. Imports no aiida.

The hull is a snapshot: it knows the phases that were computed so far, and every figure names them. Energies enter only
if they were computed at the same settings; those of a library (another functional, other pseudopotentials, corrected
energies) are left out and counted, never mixed in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

#: Names of the elemental references among the phases of a hull.
REFERENCE = 'reference:'


class HullError(InverseDesignError):
    """Energies from which no hull can be made."""


@dataclass(frozen=True)
class Phase:
    """A computed crystal.

    :param name: id of the candidate, or of an entry of a library.
    :param energy: total energy in eV/atom.
    :param settings: what identifies the settings it was computed at; the campaign's own have those of the references.
    """

    name: str
    counts: Mapping[str, int]
    energy: float
    settings: str = ''


@dataclass(frozen=True)
class Stability:
    """One phase against the hull.

    :param e_above_hull: eV/atom, 0 on the hull; None if an elemental reference is missing.
    :param decomposition: the phases that it would form and their atomic fractions; itself if it is on the hull.
    :param hull: names of all phases on the hull of its chemical system; of several with equal energy one is named.
    :param considered: number of phases of that system, references included.
    :param reason: why it is not known, in words; empty if it is.
    """

    e_above_hull: float | None
    decomposition: dict[str, float] = field(default_factory=dict)
    hull: tuple[str, ...] = ()
    considered: int = 0
    reason: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {**{name: getattr(self, name) for name in self.__dataclass_fields__}, 'hull': list(self.hull)}


@dataclass(frozen=True)
class Hull:
    """A snapshot of all phases.

    :param stability: of each phase computed at the campaign's settings, by name.
    :param left_out: phases computed at other settings, by name.
    """

    stability: dict[str, Stability]
    left_out: tuple[str, ...]


def convex_hull(phases: Sequence[Phase], references: Mapping[str, float], settings: str = '') -> Hull:
    """Where every phase stands against the others and the elements.

    One phase diagram is made for each chemical system that occurs, of the phases within it.

    :param phases: completed evaluations, failed ones left out; also entries of a library.
    :param references: energy of each elemental crystal in eV/atom.
    :param settings: those of the campaign and its references; phases of others are left out.
    :raises HullError: if two phases have the same name, or an energy is not finite.
    """
    _check(phases, references)
    own = [phase for phase in phases if phase.settings == settings]
    stability: dict[str, Stability] = {}
    systems: dict[frozenset[str], list[Phase]] = {}
    for phase in own:
        missing = sorted(set(phase.counts) - set(references))
        if missing:
            stability[phase.name] = Stability(None, reason=f'no reference energy of {", ".join(missing)}')
        else:
            systems.setdefault(frozenset(phase.counts), []).append(phase)
    for elements, members in systems.items():
        within = [phase for other, group in systems.items() if other <= elements for phase in group]
        stability.update(_diagram(sorted(elements), members, within, references))
    ordered = {phase.name: stability[phase.name] for phase in own}
    return Hull(ordered, tuple(phase.name for phase in phases if phase.settings != settings))


def _check(phases: Sequence[Phase], references: Mapping[str, float]) -> None:
    names = [phase.name for phase in phases]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise HullError(f'several phases are called {", ".join(repeated[:3])}: names must be unique')
    energies = [*((phase.name, phase.energy) for phase in phases), *references.items()]
    wrong = [name for name, energy in energies if not math.isfinite(energy)]
    if wrong:
        raise HullError(f'the energy of {", ".join(wrong[:3])} is not a number: leave failed evaluations out')


def _diagram(
    elements: Sequence[str], members: Iterable[Phase], within: Sequence[Phase], references: Mapping[str, float]
) -> dict[str, Stability]:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition, Element

    entries = {
        phase.name: PDEntry(Composition(phase.counts), phase.energy * sum(phase.counts.values()), name=phase.name)
        for phase in within
    }
    anchors = [PDEntry(Composition(el), references[el], name=f'{REFERENCE}{el}') for el in elements]
    diagram = PhaseDiagram([*anchors, *entries.values()], elements=[Element(symbol) for symbol in elements])
    hull = tuple(sorted(entry.name for entry in diagram.stable_entries))
    return {phase.name: _stability(diagram, entries[phase.name], hull, len(diagram.all_entries)) for phase in members}


def _stability(diagram: PhaseDiagram, entry: PDEntry, hull: tuple[str, ...], considered: int) -> Stability:
    decomposition, distance = diagram.get_decomp_and_e_above_hull(entry, allow_negative=True)
    parts = {part.name: float(fraction) for part, fraction in decomposition.items()}
    # what lies on the hull is there up to the rounding of sums
    return Stability(max(float(distance or 0.0), 0.0), dict(sorted(parts.items())), hull, considered)
