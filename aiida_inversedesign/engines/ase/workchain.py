"""The ``ase`` engine: any ASE calculator as a job on any computer."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, if_, while_

from aiida_inversedesign.engines.ase.job import AseCalculation
from aiida_inversedesign.engines.ase.molecules import embed, molecule_properties
from aiida_inversedesign.engines.common.calcfunctions import fit_scan, job_properties
from aiida_inversedesign.engines.common.elastic import elastic_constants_of_job
from aiida_inversedesign.engines.common.eos import ENERGY_FLOOR
from aiida_inversedesign.engines.common.molecules import MoleculeEvaluation
from aiida_inversedesign.engines.common.phonons import phonons_of_job
from aiida_inversedesign.engines.common.properties import ELASTIC, PHONONS
from aiida_inversedesign.graph.diagnosis import explain


class AseEvaluateWorkChain(MoleculeEvaluation):
    """Relaxes a crystal, scans its energy over volumes, strains it and computes its phonons in one job.

    Of a molecule it relaxes a conformer.

    Child: ``relax`` (:class:`AseCalculation`). A job that was lost to its machine is repeated: ``relax_attempt_2``,
    ``relax_attempt_3``.
    """

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('engine.code', valid_type=orm.AbstractCode, help='A Python interpreter with ASE.')
        spec.input(
            'engine.calculator', valid_type=orm.Str, required=False, help='Import path of a calculator of the code.'
        )
        spec.outline(
            cls.check_inputs,
            if_(cls.is_molecule)(cls.embed_molecule),
            while_(cls.job_is_due)(cls.run_job),
            cls.inspect_job,
            if_(cls.is_molecule)(cls.gather_molecule).else_(cls.gather_properties),
        )
        spec.output('equation_of_state', valid_type=orm.Dict, required=False, help='The fit and its points.')

    def embed_molecule(self) -> ExitCode | None:
        """Find the lowest conformer."""
        return self.embed_by(embed)

    def run_job(self) -> Any:
        """Submit the one job."""
        inputs = {'importable': self.inputs.engine.calculator} if 'calculator' in self.inputs.engine else {}
        inputs |= {name: orm.Bool(True) for name in (ELASTIC.name, PHONONS.name) if name in self._stages()}
        if self.is_molecule():
            inputs |= {'structure': self.ctx.geometry, 'conformer': self.ctx.conformer}
        return self.submit_job(AseCalculation, scan=orm.Bool(self.needs('eos')), **inputs)

    def inspect_job(self) -> ExitCode | None:
        """Take the relaxed crystal, if there is one."""
        if not self.ctx.job.is_finished_ok:
            return self.exit_codes.ERROR_JOB_FAILED.format(reason=explain(self.node))
        # what was relaxed are the coordinates of a molecule, not the molecule
        self.out('geometry' if self.is_molecule() else 'relaxed', self.ctx.job.outputs.structure)
        return None

    def gather_molecule(self) -> ExitCode | None:
        """Attach the properties of a molecule, if it is still the one that was proposed."""
        outputs = self.ctx.job.outputs
        return self.finish_by(molecule_properties, structure=outputs.structure, results=outputs.results)

    def gather_properties(self) -> ExitCode | None:
        """Gather equation of state, elastic tensor and phonons as far as there are any, and attach the properties."""
        outputs, known, failure = self.ctx.job.outputs, self.known_references(), None
        if 'scan' in outputs:
            node = self.run_once('fit_equation_of_state', fit_scan, scan=outputs.scan, floor=orm.Float(ENERGY_FLOOR))
            if node.is_finished_ok:
                known['equation_of_state'] = node.outputs.result
                self.out('equation_of_state', node.outputs.result)
            else:
                failure = self.exit_codes.ERROR_EQUATION_OF_STATE.format(reason=node.exit_message)
        if 'deformed' in outputs:
            node = self.run_once(
                'gather_elastic',
                elastic_constants_of_job,
                structure=outputs.structure,
                deformed_crystals=outputs.deformed,
            )
            self.take('stage_elastic', node)
        if 'phonons' in outputs:
            node = self.run_once('gather_phonons', phonons_of_job, structure=outputs.structure, phonons=outputs.phonons)
            self.take('stage_phonons', node)
        properties = self.run_once(
            'gather_properties', job_properties, structure=outputs.structure, results=outputs.results, **known
        ).outputs.result
        return self.finish(properties, failure)
