"""The campaign: generation after generation, until the target or the budget is reached."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ToContext, while_

from aiida_inversedesign.campaign.budget import Allowance, Spent, allowance
from aiida_inversedesign.campaign.properties import dft_calculations_needed
from aiida_inversedesign.campaign.spec import Budget
from aiida_inversedesign.decisions.conclude import conclude
from aiida_inversedesign.graph.campaigns import campaign_cost
from aiida_inversedesign.graph.outcomes import failure
from aiida_inversedesign.processes.idempotent import OnceWorkChain
from aiida_inversedesign.workchains.asynchronous import AsynchronousWorkChain
from aiida_inversedesign.workchains.disk_shortage import shortage
from aiida_inversedesign.workchains.generation import GenerationWorkChain
from aiida_inversedesign.workchains.state import STATE, add_state_outputs, goal_properties
from aiida_inversedesign.workchains.stopping import find_request


class InverseDesignWorkChain(OnceWorkChain):
    """Closed-loop inverse design of crystals: propose, select, evaluate, learn, and stop."""

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
            message='Not a single evaluation was made: {reason}. Mend it and launch the campaign again.',
        )
        spec.exit_code(
            400,
            'GENERATION_FAILED',
            message='Generation {generation} ended early: {reason}. What was evaluated is in the output `table`; '
            'mend the cause, then `aiida-inversedesign resume {pk}`.',
        )

    def setup(self) -> None:
        """Begin where an earlier campaign ended, or at nothing."""
        self.ctx.generation = 0
        self.ctx.exhausted = None
        self.ctx.child = None
        for name in STATE:
            self.ctx[name] = self.inputs.get(name)
        if self.ctx.table is not None:
            self.ctx.generation = max((row.generation for row in self.ctx.table.get_rows()), default=0)

    def _spent(self) -> Spent:
        counts = self.ctx.table.counts if self.ctx.table is not None else {'total': 0, 'failed': 0, 'hits': 0}
        cost = campaign_cost(self.node)
        return Spent(
            evaluations=counts['total'],
            failed=counts['failed'],
            hits=counts['hits'],
            generations=self.ctx.generation,
            dft_calculations=cost.dft_calculations,
            core_hours=cost.charged_core_hours,
        )

    def may_go_on(self) -> bool:
        """Whether the budget allows another generation."""
        settings, budget = self.inputs.settings, Budget.model_validate(self.inputs.budget.get_dict())
        wanted = settings['select']['initial' if self.ctx.generation == 0 else 'batch']
        if self._is_asynchronous:
            wanted = budget.evaluations
        needed = dft_calculations_needed(settings['evaluate'], goal_properties(settings))
        spent = self._spent()
        allowed = self.ctx.exhausted or allowance(budget, spent, wanted, needed)
        self.ctx.spent = {**vars(spent), 'dft_per_evaluation': needed, 'exhausted': self.ctx.exhausted}
        requested = None if isinstance(allowed, str) else self._requested()
        if requested:
            self.ctx.spent['requested'] = requested
        if requested or isinstance(allowed, str):
            if not self._has_unharvested():
                return False
            # what had finished before an interruption is in no table yet: a generation that launches nothing takes it
            allowed = Allowance(0, 0, 0.0)
        self.ctx.allowance = {**vars(allowed), 'at_once': budget.at_once}
        if self._is_asynchronous:
            # it decides by itself when it has enough hits or too many failures
            self.ctx.allowance['budget'] = self.inputs.budget.get_dict()
        return True

    def _has_unharvested(self) -> bool:
        """Whether evaluations of an interrupted campaign had finished that nobody has harvested."""
        if self.ctx.child is not None or 'interrupted' not in self.inputs:
            return False
        interrupted = self.inputs.interrupted
        return 'outcomes' in interrupted and bool(interrupted.outcomes.get_dict())

    @property
    def _is_asynchronous(self) -> bool:
        # settings of the first version have no such key
        return self.inputs.settings['select'].get('schedule') == 'asynchronous'

    def _requested(self) -> str | None:
        """Why the campaign stops although its budget allows more: a user asked for it, or a disk is full."""
        request = find_request(self.node.pk)
        if request is not None:
            return str(request)
        # settings of the first version have no such key
        least = self.inputs.settings['evaluate'].get('free_space_gb', 0.0)
        return shortage(least, self.inputs.engine.values()) if 'engine' in self.inputs else None

    def run_generation(self):
        """Launch the next generation."""
        self.ctx.generation += 1
        inputs = self.exposed_inputs(GenerationWorkChain)
        if self.ctx.child is not None:
            inputs.pop('interrupted', None)
        inputs.update({name: self.ctx[name] for name in STATE if self.ctx[name] is not None})
        child = self.submit_once(
            f'generation_{self.ctx.generation:03d}',
            AsynchronousWorkChain if self._is_asynchronous else GenerationWorkChain,
            **inputs,
            generation=orm.Int(self.ctx.generation),
            allowance=orm.Dict(self.ctx.allowance),
        )
        self.report(f'launching generation {self.ctx.generation} as {child.process_label}<{child.pk}>')
        return ToContext(child=child)

    def inspect_generation(self):
        """Take over what the generation has found."""
        child = self.ctx.child
        for name in STATE:
            if name in child.outputs:
                self.ctx[name] = child.outputs[name]
        if child.is_finished_ok:
            return None
        if child.exit_status == 310:
            self.ctx.generation -= 1
            self.ctx.exhausted = child.exit_message
            return None
        self._return_state()
        if self.ctx.table is None:
            return self.exit_codes.NOTHING_EVALUATED.format(reason=failure(child))
        return self.exit_codes.GENERATION_FAILED.format(
            generation=self.ctx.generation, reason=failure(child), pk=self.node.pk
        )

    def finish(self):
        """Say why the campaign stopped and return what it found."""
        node = self.run_once('conclude', conclude, budget=self.inputs.budget, spent=orm.Dict(self.ctx.spent))
        self.out('stop_reason', node.outputs.stop_reason)
        self._return_state()
        self.report(f'stopped: {node.outputs.stop_reason.value}')
        if self.ctx.table is None:
            return self.exit_codes.NOTHING_EVALUATED.format(reason=node.outputs.stop_reason.value)
        return None

    def _return_state(self) -> None:
        for name in STATE:
            if self.ctx[name] is not None:
                self.out(name, self.ctx[name])
