"""The campaign: generation after generation, until the target or the budget is reached."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ToContext, while_

from aiida_inversedesign.campaign.costs.budget import Allowance, Spent, next_allowance
from aiida_inversedesign.campaign.spec import Budget, CampaignSettings
from aiida_inversedesign.decisions.conclude import conclude
from aiida_inversedesign.graph.campaigns import campaign_cost
from aiida_inversedesign.graph.outcomes import ending_of
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain
from aiida_inversedesign.workchains import steps
from aiida_inversedesign.workchains.asynchronous import AsynchronousWorkChain
from aiida_inversedesign.workchains.disk_shortage import shortage
from aiida_inversedesign.workchains.generation import GenerationWorkChain
from aiida_inversedesign.workchains.state import STATE, add_state_outputs
from aiida_inversedesign.workchains.stopping import find_request


class InverseDesignWorkChain(IdempotentWorkChain):
    """Closed-loop inverse design of materials: propose, select, evaluate, learn, and stop."""

    @classmethod
    def define(cls, spec):
        """Inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.expose_inputs(GenerationWorkChain, exclude=('generation', 'allowance'))
        spec.input('budget', valid_type=orm.Dict, help='When to stop: the `budget` section of the campaign file.')
        spec.outline(
            cls.setup,
            while_(cls.may_go_on)(
                cls.run_generation,
                cls.inspect_generation,
            ),
            cls.finish,
        )
        spec.output('stop_reason', valid_type=orm.Str, help='Why the campaign stopped.')
        add_state_outputs(spec)
        spec.exit_code(
            301,
            'NOTHING_EVALUATED',
            message='Not a single evaluation was made: {reason}. Fix it and launch the campaign again.',
        )
        spec.exit_code(
            400,
            'GENERATION_FAILED',
            message='Generation {generation} ended early: {reason}. What was evaluated is in the output `table`; '
            'fix the cause, then `aiida-inversedesign resume {pk}`.',
        )

    def setup(self) -> None:
        """Begin where an earlier campaign ended, or at nothing."""
        steps.begin(self)
        self.ctx.generation = 0
        self.ctx.exhausted = None
        self.ctx.child = None
        if self.ctx.table is not None:
            self.ctx.generation = max((row.generation for row in self.ctx.table.get_rows()), default=0)

    def may_go_on(self) -> bool:
        """Whether the budget allows another generation."""
        settings, budget = settings_of(self.inputs.settings), Budget.model_validate(self.inputs.budget.get_dict())
        spent = Spent.of(steps.counts(self), self.ctx.generation, *campaign_cost(self.node).charged)
        allowed = self.ctx.exhausted or next_allowance(settings, budget, spent)
        self.ctx.spent = {**spent.record(settings), 'exhausted': self.ctx.exhausted}
        requested = None if isinstance(allowed, str) else self._requested(settings)
        if requested:
            self.ctx.spent['requested'] = requested
        if requested or isinstance(allowed, str):
            if not self._has_unharvested():
                return False
            # what had finished before an interruption is in no table yet: a generation that launches nothing takes it
            allowed = Allowance(0, 0, 0.0)
        self.ctx.allowance = allowed.record(settings, budget)
        return True

    def _has_unharvested(self) -> bool:
        """Whether evaluations of an interrupted campaign had finished that nobody has harvested."""
        if self.ctx.child is not None or 'interrupted' not in self.inputs:
            return False
        interrupted = self.inputs.interrupted
        return 'outcomes' in interrupted and bool(interrupted.outcomes.get_dict())

    def _requested(self, settings: CampaignSettings) -> str | None:
        """Why the campaign stops although its budget allows more: a user asked for it, or a disk is full."""
        request = find_request(self.node.pk)
        if request is not None:
            return str(request)
        least = settings.evaluate.free_space_gb
        return shortage(least, self.inputs.engine.values()) if 'engine' in self.inputs else None

    def run_generation(self):
        """Launch the next generation."""
        self.ctx.generation += 1
        inputs = self.exposed_inputs(GenerationWorkChain)
        if self.ctx.child is not None:
            inputs.pop('interrupted', None)
        inputs.update({name: self.ctx[name] for name in STATE if self.ctx[name] is not None})
        schedule = settings_of(self.inputs.settings).select.schedule
        child = self.submit_once(
            f'generation_{self.ctx.generation:03d}',
            AsynchronousWorkChain if schedule == 'asynchronous' else GenerationWorkChain,
            **inputs,
            generation=orm.Int(self.ctx.generation),
            allowance=orm.Dict(self.ctx.allowance),
        )
        self.report(f'launching generation {self.ctx.generation} as {child.process_label}<{child.pk}>')
        return ToContext(child=child)

    def inspect_generation(self):
        """Continue with what the generation has found."""
        child = self.ctx.child
        for name in STATE:
            if name in child.outputs:
                self.ctx[name] = child.outputs[name]
        if child.is_finished_ok:
            return None
        if child.exit_status == GenerationWorkChain.exit_codes.SPACE_EXHAUSTED.status:
            self.ctx.generation -= 1
            self.ctx.exhausted = child.exit_message
            return None
        steps.return_state(self)
        if self.ctx.table is None:
            return self.exit_codes.NOTHING_EVALUATED.format(reason=ending_of(child).reason)
        return self.exit_codes.GENERATION_FAILED.format(
            generation=self.ctx.generation, reason=ending_of(child).reason, pk=self.node.pk
        )

    def finish(self):
        """Say why the campaign stopped and return what it found."""
        node = self.run_once('conclude', conclude, budget=self.inputs.budget, spent=orm.Dict(self.ctx.spent))
        self.out('stop_reason', node.outputs.stop_reason)
        steps.return_state(self)
        self.report(f'stopped: {node.outputs.stop_reason.value}')
        if self.ctx.table is None:
            return self.exit_codes.NOTHING_EVALUATED.format(reason=node.outputs.stop_reason.value)
        return None
