"""Entries of foreign data sets: plain data to a crystal, or a refusal that names its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_inversedesign.chemistry.contacts import shortest_contact
from aiida_inversedesign.chemistry.crystal import Crystal, CrystalError

#: most sites of a cell that is taken unless the user allows more: fingerprints and symmetry of larger ones take minutes
LARGEST_CELL = 500
#: Å³ per atom: hydrogen at terapascals is above the first, an atom alone in a box of 20 Å below the second
VOLUMES = (1.0, 10_000.0)
#: Å: least distance of lattice planes and most length of a lattice vector; beyond them a search for neighbours explodes
THINNEST, LONGEST = 0.1, 1000.0
#: most characters of an id
LONGEST_NAME = 200

# the kinds by which skipped entries are counted
PARTIAL, LATTICE, NAN, CELL = 'partial occupancy', 'no lattice', 'not finite', 'absurd cell'
SAME_ID, SAME_STRUCTURE, NO_ELEMENT = 'duplicate id', 'duplicate structure', 'no element data'
VALUE, INDEX = 'unreadable value', 'index column'
UNREADABLE, TOO_LARGE, FORMULA, SITES, HULL = 'unreadable', 'too large', 'excluded formula', 'sites', 'hull'
DISORDERED, UNCLEAR_ELEMENT, ASSEMBLIES, REPEATED = 'disordered', 'unclear_element', 'assemblies', 'repeated_items'
UNKNOWN_FEATURE, NO_STRUCTURE = 'unknown_feature', 'no_structure'

#: contradictions within an entry, and what it has that a library does not keep; ``--accept`` takes the entry
#: nevertheless, with a remark
ACCEPTABLE = {
    (FORMULA_MISMATCH := 'formula_mismatch'): 'the stated formula is not that of the sites',
    (Z_MISMATCH := 'z_mismatch'): 'the stated formula units are not the content of the cell',
    (SITES_MISMATCH := 'sites_mismatch'): 'the stated number or multiplicity of sites is not the one found',
    (GROUP_MISMATCH := 'group_mismatch'): 'the stated space group is not that of the operations, cell or sites',
    (VOLUME_MISMATCH := 'volume_mismatch'): 'the stated volume is not that of the cell',
    (DENSITY_MISMATCH := 'density_mismatch'): 'the stated density is not that of cell and sites',
    (WEIGHT_MISMATCH := 'weight_mismatch'): 'the stated formula weight is not that of the sites',
    (TOO_CLOSE := 'atoms_too_close'): 'atoms nearer than half the sum of their covalent radii',
    (DUPLICATE_SITES := 'duplicate_sites'): 'the same site twice; it is taken once',
    (NO_OPERATIONS := 'no_symmetry_operations'): 'no space group; the sites are taken as the whole cell',
    (AMBIGUOUS := 'ambiguous_setting'): 'several settings are possible; the first is taken',
    (ATTACHED := 'attached_hydrogens'): 'hydrogens without coordinates; they are left out',
    (NO_COORDINATES := 'no_coordinates'): 'sites without coordinates; they are left out',
    (MAGNETIC := 'magnetic'): 'a magnetic structure; the moments are left out',
    (MODULATED := 'modulated'): 'a modulated structure; its average is taken',
    (ATTACHMENTS := 'site_attachments'): 'atoms attached to sites; they are left out',
    (IMPLICIT := 'implicit_atoms'): 'atoms without sites; they are left out',
    (DEPRECATED := 'deprecated'): 'the source has withdrawn the entry',
}
#: kinds of remarks on entries that are taken
IDEALISED, DERIVED, REMARK = 'coordinates idealised', 'operations derived', 'remark'
#: shortest distance of two atoms, in sums of their covalent radii; the shortest in 23 000 known crystals is 0.68
SHORTEST = 0.5


class RefusedError(CrystalError):
    """An entry that is not taken.

    :param kind: by what it is counted, e.g. ``partial occupancy``.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass
class Notes:
    """What is noticed about one entry while it is read.

    :param accept: kinds of contradictions that are taken nevertheless.
    :param remarks: what is kept with the entry, each as ``kind: text``.
    """

    accept: frozenset[str] = frozenset()
    remarks: list[str] = field(default_factory=list)

    def say(self, kind: str, text: str) -> None:
        """Keep a remark."""
        self.remarks.append(f'{kind}: {text}'[:500])

    def contradiction(self, kind: str, reason: str) -> None:
        """Refuse the entry, or keep the reason as a remark where this kind is accepted.

        :raises RefusedError: if it is not.
        """
        if kind not in self.accept:
            raise RefusedError(kind, reason)
        self.say(kind, reason)


@dataclass(frozen=True)
class Raw:
    """What a reader finds: where, the structure or how to make it, and its other fields.

    :param where: location for the list of what was skipped, e.g. ``data.jsonl, line 7``.
    :param build: makes the crystal, or raises what is wrong with it.
    :param fields: numbers among them become properties.
    :param license: licence of this entry, if it has one of its own.
    :param notes: what ``build`` notices, and which contradictions are accepted.
    """

    where: str
    name: str
    build: Callable[[], Crystal]
    fields: Mapping[str, Any] = field(default_factory=dict)
    license: str = ''
    notes: Notes = field(default_factory=Notes)


