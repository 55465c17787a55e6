"""The asynchronous schedule: a stream of evaluations, the next chosen as soon as one has ended."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import if_, while_

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.stream_budget import Limits, evaluation_limits, fit_is_due, most_of_one
from aiida_inversedesign.decisions.elemental_references import collect_references, elemental_structures
from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
from aiida_inversedesign.decisions.harvest import harvest
from aiida_inversedesign.decisions.propose_candidates import propose_candidates
from aiida_inversedesign.decisions.select_batch import select_batch
from aiida_inversedesign.engines.common.options import processes, wall_seconds
from aiida_inversedesign.graph.campaigns import evaluation_costs
from aiida_inversedesign.graph.outcomes import failure, outcome_of, refuse_as_cache
from aiida_inversedesign.workchains.state import stability_wanted
from aiida_inversedesign.workchains.stopping import request_for, was_killed_by_request
from aiida_inversedesign.workchains.stream import StreamWorkChain, batch_key, symbol_of

#: Proposals of one stream are numbered apart from its generation and from those of the next.
_PROPOSALS = 10_000


class AsynchronousWorkChain(StreamWorkChain):
    """Keep as many evaluations running as may run at once, and learn from each that ends.

    It takes the place of a generation and has its children.
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
        outcomes, properties, relaxed = self._taken_up()
        for name, child in ended.items():
            if name in self.ctx.ended_references:
                continue
            if was_killed_by_request(child, request):
                self._forget(name, costs)
                self.report(f'{name} was ended by the stop; it counts as not evaluated')
                continue
            outcomes[name] = outcome_of(child, costs.get(name))
            if child.is_finished_ok:
                properties[name] = child.outputs.properties
                if 'relaxed' in child.outputs:
                    relaxed[name] = child.outputs.relaxed
        if not outcomes:
            return None
        failed = [ended[name] for name in outcomes if name in ended and not ended[name].is_finished_ok]
        if failed:
            refuse_as_cache(self.node, failed)
        inputs: dict[str, Any] = {'table': self.ctx.table} if self.ctx.table is not None else {}
        if properties:
            inputs |= {'properties': properties, 'relaxed': relaxed}
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

    def collect_energies(self):
        """Collect the energies of elements that have been computed."""
        names = [name for name in self.ctx.ended_references if name in self.ctx.running]
        if not names:
            return
        children = {name: self.ctx.running[name] for name in names}
        costs = evaluation_costs(self.node, [child.pk for child in children.values()])
        found = {symbol_of(name): child.outputs.properties for name, child in children.items() if child.is_finished_ok}
        if found:
            inputs = {'references': self.ctx.references} if self.ctx.references is not None else {}
            node = self._step('references', collect_references, settings=self.inputs.settings, **inputs, **found)
            self.ctx.references = node.outputs.references
        known = self.ctx.references.get_dict() if self.ctx.references is not None else {}
        for name, child in children.items():
            if not child.is_finished_ok:
                self.report(f'the reference of {symbol_of(name)} failed: {failure(child)}')
                self.ctx.without_reference.append(symbol_of(name))
            if not child.is_finished_ok or symbol_of(name) in known:
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
            self.ctx.chosen_by[choice['candidate']] = [batch_key(number), choice['arm']]
            self.ctx.waiting.append(choice['candidate'])
        if not choices:
            # none comes back: what runs now is left out for good, whatever becomes of it
            self.ctx.exhausted = True
            self.report('every candidate of the pool has been evaluated or is running')
        return None

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
        if CampaignSettings.model_validate(settings.get_dict()).renewed and since >= settings['select']['batch']:
            return True
        return self.ctx.pool.accepted - rows - len(self.ctx.chosen_by) < size

    def _propose(self):
        """Propose candidates of formulas that were not considered before."""
        inputs = {name: self.inputs[name] for name in ('settings', 'library', 'model') if name in self.inputs}
        inputs |= {name: self.ctx[name] for name in ('table', 'pool', 'surrogate') if self.ctx[name] is not None}
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
            self.report(f'proposed {pool.summary} in PoolData<{pool.pk}>')
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
            candidate = self._candidate(name)
            if missing := self._missing_elements(candidate):
                self._launch_references(missing)
                continue
            if not self._launch(name, candidate, self._properties):
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

    def _launch(self, name: str, candidate: orm.Data, properties: list[str]) -> bool:
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
        child = self._evaluate(name, candidate, properties, vars(limits))
        self.ctx.running[name], self.ctx.reserved[name] = child, dict(vars(limits))
        self.report(f'evaluating {name} ({candidate.label}) in {child.process_label}<{child.pk}>')
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
