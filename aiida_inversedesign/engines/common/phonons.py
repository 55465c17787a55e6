"""Phonons of an evaluation: their axis, and the nodes of what was computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, StructureData

from aiida_inversedesign.campaign.curves.curve import Curve
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.engines.common.properties import FREQUENCIES
from aiida_inversedesign.nodes.curves import arrays_of

#: Exit status where there are no phonons.
NO_PHONONS = 410
#: THz between points: a seventieth of the highest frequency of copper, a four-hundredth of that of diamond.
_STEP = 0.1
_NAME = 'phonon_density_of_states'


def frequencies() -> np.ndarray:
    """The axis of every phonon density of states, THz, shape (T,)."""
    low, high = FREQUENCIES
    return np.round(np.linspace(low, high, round((high - low) / _STEP) + 1), 6)


@calcfunction
def phonons_of_job(structure: StructureData, phonons: Dict) -> dict[str, Any] | ExitCode:
    """The lowest frequency and the density of states per atom.

    :param structure: the relaxed crystal. :param phonons: output of the job, or the ``reason`` why it has none.
    :returns: ``result`` and ``curves``.
    """
    found = phonons.get_dict()
    if found.get('reason'):
        return ExitCode(NO_PHONONS, f'there are no phonons: {found["reason"]}')
    return density_node(structure, found)


def as_asked() -> dict[str, Any]:
    """First and last point of the axis (THz) and the number of points, as plain data for a job."""
    axis = frequencies()
    return {'first': float(axis[0]), 'last': float(axis[-1]), 'points': len(axis)}


def density_node(structure: StructureData, found: Mapping[str, Any]) -> dict[str, Any]:
    """``result`` and ``curves`` of what was found.

    :param found: ``lowest`` frequency (THz) and ``density`` (states/THz and cell) on :func:`frequencies`.
    """
    about, axis = PROPERTIES[_NAME], frequencies()
    values = np.maximum(np.asarray(found['density']) / len(structure.sites), 0.0)
    curve = Curve.of(_NAME, axis, values, about.curve_axis, about.unit, density=True)
    return {'result': Dict({'lowest_frequency': found['lowest']}), 'curves': arrays_of({_NAME: curve})}
