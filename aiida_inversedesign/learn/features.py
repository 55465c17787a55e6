"""Descriptors of proposed crystals for surrogates that learn from a few tens of evaluations.

Composition: weighted means and spreads of element properties (as in Ward et al., npj Comput. Mater. 2, 16028
(2016), cut to those that carry independent information). Structure: packing, contacts and coordination from
one neighbour search that needs no symmetry analysis, so that pools of 100 000 candidates stay affordable.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import SYMBOLS

Array = NDArray[np.float64]

#: Element properties; those of ``SPREAD`` enter also with their weighted standard deviation.
ELEMENT_NAMES: tuple[str, ...] = (
    'electronegativity',
    'covalent_radius',
    'log_mass',
    'mendeleev_number',
    'row',
    'valence_s',
    'valence_p',
    'valence_d',
    'valence_f',
    'melting_point',
    'atomic_volume',
    'ionization_energy',
    'electron_affinity',
)
SPREAD: tuple[str, ...] = (
    'electronegativity',
    'covalent_radius',
    'mendeleev_number',
    'valence_p',
    'valence_d',
    'melting_point',
    'atomic_volume',
)
STRUCTURE_NAMES: tuple[str, ...] = (
    'volume_per_atom',
    'volume_over_elements',
    'packing_fraction',
    'log_density',
    'log_sites',
    'coordination_mean',
    'coordination_spread',
    'nearest_contact_min',
    'nearest_contact_mean',
    'nearest_contact_spread',
    'unlike_neighbours',
    'distinct_sites',
    'template_probability',
)

#: The last element with complete data (lawrencium).
LAST_ELEMENT = 103
#: Allen electronegativities where Pauling's scale has none (Mann, Meek, Allen, JACS 122, 2780 (2000)).
_ALLEN = {'He': 4.160, 'Ne': 4.787, 'Ar': 3.242}
_NOBLE_GASES = (2, 10, 18, 36, 54, 86)
_ORBITALS = {'s': 0, 'p': 1, 'd': 2, 'f': 3}
#: Contacts beyond this many sums of covalent radii count as none.
_REACH = 1.45
#: A neighbour counts half at 1.25 sums of covalent radii; the width keeps coordination smooth in the positions.
_BOND, _WIDTH = 1.25, 0.05
#: Distances computed at once (memory: about 32 bytes each).
_CHUNK = 2_000_000


def feature_names() -> list[str]:
    """Names of the columns of :func:`featurize`, in order."""
    means = [f'mean_{name}' for name in ELEMENT_NAMES]
    return [*means, *(f'spread_{name}' for name in SPREAD), *STRUCTURE_NAMES]


@functools.cache
def element_table() -> Array:
    """Element properties, shape (104, 13): row Z, columns :data:`ELEMENT_NAMES`; row 0 is unused.

    Units: electronegativity (Pauling), Å, ln u, –, –, electrons × 4, K, cm³/mol, eV, eV.
    Source: pymatgen's periodic table; covalent radii of Cordero 2008 (ASE). Molar volumes that are not known are
    those of the homologue one row above.
    """
    from ase.data import covalent_radii
    from pymatgen.core import Element

    table = np.zeros((LAST_ELEMENT + 1, len(ELEMENT_NAMES)))
    for number in range(1, LAST_ELEMENT + 1):
        element = Element.from_Z(number)
        core = max((z for z in _NOBLE_GASES if z < number), default=0)
        valence = _shells(element) - (_shells(Element.from_Z(core)) if core else 0)
        homologue = element if element.molar_volume is not None else Element.from_Z(number - 32)
        table[number] = [
            _ALLEN[element.symbol] if element.symbol in _ALLEN else float(element.X),
            covalent_radii[number],
            math.log(float(element.atomic_mass)),
            float(element.mendeleev_no),
            float(element.row),
            *valence,
            float(element.melting_point),
            float(homologue.molar_volume),
            float(element.ionization_energy),
            float(element.electron_affinity),
        ]
    table.flags.writeable = False
    return table


def _shells(element: object) -> Array:
    counts = np.zeros(4)
    for _, orbital, number in element.full_electronic_structure:  # type: ignore[attr-defined]
        counts[_ORBITALS[orbital]] += number
    return counts


@functools.cache
def _numbers() -> dict[str, int]:
    return {symbol: number for number, symbol in enumerate(SYMBOLS[:LAST_ELEMENT], start=1)}


def featurize(crystals: Sequence[Crystal], probabilities: Sequence[float | None]) -> tuple[Array, list[str]]:
    """Descriptors of crystals.

    :param crystals: length n.
    :param probabilities: score of each crystal's template, length n; None (no ranking) counts as 0.5.
    :returns: descriptors, shape (n, 33), all finite, and the names of the columns.
    :raises ValueError: if the lengths differ, or an element lies beyond lawrencium.
    """
    if len(crystals) != len(probabilities):
        raise ValueError(f'{len(crystals)} crystals but {len(probabilities)} probabilities: give one (or None) each')
    names = feature_names()
    rows = [
        _describe(crystal, 0.5 if probability is None else float(probability))
        for crystal, probability in zip(crystals, probabilities, strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(names)), names


def _describe(crystal: Crystal, probability: float) -> Array:
    numbers = _numbers()
    try:
        kinds = np.array([numbers[symbol] for symbol in crystal.species])
    except KeyError as error:
        raise ValueError(
            f'no descriptors for the element {error.args[0]!r} in {"".join(dict.fromkeys(crystal.species))}: '
            'elements up to Lr (103) are known'
        ) from None
    if not math.isfinite(probability):
        raise ValueError(f'the probability of a template must be a finite number, got {probability}')
    sites = element_table()[kinds]
    means = sites.mean(axis=0)
    spread = sites.std(axis=0)[_spread_columns()]
    radii = sites[:, 1]
    coordination, nearest, unlike = _contacts(crystal, kinds, radii)
    volume = crystal.volume
    # cm³/mol to Å³: 1 / 0.602214
    elemental = sites[:, 10].sum() / 0.602214
    environment = np.round(np.column_stack([kinds, coordination, nearest]), 2)
    structure = [
        volume / len(kinds),
        volume / elemental,
        float((4 / 3 * math.pi * radii**3).sum() / volume),
        math.log(float(np.exp(sites[:, 2]).sum()) / volume / 0.602214),
        math.log(len(kinds)),
        coordination.mean(),
        coordination.std(),
        nearest.min(),
        nearest.mean(),
        nearest.std(),
        unlike,
        len(set(map(tuple, environment.tolist()))) / len(kinds),
        probability,
    ]
    return np.concatenate([means, spread, structure])


@functools.cache
def _spread_columns() -> list[int]:
    return [ELEMENT_NAMES.index(name) for name in SPREAD]


def _contacts(crystal: Crystal, kinds: NDArray[np.int64], radii: Array) -> tuple[Array, Array, float]:
    """Coordination number and nearest contact (in sums of covalent radii) of each site; share of unlike contacts."""
    count = len(kinds)
    lattice, coords = _compact(crystal, _REACH * 2 * float(radii.max()))
    shifts = _images(lattice, _REACH * 2 * float(radii.max())) @ lattice
    positions = coords @ lattice
    coordination, nearest = np.empty(count), np.empty(count)
    unlike = total = 0.0
    step = max(1, _CHUNK // (count * len(shifts)))
    for start in range(0, count, step):
        chunk = slice(start, start + step)
        vectors = (positions[None, :] - positions[chunk, None])[:, :, None, :] + shifts[None, None]
        distances = np.sqrt(np.einsum('ijsk,ijsk->ijs', vectors, vectors))
        ratios = distances / (radii[chunk, None] + radii[None, :])[:, :, None]
        own = np.arange(start, min(start + step, count))
        # a site is no neighbour of itself; its periodic images are (shift 0 comes first)
        ratios[own - start, own, 0] = np.inf
        bonds = (1 / (1 + np.exp(np.minimum((ratios - _BOND) / _WIDTH, 60.0)))).sum(axis=2)
        coordination[chunk] = bonds.sum(axis=1)
        nearest[chunk] = np.minimum(ratios.min(axis=(1, 2)), _REACH)
        unlike += float(bonds[kinds[chunk, None] != kinds[None, :]].sum())
        total += float(bonds.sum())
    return coordination, nearest, unlike / total if total > 1e-6 else 0.0


def _repeats(lattice: Array, cutoff: float) -> NDArray[np.int64]:
    """Images needed on each side so that every contact within ``cutoff`` of wrapped sites is seen."""
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    return np.asarray(np.ceil(cutoff / heights), dtype=np.int64)


def _compact(crystal: Crystal, cutoff: float) -> tuple[Array, Array]:
    """Lattice and wrapped coordinates; a needle-like cell is reduced first, or it would need very many images."""
    lattice, coords = crystal.lattice, crystal.frac_coords
    if int(np.prod(2 * _repeats(lattice, cutoff) + 1)) > 1500:
        from ase.geometry import minkowski_reduce

        reduced, _ = minkowski_reduce(lattice)
        coords = coords @ lattice @ np.linalg.inv(reduced)
        lattice = reduced
    return lattice, coords % 1.0


def _images(lattice: Array, cutoff: float) -> Array:
    """Integer shifts within reach, the zero shift first."""
    return _shifts(*(int(number) for number in _repeats(lattice, cutoff)))


@functools.lru_cache(maxsize=512)
def _shifts(a: int, b: int, c: int) -> Array:
    axes = [np.arange(-number, number + 1) for number in (a, b, c)]
    shifts = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 3).astype(np.float64)
    return np.asarray(shifts[np.argsort(np.abs(shifts).sum(axis=1), kind='stable')])
