"""Molecules with pw.x: the lowest conformer in a cubic box, relaxed with the Γ point alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, calcfunction
from aiida_quantumespresso.common.types import ElectronicType, SpinType
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

from aiida_inversedesign.engines.common.conformer import Conformer
from aiida_inversedesign.engines.common.limits import Allotment
from aiida_inversedesign.engines.common.molecules import MoleculeEvaluation, embedded, record_of
from aiida_inversedesign.engines.common.options import job_options
from aiida_inversedesign.engines.quantumespresso.pw_inputs import (
    add_empty_bands,
    limit_restarts,
    overrides_of,
    protocol_of,
)
from aiida_inversedesign.engines.quantumespresso.relaxation import PwRelaxation

#: Å that the density reaches beyond the nuclei: the box of the correction for isolated molecules must be twice the
#: molecule (Martyna and Tuckerman, J. Chem. Phys. 110, 2810 (1999)). By judgement: about the van der Waals radius of H.
TAIL = 1.5


@calcfunction
def place_in_box(molecule: orm.Dict, settings: orm.Dict) -> dict[str, orm.Data] | ExitCode:
    """The lowest conformer of a molecule in the middle of a cubic box, and its charge and unpaired electrons."""
    from ase import Atoms

    def in_box(found: Conformer) -> orm.StructureData:
        extent = float(np.ptp(found.positions, axis=0).max())
        edge = max(extent + settings['vacuum'], 2 * (extent + 2 * TAIL))
        atoms = Atoms(found.symbols, positions=found.positions, cell=[edge] * 3, pbc=True)
        atoms.center()
        return orm.StructureData(ase=atoms)

    return embedded(molecule, settings, in_box)


@calcfunction
def box_properties(
    molecule: orm.Dict, structure: orm.StructureData, output_parameters: orm.Dict, bands: orm.BandsData
) -> orm.Dict | ExitCode:
    """Every property that pw.x yields for a molecule of paired electrons.

    :param structure: as it was relaxed; if its bonds are not those of the molecule there are no properties.
    :param bands: at the Γ point, with some empty ones.
    """
    levels = np.sort(np.asarray(bands.get_bands(), dtype=np.float64).ravel())
    filled = round(output_parameters['number_of_electrons']) // 2
    homo, lumo = float(levels[filled - 1]), float(levels[filled])
    found = {'energy': output_parameters['energy'] / len(structure.sites)}
    return record_of(molecule, structure, found | {'homo': homo, 'lumo': lumo, 'homo_lumo_gap': lumo - homo})


def molecule_builder(
    code: orm.AbstractCode,
    structure: orm.StructureData,
    settings: dict[str, Any],
    charge: int,
    allotment: Allotment,
) -> Any:
    """A builder of ``PwBaseWorkChain`` for the relaxation of the positions of a molecule in its box.

    :raises ValueError: if the family, a pseudopotential or its cutoffs are missing.
    """
    builder = PwBaseWorkChain.get_builder_from_protocol(
        code,
        structure,
        protocol=settings['protocol'],
        overrides=overrides_of(structure, settings, allotment.jobs[0]),
        options=job_options(settings, allotment.seconds, code.with_mpi),
        electronic_type=ElectronicType.INSULATOR,
        spin_type=SpinType.NONE,
    )
    builder.pop('kpoints_distance')
    builder.kpoints = orm.KpointsData()
    builder.kpoints.set_kpoints_mesh([1, 1, 1])
    builder.pw.settings = orm.Dict({'gamma_only': True})
    builder.pw.parameters['CONTROL']['calculation'] = 'relax'
    builder.pw.parameters['SYSTEM'] |= {'assume_isolated': settings['assume_isolated'], 'tot_charge': charge}
    add_empty_bands(builder, structure, protocol_of(settings)['empty_bands'], charge)
    limit_restarts(builder, allotment.jobs[0])
    return builder


class MoleculeInBox(MoleculeEvaluation, PwRelaxation):
    """The steps of an evaluation of a molecule."""

    def embed_molecule(self) -> ExitCode | None:
        """Find the lowest conformer, and its box."""
        failure = self.embed_by(place_in_box)
        if failure is None and self.ctx.conformer['unpaired']:
            reason = f'a molecule with {self.ctx.conformer["unpaired"]} unpaired electrons needs another engine'
            return self.exit_codes.ERROR_INVALID_SETTINGS.format(reason=reason)
        return failure

    def run_molecule(self) -> Any:
        """Submit the relaxation of the positions."""
        settings = self.inputs.settings.get_dict()

        def inputs() -> dict[str, Any]:
            charge, allotment = self.ctx.conformer['charge'], self._allot(1, 0)
            builder = molecule_builder(self.inputs.engine.code, self.ctx.geometry, settings, charge, allotment)
            return builder._inputs(prune=True)

        return self.launch_relaxation('relax', PwBaseWorkChain, inputs)

    def gather_molecule(self) -> ExitCode | None:
        """Attach the properties of the relaxed molecule, if it is still the one that was proposed."""
        if failure := self.relaxation_failure('output_structure', 'output_parameters', 'output_band'):
            return failure
        outputs = self.ctx.relax.outputs
        self.out('geometry', outputs.output_structure)
        return self.finish_by(
            box_properties,
            structure=outputs.output_structure,
            output_parameters=outputs.output_parameters,
            bands=outputs.output_band,
        )
