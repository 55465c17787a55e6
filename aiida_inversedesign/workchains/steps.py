"""What both schedules do alike: the inputs of each decision from the state so far, launches, and what evaluations left.

The state (``STATE``) is in the context of the work chain. A decision is made by the work chain's own ``decide``, which
finds it again where a restarted daemon runs the step a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.contracts.registry import load
from aiida_inversedesign.campaign.costs.budget import Limits
from aiida_inversedesign.campaign.demands import (
    energy_limit,
    engine_properties,
    engine_section,
    references_wanted,
    stability_wanted,
)
from aiida_inversedesign.campaign.properties import required_stages
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.decisions.elemental_references import collect_references
from aiida_inversedesign.decisions.fit_job import FitCalculation
from aiida_inversedesign.decisions.harvest import harvest
from aiida_inversedesign.decisions.propose_job import ProposeCalculation
from aiida_inversedesign.decisions.take_known import take_known
from aiida_inversedesign.engines.common.reuse import ReusedEvaluateWorkChain, find_earlier
from aiida_inversedesign.graph.campaigns import chain_of, generation_ids
from aiida_inversedesign.graph.earlier_evaluations import known_equations_of_state
from aiida_inversedesign.graph.evaluation_account import AGAIN, REFERENCE
from aiida_inversedesign.graph.job_record import Cost
from aiida_inversedesign.graph.outcomes import Results, ending_of, refuse_as_cache
from aiida_inversedesign.nodes.earlier import NAMESPACE
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain
from aiida_inversedesign.workchains.decision_jobs import explain_job
from aiida_inversedesign.workchains.state import STATE
from aiida_inversedesign.workchains.stopping import kills, request_for

# -- the state ---------------------------------------------------------------------------------------------------------


def begin(chain: IdempotentWorkChain) -> ExitCode | None:
    """Take the state over that was there before; where nothing was, the starting data are the first table."""
    for name in STATE:
        chain.ctx[name] = chain.inputs.get(name)
    if chain.ctx.table is not None or 'known' not in chain.inputs or 'generation' not in chain.inputs:
        return None
    node = chain.run_once('known', take_known, settings=chain.inputs.settings, known=chain.inputs.known)
    if not node.is_finished_ok:
        return decision_failed(chain, 'starting data', node)
    chain.ctx.table = node.outputs.table
    chain.report(f'took {chain.ctx.table.counts["known"]} points of starting data from {chain.inputs.known.filename}')
    return None


def begins_with_known(chain: IdempotentWorkChain) -> bool:
    """Whether there are starting data that nothing was learned from yet."""
    return chain.ctx.table is not None and chain.ctx.surrogate is None and known_points(chain) > 0


def known_points(chain: IdempotentWorkChain) -> int:
    """Number of points of the starting data."""
    return int(counts(chain).get('known', 0))


def return_state(chain: IdempotentWorkChain, *names: str) -> None:
    """Return what is known of the state, or what of it is named."""
    for name in names or STATE:
        if chain.ctx[name] is not None:
            chain.out(name, chain.ctx[name])


def known(chain: IdempotentWorkChain, *names: str) -> dict[str, orm.Data]:
    """What is known of these parts of the state, as inputs of a decision."""
    return {name: chain.ctx[name] for name in names if chain.ctx[name] is not None}


def counts(chain: IdempotentWorkChain) -> dict[str, int]:
    """Number of rows of the table: total, failed and distinct hits."""
    return chain.ctx.table.counts if chain.ctx.table is not None else {'total': 0, 'failed': 0, 'distinct_hits': 0}


def settings(chain: IdempotentWorkChain) -> CampaignSettings:
    """The settings of the campaign."""
    return settings_of(chain.inputs.settings)


def allowed_limits(chain: IdempotentWorkChain) -> Limits:
    """What all evaluations of this generation may cost together."""
    return Limits(chain.inputs.allowance['dft_calculations'], chain.inputs.allowance['core_hours'])


def still_allowed(chain: IdempotentWorkChain, waiting: list[str], finished: int) -> list[str]:
    """Those of an interrupted batch that may still be launched; the others may be chosen again.

    The budget may have become smaller since it was chosen.
    """
    return waiting[: max(0, chain.inputs.allowance['evaluations'] - finished)]


def decision_failed(chain: IdempotentWorkChain, step: str, node: orm.ProcessNode) -> ExitCode:
    """That a decision could not be made, and why."""
    reason = ending_of(node).reason
    if isinstance(node, orm.CalcJobNode):
        reason = explain_job(chain, node, reason)
    return chain.exit_codes.DECISION_FAILED.format(step=step, status=node.exit_status, reason=reason, pk=chain.node.pk)


# -- propose and fit ---------------------------------------------------------------------------------------------------


def proposal_inputs(chain: IdempotentWorkChain, generation: orm.Int) -> dict[str, Any]:
    """The inputs of a proposal."""
    given = {name: chain.inputs[name] for name in ('settings', 'library', 'model') if name in chain.inputs}
    generator = chain.ctx.get('generator')
    if generator is not None:
        if not generator.is_finished_ok:
            chain.report(f'generator: {generator.exit_message or "it was killed"}')
        if 'generated' in generator.outputs:
            given['generated'] = generator.outputs.generated
    return {**given, 'generation': generation, **known(chain, 'table', 'pool', 'surrogate')}


def generator_inputs(chain: IdempotentWorkChain, generation: orm.Int) -> dict[str, Any]:
    """The inputs of a program that generates crystals: what the formulas of the proposal follow from."""
    return {
        'settings': chain.inputs.settings,
        'generation': generation,
        **known(chain, 'table', 'pool', 'surrogate'),
    }


def take_pool(chain: IdempotentWorkChain, proposal: orm.ProcessNode) -> ExitCode | None:
    """Continue with what was proposed, or with the candidates that are there if the space has no further formulas."""
    if proposal.is_finished_ok:
        pool = chain.ctx.pool = proposal.outputs.pool
        chain.report(f'proposed {pool.summary} in PoolData<{pool.pk}>')
        return None
    if proposal.exit_status != ProposeCalculation.exit_codes.NOTHING_TO_PROPOSE.status:
        return decision_failed(chain, 'proposal', proposal)
    if chain.ctx.pool is None:
        return chain.exit_codes.SPACE_EXHAUSTED.format(reason=proposal.exit_message)
    chain.report('the space has no further formulas: choosing among the remaining candidates')
    return None


def selection_inputs(chain: IdempotentWorkChain, size: int) -> dict[str, Any]:
    """The inputs of a selection."""
    shared = {'settings': chain.inputs.settings, 'generation': chain.inputs.generation, 'size': orm.Int(size)}
    # with a surrogate, what earlier campaigns say is part of it
    earlier = earlier_inputs(chain) if chain.ctx.surrogate is None else {}
    return {**shared, **earlier, **known(chain, 'pool', 'table', 'surrogate')}


def earlier_inputs(chain: IdempotentWorkChain) -> dict[str, Any]:
    """The earlier campaigns that this one learns from, as inputs of a decision."""
    return {NAMESPACE: dict(chain.inputs[NAMESPACE])} if chain.inputs.get(NAMESPACE) else {}


def fit_inputs(chain: IdempotentWorkChain) -> dict[str, Any]:
    """The inputs of a fit; the transfer surrogate learns from properties of the library's own entries."""
    source = {'library': chain.inputs.library} if settings(chain).learn.source else {}
    return {'settings': chain.inputs.settings, 'table': chain.ctx.table, **source, **earlier_inputs(chain)}


