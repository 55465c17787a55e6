"""Inputs of pw.x for a deformed crystal whose ions are relaxed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida_quantumespresso.calculations.functions.create_kpoints_from_distance import create_kpoints_from_distance

from aiida_inversedesign.engines.common.limits import Allotment
from aiida_inversedesign.engines.quantumespresso.pw_inputs import protocol_of, stage_inputs

#: Ry/Bohr (1.3 meV/Å), or that of the protocol if it is smaller: a strain of 1 % moves ions with forces of about 50
#: meV/Å, of which a remainder would be missing in the stress.
LARGEST_FORCE = 5e-5


def relaxation_of_ions(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    settings: Mapping[str, Any],
    allotment: Allotment,
    relaxed: orm.StructureData,
) -> tuple[type, dict[str, Any]]:
    """A ``PwBaseWorkChain`` that relaxes ions at fixed cell and ends with the stress.

    :param relaxed: the crystal without strain, whose k-points all have: else their number could change with strain.
    """
    distance = orm.Float(protocol_of(settings)['kpoints_distance'])
    mesh = create_kpoints_from_distance.__wrapped__(relaxed, distance, orm.Bool(False))
    changes = {'CONTROL': {'calculation': 'relax', 'tstress': True, 'tprnfor': True}, 'IONS': {}}
    most = {'CONTROL': {'forc_conv_thr': LARGEST_FORCE}}
    return stage_inputs(code, structure, mesh, settings, allotment, changes, most)
