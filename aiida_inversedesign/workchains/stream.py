"""What a stream of evaluations knows: what it may spend, what runs, and the decisions it has made, found by name."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict

from aiida_inversedesign.campaign.budget import Spent, stop_reason
from aiida_inversedesign.campaign.properties import dft_calculations_needed
from aiida_inversedesign.campaign.spec import Budget
from aiida_inversedesign.campaign.stream_budget import Limits, may_choose
from aiida_inversedesign.graph.steps import find_step
from aiida_inversedesign.processes.any_child import AnyChildWorkChain
from aiida_inversedesign.workchains.generation import GenerationWorkChain
from aiida_inversedesign.workchains.state import STATE, references_wanted
from aiida_inversedesign.workchains.stopping import request_for


class StreamWorkChain(AnyChildWorkChain, GenerationWorkChain):
    """The state of a stream, from its first moment or from an interrupted one.

    In the context are only counters, the newest nodes, and what waits or runs, so that a checkpoint stays small.
    Decisions of the past are found in the provenance graph by their names (``select 12``). That also makes a step that
    a restarted daemon runs again find the decision instead of making another.
    """

    def setup(self) -> None:
        """Begin with what there is, nothing running."""
        for name in STATE:
            self.ctx[name] = self.inputs.get(name)
        self.ctx.steps = {}
        self.ctx.running, self.ctx.reserved, self.ctx.waiting, self.ctx.chosen_by = {}, {}, [], {}
        self.ctx.done = self.ctx.rows_at_fit = self.ctx.rows_at_proposal = 0
        self.ctx.spent = {'dft_calculations': 0, 'core_hours': 0.0}
        self.ctx.without_reference = []
        self.ctx.exhausted = self.ctx.ended = False
        self.ctx.taken_up = None
        if self.ctx.table is not None:
            self.ctx.rows_at_proposal = self.ctx.table.counts['total']
            if self.ctx.surrogate is not None:
                self.ctx.rows_at_fit = self.ctx.table.counts['total']

    def take_up_batch(self) -> None:
        """Continue with what had been chosen before an interruption: harvest what had finished, launch the rest."""
        interrupted = self.inputs.interrupted
        finished = interrupted.outcomes.get_dict() if 'outcomes' in interrupted else {}
        names = [
            (key, choice['candidate'], choice['arm'])
            for key, batch in sorted(interrupted.get('batches', {}).items())
            for choice in batch['choices']
            if choice['candidate'] in interrupted.get('candidates', {})
        ]
        self.ctx.chosen_by = {name: [key, arm] for key, name, arm in names}
        self.ctx.waiting = [name for _, name, _ in names if name not in finished]
        self.ctx.taken_up = [name for _, name, _ in names if name in finished]
        # the budget may have become smaller since; what is left out may be chosen again
        for name in self.ctx.waiting[max(0, self.inputs.allowance['evaluations'] - len(self.ctx.taken_up)) :]:
            self.ctx.waiting.remove(name)
            self.ctx.chosen_by.pop(name)
        self.report(f'taking up {len(self.ctx.waiting)} of {len(names)} evaluations again')

    def return_state(self) -> None:
        """Hand over what was found."""
        for name in STATE:
            if self.ctx[name] is not None:
                self.out(name, self.ctx[name])

    # -- places and budget -------------------------------------------------------------------------------------

    @property
    def _at_once(self) -> int:
        return self.inputs.allowance.get('at_once') or self.inputs.settings['select']['batch']

    def _needed(self, properties: list[str]) -> int:
        return dft_calculations_needed(self.inputs.settings['evaluate'], properties)

    def _left(self) -> Limits:
        """What the budget leaves, running evaluations not subtracted."""
        allowed, spent = self.inputs.allowance.get_dict(), self.ctx.spent
        return Limits(
            *(
                None if allowed[name] is None else allowed[name] - spent[name]
                for name in ('dft_calculations', 'core_hours')
            )
        )

    def _stop(self) -> str | None:
        """Why nothing more is to be launched, or None: a user's request, hits or failures."""
        request = request_for(self.node)
        if request is not None:
            return str(request)
        counts = self.ctx.table.counts if self.ctx.table is not None else {'total': 0, 'failed': 0, 'hits': 0}
        budget = Budget.model_validate(self.inputs.allowance['budget'])
        return stop_reason(budget, Spent(counts['total'], counts['failed'], counts['hits']))

    def _missing_elements(self, structure: orm.StructureData) -> list[str]:
        """Elements of a crystal whose energy is needed and may still become known."""
        if not references_wanted(self.inputs.settings):
            return []
        known = self.ctx.references.get_dict() if self.ctx.references is not None else {}
        elements = {kind.symbol for kind in structure.kinds}
        return sorted(elements - set(known) - set(self.ctx.without_reference))

    def _places(self) -> int:
        """How many candidates are to be chosen now."""
        if self.ctx.exhausted or self.ctx.waiting or self._stop() is not None:
            return 0
        settings, allowed = self.inputs.settings, self.inputs.allowance.get_dict()
        rows = self.ctx.table.counts['total'] if self.ctx.table is not None else 0
        free = self._at_once - len(self.ctx.running)
        if self.ctx.running and not may_choose(rows, settings['select']['initial'], free, self._at_once):
            return 0
        if self.ctx.table is None and 'select' not in self.ctx.steps:
            free = max(free, settings['select']['initial'])
        left = (
            allowed['evaluations'] - self.ctx.done - sum(1 for name in self.ctx.running if name in self.ctx.chosen_by)
        )
        size = min(free, left)
        needed, budget = self._needed(self._properties), self._left()
        if budget.dft_calculations is not None and needed:
            reserved = sum(item['dft_calculations'] for item in self.ctx.reserved.values())
            size = min(size, (budget.dft_calculations - reserved) // needed)
        return size

    def _forget(self, name: str, costs: dict) -> None:
        """An evaluation or reference that has ended: its place and what it had reserved are free again."""
        self.ctx.running.pop(name, None)
        self.ctx.reserved.pop(name, None)
        self.ctx.chosen_by.pop(name, None)
        if name in costs:
            self.ctx.spent['dft_calculations'] += costs[name].dft_calculations
            self.ctx.spent['core_hours'] += costs[name].charged_core_hours

    # -- decisions ---------------------------------------------------------------------------------------------

    def _number(self, label: str) -> int:
        """The number of the next step of a kind."""
        return self.ctx.steps.get(label, 0) + 1

    def _step(self, label: str, function: Any, **inputs: Any) -> orm.CalcFunctionNode:
        """Make the next decision of a kind, or find the one that a restart would make again."""
        number = self._number(label)
        node = self.run_once(label, function, name=f'{label} {number}', **inputs)
        self.ctx.steps[label] = number
        return node

    def _selection(self, key: str) -> Any:
        return find_step(self.node.pk, 'select', f'select {int(key.rpartition("_")[2])}')

    def _batch(self, key: str) -> orm.Dict:
        """One of the choices made so far, or before an interruption."""
        earlier = self.inputs.get('interrupted', AttributeDict()).get('batches', {})
        return earlier[key] if key in earlier else self._selection(key).outputs.batch

    def _candidate(self, name: str) -> orm.Data:
        """The node of a candidate that was chosen."""
        key, _ = self.ctx.chosen_by[name]
        interrupted = self.inputs.get('interrupted', AttributeDict())
        if key in interrupted.get('batches', {}):
            return interrupted.candidates[name]
        return self._selection(key).outputs.candidates[name]

    def _drop_waiting(self) -> None:
        for name in self.ctx.waiting:
            self.ctx.chosen_by.pop(name)
        self.ctx.waiting = []

    def _taken_up(self) -> tuple[dict[str, Any], dict[str, orm.Dict], dict[str, orm.Data]]:
        """Outcomes, properties and crystals of what had finished before an interruption, at the first harvest."""
        if not self.ctx.taken_up:
            return {}, {}, {}
        interrupted, names = self.inputs.interrupted, set(self.ctx.taken_up)
        outcomes = {name: item for name, item in interrupted.outcomes.get_dict().items() if name in names}
        properties, relaxed = (
            {name: node for name, node in interrupted.get(key, {}).items() if name in names}
            for key in ('properties', 'relaxed')
        )
        return outcomes, properties, relaxed


def batch_key(number: int) -> str:
    """The key of a choice among the ``batches`` of a harvest."""
    return f'select_{number:05d}'


def symbol_of(name: str) -> str:
    """The element of a reference."""
    return name.removeprefix('reference_')
