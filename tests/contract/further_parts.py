"""Properties as a third party brings them: one derived from others, one with a stage of its own."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_inversedesign.campaign.contracts.property import Property, Stage


@calcfunction
def energy_density(structure: orm.StructureData, properties: orm.Dict) -> orm.Dict:
    """Energy by volume, from what the engine has computed."""
    return orm.Dict({'energy_density': properties['energy']['value'] / properties['volume']['value']})


DERIVED = Property('energy_density', 'eV/Å^3', 'energy by volume', compute='further_parts:energy_density')


def denser_mesh(code: orm.AbstractCode, structure: orm.StructureData, settings: Any, allotment: Any) -> Any:
    """One self-consistent calculation on another mesh."""
    from aiida_inversedesign.engines.quantumespresso.pw_inputs import single_point_builder

    mesh = orm.KpointsData()
    mesh.set_kpoints_mesh([3, 3, 3])
    builder = single_point_builder(code, structure, mesh, settings, allotment.jobs[0], allotment.seconds, True)
    return builder.process_class, builder._inputs(prune=True)


@calcfunction
def mean_energy(structure: orm.StructureData, output_parameters: orm.Dict) -> orm.Dict:
    """What the stage found."""
    return orm.Dict({'dense_energy': output_parameters['energy'] / len(structure.sites)})


STAGED = Property(
    'dense_energy',
    'eV/atom',
    'total energy on another k-mesh',
    stage=Stage('further_parts:denser_mesh', 'further_parts:mean_energy'),
)