def take_surrogate(chain: IdempotentWorkChain, fit: orm.ProcessNode) -> ExitCode | None:
    """Continue with what was fitted, or without it where there is too little to learn from."""
    if fit.is_finished_ok:
        chain.ctx.surrogate = fit.outputs.surrogate
    elif fit.exit_status == FitCalculation.exit_codes.NO_SURROGATE.status:
        chain.report(fit.exit_message)
    else:
        return decision_failed(chain, 'fit', fit)
    return None


# -- evaluations -------------------------------------------------------------------------------------------------------


def launch(chain: IdempotentWorkChain, label: str, candidate: orm.Data, properties: list[str], limits: Limits) -> Any:
    """Launch an evaluation, or of an earlier one with the same result what takes it over."""
    spec, metadata = settings(chain), {'label': f'{label} {candidate.label}'}
    section, inputs = engine_section(spec), known(chain, 'references')
    if (limit := energy_limit(spec)) is not None and not label.startswith(REFERENCE):
        inputs['energy_limit'] = orm.Dict(limit)
    process_class = WorkflowFactory(engine_named(spec.evaluate.engine).workchain)
    takes_equations = 'evaluated' in process_class.spec().inputs and 'eos' in required_stages(properties)
    if takes_equations and not label.startswith(REFERENCE):
        inputs |= evaluated_before(chain, candidate.label)
    if spec.evaluate.reuse:
        process_type = process_class.build_process_type()
        earlier = find_earlier(process_type, candidate, properties, section, chain.inputs.get('engine', {}))
        if earlier is not None:
            process_class = ReusedEvaluateWorkChain
            inputs['earlier'] = {
                name: earlier.outputs[name] for name in ('relaxed', 'properties', 'curves') if name in earlier.outputs
            }
            metadata['description'] = f'taken over from the evaluation {earlier.uuid}'
    child = chain.submit_once(
        label,
        process_class,
        candidate=candidate,
        properties=orm.List(properties),
        settings=orm.Dict(section),
        limits=orm.Dict(vars(limits)),
        engine=chain.inputs.get('engine', {}),
        metadata=metadata,
        **inputs,
    )
    chain.report(f'evaluating {label} ({candidate.label}) in {child.process_label}<{child.pk}>')
    return child


