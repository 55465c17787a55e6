"""The asynchronous schedule: a stream of evaluations, the next chosen as soon as one has ended."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import if_, while_

from aiida_inversedesign.audit.queries.steps import find_step
from aiida_inversedesign.audit.query import evaluation_costs
from aiida_inversedesign.campaign.budget import Spent, stop_reason
from aiida_inversedesign.campaign.spec import Budget, Propose
from aiida_inversedesign.campaign.stream import Limits, evaluation_limits, fit_is_due, most_of_one
from aiida_inversedesign.evaluate.options import processes, wall_seconds
from aiida_inversedesign.evaluate.properties import dft_calculations_needed
from aiida_inversedesign.learn.functions import fit_surrogate, harvest
from aiida_inversedesign.propose.functions import propose_candidates
from aiida_inversedesign.select.functions import select_batch
from aiida_inversedesign.workchains.any_child import AnyChildWorkChain
from aiida_inversedesign.workchains.generation import GenerationWorkChain, failure, outcome_of, refuse_as_cache
from aiida_inversedesign.workchains.references import collect_references, elemental_structures
from aiida_inversedesign.workchains.state import STATE, references_wanted, stability_wanted
from aiida_inversedesign.workchains.stopping import request_for, was_killed_by_request

#: Proposals of one stream are numbered apart from its generation and from those of the next.
_PROPOSALS = 10_000


class AsynchronousWorkChain(AnyChildWorkChain, GenerationWorkChain):
    """Keep as many evaluations running as may run at once, and learn from each that ends.

    It takes the place of a generation and has its children. In the context are only counters, the newest nodes, and
    what waits or runs; decisions of the past are found by their names (``select 12``).
    """

    @classmethod
    def define(cls, spec):
        """The inputs and outputs of a generation, another outline."""
        super().define(spec)
        spec.outline(
            cls.setup,
            if_(cls.is_interrupted)(cls.take_up_batch),
            while_(cls.goes_on)(
                cls.harvest_ended,
                cls.collect_energies,
                cls.choose,
                cls.launch_chosen,
            ),
            cls.fit,
            cls.return_state,
        )

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
            if choice['candidate'] in interrupted.get('structures', {})
        ]
        self.ctx.chosen_by = {name: [key, arm] for key, name, arm in names}
        self.ctx.waiting = [name for _, name, _ in names if name not in finished]
        self.ctx.taken_up = [name for _, name, _ in names if name in finished]
        self.report(f'taking up {len(self.ctx.waiting)} of {len(names)} evaluations again')

    def goes_on(self) -> bool:
        """Whether something runs, or is still to be chosen."""
        return not self.ctx.ended

    # -- what has ended ----------------------------------------------------------------------------------------

    def harvest_ended(self):
        """Add a row for each evaluation that has ended since the last turn, failed ones included."""
        request = request_for(self.node)
        ended = {name: child for name, child in self.ctx.running.items() if child.is_terminated}
        costs = evaluation_costs(self.node, [child.pk for child in ended.values()]) if ended else {}
        self.ctx.ended_references = [name for name in ended if name.startswith('reference_')]
        outcomes, properties, structures = self._taken_up()
        for name, child in ended.items():
            if name in self.ctx.ended_references:
                continue
            if was_killed_by_request(child, request):
                self._forget(name, costs)
                self.report(f'{name} was ended by the stop; it counts as not evaluated')
                continue
            outcomes[name] = outcome_of(child, costs.get(name))
            if child.is_finished_ok:
                properties[name], structures[name] = child.outputs.properties, child.outputs.structure
        if not outcomes:
            return None
        failed = [ended[name] for name in outcomes if name in ended and not ended[name].is_finished_ok]
        if failed:
            refuse_as_cache(self.node, failed)
        inputs: dict[str, Any] = {'table': self.ctx.table} if self.ctx.table is not None else {}
        if properties:
            inputs |= {'properties': properties, 'structures': structures}
        if stability_wanted(self.inputs.settings):
            inputs['references'] = self.ctx.references if self.ctx.references is not None else orm.Dict({})
        batches = {self.ctx.chosen_by[name][0] for name in outcomes}
        node = self._step(
            'harvest',
            harvest,
            settings=self.inputs.settings,
            pool=self.ctx.pool,
            outcomes=orm.Dict(outcomes),
            batches={key: self._batch(key) for key in sorted(batches)},
            **inputs,
        )
        if not node.is_finished_ok:
            return self._decision_failed('harvest', node)
        # of a harvest made before a restart: others may have ended since, which are left for the next
        harvested = node.inputs.outcomes.get_dict()
        self.ctx.table, self.ctx.taken_up = node.outputs.table, None
        for name, outcome in harvested.items():
            self._forget(name, costs)
            self.ctx.done += 1
            if outcome['reason']:
                self.report(f'{name} failed: {outcome["reason"]}')
        counts = self.ctx.table.counts
        self.report(
            f'harvested {", ".join(harvested)}: {counts["total"]} evaluations, {counts["failed"]} failed, '
            f'{counts["hits"]} hits so far'
        )
        return None

    def _taken_up(self) -> tuple[dict[str, Any], dict[str, orm.Dict], dict[str, orm.StructureData]]:
        """Outcomes, properties and crystals of what had finished before an interruption, at the first harvest."""
        if not self.ctx.taken_up:
            return {}, {}, {}
        interrupted, names = self.inputs.interrupted, set(self.ctx.taken_up)
        outcomes = {name: item for name, item in interrupted.outcomes.get_dict().items() if name in names}
        properties, structures = (
            {name: node for name, node in interrupted.get(key, {}).items() if name in names}
            for key in ('properties', 'relaxed')
        )
        return outcomes, properties, structures

    def _forget(self, name: str, costs: dict) -> None:
        """An evaluation or reference that has ended: its place and what it had reserved are free again."""
        self.ctx.running.pop(name, None)
        self.ctx.reserved.pop(name, None)
        self.ctx.chosen_by.pop(name, None)
        if name in costs:
            self.ctx.spent['dft_calculations'] += costs[name].dft_calculations
            self.ctx.spent['core_hours'] += costs[name].charged_core_hours

    def collect_energies(self):
        """Collect the energies of elements that have been computed."""
        names = [name for name in self.ctx.ended_references if name in self.ctx.running]
        if not names:
            return
        children = {name: self.ctx.running[name] for name in names}
        costs = evaluation_costs(self.node, [child.pk for child in children.values()])
        found = {_symbol(name): child.outputs.properties for name, child in children.items() if child.is_finished_ok}
        if found:
            inputs = {'references': self.ctx.references} if self.ctx.references is not None else {}
            node = self._step('references', collect_references, settings=self.inputs.settings, **inputs, **found)
            self.ctx.references = node.outputs.references
        known = self.ctx.references.get_dict() if self.ctx.references is not None else {}
        for name, child in children.items():
            if not child.is_finished_ok:
                self.report(f'the reference of {_symbol(name)} failed: {failure(child)}')
                self.ctx.without_reference.append(_symbol(name))
            if not child.is_finished_ok or _symbol(name) in known:
                self._forget(name, costs)
        return

    # -- what is next ------------------------------------------------------------------------------------------

    def choose(self):
        """Choose candidates for the free places, those that run counted as pending."""
        size = self._places()
        if size < 1:
            return None
        if (failed := self._fit_if_due()) is not None:
            return failed
        if self._needs_candidates(size) and (failed := self._propose()) is not None:
            return failed
        inputs = {name: self.ctx[name] for name in ('table', 'surrogate') if self.ctx[name] is not None}
        arms = {name: arm for name, (_, arm) in self.ctx.chosen_by.items()}
        number = self._number('select')
        node = self._step(
            'select',
            select_batch,
            settings=self.inputs.settings,
            pool=self.ctx.pool,
            generation=self.inputs.generation,
            size=orm.Int(size),
            pending=orm.Dict({'turn': number, 'running': arms}),
            **inputs,
        )
        if not node.is_finished_ok:
            return self._decision_failed('selection', node)
        choices = node.outputs.batch['choices']
        for choice in choices:
            self.ctx.chosen_by[choice['candidate']] = [_key(number), choice['arm']]
            self.ctx.waiting.append(choice['candidate'])
        if not choices:
            # none comes back: what runs now is left out for good, whatever becomes of it
            self.ctx.exhausted = True
            self.report('every candidate of the pool has been evaluated or is running')
        return None

    def _places(self) -> int:
        """How many candidates are to be chosen now."""
        if self.ctx.exhausted or self.ctx.waiting or self._stop() is not None:
            return 0
        settings, allowed = self.inputs.settings, self.inputs.allowance.get_dict()
        free = self._at_once - len(self.ctx.running)
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

    def _fit_if_due(self):
        rows = self.ctx.table.counts['total'] if self.ctx.table is not None else 0
        return self.fit() if rows and fit_is_due(rows, self.ctx.rows_at_fit) else None

    def fit(self):
        """Fit the surrogate anew to what is known now, unless it was fitted to that."""
        rows = self.ctx.table.counts['total'] if self.ctx.table is not None else 0
        if rows == 0 or rows == self.ctx.rows_at_fit:
            return None
        source = {'library': self.inputs.library} if self.inputs.settings['learn'].get('source') else {}
        node = self._step('fit', fit_surrogate, settings=self.inputs.settings, table=self.ctx.table, **source)
        if node.is_finished_ok:
            self.ctx.surrogate, self.ctx.rows_at_fit = node.outputs.surrogate, rows
            return None
        if node.exit_status == 320:
            self.report(node.exit_message)
            return None
        return self._decision_failed('fit', node)

    def _needs_candidates(self, size: int) -> bool:
        """Whether too few candidates are left for the free places, or a search is to propose anew."""
        if self.ctx.pool is None:
            return True
        if self.ctx.get('space_considered'):
            return False
        rows = self.ctx.table.counts['total'] if self.ctx.table is not None else 0
        settings = self.inputs.settings
        since = rows - self.ctx.rows_at_proposal
        if Propose.model_validate(settings['propose']).renewed and since >= settings['select']['batch']:
            return True
        return self.ctx.pool.accepted - rows - len(self.ctx.chosen_by) < size

    def _propose(self):
        """Propose candidates of formulas that were not considered before."""
        inputs = {name: self.inputs[name] for name in ('settings', 'library', 'model') if name in self.inputs}
        inputs |= {name: self.ctx[name] for name in ('table', 'pool') if self.ctx[name] is not None}
        number, generation = self._number('propose'), self.inputs.generation.value
        first = number == 1 and 'pool' not in self.inputs
        node = self._step(
            'propose',
            propose_candidates,
            generation=self.inputs.generation if first else orm.Int(_PROPOSALS * generation + number),
            **inputs,
        )
        if node.is_finished_ok:
            pool = self.ctx.pool = node.outputs.pool
            self.ctx.rows_at_proposal = self.ctx.table.counts['total'] if self.ctx.table is not None else 0
            self.report(f'proposed {pool.accepted} candidates of {pool.formulas} formulas in PoolData<{pool.pk}>')
            return None
        if node.exit_status != 310:
            return self._decision_failed('proposal', node)
        if self.ctx.pool is None:
            return self.exit_codes.SPACE_EXHAUSTED.format(reason=node.exit_message)
        self.ctx.space_considered = True
        self.report('the space has no further formulas: choosing among the candidates that are left')
        return None

    # -- launching ---------------------------------------------------------------------------------------------

    def launch_chosen(self):
        """Launch what was chosen as far as places and budget allow, and wait until anything that runs has ended."""
        if self.ctx.waiting and (reason := self._stop()) is not None:
            self.report(f'{reason}: {", ".join(self.ctx.waiting)} not launched')
            self._drop_waiting()
        for name in list(self.ctx.waiting):
            if len(self.ctx.running) >= self._at_once:
                break
            structure = self._structure(name)
            if missing := self._missing_elements(structure):
                self._launch_references(missing)
                continue
            if not self._launch(name, structure, self._properties):
                break
            self.ctx.waiting.remove(name)
        if self.ctx.running:
            self.wait_for_any(self.ctx.running.values())
            return None
        if self.ctx.waiting:
            self.report(f'the budget does not cover {", ".join(self.ctx.waiting)}')
            self._drop_waiting()
        self.ctx.ended = True
        if self.ctx.exhausted and self.ctx.done == 0:
            self.return_state()
            return self.exit_codes.SPACE_EXHAUSTED.format(reason='every candidate of the pool has been evaluated')
        return None

    def _launch(self, name: str, structure: orm.StructureData, properties: list[str]) -> bool:
        """Launch an evaluation or a reference, unless the budget does not cover it any more."""
        needed, settings = self._needed(properties), self.inputs.settings['evaluate']
        limits = evaluation_limits(
            self._left(),
            [Limits(**item) for item in self.ctx.reserved.values()],
            self._at_once - len(self.ctx.running),
            needed,
            most_of_one(settings, needed, wall_seconds(settings), processes(settings)),
        )
        if limits is None:
            return False
        child = self._evaluate(name, structure, properties, vars(limits))
        self.ctx.running[name], self.ctx.reserved[name] = child, dict(vars(limits))
        self.report(f'evaluating {name} ({structure.get_formula()}) in {child.process_label}<{child.pk}>')
        return True

    def _launch_references(self, symbols: list[str]) -> None:
        """Relax the elements whose energy is not known, as places become free."""
        symbols = [symbol for symbol in symbols if f'reference_{symbol}' not in self.ctx.running]
        if not symbols or len(self.ctx.running) >= self._at_once:
            return
        node = self._step('elements', elemental_structures, elements=orm.List(symbols))
        for symbol, structure in node.outputs.structures.items():
            if len(self.ctx.running) < self._at_once:
                self._launch(f'reference_{symbol}', structure, ['energy'])

    def return_state(self) -> None:
        """Hand over what was found."""
        for name in STATE:
            if self.ctx[name] is not None:
                self.out(name, self.ctx[name])

    # -- what is known -----------------------------------------------------------------------------------------

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

    def _structure(self, name: str) -> orm.StructureData:
        """The crystal of a candidate that was chosen."""
        key, _ = self.ctx.chosen_by[name]
        interrupted = self.inputs.get('interrupted', AttributeDict())
        if key in interrupted.get('batches', {}):
            return interrupted.structures[name]
        return self._selection(key).outputs.structures[name]

    def _drop_waiting(self) -> None:
        for name in self.ctx.waiting:
            self.ctx.chosen_by.pop(name)
        self.ctx.waiting = []


def _key(number: int) -> str:
    return f'select_{number:05d}'


def _symbol(name: str) -> str:
    return name.removeprefix('reference_')
