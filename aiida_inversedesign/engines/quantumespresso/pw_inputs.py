"""Inputs of the pw.x work chains from the settings of a campaign file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida_quantumespresso.common.types import ElectronicType, RelaxType, SpinType
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain
from aiida_quantumespresso.workflows.pw.relax import PwRelaxWorkChain

from aiida_inversedesign.engines.common.limits import Allotment, restart_policy
from aiida_inversedesign.engines.common.options import job_options
from aiida_inversedesign.engines.common.protocols import protocol_inputs


def protocol_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of the settings' protocol, with the settings' own where they differ."""
    own = {} if settings.get('kpoints_distance') is None else {'kpoints_distance': float(settings['kpoints_distance'])}
    return protocol_inputs('quantumespresso', settings['protocol'], own)


def relax_builder(
    code: orm.AbstractCode, structure: orm.StructureData, settings: Mapping[str, Any], allotment: Allotment
) -> Any:
    """A builder of ``PwRelaxWorkChain``: a loose relaxation, then one in the basis and k-mesh of its result.

    Variable-cell runs of pw.x keep the plane waves and k-points of their first cell. The second run starts where the
    first ended, so that the remainder of that error (the Pulay stress) is small, without meta-convergence.

    :raises ValueError: if the family, a pseudopotential or its cutoffs are missing.
    """
    loose, final = (overrides_of(structure, settings, jobs) for jobs in allotment.jobs)
    protocol = protocol_of(settings)
    loose['kpoints_distance'] = max(protocol['loose_kpoints_distance'], protocol['kpoints_distance'])
    builder = PwRelaxWorkChain.get_builder_from_protocol(
        code,
        structure,
        protocol=settings['protocol'],
        overrides={
            'base_init_relax': loose,
            'base_relax': final,
            'meta_convergence': protocol['meta_convergence'],
        },
        relax_type=RelaxType.POSITIONS_CELL,
        options=job_options(settings, allotment.seconds, code.with_mpi),
        **_electrons(settings, settings['electronic_type'] == 'insulator'),
    )
    for namespace, jobs in zip((builder.base_init_relax, builder.base_relax), allotment.jobs, strict=True):
        limit_restarts(namespace, jobs)
        add_empty_bands(namespace, structure, protocol['empty_bands'])
    return builder


def single_point_builder(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    kpoints: orm.KpointsData | float,
    settings: Mapping[str, Any],
    jobs: int,
    seconds: int,
    insulator: bool,
) -> Any:
    """A builder of ``PwBaseWorkChain`` for one self-consistent calculation.

    :param kpoints: the mesh, or the largest distance between its points, Å⁻¹.
    """
    builder = PwBaseWorkChain.get_builder_from_protocol(
        code,
        structure,
        protocol=settings['protocol'],
        overrides=overrides_of(structure, settings, jobs),
        options=job_options(settings, seconds, code.with_mpi),
        **_electrons(settings, insulator),
    )
    if isinstance(kpoints, float):
        builder.kpoints_distance = orm.Float(kpoints)
    else:
        builder.pop('kpoints_distance')
        builder.kpoints = kpoints
    limit_restarts(builder, jobs)
    return builder


def stage_inputs(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    kpoints: orm.KpointsData | float,
    settings: Mapping[str, Any],
    allotment: Allotment,
    changes: Mapping[str, Mapping[str, Any]],
    most: Mapping[str, Mapping[str, float]],
) -> tuple[type, dict[str, Any]]:
    """Work chain and inputs of one job of a stage, whose occupations the settings say.

    :param changes: parameters by namelist that differ from those of a single point.
    :param most: thresholds by namelist that may be no larger.
    """
    insulator = settings['electronic_type'] == 'insulator'
    builder = single_point_builder(code, structure, kpoints, settings, allotment.jobs[0], allotment.seconds, insulator)
    parameters = builder.pw.parameters.get_dict()
    for name, values in changes.items():
        parameters[name] = {**parameters.get(name, {}), **values}
    for name, limits in most.items():
        parameters[name] |= {key: min(limit, parameters[name].get(key, limit)) for key, limit in limits.items()}
    builder.pw.parameters = orm.Dict(parameters)
    return builder.process_class, builder._inputs(prune=True)


def _electrons(settings: Mapping[str, Any], insulator: bool) -> dict[str, Any]:
    return {
        'electronic_type': ElectronicType.INSULATOR if insulator else ElectronicType.METAL,
        'spin_type': SpinType.COLLINEAR if settings['spin'] else SpinType.NONE,
    }


def overrides_of(structure: orm.StructureData, settings: Mapping[str, Any], jobs: int) -> dict[str, Any]:
    """What differs from the protocol, in the form of its overrides."""
    protocol = protocol_of(settings)
    parameters: dict[str, Any] = {'SYSTEM': {}, 'ELECTRONS': {}}
    if not settings['spin']:
        parameters['ELECTRONS']['mixing_beta'] = protocol['mixing_beta']
    for key, name in (('cutoff_wfc', 'ecutwfc'), ('cutoff_rho', 'ecutrho')):
        if settings.get(key) is not None:
            parameters['SYSTEM'][name] = settings[key]
    pools = settings.get('npool')
    return {
        'pseudo_family': settings['pseudos'],
        'kpoints_distance': protocol['kpoints_distance'],
        'max_iterations': restart_policy(jobs)[0],
        'pw': {'parameters': parameters} | ({} if pools is None else {'parallelization': {'npool': pools}}),
    }


def add_empty_bands(namespace: Any, structure: orm.StructureData, number: int, charge: int = 0) -> None:
    """With fixed occupations pw.x computes the filled bands alone: add some, or there is no gap to be read."""
    if namespace.pw.parameters['SYSTEM']['occupations'] != 'fixed':
        return
    valences = {kind.name: namespace.pw.pseudos[kind.name].z_valence for kind in structure.kinds}
    electrons = sum(valences[site.kind_name] for site in structure.sites) - charge
    if electrons % 2:
        raise ValueError(f'{electrons} electrons are an odd number, which no insulator without spin has')
    namespace.pw.parameters['SYSTEM']['nbnd'] = electrons // 2 + number


def limit_restarts(namespace: Any, jobs: int) -> None:
    """At most so many jobs of one chain."""
    iterations, unhandled = restart_policy(jobs)
    namespace.max_iterations = orm.Int(iterations)
    namespace.on_unhandled_failure = orm.Str(unhandled)
