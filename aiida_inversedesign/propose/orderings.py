"""Symmetry-distinct orderings of several elements on the sites of one element of a parent structure.

Enumerated with icet: Ångqvist et al., Adv. Theory Simul. 2, 1900015 (2019), after Hart and Forcade, Phys. Rev. B 77,
224115 (2008).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from itertools import islice
from math import gcd

import numpy as np

from aiida_inversedesign.campaign.contracts.source import ProposalError
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.chemistry.symmetry import SYMPREC, equivalent_sites

#: Most atoms of a cell; most orderings of one parent that are looked at, and that are kept.
MOST_SITES, LOOKED_AT, MOST_ORDERINGS = 16, 60, 24
#: A site that stays empty.
VACANCY = 'X'

#: Elements and vacancies on the sites of each element of a parent, with their numbers in a formula unit.
Pattern = Mapping[str, Mapping[str, int]]


def orderings(parent: Crystal, pattern: Pattern, most_sites: int) -> list[tuple[Crystal, int]]:
    """The orderings, each with its number of orbits of sites: smallest cells first, then fewest orbits.

    :param parent: its primitive cell.
    :param most_sites: largest cell, empty sites included; never more than :data:`MOST_SITES`.
    :raises ProposalError: if icet is not installed.
    """
    # the same pattern of other elements has the same orderings
    symbols = [symbol for _, given in sorted(pattern.items()) for symbol in sorted(given)]
    names = {symbol: SYMBOLS[number] for number, symbol in enumerate(symbols) if symbol != VACANCY}
    names[VACANCY] = VACANCY
    general = tuple(
        (old, tuple((names[new], number) for new, number in sorted(given.items(), key=lambda item: names[item[0]])))
        for old, given in sorted(pattern.items())
    )
    back = {general_name: symbol for symbol, general_name in names.items()}
    return [(item.with_species(back), orbits) for item, orbits in _enumerated(parent, general, most_sites)]


@functools.lru_cache(maxsize=4096)
def _enumerated(
    parent: Crystal, pattern: tuple[tuple[str, tuple[tuple[str, int], ...]], ...], most_sites: int
) -> tuple[tuple[Crystal, int], ...]:
    found = [
        (item, len(set(equivalent_sites(item, SYMPREC).tolist())))
        for item in islice(_all(parent, pattern, min(most_sites, MOST_SITES)), LOOKED_AT)
    ]
    found.sort(key=lambda pair: (pair[0].nsites, pair[1]))
    return tuple(found[:MOST_ORDERINGS])


def _all(
    parent: Crystal, pattern: tuple[tuple[str, tuple[tuple[str, int], ...]], ...], most_sites: int
) -> Iterator[Crystal]:
    from ase import Atoms

    try:
        from icet.tools import enumerate_structures
    except ImportError as error:
        raise ProposalError(
            f'the source decoration needs icet ({error}): pip install "aiida-inversedesign[orderings]"'
        ) from error
    numbers = {new: number for _, given in pattern for new, number in given}
    unit, sites = sum(numbers.values()), parent.nsites
    # a supercell has whole formula units
    step = unit // gcd(unit, sites)
    sizes = list(range(step, most_sites // sites + 1, step))
    if not sizes:
        return
    allowed = {old: [new for new, _ in given] for old, given in pattern}
    shares = {
        new: (number / unit - 1e-6, number / unit + 1e-6)
        for _, given in pattern
        for new, number in given
        if len(given) > 1
    }
    atoms = Atoms(list(parent.species), scaled_positions=parent.frac_coords, cell=parent.lattice, pbc=True)
    found = enumerate_structures(
        atoms, sizes, [allowed[symbol] for symbol in parent.species], concentration_restrictions=shares
    )
    for item in found:
        species, coordinates = item.get_chemical_symbols(), item.get_scaled_positions()
        kept = [index for index, symbol in enumerate(species) if symbol != VACANCY]
        yield Crystal(np.array(item.cell), tuple(species[index] for index in kept), coordinates[kept])
