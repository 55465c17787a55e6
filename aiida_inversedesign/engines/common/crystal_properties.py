"""The properties of an evaluated crystal as pure functions of what the engine computed. Imports no aiida."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import standard_lattice
from aiida_inversedesign.errors import InverseDesignError

#: an electron count per spin further than this from an integer means partly filled bands
INTEGER_TOLERANCE = 0.05


class TooFewBandsError(InverseDesignError):
    """No empty band was computed, so that there is nothing to measure a gap to."""


def structural_properties(crystal: Crystal) -> dict[str, float]:
    """Volume (Å³/atom), density (g/cm³), lattice constants (Å) of the conventional standard cell and space group.

    The cell and its tolerance are those of :func:`aiida_inversedesign.chemistry.symmetry.standard_lattice`.
    """
    (a, b, c), space_group = standard_lattice(crystal)
    return {
        'volume': crystal.volume / crystal.nsites,
        'density': float(crystal.to_pymatgen().density),
        'lattice_constant': a,
        'lattice_constant_b': b,
        'lattice_constant_c': c,
        'space_group': float(space_group),
    }


def band_gap(eigenvalues: NDArray[np.float64], electrons: float, magnetization: float = 0.0) -> float:
    """The gap between the highest occupied and the lowest empty level on the k-points given; 0 for a metal.

    Bands are filled by counting, so that smearing does not blur the answer.

    :param eigenvalues: eV, shape (k, bands), or (2, k, bands) for two spins.
    :param magnetization: total magnetisation of the cell in μB, used with two spins.
    :raises TooFewBandsError: if there is no empty band to measure the gap to.
    """
    levels = np.asarray(eigenvalues, dtype=float)
    if levels.ndim == 2:
        channels = [(levels, electrons / 2)]
    else:
        channels = [(levels[0], (electrons + magnetization) / 2), (levels[1], (electrons - magnetization) / 2)]
    highest, lowest = [], []
    for bands, filled in channels:
        count = round(filled)
        if abs(filled - count) > INTEGER_TOLERANCE:
            return 0.0
        if count >= bands.shape[1]:
            raise TooFewBandsError(f'{count} filled bands and no more than {bands.shape[1]} computed')
        ordered = np.sort(bands, axis=1)
        if count > 0:
            highest.append(ordered[:, count - 1].max())
        lowest.append(ordered[:, count].min())
    return float(max(0.0, min(lowest) - max(highest)))


def formation_energy(counts: Mapping[str, int], energy: float, references: Mapping[str, float]) -> float:
    """Energy against the elements in eV/atom.

    :param counts: atoms of each element in the cell.
    :param energy: total energy in eV/atom.
    :param references: energy of each elemental crystal in eV/atom, at the same settings.
    :raises KeyError: if an element has no reference.
    """
    total = sum(counts.values())
    return energy - sum(number * references[element] for element, number in counts.items()) / total


def missing_references(elements: Iterable[str], references: Mapping[str, float] | None) -> list[str]:
    """The elements without a reference energy, sorted."""
    return sorted(set(elements) - set(references or {}))


def properties_record(
    values: Mapping[str, float],
    sources: Mapping[str, str],
    units: Mapping[str, str] | None = None,
    errors: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """The output ``properties`` of an engine: value, unit and source of each property, sorted by name.

    :param sources: name → ``equation_of_state`` …; what is not named comes from the relaxation (``relax``).
    :param units: of numbers of curves.
    :param errors: standard errors of properties that have one, in their units.
    """
    own, known = units or {}, errors or {}
    return {
        name: {
            'value': float(value),
            'unit': own[name] if name in own else PROPERTIES[name].unit,
            'source': sources.get(name, 'relax'),
            **({'error': float(known[name])} if name in known else {}),
        }
        for name, value in sorted(values.items())
    }


def missing_properties(wanted: Collection[str], record: Mapping[str, Any]) -> list[str]:
    """The wanted properties that are not in the record, in the order asked for."""
    return [name for name in wanted if name not in record]
