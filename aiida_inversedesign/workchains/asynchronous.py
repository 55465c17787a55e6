"""The asynchronous schedule: a stream of evaluations, the next chosen as soon as one has ended."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import if_, while_

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.costs.budget import Limits, Spent, stop_reason
from aiida_inversedesign.campaign.costs.budget_of_stream import evaluation_limits, fit_is_due, most_of_one, to_choose
from aiida_inversedesign.campaign.demands import core_hours_needed, engine_properties, engine_section, jobs_needed
from aiida_inversedesign.campaign.spec import Budget
from aiida_inversedesign.decisions.elemental_references import elemental_structures
from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
from aiida_inversedesign.decisions.propose_candidates import propose_candidates
from aiida_inversedesign.decisions.select_batch import select_batch
from aiida_inversedesign.engines.common.options import processes, wall_seconds
from aiida_inversedesign.graph.campaigns import evaluation_costs
from aiida_inversedesign.graph.evaluation_account import REFERENCE
from aiida_inversedesign.graph.outcomes import Results
from aiida_inversedesign.graph.steps import find_step
from aiida_inversedesign.processes.any_child import AnyChildWorkChain
from aiida_inversedesign.workchains import steps
from aiida_inversedesign.workchains.state import add_generation_ports
from aiida_inversedesign.workchains.stopping import request_for

#: Seeds of the further proposals of a stream lie this far from the number of its generation.
_PROPOSALS = 10_000


class AsynchronousWorkChain(AnyChildWorkChain):
    """Keep as many evaluations running as may run at once, and learn from each that ends.

    It replaces a generation and has its ports and children. In the context are only counters, the newest
    nodes, and what waits or runs, so that a checkpoint stays small. Decisions of the past are found in the provenance
    graph by their names (``select 12``). That also makes a step that a restarted daemon runs again find the decision
    instead of making another.
    """

    @classmethod
    def define(cls, spec):
        """The ports of a generation, another outline."""
        super().define(spec)
        add_generation_ports(spec)
        spec.outline(
            cls.setup,
            if_(cls.is_interrupted)(cls.take_up_batches),
            while_(cls.goes_on)(
                cls.harvest_ended,
                cls.collect_energies,
                cls.choose,
                cls.launch_chosen,
            ),
            cls.fit,
            cls.finish,
        )

    def decide(self, label: str, function: Any, **inputs: Any) -> orm.CalcFunctionNode:
        """Make the next decision of a kind, or find the one that a restart would make again."""
        number = self._number(label)
        node = self.run_once(label, function, name=f'{label} {number}', **inputs)
        self.ctx.numbers[label] = number
        return node

    def _number(self, label: str) -> int:
        """The number of the next decision of a kind."""
        return self.ctx.numbers.get(label, 0) + 1

    # -- the stream --------------------------------------------------------------------------------------------

    def setup(self):
        """Begin with the state that is there or the starting data, nothing running."""
        if (failed := steps.begin(self)) is not None:
            return failed
        self.ctx.numbers = {}
        self.ctx.running, self.ctx.reserved, self.ctx.waiting, self.ctx.chosen_by = {}, {}, [], {}
        self.ctx.done = 0
        self.ctx.rows_at_proposal = self._rows
        self.ctx.rows_at_fit = self._rows if self.ctx.surrogate is not None else 0
        self.ctx.jobs_spent, self.ctx.hours_spent = 0, 0.0
        self.ctx.without_reference, self.ctx.taken_up = [], []
        self.ctx.exhausted = self.ctx.space_considered = self.ctx.ended = False
        return None

    def is_interrupted(self) -> bool:
        """Whether the choices of an interrupted campaign are continued."""
        return 'interrupted' in self.inputs

    def take_up_batches(self) -> None:
        """Continue with what had been chosen before an interruption: harvest what had finished, launch the rest."""
        interrupted = self.inputs.interrupted
        finished = interrupted.outcomes.get_dict() if 'outcomes' in interrupted else {}
        chosen = {
            choice['candidate']: [key, choice['arm']]
            for key, batch in sorted(interrupted.get('batches', {}).items())
            for choice in batch['choices']
            if choice['candidate'] in interrupted.get('candidates', {})
        }
        self.ctx.taken_up = list(finished)
        waiting = [name for name in chosen if name not in finished]
        self.ctx.waiting = steps.still_allowed(self, waiting, len(chosen) - len(waiting))
        self.ctx.chosen_by = {name: chosen[name] for name in chosen if name in finished or name in self.ctx.waiting}
        self.report(f'continuing {len(self.ctx.waiting)} of {len(chosen)} evaluations')

    def goes_on(self) -> bool:
        """Whether something runs, or is still to be chosen."""
        return not self.ctx.ended

    def finish(self) -> None:
        """Return the state."""
        steps.return_state(self)

    @property
    def _rows(self) -> int:
        """Evaluations that have ended, those before this stream and the starting data included."""
        return steps.counts(self)['total'] + steps.known_points(self)

    @property
    def _at_once(self) -> int:
        return self.inputs.allowance['at_once'] or steps.settings(self).select.batch

    def _stop(self) -> str | None:
        """Why nothing more is to be launched, or None: a user's request, hits or failures."""
        request = request_for(self.node)
        budget = Budget.model_validate(self.inputs.allowance['budget'])
        return str(request) if request is not None else stop_reason(budget, Spent.of(steps.counts(self), 0))

    def _left(self) -> Limits:
        """What the budget leaves, running evaluations not subtracted."""
        return steps.allowed_limits(self).less([(self.ctx.jobs_spent, self.ctx.hours_spent)])

    def _reserved(self) -> list[Limits]:
        return [Limits(**item) for item in self.ctx.reserved.values()]

    def _forget(self, names: list[str], costs: dict[str, Any]) -> None:
        """Free the slots of evaluations or references that have ended, and what was reserved for them."""
        for name in names:
            for part in (self.ctx.running, self.ctx.reserved, self.ctx.chosen_by):
                part.pop(name, None)
            if name in costs:
                self.ctx.jobs_spent += costs[name].dft_calculations
                self.ctx.hours_spent += costs[name].charged_core_hours

    # -- what has ended ----------------------------------------------------------------------------------------

    def harvest_ended(self):
        """Add a row for each evaluation that has ended since the last turn, failed ones included."""
        ended = {name: child for name, child in self.ctx.running.items() if child.is_terminated}
        self.ctx.ended_references = [name for name in ended if name.startswith(REFERENCE)]
        ended = {name: child for name, child in ended.items() if name not in self.ctx.ended_references}
        results = Results.of_interrupted(self.inputs.get('interrupted', {}), self.ctx.taken_up)
        costs = steps.take_ended(self, results, ended)
        self._forget([name for name in ended if name not in results.outcomes], costs)
        if not results.outcomes:
            return None
        # what is made again may have been chosen long ago: its row is there
        keys = sorted({self.ctx.chosen_by[name][0] for name in results.outcomes if name in self.ctx.chosen_by})
        failed = steps.take_results(self, results, batches={key: self._batch(key) for key in keys})
        if failed is not None:
            return failed
        # of a harvest made before a restart: others may have ended since, which are left for the next
        harvested = list(self.ctx.table.creator.inputs.outcomes.get_dict())
        self.ctx.taken_up = []
        self.ctx.done += sum(name in self.ctx.chosen_by for name in harvested)
        self._forget(harvested, costs)
        return None

    def collect_energies(self) -> None:
        """Collect the energies of elements that have been computed."""
        names = [name for name in self.ctx.ended_references if name in self.ctx.running]
        if not names:
            return
        children = {name: self.ctx.running[name] for name in names}
        costs = evaluation_costs(self.node, [child.pk for child in children.values()])
        failed = steps.take_references(self, children)
        self.ctx.without_reference += failed
        energies = self.ctx.references.get_dict() if self.ctx.references is not None else {}
        # of a collection made before a restart: others may have ended since
        self._forget([name for name in names if steps.symbol_of(name) in {*failed, *energies}], costs)

    # -- what is next ------------------------------------------------------------------------------------------

    def choose(self):
        """Choose candidates for the free slots, those that run counted as pending."""
        if again := steps.launch_again(self, steps.later_answers(self)):
            # they end at once: the choice is made with what they say
            self.ctx.running |= again
            return None
        size = self._size()
        if size < 1:
            return None
        if fit_is_due(self._rows, self.ctx.rows_at_fit) and (failed := self.fit()) is not None:
            return failed
        if self._needs_candidates(size) and (failed := self._propose()) is not None:
            return failed
        arms = {name: arm for name, (_, arm) in self.ctx.chosen_by.items()}
        number = self._number('select')
        pending = orm.Dict({'turn': number, 'running': arms})
        node = self.decide('select', select_batch, pending=pending, **steps.selection_inputs(self, size))
        if not node.is_finished_ok:
            return steps.decision_failed(self, 'selection', node)
        choices = node.outputs.batch['choices']
        for choice in choices:
            self.ctx.chosen_by[choice['candidate']] = [f'select_{number:05d}', choice['arm']]
            self.ctx.waiting.append(choice['candidate'])
        if not choices:
            # none comes back: what runs now is left out for good, whatever becomes of it
            self.ctx.exhausted = True
            self.report('every candidate of the pool has been evaluated or is running')
        return None

    def _size(self) -> int:
        """How many candidates are to be chosen now."""
        if self.ctx.exhausted or self.ctx.waiting or self._stop() is not None:
            return 0
        settings, running = steps.settings(self), self.ctx.running
        size = to_choose(
            settings,
            ended=self._rows,
            running=len(running),
            chosen=self.ctx.done + sum(name in self.ctx.chosen_by for name in running),
            allowed=self.inputs.allowance['evaluations'],
            at_once=self._at_once,
            is_first=not steps.counts(self)['total'] and 'select' not in self.ctx.numbers,
        )
        reserved = [(item.dft_calculations or 0, item.core_hours or 0.0) for item in self._reserved()]
        return self._left().less(reserved).covered(size, jobs_needed(settings), core_hours_needed(settings))

    def fit(self):
        """Fit the surrogate to what is known now, unless it was fitted to that."""
        if self._rows in (0, self.ctx.rows_at_fit):
            return None
        node = self.decide('fit', fit_surrogate, **steps.fit_inputs(self))
        if node.is_finished_ok:
            self.ctx.rows_at_fit = self._rows
        return steps.take_surrogate(self, node)

    def _needs_candidates(self, size: int) -> bool:
        """Whether there are too few candidates for the free slots, or a search is to propose further ones."""
        if self.ctx.pool is None:
            return True
        if self.ctx.space_considered:
            return False
        settings = steps.settings(self)
        if settings.renewed and self._rows - self.ctx.rows_at_proposal >= settings.select.batch:
            return True
        return self.ctx.pool.accepted - steps.counts(self)['total'] - len(self.ctx.chosen_by) < size

    def _propose(self):
        """Propose candidates of formulas that were not considered before."""
        number, generation = self._number('propose'), self.inputs.generation
        if number > 1 or 'pool' in self.inputs:
            generation = orm.Int(_PROPOSALS * generation.value + number)
        node = self.decide('propose', propose_candidates, **steps.proposal_inputs(self, generation))
        self.ctx.space_considered = not node.is_finished_ok
        if node.is_finished_ok:
            self.ctx.rows_at_proposal = self._rows
        return steps.take_pool(self, node)

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

    def _selection(self, key: str) -> Any:
        return find_step(self.node.pk, 'select', f'select {int(key.rpartition("_")[2])}')

    # -- launching ---------------------------------------------------------------------------------------------

    def launch_chosen(self):
        """Launch what was chosen as far as slots and budget allow, and wait until anything that runs has ended."""
        if self.ctx.waiting and (reason := self._stop()) is not None:
            self._drop_waiting(f'{reason}: not launched')
        asked = engine_properties(steps.settings(self))
        for name in list(self.ctx.waiting):
            if len(self.ctx.running) >= self._at_once:
                break
            candidate = self._candidate(name)
            missing = set(steps.missing_elements(self, [candidate])) - set(self.ctx.without_reference)
            if missing:
                self._launch_references(sorted(missing))
                continue
            if not self._launch(name, candidate, asked):
                break
            self.ctx.waiting.remove(name)
        if self.ctx.running:
            self.wait_for_any(self.ctx.running.values())
            return None
        if self.ctx.waiting:
            self._drop_waiting('the budget does not cover')
        self.ctx.ended = True
        if self.ctx.exhausted and self.ctx.done == 0:
            steps.return_state(self)
            return self.exit_codes.SPACE_EXHAUSTED.format(reason='every candidate of the pool has been evaluated')
        return None

    def _drop_waiting(self, reason: str) -> None:
        self.report(f'{reason} {", ".join(self.ctx.waiting)}')
        for name in self.ctx.waiting:
            self.ctx.chosen_by.pop(name)
        self.ctx.waiting = []

    def _launch(self, name: str, candidate: orm.Data, properties: list[str]) -> bool:
        """Launch an evaluation or a reference, unless the budget no longer covers it."""
        settings = steps.settings(self)
        needed, section = jobs_needed(settings, properties), engine_section(settings)
        jobs = engine_named(settings.evaluate.engine).most_jobs(settings.evaluate, properties)
        most = most_of_one(jobs, wall_seconds(section), processes(section))
        free = self._at_once - len(self.ctx.running)
        hours = core_hours_needed(settings, properties)
        limits = evaluation_limits(self._left(), self._reserved(), free, needed, most, hours)
        if limits is None:
            return False
        self.ctx.running[name] = steps.launch(self, name, candidate, properties, limits)
        self.ctx.reserved[name] = dict(vars(limits))
        return True

    def _launch_references(self, symbols: list[str]) -> None:
        """Relax the elements whose energy is not known, as slots become free."""
        symbols = [symbol for symbol in symbols if f'{REFERENCE}{symbol}' not in self.ctx.running]
        if not symbols or len(self.ctx.running) >= self._at_once:
            return
        node = self.decide('elements', elemental_structures, elements=orm.List(symbols))
        for symbol, structure in node.outputs.structures.items():
            if len(self.ctx.running) < self._at_once:
                self._launch(f'{REFERENCE}{symbol}', structure, ['energy'])
