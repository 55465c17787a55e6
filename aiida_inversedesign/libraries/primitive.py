"""Cells that repeat themselves are reduced to primitive ones."""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import STRICT_SYMPREC, smaller_cell


def primitive_cell(crystal: Crystal) -> Crystal:
    """The primitive cell; a cell that is primitive already is returned as it is."""
    if not _repeats(crystal):
        return crystal
    found = smaller_cell(crystal)
    return crystal if found is None or found.nsites >= crystal.nsites else found


def _repeats(crystal: Crystal) -> bool:
    """Whether some translation within the cell maps the crystal onto itself: far cheaper than asking spglib."""
    if math.gcd(*crystal.counts.values()) == 1:
        return False
    species = np.array(crystal.species)
    rare = min(crystal.counts, key=lambda symbol: (crystal.counts[symbol], symbol))
    sites = np.flatnonzero(species == rare)
    same = species[:, None] == species[None, :]
    difference = crystal.frac_coords[:, None, :] - crystal.frac_coords[None, :, :]
    for other in sites[1:]:
        shifted = difference + (crystal.frac_coords[other] - crystal.frac_coords[sites[0]])
        shifted -= np.round(shifted)
        distances = np.sqrt(((shifted @ crystal.lattice) ** 2).sum(axis=2))
        if ((distances < 2 * STRICT_SYMPREC) & same).any(axis=1).all():
            return True
    return False