def later_answers(chain: IdempotentWorkChain) -> dict[str, tuple[orm.Data, int]]:
    """Candidates whose evaluation has ended and of which more is known since, if the engine asks somebody."""
    hook = engine_named(settings(chain).evaluate.engine).later
    return load(hook)(chain.node) if hook else {}


def launch_again(chain: IdempotentWorkChain, found: Mapping[str, tuple[orm.Data, int]]) -> dict[str, Any]:
    """Evaluate candidates again of which more is known, each under its name; the harvest replaces their rows."""
    spec = settings(chain)
    children = {}
    for name, (candidate, number) in found.items():
        child = children[name] = chain.submit_once(
            name,
            WorkflowFactory(engine_named(spec.evaluate.engine).workchain),
            again=f'{AGAIN}{number} answers',
            candidate=candidate,
            properties=orm.List(engine_properties(spec)),
            settings=orm.Dict(engine_section(spec)),
            engine=chain.inputs.get('engine', {}),
            metadata={'label': f'{name} {candidate.label}'},
        )
        chain.report(f'{name} has a later answer: taking {number} answers in {child.process_label}<{child.pk}>')
    return children


def evaluated_before(chain: IdempotentWorkChain, formula: str) -> dict[str, Any]:
    """Relaxed crystals and equations of state of the campaign's earlier evaluations of a formula, as inputs."""
    campaign = chain.node.caller
    if campaign is None:
        return {}
    generations = generation_ids(chain_of(campaign.pk))
    known = known_equations_of_state([*generations, chain.node.pk], formula)
    if not known:
        return {}
    return {
        'evaluated': {
            'relaxed': {name: relaxed for name, (relaxed, _) in known.items()},
            'equation_of_state': {name: state for name, (_, state) in known.items()},
        }
    }


def missing_elements(chain: IdempotentWorkChain, candidates: Iterable[orm.StructureData]) -> list[str]:
    """Elements of these crystals whose energy is needed and not known."""
    if not references_wanted(settings(chain)):
        return []
    elements = {kind.symbol for candidate in candidates for kind in candidate.kinds}
    energies = chain.ctx.references.get_dict() if chain.ctx.references is not None else {}
    return sorted(elements - set(energies))


def symbol_of(label: str) -> str:
    """The element of a reference."""
    return label.removeprefix(REFERENCE)


def take_references(chain: IdempotentWorkChain, children: Mapping[str, orm.WorkChainNode]) -> list[str]:
    """Collect the energies of elements, and return those that failed: their crystals stay without a reference.

    :param children: evaluations by label.
    """
    found = {symbol_of(name): child.outputs.properties for name, child in children.items() if child.is_finished_ok}
    if found:
        node = chain.decide(
            'references', collect_references, settings=chain.inputs.settings, **known(chain, 'references'), **found
        )
        chain.ctx.references = node.outputs.references
    failed = {symbol_of(name): child for name, child in children.items() if not child.is_finished_ok}
    for symbol, child in failed.items():
        chain.report(f'the reference of {symbol} failed: {ending_of(child).reason}')
    return list(failed)


def take_ended(
    chain: IdempotentWorkChain, results: Results, children: Mapping[str, orm.WorkChainNode]
) -> dict[str, Cost]:
    """Add what evaluations left that have ended; what a request to stop killed counts as not evaluated.

    :returns: what each has cost, stopped ones included.
    """
    costs = results.add(chain.node, children, was_stopped=kills(request_for(chain.node)))
    failed = [name for name in children if results.outcomes.get(name, {}).get('reason')]
    for name in children:
        if name not in results.outcomes:
            chain.report(f'{name} was ended by the stop; it counts as not evaluated')
        elif name in failed:
            chain.report(f'{name} failed: {results.outcomes[name]["reason"]}')
    if failed:
        refuse_as_cache(chain.node, [children[name] for name in failed])
    return costs


def take_results(chain: IdempotentWorkChain, results: Results, **chosen: Any) -> ExitCode | None:
    """Add a row to the table for each of these results, failed ones included.

    :param chosen: ``batch``, or ``batches`` of a stream.
    """
    inputs = {'properties': results.properties, 'relaxed': results.relaxed} if results.properties else {}
    if results.curves:
        inputs['curves'] = results.curves
    if stability_wanted(settings(chain)):
        inputs['references'] = chain.ctx.references if chain.ctx.references is not None else orm.Dict({})
    node = chain.decide(
        'harvest',
        harvest,
        settings=chain.inputs.settings,
        outcomes=orm.Dict(results.outcomes),
        **known(chain, 'pool', 'table'),
        **chosen,
        **inputs,
    )
    if not node.is_finished_ok:
        return decision_failed(chain, 'harvest', node)
    chain.ctx.table = node.outputs.table
    number = counts(chain)
    evaluated = f'evaluations: {number["total"]}, failed: {number["failed"]}'
    chain.report(f'{evaluated}, distinct hits: {number["distinct_hits"]}')
    return None
