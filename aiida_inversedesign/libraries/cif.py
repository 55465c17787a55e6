"""The structures of a CIF, within bounds of time and memory."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.entries import RefusedError

#: bytes of text; a structure of 500 sites takes 50 kB
LARGEST_CIF = 4 * 2**20
#: most structures of one file: each takes some milliseconds
MOST_STRUCTURES = 500
#: most rows of atoms times symmetry operations: the parser's time grows with them
MOST_POSITIONS = 20_000
#: where data blocks begin
_BLOCK = re.compile(r'^\s*data_', re.MULTILINE | re.IGNORECASE)
#: symbols of empty sites
_VACANCY = re.compile(r'(va|vac|vacancy)([^a-z]|$)', re.IGNORECASE)
_OPERATIONS = ('_symmetry_equiv_pos_as_xyz', '_space_group_symop_operation_xyz')
_CELL = '_cell_length_a'


def crystal_of_cif(text: str | None, largest: int | None = entries.LARGEST_CELL) -> Crystal:
    """The crystal of the first block that has atoms.

    :param largest: most rows of atoms, and most sites of the cell. None: any number.
    :raises RefusedError: if there is none, or it is refused as by :func:`crystal_of_block`.
    """
    return crystal_of_block(structure_blocks(text)[0], largest)


def structure_blocks(text: str | None) -> list[str]:
    """The data blocks that have atoms, one at least.

    :raises RefusedError: if there is none, or the text is too long or has too many.
    """
    if not text or not text.strip():
        raise RefusedError(entries.UNREADABLE, 'the CIF is empty')
    if len(text) > LARGEST_CIF:
        raise RefusedError(entries.TOO_LARGE, f'the CIF has more than {LARGEST_CIF // 2**20} MiB of text')
    blocks = [block for block in _BLOCK.split(text)[1:] if '_atom_site_' in block]
    if not blocks:
        raise RefusedError(entries.UNREADABLE, 'the CIF has no structure')
    if len(blocks) > MOST_STRUCTURES:
        raise RefusedError(entries.TOO_LARGE, f'the CIF has {len(blocks)} structures, more than {MOST_STRUCTURES}')
    return [f'data_{block}' for block in blocks]


def crystal_of_block(block: str, largest: int | None = entries.LARGEST_CELL) -> Crystal:
    """The crystal of one data block.

    :param largest: most rows of atoms, and most sites of the cell. None: any number.
    :raises RefusedError: if it has no cell or an impossible one, vacancies, or partial occupancies, or is too large.
    """
    from pymatgen.io.cif import CifParser

    if _CELL not in block:
        raise RefusedError(entries.LATTICE, 'the CIF has no cell')
    with warnings.catch_warnings():
        # the parser warns of rounded coordinates and the like; what it cannot read it raises
        warnings.simplefilter('ignore')
        parser = CifParser.from_str(block)
        (data,) = parser.as_dict().values()
        _refuse_what_the_parser_mends(data)
        rows = len(data.get('_atom_site_label', ()))
        entries.check_sites(rows, largest)
        positions = rows * max(len(data.get(key, ())) for key in _OPERATIONS)
        if largest is not None and positions > MOST_POSITIONS:
            raise RefusedError(entries.CELL, f'{positions} symmetry images of atoms are more than {MOST_POSITIONS}')
        structures = parser.parse_structures(primitive=False, on_error='raise')
    if not structures:
        raise RefusedError(entries.UNREADABLE, 'the CIF has no structure')
    if not structures[0].is_ordered:
        raise RefusedError(entries.PARTIAL, 'partially occupied sites: only ordered structures can be used')
    return Crystal.from_pymatgen(structures[0])


def _refuse_what_the_parser_mends(data: Mapping[str, Any]) -> None:
    """Refuse lengths that the parser takes as positive, and vacancies, which it takes for vanadium."""
    for axis in 'abc':
        length = str(data.get(f'_cell_length_{axis}', '')).strip()
        if length.startswith('-'):
            raise RefusedError(entries.LATTICE, f'the cell has the length {axis} = {length}')
    # with symbols beside them, labels are names: Va may be the first vanadium
    for symbol in data.get('_atom_site_type_symbol') or data.get('_atom_site_label', ()):
        if _VACANCY.match(str(symbol)):
            raise RefusedError(entries.UNREADABLE, f'the site {symbol} is a vacancy: leave such sites out')
