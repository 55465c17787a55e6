"""Whether each decision took what the campaign gave it: settings, seed, library, model, and the state so far."""

from __future__ import annotations

from collections.abc import Iterator

from aiida import orm

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.decisions.generate_job import generation_request, read_retrieved
from aiida_inversedesign.graph.job_record import GENERATE_JOB
from aiida_inversedesign.graph.links import Call, Link
from aiida_inversedesign.graph.screenings import POTENTIAL_JOB
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.verify.case import Case
from aiida_inversedesign.verify.compare import compare, difference
from aiida_inversedesign.verify.findings import Finding
from aiida_inversedesign.verify.replay import repeatable
from aiida_inversedesign.workchains.state import STATE

#: Inputs that all generations of a campaign share, and the kind of finding where one has another.
_SHARED = {'settings': 'settings', 'library': 'library', 'model': 'model', 'known': 'known'}
#: Jobs that are not decisions, and decide with them.
_JOBS = {POTENTIAL_JOB: 'potential job', GENERATE_JOB: 'generator'}
#: The steps of a generation that are decisions.
_STEPS = ('take_known', 'propose_candidates', 'screen_candidates', 'select_batch', 'harvest', 'fit_surrogate')
#: What each of them takes from its generation, or from its earlier steps.
_TAKEN: dict[str, tuple[str, ...]] = {
    'take_known': (),
    'propose_candidates': ('generation', 'table', 'pool', 'surrogate'),
    'potential job': ('pool',),
    'generator': ('generation', 'table', 'pool', 'surrogate'),
    'screen_candidates': ('table', 'pool'),
    'ask_estimates': ('generation', 'table', 'surrogate', 'pool'),
    'select_batch': ('generation', 'table', 'surrogate', 'pool'),
    'harvest': ('table', 'pool', 'batch'),
    'fit_surrogate': ('table',),
}


def check_decisions(case: Case) -> Iterator[Finding]:
    """Findings on the inputs of all generations and decisions."""
    for campaign in case.chain:
        yield from _check_start(case, campaign)
        state = {name: link for name, link in case.graph.inputs[campaign].items() if name in STATE}
        for generation in case.generations_of(campaign):
            yield from _check_generation(case, campaign, generation, state)
            yield from _check_steps(case, generation)
            returned = case.graph.returned[generation.id]
            state |= {name: link for name, link in returned.items() if name in STATE}


def _check_start(case: Case, campaign: int) -> Iterator[Finding]:
    """Whether what a campaign began with comes from the one that it resumed."""
    for name, link in case.graph.inputs[campaign].items():
        if name in STATE and link.node not in case.graph.creator:
            yield Finding(
                'state', link.uuid, f'the {name} that the campaign began with was made by none that it resumed'
            )
    first, own = case.graph.inputs[case.chain[0]], case.graph.inputs[campaign]
    for name, kind in _SHARED.items():
        yield from _check_same(case, kind, f'the resumed campaign {case.graph.calls[campaign].uuid}', name, first, own)


def _check_generation(case: Case, campaign: int, generation: Call, state: dict[str, Link]) -> Iterator[Finding]:
    """Whether a generation has the campaign's settings and goes on from what the one before it returned."""
    given, own = case.graph.inputs[campaign], case.graph.inputs[generation.id]
    for name, kind in _SHARED.items():
        yield from _check_same(case, kind, generation.label, name, given, own)
    for name in STATE:
        before, now = state.get(name), own.get(name)
        if (before and before.node) != (now and now.node):
            yield Finding(
                'state', generation.uuid, f'{generation.label} did not take the {name} that was there before it'
            )
    number = case.attributes(own['generation']).get('value') if 'generation' in own else None
    if generation.label != f'generation_{number or 0:03d}':
        yield Finding('state', generation.uuid, f'{generation.label} has the number {number}')


