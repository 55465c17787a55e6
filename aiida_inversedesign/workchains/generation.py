"""One generation: propose, screen, select, evaluate, harvest, fit."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ToContext, if_, while_

from aiida_inversedesign.campaign.costs.budget import Limits, references_covered
from aiida_inversedesign.campaign.demands import core_hours_needed, engine_properties, jobs_needed
from aiida_inversedesign.decisions.elemental_references import elemental_structures
from aiida_inversedesign.decisions.fit_job import FitCalculation
from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
from aiida_inversedesign.decisions.generate_job import GenerateCalculation
from aiida_inversedesign.decisions.propose_candidates import propose_candidates
from aiida_inversedesign.decisions.propose_job import ProposeCalculation
from aiida_inversedesign.decisions.select_batch import select_batch
from aiida_inversedesign.engines.common.options import processes
from aiida_inversedesign.graph.campaigns import evaluation_costs
from aiida_inversedesign.graph.evaluation_account import REFERENCE
from aiida_inversedesign.graph.outcomes import Results
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain
from aiida_inversedesign.workchains import screening, steps
from aiida_inversedesign.workchains.decision_jobs import GENERATE, decision_is_due, has_code, submit_decision
from aiida_inversedesign.workchains.state import add_generation_ports
from aiida_inversedesign.workchains.stopping import request_for

#: A generator that may run for less than this is not worth launching: programs load their weights for as long.
LEAST_SECONDS = 60


class GenerationWorkChain(IdempotentWorkChain):
    """Evaluate one batch of candidates and learn from it."""

    @classmethod
    def define(cls, spec):
        """Inputs, outline, outputs and exit codes."""
        super().define(spec)
        add_generation_ports(spec)
        spec.output('batch', valid_type=orm.Dict, required=False, help='What was chosen and why.')
        spec.outline(
            cls.setup,
            if_(cls.begins_with_known)(
                while_(cls.fit_of_known_is_due)(cls.fit_known),
                cls.inspect_fit_of_known,
            ),
            if_(cls.is_interrupted)(
                cls.take_up_batch,
            ).else_(
                if_(cls.needs_candidates)(
                    while_(cls.generator_is_due)(cls.generate),
                    while_(cls.proposal_is_due)(cls.propose),
                    cls.inspect_proposal,
                ),
                if_(cls.needs_screening)(
                    while_(cls.has_bundles)(cls.run_bundles, cls.inspect_bundles),
                    cls.screen,
                ),
                while_(cls.has_questions)(
                    while_(cls.has_bundles)(cls.run_bundles, cls.inspect_bundles),
                    cls.screen,
                ),
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
            while_(cls.has_later_answers)(
                cls.run_again,
            ),
            cls.inspect_evaluations,
            while_(cls.fit_is_due)(cls.fit),
            cls.inspect_fit,
        )

    # -- which candidates ---------------------------------------------------------------------------------------

    def setup(self):
        """Begin with the state that is there, or with the starting data."""
        self.ctx.launched = []
        return steps.begin(self)

    def begins_with_known(self) -> bool:
        """Whether there are starting data that nothing was learned from yet."""
        return steps.begins_with_known(self) and not self.is_interrupted()

    def fit_of_known_is_due(self) -> bool:
        """Whether nothing was fitted to the starting data yet, or the job was cut down."""
        return decision_is_due(self, 'fit_known')

    def fit_known(self):
        """Fit the surrogate to the starting data."""
        return self._fit('fit_known', 'fitted_known')

    def inspect_fit_of_known(self):
        """Continue with what was learned of the starting data, or without it where they are too few."""
        return steps.take_surrogate(self, self.ctx.fitted_known)

    def is_interrupted(self) -> bool:
        """Whether a batch of an interrupted campaign is continued."""
        return 'interrupted' in self.inputs

    def take_up_batch(self) -> None:
        """Continue with a batch that had been chosen before an interruption."""
        self.ctx.batch = self.inputs.interrupted.batch
        self.ctx.candidates = AttributeDict(self.inputs.interrupted.get('candidates', {}))
        finished = self.inputs.interrupted.outcomes.get_dict()
        waiting = [name for name in self.ctx.candidates if name not in finished]
        self.ctx.waiting = steps.still_allowed(self, waiting, len(self.ctx.candidates) - len(waiting))
        self.report(f'continuing {len(self.ctx.waiting)} of {len(self.ctx.candidates)} evaluations of a batch')

    def needs_candidates(self) -> bool:
        """Whether the pool has too few candidates for the batch, or every generation proposes further ones."""
        if self.ctx.pool is None or (self.ctx.table is not None and steps.settings(self).renewed):
            return True
        return self.ctx.pool.accepted - steps.counts(self)['total'] < self.inputs.allowance['evaluations']

    def generator_is_due(self) -> bool:
        """Whether a program that generates crystals is to run, for the first time or once more."""
        if not has_code(self, 'propose.external') or not decision_is_due(self, GENERATE):
            return False
        if (seconds := self._seconds_of_generator()) is None or seconds >= LEAST_SECONDS:
            return True
        self.report('no generator: the remaining core-hours are kept for an evaluation')
        return False

    def _seconds_of_generator(self) -> int | None:
        """How long it may run, so that the core-hours of an evaluation remain; None: the budget has no limit."""
        left = self._left().core_hours
        if left is None:
            return None
        settings = steps.settings(self)
        assert settings.propose.external is not None  # noqa: S101
        hours = left - core_hours_needed(settings)
        return int(3600 * hours / processes(settings.propose.external.model_dump(mode='json')))

    def generate(self):
        """Have a program generate crystals; what becomes of it, the proposal goes on."""
        inputs = steps.generator_inputs(self, self.inputs.generation)
        job = submit_decision(self, GENERATE, GenerateCalculation, self._seconds_of_generator(), **inputs)
        return ToContext(generator=job)

    def proposal_is_due(self) -> bool:
        """Whether there is no proposal yet, or its job was cut down and may be submitted again."""
        return decision_is_due(self, 'propose')

    def propose(self):
        """Propose candidates of formulas that were not considered before."""
        inputs = steps.proposal_inputs(self, self.inputs.generation)
        if has_code(self, 'propose'):
            return ToContext(proposal=submit_decision(self, 'propose', ProposeCalculation, **inputs))
        self.ctx.proposal = self.decide('propose', propose_candidates, **inputs)
        return None

    def inspect_proposal(self):
        """Continue with the candidates, or without new ones."""
        return steps.take_pool(self, self.ctx.proposal)

    def needs_screening(self) -> bool:
        """Whether a potential is to look at candidates of the pool."""
        return screening.is_due(self)

    def has_questions(self) -> bool:
        """Whether the potential is asked about further candidates before one is chosen."""
        return screening.asks(self)

    def has_bundles(self) -> bool:
        """Whether bundles of candidates wait for their jobs."""
        return screening.has_bundles(self)

    def run_bundles(self):
        """Submit the next bundles and wait for them."""
        return screening.run_bundles(self)

    def inspect_bundles(self) -> None:
        """Take note of what remains to be done."""
        screening.inspect_bundles(self)

    def screen(self):
        """Judge the candidates by what the potential said."""
        return screening.judge(self)

    def select(self):
        """Choose the batch."""
        size = self.inputs.allowance['evaluations']
        node = self.decide('select', select_batch, **steps.selection_inputs(self, size))
        if not node.is_finished_ok:
            return steps.decision_failed(self, 'selection', node)
        self.ctx.batch = node.outputs.batch
        self.ctx.waiting = [choice['candidate'] for choice in self.ctx.batch['choices']]
        if not self.ctx.waiting:
            steps.return_state(self, 'pool')
            reason = f'every candidate of the pool has been evaluated{screening.rejections(self)}'
            return self.exit_codes.SPACE_EXHAUSTED.format(reason=reason)
        self.ctx.candidates = AttributeDict(node.outputs.candidates)
        self.report(f'chose {", ".join(self.ctx.waiting)} in Dict<{self.ctx.batch.pk}>')
        return None

    # -- elemental references ----------------------------------------------------------------------------------

    def needs_references(self) -> bool:
        """Whether an element of the batch has no reference energy yet."""
        if request_for(self.node) is not None:
            return False
        missing = steps.missing_elements(self, (self.ctx.candidates[name] for name in self.ctx.waiting))
        covered = references_covered(steps.settings(self), steps.allowed_limits(self), missing)
        if len(covered) < len(missing):
            self.report(f'the DFT calculations cover the references of {len(covered)} of {len(missing)} elements')
        self.ctx.missing_references = self.ctx.waiting_references = covered
        self.ctx.reference_limits = vars(self._left().share(len(covered)))
        return bool(covered)

    def has_waiting_references(self) -> bool:
        """Whether references have not been launched yet, and the campaign is not to stop."""
        return bool(self.ctx.waiting_references) and request_for(self.node) is None

    def run_references(self):
        """Relax elements whose energy is not known at these settings yet, as many as may run at once."""
        node = self.decide('elements', elemental_structures, elements=orm.List(list(self.ctx.missing_references)))
        wave, self.ctx.waiting_references = self._wave(self.ctx.waiting_references)
        limits, crystals = Limits(**self.ctx.reference_limits), node.outputs.structures
        labels = {f'{REFERENCE}{symbol}': crystals[symbol] for symbol in wave}
        return ToContext(**{name: steps.launch(self, name, item, ['energy'], limits) for name, item in labels.items()})

    def inspect_references(self) -> None:
        """Collect the energies of the elements; one that failed leaves its evaluations without a reference."""
        labels = [f'{REFERENCE}{symbol}' for symbol in self.ctx.missing_references]
        # where the campaign is to stop, some were not launched
        steps.take_references(self, {label: self.ctx[label] for label in labels if label in self.ctx})

    # -- evaluations -------------------------------------------------------------------------------------------

    def _left(self) -> Limits:
        """What remains of this generation's allowance after its generator and references."""
        costs = evaluation_costs(self.node)
        before = (REFERENCE, GENERATE)
        return steps.allowed_limits(self).less(costs[name].charged for name in costs if name.startswith(before))

    def _wave(self, waiting: list[str]) -> tuple[list[str], list[str]]:
        """Those that may run at once, and those that wait."""
        at_once = self.inputs.allowance['at_once'] or len(waiting)
        return waiting[:at_once], waiting[at_once:]

    def has_waiting(self) -> bool:
        """Whether chosen candidates have not been launched yet, and the campaign is not to stop."""
        if self.ctx.waiting and (request := request_for(self.node)) is not None:
            self.report(f'{request}: {", ".join(self.ctx.waiting)} not launched')
            return False
        return bool(self.ctx.waiting)

    def run_evaluations(self):
        """Launch as many evaluations as may run at once and as the budget allows, and wait for them."""
        asked = engine_properties(steps.settings(self))
        if 'limits' not in self.ctx:
            left, chosen, settings = self._left(), len(self.ctx.waiting), steps.settings(self)
            covered = left.covered(chosen, jobs_needed(settings), core_hours_needed(settings))
            self.ctx.waiting = self.ctx.waiting[:covered]
            if len(self.ctx.waiting) < chosen:
                self.report(f'the budget allows {len(self.ctx.waiting)} of {chosen} evaluations')
            self.ctx.limits = vars(left.share(len(self.ctx.waiting)))
        wave, rest = self._wave(self.ctx.waiting)
        limits, candidates = Limits(**self.ctx.limits), self.ctx.candidates
        children = {name: steps.launch(self, name, candidates[name], asked, limits) for name in wave}
        self.ctx.waiting, self.ctx.launched = rest, [*self.ctx.launched, *wave]
        return ToContext(**children)

    def has_later_answers(self) -> bool:
        """Whether more is known of candidates than their evaluations returned."""
        self.ctx.later = steps.later_answers(self)
        return bool(self.ctx.later)

    def run_again(self):
        """Evaluate them again."""
        children = steps.launch_again(self, self.ctx.later)
        self.ctx.launched = [*self.ctx.launched, *(name for name in children if name not in self.ctx.launched)]
        return ToContext(**children)

    # -- what came of it ---------------------------------------------------------------------------------------

    def inspect_evaluations(self):
        """Add a row for each evaluation to the table, failed ones included."""
        results = Results.of_interrupted(self.inputs.get('interrupted', {}))
        steps.take_ended(self, results, {name: self.ctx[name] for name in self.ctx.launched})
        if (failed := steps.take_results(self, results, batch=self.ctx.batch)) is not None:
            return failed
        steps.return_state(self, 'pool', 'table', 'references')
        self.out('batch', self.ctx.batch)
        return None

    def fit_is_due(self) -> bool:
        """Whether there is no fit yet, or its job was cut down and may be submitted again."""
        return decision_is_due(self, 'fit')

    def fit(self):
        """Fit the surrogate to what is known now."""
        return self._fit('fit', 'fitted')

    def _fit(self, step: str, name: str):
        inputs = steps.fit_inputs(self)
        if has_code(self, 'learn'):
            return ToContext(**{name: submit_decision(self, step, FitCalculation, **inputs)})
        self.ctx[name] = self.decide(step, fit_surrogate, **inputs)
        return None

    def inspect_fit(self):
        """Continue with the surrogate, or without one."""
        if (failed := steps.take_surrogate(self, self.ctx.fitted)) is not None:
            return failed
        if self.ctx.fitted.is_finished_ok:
            steps.return_state(self, 'surrogate')
        return None
