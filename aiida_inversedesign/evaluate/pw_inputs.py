"""Inputs of the pw.x work chains from the settings of a campaign file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida_quantumespresso.common.types import ElectronicType, RelaxType, SpinType
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain
from aiida_quantumespresso.workflows.pw.relax import PwRelaxWorkChain

from aiida_inversedesign.evaluate.limits import Allotment, restart_policy
from aiida_inversedesign.evaluate.options import job_options

#: k-point distance (Å⁻¹) of the first, loose relaxation: the protocols' own value
LOOSE_DISTANCE = 0.3

#: an ``automatic`` electronic type becomes an insulator for the single points above this gap, in eV
INSULATOR_GAP = 0.5

#: pw.x's own default. The protocols' 0.4 takes twice the iterations in small cells (diamond: 26 instead of 14);
#: where 0.7 does not converge, aiida-quantumespresso lowers it and goes on.
MIXING_BETA = 0.7

#: bands above the filled ones in the relaxation of an insulator
EMPTY_BANDS = 4


def kpoints_distance(settings: Mapping[str, Any]) -> float:
    """The k-point distance in Å⁻¹: the settings' own, or else the protocol's."""
    given = settings.get('kpoints_distance')
    if given is not None:
        return float(given)
    return float(PwBaseWorkChain.get_protocol_inputs(settings['protocol'])['kpoints_distance'])


def relax_builder(
    code: orm.AbstractCode, structure: orm.StructureData, settings: Mapping[str, Any], allotment: Allotment
) -> Any:
    """A builder of ``PwRelaxWorkChain``: a loose relaxation, then one in the basis and k-mesh of its result.

    Variable-cell runs of pw.x keep the plane waves and k-points of their first cell. The second run starts where the
    first ended, so that what is left of that error (the Pulay stress) is small, without meta-convergence.

    :raises ValueError: if the family, a pseudopotential or its cutoffs are missing.
    """
    loose, final = (_overrides(structure, settings, jobs) for jobs in allotment.jobs)
    loose['kpoints_distance'] = max(LOOSE_DISTANCE, kpoints_distance(settings))
    builder = PwRelaxWorkChain.get_builder_from_protocol(
        code,
        structure,
        protocol=settings['protocol'],
        overrides={'base_init_relax': loose, 'base_relax': final, 'meta_convergence': False},
        relax_type=RelaxType.POSITIONS_CELL,
        options=job_options(settings, allotment.seconds),
        **_electrons(settings, settings['electronic_type'] == 'insulator'),
    )
    for namespace, jobs in zip((builder.base_init_relax, builder.base_relax), allotment.jobs, strict=True):
        _limit_restarts(namespace, jobs)
        _add_empty_bands(namespace, structure)
    return builder


def single_point_builder(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    kpoints: orm.KpointsData,
    settings: Mapping[str, Any],
    jobs: int,
    seconds: int,
    insulator: bool,
) -> Any:
    """A builder of ``PwBaseWorkChain`` for one self-consistent calculation on the given k-points."""
    builder = PwBaseWorkChain.get_builder_from_protocol(
        code,
        structure,
        protocol=settings['protocol'],
        overrides=_overrides(structure, settings, jobs),
        options=job_options(settings, seconds),
        **_electrons(settings, insulator),
    )
    builder.pop('kpoints_distance')
    builder.kpoints = kpoints
    _limit_restarts(builder, jobs)
    return builder


def _electrons(settings: Mapping[str, Any], insulator: bool) -> dict[str, Any]:
    return {
        'electronic_type': ElectronicType.INSULATOR if insulator else ElectronicType.METAL,
        'spin_type': SpinType.COLLINEAR if settings['spin'] else SpinType.NONE,
    }


def _overrides(structure: orm.StructureData, settings: Mapping[str, Any], jobs: int) -> dict[str, Any]:
    """What differs from the protocol, in the form of its overrides."""
    parameters: dict[str, Any] = {'SYSTEM': {}, 'ELECTRONS': {}}
    if not settings['spin']:
        parameters['ELECTRONS']['mixing_beta'] = MIXING_BETA
    for key, name in (('cutoff_wfc', 'ecutwfc'), ('cutoff_rho', 'ecutrho')):
        if settings.get(key) is not None:
            parameters['SYSTEM'][name] = settings[key]
    return {
        'pseudo_family': settings['pseudos'],
        'kpoints_distance': kpoints_distance(settings),
        'max_iterations': restart_policy(jobs)[0],
        'pw': {'parameters': parameters},
    }


def _add_empty_bands(namespace: Any, structure: orm.StructureData) -> None:
    """With fixed occupations pw.x computes the filled bands alone: add some, or there is no gap to be read."""
    if namespace.pw.parameters['SYSTEM']['occupations'] != 'fixed':
        return
    valences = {kind.name: namespace.pw.pseudos[kind.name].z_valence for kind in structure.kinds}
    electrons = sum(valences[site.kind_name] for site in structure.sites)
    if electrons % 2:
        raise ValueError(f'{electrons} electrons are an odd number, which no insulator without spin has')
    namespace.pw.parameters['SYSTEM']['nbnd'] = electrons // 2 + EMPTY_BANDS


def _limit_restarts(namespace: Any, jobs: int) -> None:
    iterations, unhandled = restart_policy(jobs)
    namespace.max_iterations = orm.Int(iterations)
    namespace.on_unhandled_failure = orm.Str(unhandled)
