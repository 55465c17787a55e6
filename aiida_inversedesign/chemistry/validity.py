"""Whether a crystal is chemically possible: least distances and charge neutrality."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.contacts import limit
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii

#: more images than this in one direction: the cell is skewed and gets reduced first, quicker than 7³ images
MAX_IMAGES = 3

#: Oxidation states common in crystals, where pymatgen's list of common ones is too short or (carbon) too long. Chosen
#: by hand. The rule made of them rejects 27 % of the stable compounds of the Materials Project, which is why it only
#: orders unless ``charge_neutral: require`` is written.
STATES: dict[str, tuple[int, ...]] = {
    'C': (-4, -1, 2, 4),
    'Cr': (2, 3, 4, 6),
    'Nb': (3, 4, 5),
    'Ta': (4, 5),
    'Re': (4, 5, 6, 7),
    'Os': (4, 6, 8),
    'Np': (3, 4, 5, 6),
    'Se': (-2, -1, 4, 6),
    'S': (-2, -1, 4, 6),
    'Te': (-2, -1, 4, 6),
    'Cu': (1, 2),
    'Ag': (1,),
    'Hg': (1, 2),
    'P': (-3, 3, 5),
    'As': (-3, 3, 5),
    'Sb': (-3, 3, 5),
    'Bi': (-3, 3),
    'Ge': (-4, 2, 4),
    'Ti': (3, 4),
    'V': (3, 4, 5),
    'Mn': (2, 3, 4, 7),
    'Eu': (2, 3),
    'Yb': (2, 3),
    'Sm': (2, 3),
    'Ce': (3, 4),
    'U': (3, 4, 6),
}


@dataclass(frozen=True)
class Contact:
    """The shortest contact of a crystal, measured in sums of covalent radii.

    :param ratio: distance / (sum of the covalent radii).
    :param distance: distance in Å.
    :param limit: least ratio allowed between them.
    """

    ratio: float
    distance: float
    elements: tuple[str, str]
    limit: float = 0.0


#: the closest contacts of crystals that are still in use, by the least contact allowed
_CONTACTS: WeakKeyDictionary[Crystal, dict[float | None, Contact]] = WeakKeyDictionary()


def closest_contact(crystal: Crystal, least: float | None = None) -> Contact:
    """The contact with the least distance / (sum of covalent radii), each site's own periodic images included.

    With ``least`` it is the contact that comes nearest to its limit, or falls furthest below it
    (:func:`aiida_inversedesign.chemistry.contacts.limit`).

    Exact for every cell: an atom's distance to its own image along the shortest lattice vector bounds the answer from
    above, and all images within that bound are visited, counted by the heights of the cell.

    It is kept as long as the crystal is in use: what builds it asks, and so does what judges it.

    :raises KeyError: if an element has no covalent radius in the table.
    """
    known = _CONTACTS.setdefault(crystal, {})
    if least not in known:
        known[least] = _closest_contact(crystal, least)
    return known[least]


def _closest_contact(crystal: Crystal, least: float | None) -> Contact:
    radii = np.array([covalent_radii()[symbol] for symbol in crystal.species])
    lattice, coords = crystal.lattice, crystal.frac_coords
    images = _image_range(lattice)
    if max(images) > MAX_IMAGES:
        from pymatgen.core import Lattice

        reduced = Lattice(lattice).get_lll_reduced_lattice().matrix
        coords = coords @ lattice @ np.linalg.inv(reduced)
        lattice = np.asarray(reduced, dtype=np.float64)
        images = _image_range(lattice)
    shifts = np.array(list(product(*(range(-n, n + 1) for n in images))), dtype=np.float64)
    first, second = np.triu_indices(len(radii))
    difference = coords[second] - coords[first]
    difference -= np.round(difference)
    vectors = difference[:, None, :] @ lattice + (shifts @ lattice)[None, :, :]
    distances = np.sqrt((vectors**2).sum(axis=2))
    own = np.flatnonzero((shifts == 0).all(axis=1))[0]
    distances[first == second, own] = np.inf
    nearest = distances.min(axis=1)
    ratios = nearest / (radii[first] + radii[second])
    limits = np.ones(len(ratios)) if least is None else _limits(crystal.species, least)[first, second]
    best = int(np.argmin(ratios / limits))
    pair = (crystal.species[first[best]], crystal.species[second[best]])
    return Contact(float(ratios[best]), float(nearest[best]), pair, 0.0 if least is None else float(limits[best]))


def _limits(species: tuple[str, ...], least: float) -> NDArray[np.float64]:
    """Least contact allowed between every two sites, shape (n, n)."""
    symbols, codes = np.unique(species, return_inverse=True)
    table = np.array([[limit(str(one), str(other), least) for other in symbols] for one in symbols])
    return np.asarray(table[np.ix_(codes, codes)])


def _image_range(lattice: NDArray[np.float64]) -> tuple[int, int, int]:
    """How many images along each vector are needed for every contact up to the shortest lattice vector."""
    reach = float(np.sqrt((lattice**2).sum(axis=1)).min())
    heights = 1 / np.sqrt((np.linalg.inv(lattice) ** 2).sum(axis=0))
    # fractional differences lie in [-1/2, 1/2], which may need half a cell more than the reach
    counts = [max(1, math.ceil(reach / height + 0.5 - 1e-9)) for height in heights]
    return counts[0], counts[1], counts[2]


@functools.cache
def _states(symbol: str) -> tuple[bool, float, tuple[int, ...]]:
    """Whether it is a metal, its Pauling electronegativity (NaN if none), and its common oxidation states."""
    from pymatgen.core import Element

    element = Element(symbol)
    states = STATES.get(symbol, element.common_oxidation_states)
    with warnings.catch_warnings():
        # pymatgen warns for elements without one, and gives NaN
        warnings.simplefilter('ignore')
        electronegativity = float(element.X)
    return element.is_metal, electronegativity, tuple(int(state) for state in states)


def charge_neutral(counts: Mapping[str, int]) -> bool:
    """Whether the formula can be neutral with common oxidation states.

    Pure elements and compounds of metals alone count as neutral: they need no charge transfer. Otherwise every
    element takes one of its common states, a metal with several atoms may take two states of equal sign (Fe3O4), the
    charges must add up to zero, and no anion may be less electronegative than a cation (Pauling's rule).
    """
    elements = list(counts)
    if len(elements) == 1 or all(_states(symbol)[0] for symbol in elements):
        return True
    options = []
    for symbol in elements:
        metal, _, states = _states(symbol)
        charges = {count * state: state > 0 for count in [counts[symbol]] for state in states}
        if metal:
            for low, high in product(states, states):
                if low < high and low * high > 0:
                    charges |= {low * part + high * (counts[symbol] - part): low > 0 for part in range(counts[symbol])}
        options.append(list(charges.items()))
    return any(
        sum(charge for charge, _ in choice) == 0 and _pauling(elements, [positive for _, positive in choice])
        for choice in product(*options)
    )


def _pauling(elements: list[str], positive: list[bool]) -> bool:
    cations = [_states(symbol)[1] for symbol, is_cation in zip(elements, positive, strict=True) if is_cation]
    anions = [_states(symbol)[1] for symbol, is_cation in zip(elements, positive, strict=True) if not is_cation]
    return max(cations, default=0.0) <= min(anions, default=math.inf)
