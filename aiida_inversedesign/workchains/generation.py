"""One generation: propose, select, evaluate, harvest, fit."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ToContext, if_, while_
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.campaign.budget import Allowance, share
from aiida_inversedesign.campaign.properties import dft_calculations_needed
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.decisions.elemental_references import collect_references, elemental_structures
from aiida_inversedesign.decisions.fit_job import FitCalculation
from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
from aiida_inversedesign.decisions.harvest import harvest
from aiida_inversedesign.decisions.propose_candidates import propose_candidates
from aiida_inversedesign.decisions.propose_job import ProposeCalculation
from aiida_inversedesign.decisions.select_batch import select_batch
from aiida_inversedesign.engines.common.reuse import ReusedEvaluateWorkChain, find_earlier
from aiida_inversedesign.graph.campaigns import evaluation_costs
from aiida_inversedesign.graph.outcomes import failure, outcome_of, refuse_as_cache
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.points import PointsData
from aiida_inversedesign.processes.idempotent import OnceWorkChain
from aiida_inversedesign.workchains.decision_jobs import (
    add_codes,
    decision_is_due,
    explain_job,
    has_code,
    submit_decision,
)
from aiida_inversedesign.workchains.state import (
    add_state_inputs,
    add_state_outputs,
    energy_limit,
    engine_properties,
    references_wanted,
    stability_wanted,
)
from aiida_inversedesign.workchains.stopping import request_for, was_killed_by_request


class GenerationWorkChain(OnceWorkChain):
    """Evaluate one batch of candidates and learn from it."""

    @classmethod
    def define(cls, spec):
        """Inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('settings', valid_type=orm.Dict, help='The campaign file without its budget.')
        spec.input('generation', valid_type=orm.Int, help='Number of this generation, from 1.')
        spec.input('allowance', valid_type=orm.Dict, help='Most evaluations, DFT calculations and core-hours.')
        spec.input('library', valid_type=(LibraryData, PointsData), required=False, help='The templates or points.')
        spec.input('model', valid_type=CspmlData, required=False, help='The proposal model.')
        add_state_inputs(spec)
        spec.input_namespace('engine', dynamic=True, valid_type=orm.Data, help='Codes and data of the engine.')
        add_codes(spec)
        spec.input_namespace('interrupted', required=False, populate_defaults=False, help='A batch to take up again.')
        spec.input('interrupted.batch', valid_type=orm.Dict, required=False, help='What had been chosen.')
        spec.input('interrupted.outcomes', valid_type=orm.Dict, required=False, help='What became of the finished.')
        for name in ('candidates', 'properties', 'relaxed', 'batches'):
            spec.input_namespace(f'interrupted.{name}', required=False, dynamic=True, valid_type=orm.Data)
        spec.outline(
            cls.setup,
            if_(cls.is_interrupted)(
                cls.take_up_batch,
            ).else_(
                if_(cls.needs_candidates)(while_(cls.proposal_is_due)(cls.propose), cls.inspect_proposal),
                cls.select,
            ),
            if_(cls.needs_references)(
                while_(cls.has_waiting_references)(
                    cls.run_references,
                ),
                cls.inspect_references,
            ),
            while_(cls.has_waiting)(
                cls.run_evaluations,
            ),
            cls.inspect_evaluations,
            while_(cls.fit_is_due)(cls.fit),
            cls.inspect_fit,
        )
        add_state_outputs(spec)
        spec.output('batch', valid_type=orm.Dict, required=False, help='What was chosen and why.')
        spec.exit_code(
            310,
            'SPACE_EXHAUSTED',
            message='Nothing is left to evaluate: {reason}. Widen `space`, take a larger library or raise `top_k`.',
        )
        spec.exit_code(
            311,
            'DECISION_FAILED',
            message='The {step} ended with exit code {status}: {reason}. See `verdi process report {pk}`.',
        )

    # -- which candidates ---------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Begin with the candidates and references that are there."""
        self.ctx.pool = self.inputs.get('pool')
        self.ctx.references = self.inputs.get('references')

    def is_interrupted(self) -> bool:
        """Whether a batch of an interrupted campaign is taken up again."""
        return 'interrupted' in self.inputs

    def take_up_batch(self) -> None:
        """Continue with a batch that had been chosen before an interruption."""
        self.ctx.batch = self.inputs.interrupted.batch
        self.ctx.candidates = AttributeDict(self.inputs.interrupted.get('candidates', {}))
        finished = self.inputs.interrupted.outcomes.get_dict()
        waiting = [name for name in self.ctx.candidates if name not in finished]
        # the budget may have become smaller since; what is left out may be chosen again
        self.ctx.waiting = waiting[: max(0, self.inputs.allowance['evaluations'] - len(finished))]
        self.report(f'taking up {len(self.ctx.waiting)} of {len(self.ctx.candidates)} evaluations of a batch again')

    def needs_candidates(self) -> bool:
        """Whether the pool has fewer candidates left than the batch needs, or every generation proposes anew."""
        if self.ctx.pool is None:
            return True
        if 'table' in self.inputs and CampaignSettings.model_validate(self.inputs.settings.get_dict()).renewed:
            return True
        done = self.inputs.table.counts['total'] if 'table' in self.inputs else 0
        return self.ctx.pool.accepted - done < self.inputs.allowance['evaluations']

    def proposal_is_due(self) -> bool:
        """Whether there is no proposal yet, or its job was cut down and may be submitted again."""
        return decision_is_due(self, 'propose')

    def propose(self):
        """Propose candidates of formulas that were not considered before."""
        names = ('settings', 'generation', 'library', 'model', 'table', 'pool', 'surrogate')
        inputs = {name: self.inputs[name] for name in names if name in self.inputs}
        if has_code(self, 'propose'):
            return ToContext(proposal=submit_decision(self, 'propose', ProposeCalculation, **inputs))
        self.ctx.proposal = self.run_once('propose', propose_candidates, **inputs)
        return None

    def inspect_proposal(self):
        """Take the candidates over, or go on without new ones."""
        node = self.ctx.proposal
        if node.is_finished_ok:
            self.ctx.pool = node.outputs.pool
            pool = self.ctx.pool
            self.report(f'proposed {pool.summary} in PoolData<{pool.pk}>')
            return None
        if node.exit_status == 310 and self.ctx.pool is not None:
            self.report('the space has no further formulas: choosing among the candidates that are left')
            return None
        if node.exit_status == 310:
            return self.exit_codes.SPACE_EXHAUSTED.format(reason=node.exit_message)
        return self._decision_failed('proposal', node)

    def select(self):
        """Choose the batch."""
        inputs = {name: self.inputs[name] for name in ('table', 'surrogate') if name in self.inputs}
        node = self.run_once(
            'select',
            select_batch,
            settings=self.inputs.settings,
            pool=self.ctx.pool,
            generation=self.inputs.generation,
            size=orm.Int(self.inputs.allowance['evaluations']),
            **inputs,
        )
        if not node.is_finished_ok:
            return self._decision_failed('selection', node)
        self.ctx.batch = node.outputs.batch
        choices = self.ctx.batch['choices']
        if not choices:
            self.out('pool', self.ctx.pool)
            return self.exit_codes.SPACE_EXHAUSTED.format(reason='every candidate of the pool has been evaluated')
        self.ctx.candidates = AttributeDict(node.outputs.candidates)
        self.ctx.waiting = [choice['candidate'] for choice in choices]
        self.report(f'chose {", ".join(self.ctx.waiting)} in Dict<{self.ctx.batch.pk}>')
        return None

    def _decision_failed(self, step: str, node: orm.ProcessNode):
        reason = failure(node)
        if isinstance(node, orm.CalcJobNode):
            reason = explain_job(self, node, reason)
        return self.exit_codes.DECISION_FAILED.format(
            step=step, status=node.exit_status, reason=reason, pk=self.node.pk
        )

    # -- elemental references ----------------------------------------------------------------------------------

    @property
    def _engine(self) -> str:
        return self.inputs.settings['evaluate']['engine']

    @property
    def _properties(self) -> list[str]:
        return engine_properties(self.inputs.settings)

    def needs_references(self) -> bool:
        """Whether an element of the batch has no reference energy yet."""
        if not references_wanted(self.inputs.settings) or request_for(self.node) is not None:
            return False
        elements = {kind.symbol for name in self.ctx.waiting for kind in self.ctx.candidates[name].kinds}
        known = self.ctx.references.get_dict() if self.ctx.references is not None else {}
        missing = sorted(elements - set(known))
        needed = dft_calculations_needed(self.inputs.settings['evaluate'], ['energy'])
        limit = self.inputs.allowance['dft_calculations']
        if limit is not None and needed * len(missing) > limit:
            self.report('no DFT calculations are left for the elemental references')
            missing = missing[: limit // max(needed, 1)]
        self.ctx.missing_references = self.ctx.waiting_references = missing
        self.ctx.reference_limits = self._share(max(len(missing), 1))
        return bool(missing)

    def has_waiting_references(self) -> bool:
        """Whether references have not been launched yet, and the campaign is not to stop."""
        return bool(self.ctx.waiting_references) and request_for(self.node) is None

    def run_references(self):
        """Relax elements whose energy is not known at these settings yet, as many as may run at once."""
        node = self.run_once('elements', elemental_structures, elements=orm.List(list(self.ctx.missing_references)))
        at_once = self.inputs.allowance.get('at_once') or len(self.ctx.waiting_references)
        wave, self.ctx.waiting_references = (
            self.ctx.waiting_references[:at_once],
            self.ctx.waiting_references[at_once:],
        )
        children = {
            f'reference_{symbol}': self._evaluate(
                f'reference_{symbol}', node.outputs.structures[symbol], ['energy'], self.ctx.reference_limits
            )
            for symbol in wave
        }
        self.report(f'computing the references of {", ".join(wave)}')
        return ToContext(**children)

    def inspect_references(self) -> None:
        """Collect the energies of the elements; one that failed leaves its evaluations without a reference."""
        found = {}
        for symbol in self.ctx.missing_references:
            if f'reference_{symbol}' not in self.ctx:
                continue  # the campaign is to stop
            child = self.ctx[f'reference_{symbol}']
            if child.is_finished_ok:
                found[symbol] = child.outputs.properties
            else:
                self.report(f'the reference of {symbol} failed: {failure(child)}')
        if found:
            inputs = {'references': self.ctx.references} if self.ctx.references is not None else {}
            node = self.run_once('references', collect_references, settings=self.inputs.settings, **inputs, **found)
            self.ctx.references = node.outputs.references

    # -- evaluations -------------------------------------------------------------------------------------------

    def _allowance(self) -> Allowance:
        """What is left of this generation's allowance after its references."""
        allowed = self.inputs.allowance.get_dict()
        costs = [cost for label, cost in evaluation_costs(self.node).items() if label.startswith('reference_')]
        dft, hours = allowed['dft_calculations'], allowed['core_hours']
        return Allowance(
            evaluations=allowed['evaluations'],
            dft_calculations=None if dft is None else dft - sum(cost.dft_calculations for cost in costs),
            core_hours=None if hours is None else hours - sum(cost.charged_core_hours for cost in costs),
        )

    def _share(self, number: int) -> dict:
        return share(self._allowance(), number)

    def has_waiting(self) -> bool:
        """Whether chosen candidates have not been launched yet, and the campaign is not to stop."""
        if self.ctx.waiting and (request := request_for(self.node)) is not None:
            self.report(f'{request}: {", ".join(self.ctx.waiting)} not launched')
            return False
        return bool(self.ctx.waiting)

    def run_evaluations(self):
        """Launch as many evaluations as may run at once and as the budget allows, and wait for them."""
        if 'limits' not in self.ctx:
            allowed = self._allowance()
            needed = dft_calculations_needed(self.inputs.settings['evaluate'], self._properties)
            if allowed.dft_calculations is not None and needed:
                affordable = allowed.dft_calculations // needed
                if affordable < len(self.ctx.waiting):
                    self.report(f'the budget allows {affordable} of {len(self.ctx.waiting)} evaluations')
                self.ctx.waiting = self.ctx.waiting[:affordable]
            self.ctx.limits = share(allowed, max(len(self.ctx.waiting), 1))
            self.ctx.launched = []
        at_once = self.inputs.allowance.get('at_once') or len(self.ctx.waiting)
        wave, rest = self.ctx.waiting[:at_once], self.ctx.waiting[at_once:]
        children = {
            name: self._evaluate(name, self.ctx.candidates[name], self._properties, self.ctx.limits) for name in wave
        }
        self.ctx.waiting = rest
        self.ctx.launched = [*self.ctx.launched, *wave]
        for name, child in children.items():
            self.report(f'evaluating {name} ({self.ctx.candidates[name].label}) in {self._engine}<{child.pk}>')
        return ToContext(**children)

    def _evaluate(self, label: str, candidate: orm.Data, properties: list[str], limits: dict):
        inputs = {'references': self.ctx.references} if self.ctx.references is not None else {}
        settings, metadata = self.inputs.settings['evaluate'], {'label': f'{label} {candidate.label}'}
        if (limit := energy_limit(self.inputs.settings)) is not None and not label.startswith('reference_'):
            inputs['energy_limit'] = orm.Dict(limit)
        process_class = WorkflowFactory(f'inversedesign.evaluate.{self._engine}')
        # settings of the first version have no such key
        if settings.get('reuse'):
            process_type = process_class.build_process_type()
            earlier = find_earlier(process_type, candidate, properties, settings, self.inputs.engine)
            if earlier is not None:
                process_class = ReusedEvaluateWorkChain
                inputs['earlier'] = {
                    name: earlier.outputs[name] for name in ('relaxed', 'properties') if name in earlier.outputs
                }
                metadata['description'] = f'taken over from the evaluation {earlier.uuid}'
        return self.submit_once(
            label,
            process_class,
            candidate=candidate,
            properties=orm.List(properties),
            settings=orm.Dict(settings),
            limits=orm.Dict(limits),
            engine=self.inputs.engine,
            metadata=metadata,
            **inputs,
        )

    # -- what came of it ---------------------------------------------------------------------------------------

    def inspect_evaluations(self):
        """Add a row for each evaluation to the table, failed ones included."""
        costs = evaluation_costs(self.node)
        interrupted = self.inputs.get('interrupted', AttributeDict())
        outcomes = interrupted.outcomes.get_dict() if 'outcomes' in interrupted else {}
        properties = dict(interrupted.get('properties', {}))
        relaxed = dict(interrupted.get('relaxed', {}))
        request = request_for(self.node)
        for name in self.ctx.get('launched', []):
            child = self.ctx[name]
            if was_killed_by_request(child, request):
                self.report(f'{name} was ended by the stop; it counts as not evaluated')
                continue
            outcomes[name] = outcome_of(child, costs.get(name))
            if child.is_finished_ok:
                properties[name] = child.outputs.properties
                # a point stays what it was
                if 'relaxed' in child.outputs:
                    relaxed[name] = child.outputs.relaxed
            else:
                self.report(f'{name} failed: {outcomes[name]["reason"]}')
        launched = [self.ctx[name] for name in self.ctx.get('launched', [])]
        refuse_as_cache(self.node, [child for child in launched if not child.is_finished_ok])
        results = {'properties': properties, 'relaxed': relaxed} if properties else {}
        inputs = {'table': self.inputs.table} if 'table' in self.inputs else {}
        if stability_wanted(self.inputs.settings):
            inputs['references'] = self.ctx.references if self.ctx.references is not None else orm.Dict({})
        node = self.run_once(
            'harvest',
            harvest,
            settings=self.inputs.settings,
            pool=self.ctx.pool,
            batch=self.ctx.batch,
            outcomes=orm.Dict(outcomes),
            **inputs,
            **results,
        )
        if not node.is_finished_ok:
            return self._decision_failed('harvest', node)
        self.ctx.table = node.outputs.table
        self.out('pool', self.ctx.pool)
        self.out('batch', self.ctx.batch)
        self.out('table', self.ctx.table)
        if self.ctx.references is not None:
            self.out('references', self.ctx.references)
        counts = self.ctx.table.counts
        self.report(f'{counts["total"]} evaluations, {counts["failed"]} failed, {counts["hits"]} hits so far')
        return None

    def fit_is_due(self) -> bool:
        """Whether there is no fit yet, or its job was cut down and may be submitted again."""
        return decision_is_due(self, 'fit')

    def fit(self):
        """Fit the surrogate to what is known now."""
        # the library's entries are a source of the transfer surrogate, where the campaign names properties of theirs
        source = {'library': self.inputs.library} if self.inputs.settings['learn'].get('source') else {}
        inputs = {'settings': self.inputs.settings, 'table': self.ctx.table, **source}
        if has_code(self, 'learn'):
            return ToContext(fitted=submit_decision(self, 'fit', FitCalculation, **inputs))
        self.ctx.fitted = self.run_once('fit', fit_surrogate, **inputs)
        return None

    def inspect_fit(self):
        """Take the surrogate over, or go on without one."""
        node = self.ctx.fitted
        if node.is_finished_ok:
            self.out('surrogate', node.outputs.surrogate)
            return None
        if node.exit_status == 320:
            self.report(node.exit_message)
            return None
        return self._decision_failed('fit', node)
