"""Volumes from element volumes: the rule that needs no training.

Every element has a volume per atom, fitted to the crystals of a library; a template's volume is scaled by the ratio of
the sums before and after. The ratio carries the packing of the template itself, so it is exact for the template's own
elements. Median error over Materials Project pairs of equal structure: 1 % for neighbours in the periodic table, 7 %
for distant elements (own volume of the template: 2 % and 37 %). Scaling covalent contacts instead was worse throughout.

Pure elements bind differently: for them the volume of the element's ground state is used, unless that is molecular.
All-electron volumes of every two elements in fcc, bcc, sc and diamond: median error 6–10 % for neighbours and 16–32 %
for distant ones; with the fitted volumes 9–11 % and 25–38 %.
"""

from __future__ import annotations

import csv
import functools
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import ElementError, element_table
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.assign import dissimilarities, element_rows
from aiida_inversedesign.propose.rankers.ranking import Counts, Group, reduced

#: median relative error of the volume up to an element dissimilarity per atom (4 003 pairs of Materials Project
#: crystals with fingerprints within 0.1 of each other); the last value holds beyond
#: (measured with `tests/benchmark/volume_error.py`)
ERRORS: tuple[tuple[float, float], ...] = ((2, 0.01), (4, 0.03), (6, 0.045), (8, 0.063), (12, 0.073))
ERROR_BEYOND = 0.21
#: elements whose ground state is a crystal of diatomic molecules, whose volume says nothing of a network of bonds
MOLECULAR = ('H', 'N', 'O', 'F', 'Cl', 'Br', 'I')


@dataclass(frozen=True)
class VolumeEstimate:
    """A predicted cell volume.

    :param volume: Å³.
    :param scale: volume / volume of the template.
    :param packing: volume / sum of the element volumes; near 1 for dense crystals, above 2 for molecular ones.
    :param error: expected relative error: the median from element volumes, the mean from a trained model.
    """

    volume: float
    scale: float
    packing: float
    error: float


@functools.cache
def element_volumes() -> dict[str, float]:
    """Volume per atom of each element in compounds, Å³ (``element_volumes.csv``)."""
    text = files('aiida_inversedesign.chemistry').joinpath('element_volumes.csv').read_text(encoding='utf-8')
    return {row['symbol']: float(row['volume']) for row in csv.DictReader(text.splitlines())}


@functools.cache
def pure_volumes() -> dict[str, float]:
    """Volume per atom of each pure element, Å³: of its ground state (OQMD), or as in compounds if that is molecular."""
    return element_table().column('gs_volume') | {symbol: element_volumes()[symbol] for symbol in MOLECULAR}


def volume_sum(counts: Mapping[str, int]) -> float:
    """Sum of the element volumes in compounds, or that of the ground state for a pure element, Å³.

    :raises ElementError: if an element has none.
    """
    volumes = pure_volumes() if len(counts) == 1 else element_volumes()
    missing = sorted(set(counts) - set(volumes))
    if missing:
        raise ElementError(f'no volume for {", ".join(missing)}: the element table covers {", ".join(volumes)}')
    return sum(volumes[symbol] * count for symbol, count in counts.items())


def _error(dissimilarity: float) -> float:
    """The median relative error at an element dissimilarity per atom."""
    number = bisect_left([bound for bound, _ in ERRORS], dissimilarity)
    return ERRORS[number][1] if number < len(ERRORS) else ERROR_BEYOND


def estimate_volume(template: Crystal, mapping: Mapping[str, str], dissimilarity: float) -> VolumeEstimate:
    """The volume of the template's cell once its elements are replaced.

    :param mapping: element of the template → new element.
    :param dissimilarity: element dissimilarity per atom, for the error.
    """
    before = volume_sum(template.counts)
    scale = volume_sum({mapping[symbol]: count for symbol, count in template.counts.items()}) / before
    same = all(old == new for old, new in mapping.items())
    error = 0.0 if same else _error(dissimilarity)
    return VolumeEstimate(template.volume * scale, scale, template.volume / before, error)


class ElementVolumes:
    """Scales templates by the ratio of the sums of element volumes; for libraries without a trained model."""

    def estimate(
        self, counts: Counts, group: Group, indices: Sequence[int] | NDArray[np.int64]
    ) -> list[VolumeEstimate]:
        """The volume of each template's cell with the elements of a formula.

        :param counts: reduced element counts of the formula, of the group's ratio label.
        :param group: the templates of that ratio label.
        :param indices: the templates asked for, by their index in the library; shape (k,).
        :raises ElementError: if an element has no volume.
        """
        templates = [group.library[int(index)].crystal for index in indices]
        if not templates:
            return []
        after, atoms = volume_sum(counts), sum(counts.values())
        distances = dissimilarities(counts, element_rows([reduced(crystal.counts) for crystal in templates]))
        out = []
        for crystal, distance in zip(templates, distances.tolist(), strict=True):
            before = volume_sum(crystal.counts)
            scale = after * (crystal.nsites / atoms) / before
            error = 0.0 if reduced(crystal.counts) == dict(counts) else _error(distance)
            out.append(VolumeEstimate(crystal.volume * scale, scale, crystal.volume / before, error))
        return out


def fit_volumes(library: Library, rounds: int = 20) -> dict[str, float]:
    """Non-negative volumes per atom that best sum to the cell volumes of a library.

    Least absolute relative deviations, by iteratively reweighted non-negative least squares.

    :returns: volume of each element that occurs and got a positive volume, Å³.
    """
    from scipy.optimize import nnls

    table = element_table()
    amounts = np.zeros((len(library), len(table.symbols)))
    for row, template in enumerate(library):
        for symbol, count in template.crystal.counts.items():
            amounts[row, table.index[symbol]] = count / template.crystal.volume
    weights = np.ones(len(library))
    volumes = np.zeros(len(table.symbols))
    for _ in range(rounds):
        volumes, _ = nnls(amounts * weights[:, None], weights)
        # below 1 % all deviations weigh the same, else single exact entries would dominate
        weights = 1 / np.sqrt(np.maximum(np.abs(amounts @ volumes - 1), 0.01))
    return {symbol: float(value) for symbol, value in zip(table.symbols, volumes, strict=True) if value > 0}
