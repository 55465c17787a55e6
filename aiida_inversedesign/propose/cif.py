"""The first structure of a CIF, within bounds of time and memory."""

from __future__ import annotations

import re
import warnings

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.propose import entries
from aiida_inversedesign.propose.entries import RefusedError

#: bytes of text; a structure of 500 sites takes 50 kB
LARGEST_CIF = 4 * 2**20
#: most rows of atoms times symmetry operations: the parser's time grows with them
MOST_POSITIONS = 20_000
#: where data blocks begin
_BLOCK = re.compile(r'^\s*data_', re.MULTILINE | re.IGNORECASE)
_OPERATIONS = ('_symmetry_equiv_pos_as_xyz', '_space_group_symop_operation_xyz')
_CELL = '_cell_length_a'


def crystal_of_cif(text: str | None, largest: int | None = entries.LARGEST_CELL) -> Crystal:
    """The crystal of the first block that has atoms.

    :param largest: most rows of atoms, and most sites of the cell. None: any number.
    :raises RefusedError: if there is none, it has no cell or partial occupancies, or is too large.
    """
    if not text or not text.strip():
        raise RefusedError(entries.UNREADABLE, 'the CIF is empty')
    if len(text) > LARGEST_CIF:
        raise RefusedError(entries.TOO_LARGE, f'the CIF has more than {LARGEST_CIF // 2**20} MiB of text')
    blocks = [block for block in _BLOCK.split(text)[1:] if '_atom_site_' in block]
    if not blocks:
        raise RefusedError(entries.UNREADABLE, 'the CIF has no structure')
    if _CELL not in blocks[0]:
        raise RefusedError(entries.LATTICE, 'the CIF has no cell')
    return _parse(f'data_{blocks[0]}', largest)


def _parse(block: str, largest: int | None) -> Crystal:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        # the parser warns of rounded coordinates and the like; what it cannot read it raises
        warnings.simplefilter('ignore')
        parser = CifParser.from_str(block)
        (data,) = parser.as_dict().values()
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
