"""Descriptors of proposed crystals for surrogates that learn from a few tens of evaluations.

Composition: weighted means and spreads of element properties (as in Ward et al., npj Comput. Mater. 2, 16028
(2016), cut to those that carry independent information). Structure: packing, contacts and coordination from
one neighbour search that needs no symmetry analysis, so that pools of 100 000 candidates stay affordable. Formula: how
usual its oxidation states are.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.oxidation import oxidation_scores

#: Element properties (columns of ``chemistry/elements.csv``); those of ``SPREAD`` enter also with their weighted
#: standard deviation. The atomic weight enters as its logarithm.
ELEMENT_NAMES: tuple[str, ...] = (
    'en_pauling',
    'covalent_radius_cordero',
    'atomic_weight',
    'mendeleev_number',
    'period',
    's_valence',
    'p_valence',
    'd_valence',
    'f_valence',
    'melting_point',
    'heat_of_formation',
    'molar_volume',
    'ionization_energy_1',
    'electron_affinity',
)
SPREAD: tuple[str, ...] = (
    'en_pauling',
    'covalent_radius_cordero',
    'mendeleev_number',
    'p_valence',
    'd_valence',
    'melting_point',
    'molar_volume',
)
STRUCTURE_NAMES: tuple[str, ...] = (
    'volume_per_atom',
    'volume_over_elements',
    'cohesive_energy_density',
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
#: How usual the oxidation states of the formula are, see :mod:`aiida_inversedesign.chemistry.oxidation`.
CHARGE_NAMES: tuple[str, ...] = ('charge_score', 'oxidation_score')

#: Units of the descriptors that have one; those of element properties without ``mean_`` and ``spread_``.
_UNITS = {
    'covalent_radius_cordero': 'Å',
    'atomic_weight': 'ln u',
    'melting_point': 'K',
    'heat_of_formation': 'kJ/mol',
    'molar_volume': 'cm³/mol',
    'ionization_energy_1': 'eV',
    'electron_affinity': 'eV',
    'volume_per_atom': 'Å³',
    'cohesive_energy_density': 'eV/Å³',
    'log_density': 'ln(g/cm³)',
}
#: Index of the one descriptor that is not a property of the crystal.
_PROBABILITY = len(ELEMENT_NAMES) + len(SPREAD) + STRUCTURE_NAMES.index('template_probability')
#: Descriptors of crystals that are still in use: a search asks for those of its whole pool at each choice.
_described: WeakKeyDictionary[Crystal, Array] = WeakKeyDictionary()

#: Contacts beyond this many sums of covalent radii count as none.
_REACH = 1.45
#: A neighbour counts half at 1.25 sums of covalent radii; the width keeps coordination smooth in the positions.
_BOND, _WIDTH = 1.25, 0.05
#: Distances computed at once (memory: about 32 bytes each).
_CHUNK = 2_000_000


def feature_names() -> list[str]:
    """Names of the columns of :func:`featurize`, in order."""
    means = [f'mean_{name}' for name in ELEMENT_NAMES]
    return [*means, *(f'spread_{name}' for name in SPREAD), *STRUCTURE_NAMES, *CHARGE_NAMES]


def unit_of_feature(name: str) -> str:
    """The unit of a descriptor; empty where it has none."""
    return _UNITS.get(name.removeprefix('mean_').removeprefix('spread_'), '')


@functools.cache
def _elements() -> Array:
    """Element properties, shape (m, 14), in the order of the element table; radii in Å, weights as ln u."""
    table = element_table()
    values = table.values[:, [table.names.index(name) for name in ELEMENT_NAMES]]
    values[:, ELEMENT_NAMES.index('covalent_radius_cordero')] /= 100
    values[:, ELEMENT_NAMES.index('atomic_weight')] = np.log(values[:, ELEMENT_NAMES.index('atomic_weight')])
    values.flags.writeable = False
    return values


def featurize(crystals: Sequence[Crystal], probabilities: Sequence[float | None]) -> tuple[Array, list[str]]:
    """Descriptors of crystals.

    :param crystals: length n.
    :param probabilities: score of each crystal's template, length n; None (no ranking) counts as 0.5.
    :returns: descriptors, shape (n, 37), all finite, and the names of the columns.
    :raises ValueError: if the lengths differ, or there are no data for an element.
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
    if not math.isfinite(probability):
        raise ValueError(f'the probability of a template must be a finite number, got {probability}')
    known = _described.get(crystal)
    if known is None:
        known = _described[crystal] = _describe_crystal(crystal)
    row = known.copy()
    row[_PROBABILITY] = probability
    return row


def _describe_crystal(crystal: Crystal) -> Array:
    """Every descriptor but the probability of the template, which is left at zero."""
    rows = element_table().index
    try:
        kinds = np.array([rows[symbol] for symbol in crystal.species])
    except KeyError as error:
        raise ValueError(
            f'no descriptors for the element {error.args[0]!r} in {"".join(dict.fromkeys(crystal.species))}: '
            f'elements up to {element_table().symbols[-1]} are known'
        ) from None
    sites = _elements()[kinds]
    means = sites.mean(axis=0)
    spread = sites.std(axis=0)[_spread_columns()]
    radii = sites[:, 1]
    coordination, nearest, unlike = _contacts(crystal, kinds, radii)
    volume = crystal.volume
    # cm³/mol to Å³: 1 / 0.602214
    elemental = sites[:, ELEMENT_NAMES.index('molar_volume')].sum() / 0.602214
    environment = np.round(np.column_stack([kinds, coordination, nearest]), 2)
    structure = [
        volume / len(kinds),
        volume / elemental,
        # kJ/mol of atoms to eV, per Å³: bulk moduli follow it (Makino, J. Alloys Compd. 242, 122 (1996))
        sites[:, ELEMENT_NAMES.index('heat_of_formation')].sum() / 96.485 / volume,
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
        0.0,
    ]
    counts = crystal.counts
    divisor = math.gcd(*counts.values())
    usual = oxidation_scores({symbol: number // divisor for symbol, number in counts.items()})
    return np.concatenate([means, spread, structure, [usual.charge, usual.oxidation]])


@functools.cache
def _spread_columns() -> list[int]:
    return [ELEMENT_NAMES.index(name) for name in SPREAD]


def _contacts(crystal: Crystal, kinds: Integers, radii: Array) -> tuple[Array, Array, float]:
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
        # a site is not a neighbour of itself; its periodic images are (shift 0 comes first)
        ratios[own - start, own, 0] = np.inf
        bonds = (1 / (1 + np.exp(np.minimum((ratios - _BOND) / _WIDTH, 60.0)))).sum(axis=2)
        coordination[chunk] = bonds.sum(axis=1)
        nearest[chunk] = np.minimum(ratios.min(axis=(1, 2)), _REACH)
        unlike += float(bonds[kinds[chunk, None] != kinds[None, :]].sum())
        total += float(bonds.sum())
    return coordination, nearest, unlike / total if total > 1e-6 else 0.0


def _repeats(lattice: Array, cutoff: float) -> Integers:
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
