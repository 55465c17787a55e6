"""Properties beyond those that an engine computes by itself: derived ones, and ones with a stage of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ExitCode, ToContext

from aiida_inversedesign.campaign.contracts.engine import Engine, engine_of
from aiida_inversedesign.campaign.contracts.property import Stage
from aiida_inversedesign.campaign.contracts.registry import load
from aiida_inversedesign.campaign.engine_settings import EngineSection
from aiida_inversedesign.campaign.properties import PROPERTIES, own_stages
from aiida_inversedesign.engines.common.calcfunctions import add_properties, numbers_of_curves, wanted
from aiida_inversedesign.engines.common.crystal_properties import missing_properties
from aiida_inversedesign.engines.common.limits import Allotment, LimitError
from aiida_inversedesign.graph.diagnosis import explain
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain


class FurtherProperties(IdempotentWorkChain):
    """The last steps of an evaluation.

    An engine that launches stages has ``while_(has_stage)(run_stage, inspect_stage)`` in its outline and a method
    ``_allot(chains, later)``. Its last step calls ``finish``.
    """

    def has_stage(self) -> bool:
        """Whether a property that was asked for has a stage that did not end yet."""
        return self.ctx.get('stages', 0) < len(self._stages())

    def run_stage(self) -> Any:
        """Share out what the limits leave to the next stage, or submit its jobs: all, or so many as run at once.

        They have the label ``stage_<name>``, with the label of their crystal behind it if there are several.
        """
        name, stage = self._stage()
        if not self.ctx.get('chains'):
            return self._begin(name, stage)
        return self.submit_next([label for label, _ in self.ctx.chains], lambda index: self._submit(stage, index))

    def submit_next(self, labels: Sequence[str], submit: Callable[[int], orm.ProcessNode]) -> ToContext:
        """Submit what was not submitted yet: all, or so many as may run at once."""
        end = min(len(labels), self.ctx.submitted + (self.at_once() or len(labels)))
        nodes = {labels[index]: submit(index) for index in range(self.ctx.submitted, end)}
        self.report(f'launching {", ".join(f"{label}<{node.pk}>" for label, node in nodes.items())}')
        self.ctx.submitted = end
        return ToContext(**nodes)

    def inspect_stage(self) -> None:
        """Take what the stage found, once all its jobs have ended; where one failed its properties are missing."""
        if not self.ctx.get('submitted'):
            return None
        name, stage = self._stage()
        nodes = {label: self.ctx[label] for label, _ in self.ctx.chains[: self.ctx.submitted]}
        failed = {label: node for label, node in nodes.items() if not node.is_finished_ok}
        if failed:
            label, node = next(iter(failed.items()))
            which = '' if label == f'stage_{name}' else f'{label.removeprefix(f"stage_{name}_")}: '
            return self._end(f'{which}{explain(node)}')
        if self.ctx.submitted < len(self.ctx.chains):
            return None
        outputs = {
            f'{label.removeprefix(f"stage_{name}_")}_{output}' if stage.crystals else output: node.outputs[output]
            for label, node in nodes.items()
            for output in stage.outputs
            if output in node.outputs
        }
        gathered = self.run_once(
            f'gather_{name}', load(stage.gather), structure=self.relaxed(), **self._settings_of(stage), **outputs
        )
        self.take(f'stage_{name}', gathered)
        return self._end('')

    def take(self, label: str, node: orm.CalcFunctionNode) -> None:
        """Keep what a function found, to be added to the properties, and why it found no more."""
        if not node.is_finished_ok:
            self._miss(f'{label}: {node.exit_message}', node.exit_message)
            return
        found = node.outputs.result
        self.ctx.found = {**self.ctx.get('found', {}), label: found}
        if found.get_dict().get('reason'):
            self._miss(f'{label}: {found["reason"]}', found['reason'])
        for name in sorted(set(node.outputs) & set(self.spec().outputs) - {'relaxed', 'properties'}):
            self.out(name, node.outputs[name])

    def finish(self, properties: orm.Dict, failure: ExitCode | None = None) -> ExitCode | None:
        """Attach the properties with derived ones and those of stages; see that everything asked for is among them.

        :param properties: what the engine computed by itself.
        """
        names = wanted(self.inputs.properties)
        record = self._added('add_stages', properties)
        for name in names:
            if name in PROPERTIES and PROPERTIES[name].compute and name not in record.get_dict():
                function = load(PROPERTIES[name].compute)
                node = self.run_once(f'derive_{name}', function, structure=self.relaxed(), properties=record)
                self.take(f'derive_{name}', node)
        curves = self.outputs.get('curves')
        if curves is not None and set(names) & set(self.inputs.settings.get_dict().get('functionals', {})):
            node = self.run_once('numbers_of_curves', numbers_of_curves, curves=curves, settings=self.inputs.settings)
            self.take('numbers_of_curves', node)
        record = self._added('add_derived', record)
        self.out('properties', record)
        known = record.get_dict() if curves is None else {**record.get_dict(), **curves_of(curves)}
        missing = missing_properties(names, known)
        if failure is None and missing:
            if 'over_limit' in self.ctx:
                return self.exit_codes.ERROR_LIMIT_REACHED.format(reason=self.ctx.over_limit)
            reasons = '; '.join(dict.fromkeys(self.ctx.get('reasons', ())))
            reason = f': {reasons}' if reasons else ''
            return self.exit_codes.ERROR_MISSING_PROPERTY.format(names=', '.join(missing), reason=reason)
        return failure

    def relaxed(self) -> orm.Data:
        """The candidate as the evaluation left it, which is the output ``relaxed``."""
        return self.outputs['relaxed']

    def engine(self) -> tuple[Engine, EngineSection]:
        """The engine's descriptor, and its section of the campaign file."""
        return engine_of(self.inputs.settings.get_dict())

    def launched(self, label: str) -> orm.ProcessNode | None:
        """The child of this call link label, if it is already there: the step that launches it runs again."""
        kinds = (LinkType.CALL_WORK, LinkType.CALL_CALC)
        return next((node for kind in kinds for node in self._children_under(kind, label)), None)

    def at_once(self) -> int | None:
        """Jobs of a stage that may run at once; None: all."""
        return None

    def stage_settings(self) -> dict[str, Any]:
        """The section ``evaluate`` as stages get it."""
        settings: dict[str, Any] = self.inputs.settings.get_dict()
        return settings

    def _stages(self) -> Mapping[str, Stage]:
        engine, section = self.engine()
        return own_stages(engine.computed(section, wanted(self.inputs.properties)))

    def _stage(self) -> tuple[str, Stage]:
        """The stage that is next or under way, and its name."""
        return list(self._stages().items())[self.ctx.get('stages', 0)]

    def _settings_of(self, stage: Stage) -> dict[str, orm.Dict]:
        """The section ``evaluate`` as an input of a stage's functions that ask for it."""
        return {'settings': self.inputs.settings} if stage.with_settings else {}

    def _begin(self, name: str, stage: Stage) -> None:
        """Note what the jobs of a stage compute and what each may cost; none is submitted in the same step.

        A step that a restarted daemon runs again would otherwise count its own jobs against the limits.
        """
        later = sum(other.jobs for other in list(self._stages().values())[self.ctx.get('stages', 0) + 1 :])
        chains = [[f'stage_{name}', self.relaxed()]]
        if stage.crystals:
            given = {'structure': self.relaxed(), **self._settings_of(stage)}
            node = self.run_once(f'prepare_{name}', load(stage.crystals), **given)
            if not node.is_finished_ok:
                self._end(str(node.exit_message))
                return
            chains = [[f'stage_{name}_{label}', node.outputs[label]] for label in sorted(node.outputs)]
        try:
            allotment = self._allot(len(chains) if stage.crystals else stage.jobs, later)
        except LimitError as error:
            self.report(f'{name} and what would follow is missing: {error}')
            self.ctx.over_limit, self.ctx.stages = str(error), len(self._stages())
            return
        # plain data, as checkpoints hold no other
        self.ctx.chains, self.ctx.submitted = chains, 0
        self.ctx.jobs_of_stage, self.ctx.seconds_of_stage = list(allotment.jobs), allotment.seconds

    def _submit(self, stage: Stage, index: int) -> orm.ProcessNode:
        """Submit one process of the stage, unless it is there already."""
        label, structure = self.ctx.chains[index]
        if known := self.launched(label):
            return known
        jobs = tuple(self.ctx.jobs_of_stage)
        process, inputs = load(stage.inputs)(
            code=self.inputs.engine.code,
            structure=structure,
            settings=self.stage_settings(),
            allotment=Allotment(jobs[index : index + 1] if stage.crystals else jobs, self.ctx.seconds_of_stage),
            **({'relaxed': self.relaxed()} if stage.crystals else {}),
            **{port: self.inputs.engine[port] for port in stage.codes if port in self.inputs.engine},
        )
        return self.submit_once(label, process, **inputs)

    def _end(self, problem: str) -> None:
        """Go on to the next stage.

        :param problem: why the stage has no result; empty if it has one.
        """
        if problem:
            self._miss(f'{self._stage()[0]} is missing: {problem}', problem)
        self.ctx.stages, self.ctx.chains, self.ctx.submitted = self.ctx.get('stages', 0) + 1, [], 0

    def _miss(self, report: str, reason: str | None) -> None:
        """Report why something is missing, and keep the reason for the exit message."""
        self.report(report)
        self.ctx.reasons = [*self.ctx.get('reasons', []), str(reason)]

    def _added(self, label: str, properties: orm.Dict) -> orm.Dict:
        """The properties with what was found since."""
        found, self.ctx.found = dict(self.ctx.get('found', {})), {}
        if not found:
            return properties
        return self.run_once(label, add_properties, properties=properties, **found).outputs.result
