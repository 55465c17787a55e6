"""The structures of CIFs, checked against what the files say of themselves."""

from aiida_inversedesign.libraries.cif.blocks import LARGEST_CIF, MOST_STRUCTURES, structure_blocks
from aiida_inversedesign.libraries.cif.reading import MOST_POSITIONS, crystal_of_block, crystal_of_cif

__all__ = [
    'LARGEST_CIF',
    'MOST_POSITIONS',
    'MOST_STRUCTURES',
    'crystal_of_block',
    'crystal_of_cif',
    'structure_blocks',
]