def _check_same(
    case: Case, kind: str, who: str, name: str, given: dict[str, Link], own: dict[str, Link]
) -> Iterator[Finding]:
    """A finding if an input is another node than the one that was given."""
    one, other = given.get(name), own.get(name)
    if (one and one.node) == (other and other.node):
        return
    if one is None or other is None:
        yield Finding(kind, (one or other).uuid, f'{who} has {"no" if other is None else "a"} {name}')  # type: ignore[union-attr]
        return
    message, differs = _difference(case, one, other)
    if name == 'settings':
        kind = 'seed' if differs == {'seed'} else kind
    yield Finding(kind, other.uuid, f'{who} used another {name} node than the campaign ({message})')


def _difference(case: Case, one: Link, other: Link) -> tuple[str, set[str]]:
    """In words how the attributes of two nodes differ, and in which of them."""
    stored, found = case.attributes(one), case.attributes(other)
    differs = {key for key in {*stored, *found} if stored.get(key) != found.get(key)}
    if not differs:
        return 'with the same content', differs
    comparison = compare({key: stored.get(key) for key in differs}, {key: found.get(key) for key in differs}, 0.0)
    return comparison.message.replace('stored', 'the campaign has', 1).replace(', found', ', there it is', 1), differs


def _check_steps(case: Case, generation: Call) -> Iterator[Finding]:
    """Whether the decisions of a generation took what it had, and are all there.

    A generation may choose and harvest several times: each step takes what the generation was given or what one of its
    earlier steps made.
    """
    graph = case.graph
    own = graph.inputs[generation.id]
    known: dict[str, set[int | None]] = {name: {link.node} for name, link in own.items()}
    known['batch'] = {link.node for name, link in own.items() if name.startswith('interrupted__batch')}
    for call in graph.children.get(generation.id, []):
        function = repeatable()[call.process_type].name if call.process_type in repeatable() else ''
        function = _JOBS.get(call.process_type, function)
        if function not in _TAKEN:
            continue
        taken, who = graph.inputs[call.id], f'{function} of {generation.label}'
        always = ('library', 'model') if function == 'propose_candidates' else ()
        for name in _SHARED:
            if name not in ('settings', *always) and name not in taken:
                continue
            yield from _check_same(case, _SHARED[name], who, name, own, taken)
        for name in _TAKEN[function]:
            # a stream numbers its further proposals by itself, and harvests several choices at once
            if name == 'generation' and case.is_asynchronous:
                continue
            nodes: set[int | None] = {
                link.node for label, link in taken.items() if label == name or label.startswith(f'{name}es__')
            }
            # of evaluations that were made again alone: they were chosen long ago
            if name == 'batch' and not nodes and engine_named(case.settings.evaluate.engine).later:
                continue
            if not (nodes or {None}) <= known.get(name, {None}):
                yield Finding('state', call.uuid, f'{who} did not take the {name} of its generation')
        if function == 'screen_candidates':
            yield from _check_results(case, call, who)
        if function == 'propose_candidates' and 'generated' in taken:
            yield from _check_generated(case, generation, taken['generated'], who)
        for name, link in graph.created.get(call.id, {}).items():
            known.setdefault(name, set()).add(link.node)
    yield from _check_all_there(case, generation)


def _check_all_there(case: Case, generation: Call) -> Iterator[Finding]:
    """Whether each new node of a generation's state was made by a decision, and the batch has the right size."""
    graph = case.graph
    own, returned = graph.inputs[generation.id], graph.returned[generation.id]
    steps = {name: graph.steps(generation.id, name) for name in _STEPS}
    # a stream returns its whole state, also what it was given
    fresh = {name for name, link in returned.items() if name not in own or own[name].node != link.node}
    needed = {
        # a screening makes a new pool of the one that was there, which is checked above
        'propose_candidates': 'pool' in fresh and not steps['screen_candidates'],
        'select_batch': 'batch' in fresh and not any(name.startswith('interrupted__batch') for name in own),
        'harvest': 'table' in fresh,
        'fit_surrogate': 'surrogate' in fresh,
    }
    for name, is_needed in needed.items():
        if is_needed and not steps[name]:
            yield Finding('missing_decision', generation.uuid, f'{name} of {generation.label} is not in the graph')
    if len(steps['select_batch']) == 1:
        yield from _check_size(case, generation, steps['select_batch'][0])


