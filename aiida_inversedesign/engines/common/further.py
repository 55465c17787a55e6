"""Properties beyond those that an engine computes by itself: derived ones, and ones with a stage of their own."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, ToContext

from aiida_inversedesign.campaign.contracts.registry import load
from aiida_inversedesign.campaign.properties import PROPERTIES, own_stages
from aiida_inversedesign.engines.common.calcfunctions import add_properties, wanted
from aiida_inversedesign.engines.common.crystal_properties import missing_properties
from aiida_inversedesign.engines.common.limits import LimitError
from aiida_inversedesign.graph.diagnosis import explain
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain


class FurtherProperties(IdempotentWorkChain):
    """The last steps of an evaluation.

    An engine that launches stages has ``while_(has_stage)(run_stage, inspect_stage)`` in its outline and a method
    ``_allot(chains, later)``. Its last step calls ``finish``.
    """

    def has_stage(self) -> bool:
        """Whether a property that was asked for has a stage that was not launched yet."""
        return self.ctx.get('stages', 0) < len(self._stages())

    def run_stage(self) -> Any:
        """Submit the next stage under the label ``stage_<property>``."""
        stages = list(self._stages().items())
        name, stage = stages[self.ctx.get('stages', 0)]
        later = sum(other.jobs for _, other in stages[self.ctx.get('stages', 0) + 1 :])
        # of one that was launched before a restart, the limits count the jobs already
        node = self.launched(f'stage_{name}')
        if node is None:
            try:
                allotment = self._allot(stage.jobs, later)
            except LimitError as error:
                return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=error)
            process, inputs = load(stage.inputs)(
                code=self.inputs.engine.code,
                structure=self.relaxed(),
                settings=self.inputs.settings.get_dict(),
                allotment=allotment,
            )
            node = self.submit_once(f'stage_{name}', process, **inputs)
        self.ctx.stages = self.ctx.get('stages', 0) + 1
        self.report(f'launching {node.process_label}<{node.pk}> for {name}')
        return ToContext(stage=node)

    def inspect_stage(self) -> None:
        """Take what the stage found; where it failed its property is missing."""
        name, stage = list(self._stages().items())[self.ctx.stages - 1]
        if not self.ctx.stage.is_finished_ok:
            self.report(f'{name} is missing: {explain(self.ctx.stage)}')
            return
        outputs = {label: self.ctx.stage.outputs[label] for label in stage.outputs if label in self.ctx.stage.outputs}
        node = self.run_once(f'gather_{name}', load(stage.gather), structure=self.relaxed(), **outputs)
        self._keep(f'stage_{name}', node)

    def finish(self, properties: orm.Dict, failure: ExitCode | None = None) -> ExitCode | None:
        """Attach the properties with derived ones and those of stages; see that everything asked for is among them.

        :param properties: what the engine computed by itself.
        :param failure: what went wrong already.
        """
        names = wanted(self.inputs.properties)
        record = self._added('add_stages', properties)
        for name in names:
            if name in PROPERTIES and PROPERTIES[name].compute and name not in record.get_dict():
                function = load(PROPERTIES[name].compute)
                node = self.run_once(f'derive_{name}', function, structure=self.relaxed(), properties=record)
                self._keep(f'derive_{name}', node)
        record = self._added('add_derived', record)
        self.out('properties', record)
        missing = missing_properties(names, record.get_dict())
        if failure is None and missing:
            return self.exit_codes.ERROR_MISSING_PROPERTY.format(names=', '.join(missing))
        return failure

    def relaxed(self) -> orm.Data:
        """The candidate as the evaluation left it, which is the output ``relaxed``."""
        return self.outputs['relaxed']

    def launched(self, label: str) -> orm.ProcessNode | None:
        """The child of this call link label, if it is already there: the step that launches it runs again."""
        kinds = (LinkType.CALL_WORK, LinkType.CALL_CALC)
        return next((node for kind in kinds for node in self._children_under(kind, label)), None)

    def _stages(self) -> dict[str, Any]:
        return own_stages(wanted(self.inputs.properties))

    def _keep(self, label: str, node: orm.CalcFunctionNode) -> None:
        """Note what a function found, to be added to the properties."""
        if node.is_finished_ok:
            self.ctx.found = {**self.ctx.get('found', {}), label: node.outputs.result}
        else:
            self.report(f'{label} gave nothing: {node.exit_message}')

    def _added(self, label: str, properties: orm.Dict) -> orm.Dict:
        """The properties with what was found since."""
        found, self.ctx.found = dict(self.ctx.get('found', {})), {}
        if not found:
            return properties
        return self.run_once(label, add_properties, properties=properties, **found).outputs.result
