"""Which contacts are too short: a share of the sum of covalent radii, less where known compounds are shorter.

A rule with one number for all pairs rejects what is known: 0.85 of the covalent radii, which ShotgunCSP takes, is more
than the shortest contact of every seventh stable compound of the Materials Project, intermetallics above all. So the
limit of two elements is the shortest contact that known compounds of both have (``shortest_contacts.csv``, made by
:mod:`aiida_inversedesign.benchmarks.proposal.ship`), and for elements that are rarely together that of either with any
other.
"""

from __future__ import annotations

import csv
import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from importlib.resources import files
from itertools import combinations_with_replacement

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii

Pair = tuple[str, str]

#: contacts beyond this many sums of covalent radii are not looked at
REACH = 1.1
#: stands for every other element
ANY = '*'
#: Fewest compounds that say how short the contacts of two elements, or of one, may be. Of 1 200 stable compounds left
#: out of the fit, limits refuse 0.8 %, with 10 compounds 1.4 % (one limit of 0.85: 14.7 %, of 0.75: 1.6 %). Of their
#: crystals in right templates they refuse 0.9 and 1.0 % (2.7, 0.5) and widen 2.2 and 3.5 % (12.7, 1.0); of those in
#: wrong templates they refuse 8.5 and 9.6 % (14.1, 4.9): ``tests/benchmark/contact_limits.py``.
LEAST_COMPOUNDS = 30
#: Share of known compounds that is passed over: one of 500 may have its atoms in the wrong place. With 0.01 limits
#: refuse 2.2 % of the compounds left out, and 9.3 % of the crystals in wrong templates.
PASSED_OVER = 0.002


@functools.cache
def known_limits() -> Mapping[Pair, float]:
    """The shortest contact of two elements, or of one and :data:`ANY`, in known compounds; symbols sorted."""
    text = files('aiida_inversedesign.chemistry').joinpath('shortest_contacts.csv').read_text(encoding='utf-8')
    return {(row['first'], row['second']): float(row['limit']) for row in csv.DictReader(text.splitlines())}


def limit(first: str, second: str, least: float, known: Mapping[Pair, float] | None = None) -> float:
    """Least contact allowed between two elements, in sums of covalent radii.

    :param least: what holds for elements whose known compounds keep it.
    :param known: contacts of known compounds; None for those that come with the package.
    """
    pair = _pair(first, second)
    known = known_limits() if known is None else known
    if pair in known:
        return min(least, known[pair])
    return min(least, *(known.get((symbol, ANY), least) for symbol in pair))


def _pair(first: str, second: str) -> Pair:
    return (first, second) if first <= second else (second, first)


def shortest_contacts(crystal: Crystal) -> dict[Pair, float]:
    """The shortest contact of each pair of elements in sums of covalent radii, up to :data:`REACH`."""
    radii = covalent_radii()
    reach = REACH * 2 * max(radii[symbol] for symbol in crystal.counts)
    first, second, _, distances = crystal.to_pymatgen().get_neighbor_list(reach)
    species = np.array(crystal.species)
    found: dict[Pair, float] = {}
    for one, other, distance in zip(species[first].tolist(), species[second].tolist(), distances.tolist(), strict=True):
        ratio = distance / (radii[one] + radii[other])
        pair = _pair(one, other)
        if ratio <= REACH and ratio < found.get(pair, REACH + 1):
            found[pair] = ratio
    return found


def shortest_contact(crystal: Crystal, least: float) -> tuple[str, str, float, float] | None:
    """The two elements, distance and limit (Å) of the worst contact below ``least`` sums of covalent radii, or None."""
    from pymatgen.optimization.neighbors import find_points_in_spheres

    radii = covalent_radii()
    reach = least * 2 * max(radii[symbol] for symbol in crystal.counts)
    # of the structure itself pymatgen would make an object for each site first
    positions = np.ascontiguousarray(crystal.frac_coords @ crystal.lattice)
    first, second, images, distances = find_points_in_spheres(
        positions, positions, r=reach, pbc=np.ones(3, dtype=np.int64), lattice=np.ascontiguousarray(crystal.lattice)
    )
    apart = (first != second) | (images != 0).any(axis=1)
    radius = np.array([radii[symbol] for symbol in crystal.species])
    limits = least * (radius[first] + radius[second])
    ratios = np.where(apart, distances / limits, np.inf)
    if not len(ratios) or ratios.min() >= 1.0:
        return None
    worst = int(ratios.argmin())
    one, other = crystal.species[first[worst]], crystal.species[second[worst]]
    return one, other, float(distances[worst]), float(limits[worst])


def fit_limits(crystals: Iterable[Crystal]) -> dict[Pair, tuple[int, float]]:
    """For two elements, and for one and :data:`ANY`, how many crystals have them and what contact they keep.

    It is at most 1, and cut to three digits; see :data:`LEAST_COMPOUNDS` and :data:`PASSED_OVER`.
    """
    number, contacts = Counter[Pair](), defaultdict[Pair, list[float]](list)
    for crystal in crystals:
        symbols = sorted(crystal.counts)
        number.update([*combinations_with_replacement(symbols, 2), *((symbol, ANY) for symbol in symbols)])
        shortest = dict[Pair, float]()
        for pair, ratio in shortest_contacts(crystal).items():
            for kind in {pair, *((symbol, ANY) for symbol in pair)}:
                shortest[kind] = min(ratio, shortest.get(kind, ratio))
        for kind, ratio in shortest.items():
            contacts[kind].append(ratio)
    found = {}
    for kind in sorted(number):
        if (known := number[kind]) >= LEAST_COMPOUNDS:
            # those without a contact in reach keep any limit
            kept = sorted(contacts[kind])[int(PASSED_OVER * known) :]
            found[kind] = known, math.floor(min([1.0, *kept[:1]]) * 1000) / 1000
    return found
