"""A crystal as a CIF: in P 1 with every atom, so that no reader's tolerance can change it, or with its symmetry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.matching import same_structure
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC, SYMPREC, conventional_cell, space_group_number


def cif_text(crystal: Crystal, name: str, comments: Mapping[str, str] | None = None) -> str:
    """A CIF 1.1 file (Hall, Allen and Brown, Acta Cryst. A47, 655 (1991)).

    :param name: of the data block; what a name may not hold becomes ``_``.
    :param comments: lines at the top, e.g. where the crystal comes from.
    """
    lengths = np.linalg.norm(crystal.lattice, axis=1)
    angles = [_angle(crystal.lattice[one], crystal.lattice[other]) for one, other in ((1, 2), (0, 2), (0, 1))]
    lines = [f'# {" ".join(f"{key}: {value}".split())}' for key, value in (comments or {}).items()]
    lines += [f'data_{_block(name)}', f"_chemical_formula_sum '{_sum(crystal)}'", f'_cell_volume {crystal.volume:.6f}']
    for key, length in zip('abc', lengths, strict=True):
        lines.append(f'_cell_length_{key} {length:.6f}')
    for key, angle in zip(('alpha', 'beta', 'gamma'), angles, strict=True):
        lines.append(f'_cell_angle_{key} {angle:.6f}')
    lines += [
        "_symmetry_space_group_name_H-M 'P 1'",
        '_symmetry_Int_Tables_number 1',
        'loop_',
        '_symmetry_equiv_pos_as_xyz',
        "'x, y, z'",
        'loop_',
        '_atom_site_label',
        '_atom_site_type_symbol',
        '_atom_site_fract_x',
        '_atom_site_fract_y',
        '_atom_site_fract_z',
        '_atom_site_occupancy',
    ]
    numbers: Counter[str] = Counter()
    for symbol, position in zip(crystal.species, crystal.frac_coords % 1.0, strict=True):
        numbers[symbol] += 1
        x, y, z = (f'{value % 1.0:.6f}' for value in np.round(position, 6))
        lines.append(f'{symbol}{numbers[symbol]} {symbol} {x} {y} {z} 1')
    return '\n'.join(lines) + '\n'


def symmetrized_cif(crystal: Crystal, name: str, comments: Mapping[str, str] | None = None) -> str:
    """A CIF of the conventional cell with the symmetry operations of its space group (spglib, symprec 0.1 Å).

    Positions are those that the symmetry demands. Where no symmetry is found, or the idealised crystal is not the same
    any more, it is the file of :func:`cif_text`, and says so.
    """
    ideal = conventional_cell(crystal)
    group = space_group_number(crystal)
    if ideal is None or group is None or not same_structure(ideal, crystal):
        return cif_text(crystal, name, {**(comments or {}), 'symmetry': 'not idealised: every atom is listed in P 1'})
    from pymatgen.io.cif import CifWriter

    written = str(CifWriter(ideal.to_pymatgen(), symprec=STRICT_SYMPREC, significant_figures=6))
    remark = {**(comments or {}), 'symmetry': f'space group no. {group}, idealised within {SYMPREC} Å'}
    lines = [f'# {" ".join(f"{key}: {value}".split())}' for key, value in remark.items()]
    body = [line for line in written.splitlines() if not line.startswith('#')]
    body[0] = f'data_{_block(name)}'
    return '\n'.join([*lines, *body]) + '\n'


def _block(name: str) -> str:
    """The name of a data block; what a name may not hold becomes ``_``."""
    return ''.join(letter if letter.isalnum() and letter.isascii() else '_' for letter in name) or 'crystal'


def _angle(one: np.ndarray, other: np.ndarray) -> float:
    """The angle between two vectors in degrees."""
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _sum(crystal: Crystal) -> str:
    return ' '.join(f'{symbol}{number}' for symbol, number in sorted(crystal.counts.items()))
