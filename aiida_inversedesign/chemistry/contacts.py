"""Which contacts are too short: a share of the sum of covalent radii, less where known compounds are shorter.

Some pairs bind shorter than their covalent radii say (V=O, Ti-O, Mo-O). A rule with one number for all rejects the
known oxides of vanadium and titanium; so for pairs whose usual contact is short, the limit is what 95 % of the known
compounds keep (``short_contacts.csv``, made by :mod:`aiida_inversedesign.benchmarks.proposal.ship`).
"""

from __future__ import annotations

import csv
import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.resources import files

import numpy as np

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii

Pair = tuple[str, str]

#: contacts beyond this many sums of covalent radii are not looked at
REACH = 1.1
#: fewest compounds that say what is usual for a pair
LEAST_COMPOUNDS = 10
#: a pair is short when half of its compounds have a contact below this; its limit is this quantile of them
USUAL, QUANTILE = 0.85, 0.05


@functools.cache
def short_pairs() -> Mapping[Pair, float]:
    """Limit of each pair of elements that binds shorter than usual, in sums of covalent radii; symbols sorted."""
    text = files('aiida_inversedesign.chemistry').joinpath('short_contacts.csv').read_text(encoding='utf-8')
    return {(row['first'], row['second']): float(row['limit']) for row in csv.DictReader(text.splitlines())}


def limit(first: str, second: str, least: float) -> float:
    """Least contact allowed between two elements, in sums of covalent radii.

    :param least: what holds for pairs that do not bind shorter than usual.
    """
    pair = (first, second) if first <= second else (second, first)
    return min(least, short_pairs().get(pair, least))


def shortest_contacts(crystal: Crystal) -> dict[Pair, float]:
    """The shortest contact of each pair of elements in sums of covalent radii, up to :data:`REACH`."""
    radii = covalent_radii()
    reach = REACH * 2 * max(radii[symbol] for symbol in crystal.counts)
    first, second, _, distances = crystal.to_pymatgen().get_neighbor_list(reach)
    species = np.array(crystal.species)
    found: dict[Pair, float] = {}
    for one, other, distance in zip(species[first].tolist(), species[second].tolist(), distances.tolist(), strict=True):
        ratio = distance / (radii[one] + radii[other])
        pair = (one, other) if one <= other else (other, one)
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


def fit_short_pairs(crystals: Iterable[Crystal]) -> dict[Pair, tuple[int, float]]:
    """Pairs whose usual contact is short: number of compounds and limit, see :data:`USUAL` and :data:`QUANTILE`."""
    contacts: dict[Pair, list[float]] = defaultdict(list)
    for crystal in crystals:
        for pair, ratio in shortest_contacts(crystal).items():
            contacts[pair].append(ratio)
    out = {}
    for pair in sorted(contacts):
        values = np.array(contacts[pair])
        if len(values) >= LEAST_COMPOUNDS and np.median(values) < USUAL:
            out[pair] = (len(values), float(np.quantile(values, QUANTILE)))
    return out
