"""Cells that repeat themselves are reduced to primitive ones."""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import SYMBOLS

#: tolerance in Å within which a cell repeats itself: only what clearly does is reduced
SYMPREC = 0.01


def primitive_cell(crystal: Crystal) -> Crystal:
    """The primitive cell; a cell that is primitive already is returned as it is."""
    import spglib

    if not _repeats(crystal):
        return crystal
    numbers = [SYMBOLS.index(symbol) + 1 for symbol in crystal.species]
    found = spglib.find_primitive((crystal.lattice, crystal.frac_coords, numbers), symprec=SYMPREC)
    if found is None or len(found[2]) >= crystal.nsites:
        return crystal
    return Crystal(found[0], tuple(SYMBOLS[number - 1] for number in found[2]), found[1])


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
        if ((distances < 2 * SYMPREC) & same).any(axis=1).all():
            return True
    return False
