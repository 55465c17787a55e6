"""The crystal of a data block: its cell, its sites under the operations it means, checked against what it states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC, SYMPREC, space_group_number
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.cif import statements
from aiida_inversedesign.libraries.cif.atoms import Site, sites_of
from aiida_inversedesign.libraries.cif.blocks import Block, structure_blocks
from aiida_inversedesign.libraries.cif.orbits import LEAST_SHIFT, Orbit, orbit_of, repeated
from aiida_inversedesign.libraries.cif.settings import Setting, listed_triplets, settings_of
from aiida_inversedesign.libraries.entries import Notes, RefusedError

#: most rows of atoms times symmetry operations: the time of reading grows with them
MOST_POSITIONS = 20_000
#: settings whose crystals are nearer than this, in (V/n)^(1/3), differ by rounding only
MOST_DISTANCE = 0.01
_MAGNETIC = ('_space_group_magn', '_space_group_symop_magn', '_atom_site_moment')
_MODULATED = ('_space_group_ssg', '_space_group_symop_ssg', '_cell_wave_vector', '_atom_site_fourier')


def crystal_of_cif(text: str | None, largest: int | None = entries.LARGEST_CELL, notes: Notes | None = None) -> Crystal:
    """The crystal of the first block that has atoms.

    :param largest: most rows of atoms, and most sites of the cell. None: any number.
    :raises RefusedError: if there is none, or it is refused as by :func:`crystal_of_block`.
    """
    blocks = structure_blocks(text)
    return crystal_of_block(next((block for block in blocks if block.has_sites), blocks[0]), largest, notes)


def crystal_of_block(block: Block, largest: int | None = entries.LARGEST_CELL, notes: Notes | None = None) -> Crystal:
    """The crystal of one data block.

    :param largest: most rows of atoms, and most sites of the cell. None: any number.
    :param notes: takes the remarks, and tells which contradictions are accepted.
    :raises RefusedError: if it has no cell or an impossible one, vacancies, or partial occupancies, is too large, or
        contradicts itself.
    """
    notes = notes or Notes()
    _refuse_what_is_no_crystal(block, notes)
    lattice = _lattice(block)
    rows = len(block.column('_atom_site_label', '_atom_site_type_symbol', '_atom_site_fract_x'))
    entries.check_sites(rows, largest)
    positions = rows * len(listed_triplets(block))
    if largest is not None and positions > MOST_POSITIONS:
        raise RefusedError(entries.CELL, f'{positions} symmetry images of atoms are more than {MOST_POSITIONS}')
    formula = statements.stated_formula(block)
    sites = sites_of(block, frozenset(formula.amounts if formula else ()), notes)
    settings = settings_of(block, lattice, notes)
    return _decide(block, formula, lattice, sites, settings, largest, notes)


def _decide(
    block: Block,
    formula: statements.Formula | None,
    lattice: NDArray[np.float64],
    sites: Sequence[Site],
    settings: Sequence[Setting],
    largest: int | None,
    notes: Notes,
) -> Crystal:
    """The crystal of the only setting that what the file states leaves."""

    def attempt(setting: Setting, noted: Notes) -> Crystal:
        return _crystal(block, formula, lattice, sites, setting, largest, noted)

    if len(settings) == 1:
        crystal = attempt(settings[0], notes)
        if settings[0].remark:
            notes.say(entries.DERIVED, settings[0].remark)
        return crystal
    left: list[tuple[Setting, Crystal, Notes]] = []
    errors: list[RefusedError] = []
    for setting in settings:
        noted = Notes()
        try:
            left.append((setting, attempt(setting, noted), noted))
            # the whole cell is listed: what the name could add is there
            if setting.differs:
                break
        except RefusedError as error:
            errors.append(error)
    if not left:
        # with what is accepted, the first may do
        if any(error.kind in notes.accept for error in errors):
            return attempt(settings[0], notes)
        raise errors[0]
    if len(left) > 1 and not all(_same(left[0][1], crystal) for _, crystal, _ in left[1:]):
        names = ', '.join(setting.operations.name for setting, _, _ in left)
        notes.contradiction(
            entries.AMBIGUOUS,
            f'{names} are possible and give different crystals: add the operations or Z and the formula',
        )
    setting, crystal, noted = left[0]
    notes.remarks += noted.remarks
    if setting.remark:
        notes.say(entries.DERIVED, setting.remark)
    return crystal


def _crystal(
    block: Block,
    formula: statements.Formula | None,
    lattice: NDArray[np.float64],
    sites: Sequence[Site],
    setting: Setting,
    largest: int | None,
    notes: Notes,
) -> Crystal:
    orbits = [orbit_of(site, setting.operations, lattice) for site in sites]
    double = repeated(orbits, lattice)
    doubles = {number for number, earlier, _ in double if orbits[number].site.symbol == orbits[earlier].site.symbol}
    kept = [orbit for number, orbit in enumerate(orbits) if number not in doubles]
    entries.check_sites(sum(len(orbit.coords) for orbit in kept), largest)
    crystal = Crystal(
        lattice,
        tuple(orbit.site.symbol for orbit in kept for _ in orbit.coords),
        np.concatenate([orbit.coords for orbit in kept]),
    )
    if unknown := unknown_elements(crystal.counts):
        raise RefusedError(entries.NO_ELEMENT, f'no element data for {", ".join(unknown)}')
    entries.check_cell(lattice, crystal.nsites)
    if setting.differs:
        found = space_group_number(crystal, SYMPREC)
        if setting.named not in (found, space_group_number(crystal, STRICT_SYMPREC)):
            notes.contradiction(entries.GROUP_MISMATCH, f'{setting.differs}; the group found is {found}')
    confirmed = statements.check(block, formula, crystal, kept, notes)
    if setting.evidence and not confirmed.operations:
        raise RefusedError(entries.GROUP_MISMATCH, f'nothing stated confirms the operations {setting.remark}')
    _check_doubles(orbits, double, confirmed.content, notes)
    entries.check_distances(crystal, notes)
    _tell_idealised(kept, notes)
    return crystal


def _check_doubles(
    orbits: Sequence[Orbit], double: Sequence[tuple[int, int, float]], confirmed: bool, notes: Notes
) -> None:
    """Refuse sites that are there twice, unless what is stated confirms that they are one."""
    for number, earlier, distance in double:
        one, other = orbits[number].site, orbits[earlier].site
        if one.symbol != other.symbol:
            notes.contradiction(
                entries.TOO_CLOSE, f'{other.label} and {one.label} are two atoms on one site ({distance:.3f} Å apart)'
            )
            continue
        text = f'{other.label} and {one.label} are the same site of {one.symbol} ({distance:.3f} Å apart)'
        if confirmed:
            notes.say(entries.REMARK, f'{text}; taken once, as the stated content says')
        else:
            notes.contradiction(entries.DUPLICATE_SITES, text)


def _tell_idealised(orbits: Sequence[Orbit], notes: Notes) -> None:
    moved = [orbit for orbit in orbits if orbit.shift > LEAST_SHIFT]
    if moved:
        most = max(moved, key=lambda orbit: orbit.shift)
        names = ', '.join(orbit.site.label for orbit in moved[:5]) + (' …' if len(moved) > 5 else '')
        notes.say(
            entries.IDEALISED,
            f'{names} moved by up to {most.shift:.2g} Å onto special positions (tolerance: one unit of the last digit)',
        )


def _refuse_what_is_no_crystal(block: Block, notes: Notes) -> None:
    if block.problem:
        raise RefusedError(entries.UNREADABLE, block.problem)
    if not block.has_cell:
        raise RefusedError(entries.LATTICE, 'the CIF has no cell')
    if not block.has_sites:
        raise RefusedError(entries.NO_COORDINATES, 'the block has a cell, but no atoms')
    if block.repeated:
        raise RefusedError(entries.REPEATED, f'{", ".join(block.repeated[:5])} is given twice with different values')
    if any(name.startswith(_MAGNETIC) for name in block.columns):
        notes.contradiction(entries.MAGNETIC, 'a magnetic structure: its moments are not kept')
    if any(name.startswith(_MODULATED) for name in block.columns) or block.text('_cell_modulation_dimension') not in (
        '', '0',
    ):  # fmt: skip
        notes.contradiction(entries.MODULATED, 'a modulated structure: only its average could be taken')


def _lattice(block: Block) -> NDArray[np.float64]:
    """The lattice vectors in pymatgen's orientation."""
    from pymatgen.core import Lattice

    values = []
    for name in ('length_a', 'length_b', 'length_c', 'angle_alpha', 'angle_beta', 'angle_gamma'):
        try:
            number = block.number(f'_cell_{name}')
        except RefusedError as error:
            raise RefusedError(entries.LATTICE, str(error)) from error
        if number is None:
            raise RefusedError(entries.LATTICE, f'_cell_{name} is missing')
        if not 0 < number.value < (np.inf if name.startswith('length') else 180):
            raise RefusedError(entries.LATTICE, f'the cell has the {name.replace("_", " ")} = {number.value:g}')
        if name.startswith('length') and number.value > entries.LONGEST:
            raise RefusedError(
                entries.CELL, f'a lattice vector is {number.value:.3g} Å long, more than {entries.LONGEST:g} Å'
            )
        values.append(number.value)
    cosines = np.cos(np.radians(values[3:]))
    if 1 - (cosines**2).sum() + 2 * cosines.prod() <= 1e-8:
        raise RefusedError(
            entries.LATTICE, f'no cell has the angles {", ".join(f"{angle:g}" for angle in values[3:])}°'
        )
    return np.asarray(Lattice.from_parameters(*values).matrix, dtype=np.float64)


def _same(first: Crystal, second: Crystal) -> bool:
    """Whether two settings of one file give the same crystal."""
    from aiida_inversedesign.chemistry.matching import structure_distance

    if first.nsites != second.nsites or space_group_number(first) != space_group_number(second):
        return False
    distance = structure_distance(first, second)
    return distance is not None and distance < MOST_DISTANCE
