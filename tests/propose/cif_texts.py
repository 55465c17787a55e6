"""CIFs made for tests, and what is read from them."""

from __future__ import annotations

import pytest

from aiida_inversedesign.chemistry.symmetry import space_group_number
from aiida_inversedesign.libraries.cif import crystal_of_cif
from aiida_inversedesign.libraries.entries import Notes, RefusedError

SALT = 'Na1 Na 0 0 0\nCl1 Cl 0.5 0.5 0.5'
FM3M = "_symmetry_space_group_name_H-M 'F m -3 m'"
NACL = "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4"


def cif(atoms=SALT, head=FM3M, cell=(5.64,), columns='', name='x'):
    """A CIF: one length stands for a cube; columns are those between type and coordinates or after them."""
    lengths = (list(cell) * 3)[:3] if len(cell) == 1 else list(cell[:3])
    angles = list(cell[3:]) or [90, 90, 90]
    rows = [f'_cell_length_{axis} {value}' for axis, value in zip('abc', lengths, strict=True)]
    rows += [f'_cell_angle_{axis} {value}' for axis, value in zip(('alpha', 'beta', 'gamma'), angles, strict=True)]
    tags = ['label', 'type_symbol', 'fract_x', 'fract_y', 'fract_z', *columns.split()]
    return '\n'.join(
        [f'data_{name}', *rows, head, 'loop_', *(f'_atom_site_{tag}' for tag in tags if tag != 'none'), atoms, '']
    )


def untyped(atoms, head=FM3M, cell=(5.64,)):
    """The same without type symbols."""
    return cif(atoms, head, cell).replace('_atom_site_type_symbol\n', '')


def read(text, *accept):
    notes = Notes(frozenset(accept))
    crystal = crystal_of_cif(text, notes=notes)
    return crystal, notes.remarks


def summary(text):
    """Formula, volume per atom, space group."""
    crystal, _ = read(text)
    return crystal.formula, round(crystal.volume / crystal.nsites, 2), space_group_number(crystal)


def refusal(text, *accept):
    with pytest.raises(RefusedError) as error:
        read(text, *accept)
    return error.value.kind


ROCK_SALT = ('NaCl', 22.43, 225)