def refused(where: str, kind: str, reason: str) -> Raw:
    """An entry without a structure."""

    def build() -> Crystal:
        raise RefusedError(kind, reason)

    return Raw(where, where, build)


def name_of(fields: Mapping[str, Any], default: str) -> str:
    """The id of a record: ``id`` or ``material_id``."""
    return str(fields.get('id') or fields.get('material_id') or default)


def plain_crystal(data: Mapping[str, Any], largest: int | None = LARGEST_CELL) -> Crystal:
    """The crystal of ``lattice``, ``species`` and ``frac_coords``, or of pymatgen's dictionary under ``structure``.

    :param largest: most sites; asked before anything is computed. None: any number.
    :raises RefusedError: if the lattice is missing, sites are partially occupied, or numbers are not finite.
    :raises CrystalError: if the arrays do not fit together.
    """
    nested = data.get('structure')
    if 'lattice' not in data and isinstance(nested, Mapping):
        data = _from_pymatgen(nested)
    if data.get('lattice') is None:
        raise RefusedError(LATTICE, 'the lattice is missing')
    missing = [key for key in ('species', 'frac_coords') if data.get(key) is None]
    if missing:
        raise RefusedError(UNREADABLE, f'missing key(s): {", ".join(missing)}')
    species = data['species']
    if not isinstance(species, list | tuple):
        raise RefusedError(UNREADABLE, 'the species are not a list of element symbols')
    check_sites(len(species), largest)
    if any(not isinstance(symbol, str) for symbol in species):
        raise RefusedError(PARTIAL, 'partially occupied sites: a species is not a single element symbol')
    try:
        lattice = np.asarray(data['lattice'], dtype=np.float64)
        coords = np.asarray(data['frac_coords'], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise RefusedError(UNREADABLE, f'lattice and coordinates must be numbers ({str(error)[:100]})') from error
    if not (np.isfinite(lattice).all() and np.isfinite(coords).all()):
        raise RefusedError(NAN, 'lattice or coordinates contain NaN or infinity')
    check_cell(lattice, len(species))
    return Crystal(lattice, tuple(species), coords)


def check_sites(number: int, largest: int | None) -> None:
    """Refuse a cell with too many sites."""
    if largest is not None and number > largest:
        raise RefusedError(CELL, f'{number} sites in the cell are more than {largest}: allow them with --largest-cell')


def check_cell(lattice: Any, sites: int) -> None:
    """Refuse cells in which no crystal can be: no volume, far too dense or dilute, flat or endless.

    :param lattice: vectors as rows, shape (3, 3), Å.
    """
    if np.shape(lattice) != (3, 3):
        raise RefusedError(LATTICE, f'the lattice must be 3 × 3 vectors in Å, got shape {np.shape(lattice)}')
    lengths = np.linalg.norm(lattice, axis=1)
    if lengths.max() > LONGEST:
        raise RefusedError(CELL, f'a lattice vector is {lengths.max():.3g} Å long, more than {LONGEST:g} Å')
    volume = abs(float(np.linalg.det(lattice)))
    low, high = VOLUMES
    if not low <= volume / max(sites, 1) <= high:
        raise RefusedError(CELL, f'{volume / max(sites, 1):.3g} Å³ per atom are not between {low:g} and {high:g} Å³')
    areas = np.linalg.norm(np.cross(np.roll(lattice, -1, axis=0), np.roll(lattice, -2, axis=0)), axis=1)
    if volume / areas.max() < THINNEST:
        raise RefusedError(CELL, f'the cell is {volume / areas.max():.3g} Å thin, less than {THINNEST} Å')


def check_distances(crystal: Crystal, notes: Notes) -> None:
    """Refuse crystals with two atoms on one site or nearly so."""
    short = shortest_contact(crystal, SHORTEST)
    if short is not None:
        first, second, distance, limit = short
        notes.contradiction(
            TOO_CLOSE,
            f'{first} and {second} are {distance:.3f} Å apart, less than {limit:.2f} Å: two atoms on one site?',
        )


def number_of(value: Any) -> float | None:
    """A finite float, or None."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _from_pymatgen(structure: Mapping[str, Any]) -> dict[str, Any]:
    """Lattice, species and coordinates of ``Structure.as_dict()``; a mixed site keeps its mixture as a list."""
    lattice, sites = structure.get('lattice'), structure.get('sites')
    if not isinstance(sites, list):
        raise RefusedError(UNREADABLE, 'the structure has no list of sites')
    if isinstance(lattice, Mapping) and not all(lattice.get('pbc') or (True,)):
        raise RefusedError(LATTICE, 'the structure is not periodic in three directions')
    try:
        occupants = [site['species'] for site in sites]
        return {
            'lattice': lattice.get('matrix') if isinstance(lattice, Mapping) else lattice,
            'species': [
                found[0]['element'] if len(found) == 1 and abs(found[0].get('occu', 1) - 1) < 1e-3 else found
                for found in occupants
            ],
            'frac_coords': [site['abc'] for site in sites],
        }
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise RefusedError(UNREADABLE, f'the structure is not a dictionary of pymatgen ({error!r})') from error