def _check_results(case: Case, screening: Call, who: str) -> Iterator[Finding]:
    """Whether candidates were judged by what jobs with a potential of this campaign found."""
    graph = case.graph
    jobs = {
        call.id
        for generation in case.generations
        for call in graph.children.get(generation.id, [])
        if call.process_type == POTENTIAL_JOB
    }
    for label, link in graph.inputs[screening.id].items():
        if label.startswith('results_') and graph.creator.get(link.node) not in jobs:
            yield Finding('state', screening.uuid, f'{who} took {label} of no job of the campaign')


def _check_generated(case: Case, generation: Call, given: Link, who: str) -> Iterator[Finding]:
    """Whether a proposal took what the generator of its generation left, read again from its files."""
    jobs = {call.id for call in case.graph.children.get(generation.id, []) if call.process_type == GENERATE_JOB}
    creator = case.graph.creator.get(given.node)
    if creator not in jobs:
        yield Finding('state', given.uuid, f'{who} took crystals of no generator of its generation')
        return
    job = orm.load_node(creator)
    if 'retrieved' not in job.outputs:
        yield Finding('state', given.uuid, f'the files of the generator of {generation.label} are not there')
        return
    found = read_retrieved(job.outputs.retrieved, generation_request(job.inputs))
    # a node rounds the last digits of numbers
    if text := difference(case.node(given).get_dict(), found, 1e-9):
        message = f'{generation.label}: not what the files that the generator left contain ({text})'
        yield Finding('state', given.uuid, message)


def _check_size(case: Case, generation: Call, select: Call) -> Iterator[Finding]:
    """Whether a selection chose as many as the generation was allowed."""
    own = case.graph.inputs[generation.id]
    if 'allowance' not in own or 'size' not in case.graph.inputs[select.id]:
        return
    size = case.attributes(case.graph.inputs[select.id]['size']).get('value')
    allowed = case.attributes(own['allowance']).get('evaluations')
    # one that is missing is a finding, and does not end the check
    if not isinstance(size, int) or not isinstance(allowed, int) or size > allowed:
        message = f'{generation.label} was allowed {allowed} evaluations, its selection was asked for {size}'
        yield Finding('budget', select.uuid, message)


def check_seeds(case: Case) -> Iterator[Finding]:
    """Whether the surrogates were fitted with the campaign's seed."""
    seed = case.settings.seed
    for generation in case.generations:
        fits = case.graph.steps(generation.id, 'fit_surrogate')
        for link in case.graph.outputs(fits, 'surrogate'):
            used = case.node(link).state.get('seed')
            if used != seed:
                message = f'a surrogate of {generation.label} was fitted with seed {used}, the settings say {seed}'
                yield Finding('seed', link.uuid, message)


def check_templates(case: Case) -> Iterator[Finding]:
    """Whether the candidates' templates are those of the campaign's library."""
    link = case.graph.inputs[case.campaign].get('library')
    library = case.node(link).get_library() if link is not None else None
    if not isinstance(library, Library):
        return
    formulas = {template.id: template.crystal.formula for template in library}
    for generation in case.generations:
        proposals = case.graph.steps(generation.id, 'propose_candidates')
        for link in case.graph.outputs(proposals, 'pool'):
            foreign = [
                candidate
                for candidate in case.node(link).get_candidates()
                if candidate.template and formulas.get(candidate.template) != candidate.template_formula
            ]
            if foreign:
                first = foreign[0]
                message = (
                    f'{len(foreign)} candidates of the proposal of {generation.label} come from templates that the '
                    f"campaign's library does not have, the first is {first.id} from {first.template}"
                )
                yield Finding('library', link.uuid, message)
