"""Molecules with pw.x: the lowest conformer in a cubic box, relaxed with the Γ point alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ToContext, calcfunction
from aiida_quantumespresso.common.types import ElectronicType, SpinType
from aiida_quantumespresso.workflows.pw.base import PwBaseWorkChain

from aiida_inversedesign.engines.ase.conformer import ConformerError, conformer_of
from aiida_inversedesign.engines.ase.molecules import NO_CONFORMER, record_of
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.engines.common.limits import Allotment, LimitError, allot
from aiida_inversedesign.engines.common.options import job_options, processes, wall_seconds
from aiida_inversedesign.engines.quantumespresso.pw_inputs import (
    add_empty_bands,
    limit_restarts,
    overrides_of,
    protocol_of,
)
from aiida_inversedesign.graph.diagnosis import core_seconds, explain, jobs_below
from aiida_inversedesign.nodes.points import content_of

#: Å that the density reaches beyond the nuclei: the box of the correction for isolated molecules must be twice the
#: molecule (Martyna and Tuckerman, J. Chem. Phys. 110, 2810 (1999)). By judgement: about the van der Waals radius of H.
TAIL = 1.5


@calcfunction
def place_in_box(molecule: orm.Dict, settings: orm.Dict) -> dict[str, orm.Data] | ExitCode:
    """The lowest conformer of a molecule in the middle of a cubic box, and its charge and unpaired electrons."""
    from ase import Atoms

    try:
        found = conformer_of(content_of(molecule), settings['conformers'])
    except ConformerError as error:
        return ExitCode(NO_CONFORMER, str(error))
    extent = float(np.ptp(found.positions, axis=0).max())
    edge = max(extent + settings['vacuum'], 2 * (extent + 2 * TAIL))
    atoms = Atoms(found.symbols, positions=found.positions, cell=[edge] * 3, pbc=True)
    atoms.center()
    keys = ('charge', 'unpaired', 'forcefield', 'embedded')
    return {
        'structure': orm.StructureData(ase=atoms),
        'conformer': orm.Dict({name: getattr(found, name) for name in keys}),
    }


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


class MoleculeInBox(EvaluateWorkChain):
    """The steps of an evaluation of a molecule."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output(
            'geometry', valid_type=orm.StructureData, required=False, help='The relaxed coordinates of a molecule.'
        )

    def is_molecule(self) -> bool:
        """Whether the candidate is a molecule, of which only the bonds are known."""
        return not isinstance(self.inputs.candidate, orm.StructureData)

    def embed_molecule(self) -> ExitCode | None:
        """Find the lowest conformer, and its box."""
        node = self.run_once('embed', place_in_box, molecule=self.inputs.candidate, settings=self.inputs.settings)
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_NO_CONFORMER.format(reason=node.exit_message)
        self.ctx.box, self.ctx.conformer = node.outputs.structure, node.outputs.conformer
        if self.ctx.conformer['unpaired']:
            reason = f'a molecule with {self.ctx.conformer["unpaired"]} unpaired electrons needs another engine'
            return self.exit_codes.ERROR_INVALID_SETTINGS.format(reason=reason)
        return None

    def run_molecule(self) -> Any:
        """Submit the relaxation of the positions."""
        settings, hours = self.inputs.settings.get_dict(), self.limit('core_hours')
        inputs: dict[str, Any] = {}
        try:
            if not self.launched('relax'):
                spent = sum(map(core_seconds, jobs_below(self.node))) / 3600
                allotment = allot(
                    1,
                    0,
                    settings['max_restarts'],
                    wall_seconds(settings),
                    processes(settings),
                    self.limit('dft_calculations'),
                    None if hours is None else hours - spent,
                )
                charge = self.ctx.conformer['charge']
                builder = molecule_builder(self.inputs.engine.code, self.ctx.box, settings, charge, allotment)
                inputs = builder._inputs(prune=True)
        except LimitError as error:
            return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
        except ValueError as error:
            return self.exit_codes.ERROR_INVALID_SETTINGS.format(reason=error)
        node = self.submit_once('relax', PwBaseWorkChain, **inputs)
        self.report(f'launching PwBaseWorkChain<{node.pk}>')
        return ToContext(relax=node)

    def gather_molecule(self) -> ExitCode | None:
        """Attach the properties of the relaxed molecule, if it is still the one that was proposed."""
        relax = self.ctx.relax
        outputs = ('output_structure', 'output_parameters', 'output_band')
        if not relax.is_finished_ok or any(name not in relax.outputs for name in outputs):
            return self.exit_codes.ERROR_RELAXATION_FAILED.format(reason=explain(relax))
        self.out('geometry', relax.outputs.output_structure)
        node = self.run_once(
            'gather_properties',
            box_properties,
            molecule=self.inputs.candidate,
            structure=relax.outputs.output_structure,
            output_parameters=relax.outputs.output_parameters,
            bands=relax.outputs.output_band,
        )
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_JOB_FAILED.format(reason=node.exit_message)
        return self.finish(node.outputs.result)
