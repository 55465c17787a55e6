"""Elastic constants of an evaluation: the deformed crystals, and what follows from their stresses.

What is computed is in :mod:`aiida_inversedesign.chemistry.elasticity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, StructureData, TrajectoryData

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elasticity import (
    ElasticityError,
    deformations,
    deformed,
    fit_tensor,
    moduli,
    strain_of,
)
from aiida_inversedesign.nodes.structures import crystal_of, structure_of

#: Exit status where there is no tensor.
NO_TENSOR = 410

_PROPERTIES = {
    'elastic_bulk_modulus': 'bulk',
    'shear_modulus': 'shear',
    'young_modulus': 'young',
    'poisson_ratio': 'poisson',
    'elastic_anisotropy': 'anisotropy',
    'hardness': 'hardness',
}


@calcfunction
def deformed_structures(structure: StructureData) -> dict[str, StructureData]:
    """The crystal under each strain that its elastic tensor takes, fractional coordinates unchanged.

    :returns: ``strain_00`` …, each with its opposite after it.
    """
    crystal = crystal_of(structure)
    return {
        f'strain_{index:02d}': structure_of(deformed(crystal, strain))
        for index, strain in enumerate(deformations(crystal))
    }


@calcfunction
def elastic_constants(structure: StructureData, **trajectories: TrajectoryData) -> dict[str, Dict] | ExitCode:
    """Elastic constants from relaxations of the ions with pw.x, whose stress is positive under pressure.

    :param structure: the crystal without strain.
    :param trajectories: of the deformed crystals; the last stress (GPa) and cell (Å) of each count.
    :returns: ``result``, the values by property name, and ``elastic_tensor``.
    """
    crystal, last = crystal_of(structure), [trajectories[label] for label in sorted(trajectories)]
    strains = [strain_of(crystal, trajectory.get_array('cells')[-1]) for trajectory in last]
    return _record(crystal, strains, [-trajectory.get_array('stress')[-1] for trajectory in last])


@calcfunction
def elastic_constants_of_job(structure: StructureData, deformed_crystals: Dict) -> dict[str, Dict] | ExitCode:
    """The same for a job that computed all: ``strains`` and ``stresses`` (GPa, positive under tension), or a reason."""
    found = deformed_crystals.get_dict()
    if found.get('reason'):
        return ExitCode(NO_TENSOR, found['reason'])
    return _record(crystal_of(structure), found['strains'], found['stresses'])


def _record(crystal: Crystal, strains: Sequence[Any], stresses: Sequence[Any]) -> dict[str, Dict] | ExitCode:
    try:
        tensor, residual = fit_tensor(crystal, strains, stresses)
        found = moduli(tensor)
    except ElasticityError as error:
        return ExitCode(NO_TENSOR, f'there is no elastic tensor: {error}')
    values: dict[str, Any] = {name: getattr(found, field) for name, field in _PROPERTIES.items()}
    values = {name: value for name, value in values.items() if value is not None}
    if len(values) < len(_PROPERTIES):
        values['reason'] = (
            f'the crystal is not mechanically stable (the smallest eigenvalue of its elastic tensor is '
            f'{found.stability:.3g} GPa), so that it has no moduli'
        )
    tensor_record = {
        'tensor': np.round(tensor, 6).tolist(),
        'strains': np.asarray(strains).tolist(),
        'stresses': np.asarray(stresses).tolist(),
        'residual': residual,
        'units': {'tensor': 'GPa', 'stresses': 'GPa', 'residual': 'GPa'},
    }
    return {'result': Dict({**values, 'elastic_stability': found.stability}), 'elastic_tensor': Dict(tensor_record)}
