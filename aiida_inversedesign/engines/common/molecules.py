"""What engines share of molecules: the steps of an evaluation, the lowest conformer, the properties found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode

from aiida_inversedesign.engines.common.conformer import Conformer, ConformerError, changed_bonds, conformer_of
from aiida_inversedesign.engines.common.crystal_properties import properties_record
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.nodes.points import content_of

#: Exit statuses of a molecule without coordinates, and of one that became another.
NO_CONFORMER, CHANGED = 310, 311
#: Debye per e Å.
DEBYE = 4.803204712570263


class MoleculeEvaluation(EvaluateWorkChain):
    """The steps of an evaluation of a molecule that engines share."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.output(
            'geometry', valid_type=orm.StructureData, required=False, help='The relaxed coordinates of a molecule.'
        )

    def is_molecule(self) -> bool:
        """Whether the candidate is a molecule, of which only the bonds are known."""
        return not isinstance(self.inputs.candidate, orm.StructureData)

    def embed_by(self, function: Any) -> ExitCode | None:
        """Find the lowest conformer by a calcfunction."""
        node = self.run_once('embed', function, molecule=self.inputs.candidate, settings=self.inputs.settings)
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_NO_CONFORMER.format(reason=node.exit_message)
        self.ctx.geometry, self.ctx.conformer = node.outputs.structure, node.outputs.conformer
        return None

    def finish_by(self, function: Any, **found: orm.Data) -> ExitCode | None:
        """Attach the properties that a calcfunction finds, if the molecule is still the one that was proposed."""
        node = self.run_once('gather_properties', function, molecule=self.inputs.candidate, **found)
        if not node.is_finished_ok:
            return self.exit_codes.ERROR_JOB_FAILED.format(reason=node.exit_message)
        return self.finish(node.outputs.result)


def embedded(
    molecule: orm.Dict, settings: orm.Dict, place: Callable[[Conformer], orm.StructureData]
) -> dict[str, orm.Data] | ExitCode:
    """The lowest conformer, placed, and what is recorded of it."""
    try:
        found = conformer_of(content_of(molecule), settings['conformers'])
    except ConformerError as error:
        return ExitCode(NO_CONFORMER, str(error))
    keys = ('charge', 'unpaired', 'forcefield', 'embedded')
    return {'structure': place(found), 'conformer': orm.Dict({name: getattr(found, name) for name in keys})}


def record_of(molecule: orm.Dict, structure: orm.StructureData, found: Mapping[str, Any]) -> orm.Dict | ExitCode:
    """The properties of a molecule that is still the one that was proposed.

    :param found: ``energy`` (eV/atom), and what else is known: ``homo``, ``lumo``, ``dipole`` (e Å) …
    """
    changed = changed_bonds(content_of(molecule), np.array([site.position for site in structure.sites]))
    if changed:
        return ExitCode(CHANGED, f'relaxed to another molecule: {changed}')
    atoms = len(structure.sites)
    values = {'total_energy': found['energy'] * atoms}
    values |= {name: found[name] for name in ('energy', 'max_force', 'homo_lumo_gap', 'homo', 'lumo') if name in found}
    if 'dipole' in found:
        values['dipole_moment'] = float(np.linalg.norm(found['dipole'])) * DEBYE
    if 'separated' in found:
        values['atomization_energy'] = (found['separated'] - values['total_energy']) / atoms
    return orm.Dict(properties_record(values, {}))
