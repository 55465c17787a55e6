"""The ``ase`` engine: any ASE calculator as a job on any computer."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, while_

from aiida_inversedesign.campaign.properties import own_stages
from aiida_inversedesign.engines.ase.job import AseCalculation
from aiida_inversedesign.engines.common.calcfunctions import fit_scan, job_properties, wanted
from aiida_inversedesign.engines.common.elastic import elastic_constants_of_job
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.engines.common.limits import LimitError
from aiida_inversedesign.engines.common.properties import ELASTIC
from aiida_inversedesign.graph.diagnosis import explain


class AseEvaluateWorkChain(EvaluateWorkChain):
    """Relaxes a crystal, scans its energy over volumes and strains it in one job.

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
        spec.outline(cls.check_inputs, while_(cls.job_is_due)(cls.run_job), cls.inspect_job, cls.gather_properties)
        spec.output('equation_of_state', valid_type=orm.Dict, required=False, help='The fit and its points.')

    def run_job(self) -> Any:
        """Submit the one job."""
        try:
            seconds = self.job_seconds()
        except LimitError as error:
            return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
        inputs = {'importable': self.inputs.engine.calculator} if 'calculator' in self.inputs.engine else {}
        if self.needs_elastic():
            inputs['elastic'] = orm.Bool(True)
        return self.submit_job(AseCalculation, seconds, scan=orm.Bool(self.needs('eos')), **inputs)

    def needs_elastic(self) -> bool:
        """Whether a property that was asked for needs the elastic tensor."""
        return ELASTIC.name in own_stages(wanted(self.inputs.properties))

    def inspect_job(self) -> ExitCode | None:
        """Take the relaxed crystal, if there is one."""
        if not self.ctx.job.is_finished_ok:
            return self.exit_codes.ERROR_JOB_FAILED.format(reason=explain(self.node))
        self.out('relaxed', self.ctx.job.outputs.structure)
        return None

    def gather_properties(self) -> ExitCode | None:
        """Fit equation of state and elastic tensor as far as they were computed, and attach the properties."""
        outputs, known, failure = self.ctx.job.outputs, self.known_references(), None
        if 'scan' in outputs:
            node = self.run_once('fit_equation_of_state', fit_scan, scan=outputs.scan)
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
        properties = self.run_once(
            'gather_properties', job_properties, structure=outputs.structure, results=outputs.results, **known
        ).outputs.result
        return self.finish(properties, failure)
