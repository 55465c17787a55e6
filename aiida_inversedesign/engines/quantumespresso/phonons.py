"""Phonons of a relaxed crystal with pw.x: forces of displaced supercells, in the data types of aiida-phonopy.

Finite displacements as phonopy makes them: A. Togo, I. Tanaka, Scr. Mater. 108, 1 (2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_inversedesign.engines.ase.relax_ase import DISPLACEMENT, SYMPREC, summed_phonons
from aiida_inversedesign.engines.common.limits import Allotment
from aiida_inversedesign.engines.common.phonons import NO_PHONONS, as_asked, density_node
from aiida_inversedesign.engines.common.properties import MOST_DISPLACEMENTS
from aiida_inversedesign.engines.quantumespresso.pw_inputs import protocol_of, stage_inputs

if TYPE_CHECKING:
    from aiida_phonopy.data.preprocess import PreProcessData

#: Ry, or that of the protocol if it is smaller: that of phonopy's examples with pw.x, for cells of tens of atoms.
_CONVERGED = 1e-9
_LABEL = 'supercell_{:03d}'


@calcfunction
def displaced_supercells(structure: orm.StructureData, settings: orm.Dict) -> dict[str, orm.StructureData] | ExitCode:
    """The supercells whose forces are needed, as few as the symmetry allows.

    :param settings: the section ``evaluate``, with ``phonon_supercell``, the least length of each axis in Å.
    :returns: ``supercell_001`` …
    """
    found = _prepared(structure, settings.get_dict()).get_supercells_with_displacements()
    if len(found) > MOST_DISPLACEMENTS:
        return ExitCode(
            NO_PHONONS,
            f'the crystal needs the forces of {len(found)} displaced supercells, and at most {MOST_DISPLACEMENTS} are '
            'computed: it has too little symmetry for its number of atoms',
        )
    # the plugin numbers them from 1 in the order of its displacements
    return {_LABEL.format(int(name.rpartition('_')[2])): supercell for name, supercell in found.items()}


def forces_of_supercell(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    settings: Mapping[str, Any],
    allotment: Allotment,
    relaxed: orm.StructureData,
) -> tuple[type, dict[str, Any]]:
    """A ``PwBaseWorkChain`` with the forces of a displaced supercell; all supercells have one cell and one mesh."""
    distance = float(protocol_of(settings)['kpoints_distance'])
    changes = {'CONTROL': {'calculation': 'scf', 'tprnfor': True}}
    most = {'ELECTRONS': {'conv_thr': _CONVERGED}}
    return stage_inputs(code, structure, distance, settings, allotment, changes, most)


@calcfunction
def phonons_of_forces(
    structure: orm.StructureData, settings: orm.Dict, **trajectories: orm.TrajectoryData
) -> dict[str, orm.Data]:
    """The lowest frequency and the density of states per atom.

    :param trajectories: of each displaced supercell; their forces are in eV/Å.
    :returns: ``result``, ``curves``, and ``phonopy_data``, with which aiida-phonopy goes on.
    """
    from aiida_phonopy.data.phonopy import PhonopyData

    data = PhonopyData(_prepared(structure, settings.get_dict()))
    data.set_forces([trajectories[name].get_array('forces')[-1] for name in sorted(trajectories)])
    found = summed_phonons(data.get_phonopy_instance(), as_asked())
    return {**density_node(structure, found), 'phonopy_data': data}


def _prepared(structure: orm.StructureData, settings: Mapping[str, Any]) -> PreProcessData:
    """Supercell and displacements, which follow from the crystal alone."""
    from aiida_phonopy.data.preprocess import PreProcessData

    lengths = np.linalg.norm(structure.cell, axis=1)
    repeats = np.ceil(settings['phonon_supercell'] / lengths - 1e-6).astype(int)
    data = PreProcessData(
        structure=structure,
        supercell_matrix=np.diag(repeats).tolist(),
        primitive_matrix=np.eye(3).tolist(),
        symprec=SYMPREC,
    )
    data.set_displacements(distance=DISPLACEMENT)
    return data
