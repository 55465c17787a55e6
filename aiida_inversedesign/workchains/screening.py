"""The stage between proposal and selection: jobs with a potential, in bundles, and the verdicts that follow from them.

In the context are the bundles that wait (names of candidates) and the newest jobs; what the jobs found is asked of the
provenance graph, so that a restarted daemon counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ToContext

from aiida_inversedesign.decisions.ask_estimates import ask_estimates
from aiida_inversedesign.decisions.potential_job import PotentialCalculation
from aiida_inversedesign.decisions.screen_candidates import screen_candidates
from aiida_inversedesign.engines.common.options import job_options, wall_seconds
from aiida_inversedesign.graph.campaigns import chain_of, generation_ids
from aiida_inversedesign.graph.choices import ANSWERS, SCREENING
from aiida_inversedesign.graph.screenings import results_of
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.processes.attempts import ATTEMPTS, attempt_label, was_cut_down
from aiida_inversedesign.processes.earlier_attempts import folders_before
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain
from aiida_inversedesign.screen.potentials.bundles import bundles
from aiida_inversedesign.screen.potentials.judge import POTENTIAL, to_screen
from aiida_inversedesign.screen.potentials.phases import competing, needs_library
from aiida_inversedesign.screen.potentials.questions import QUESTION
from aiida_inversedesign.workchains import steps
from aiida_inversedesign.workchains.decision_jobs import explain_job
from aiida_inversedesign.workchains.stopping import request_for

#: Section of the campaign file; the call link labels of its jobs begin with that of the decision.
SCREEN = SCREENING


def is_due(chain: IdempotentWorkChain) -> bool:
    """Whether a potential is to look at candidates of the pool; the bundles are made then."""
    settings, pool = steps.settings(chain), chain.ctx.pool
    if settings.screen.potential is None or pool is None:
        return False
    candidates = to_screen(pool.get_candidates(), settings.propose.min_distance)
    if not candidates:
        return False
    phases = _phases(chain, [item.content.counts for item in candidates])
    names, jobs = _deal(chain, {item.id: item.content.content_hash for item in candidates} | phases, SCREEN)
    chain.ctx.judged_under = SCREEN
    taken = len(chain.ctx.wanted) - len(names)
    chain.report(
        f'{settings.screen.potential} looks at {len(names)} crystals in {jobs} jobs'
        + (f'; {len(phases)} are competing phases' if phases else '')
        + (f'; {taken} were looked at before' if taken else '')
    )
    return True


def asks(chain: IdempotentWorkChain) -> bool:
    """Whether the potential is asked about further candidates before the batch is chosen; the bundles are made then.

    The questions of a generation cost no more than its batch.
    """
    settings, pool = steps.settings(chain), chain.ctx.pool
    cost = settings.screen.estimate_cost
    if cost is None or pool is None or request_for(chain.node) is not None:
        return False
    asked, turn = chain.ctx.get('questions', 0), chain.ctx.get('turn', 0) + 1
    if asked * cost >= chain.inputs.allowance['evaluations']:
        return False
    node = chain.decide(
        f'ask_{turn}',
        ask_estimates,
        settings=chain.inputs.settings,
        generation=chain.inputs.generation,
        **steps.known(chain, 'pool', 'table', 'surrogate'),
    )
    questions = node.outputs.result.get_list()
    if not questions:
        return False
    chain.ctx.turn, chain.ctx.questions = turn, asked + len(questions)
    chain.ctx.judged_under = f'{ANSWERS}_{turn}'
    crystals = {item.id: item.content for item in pool.get_candidates() if item.content is not None}
    wanted = {name: crystals[name.removeprefix(QUESTION)].content_hash for name in questions}
    _, jobs = _deal(chain, wanted, f'ask_{turn}_job')
    chain.report(f'{settings.screen.potential} is asked about {len(questions)} candidates in {jobs} jobs')
    return True


def _deal(chain: IdempotentWorkChain, wanted: Mapping[str, str], label: str) -> tuple[list[str], int]:
    """Make bundles of what no job has answered yet: its names, and the number of jobs.

    :param wanted: digest of the crystal by name.
    """
    screening = steps.settings(chain).screen
    chain.ctx.wanted = dict(wanted)
    known = {record['id']: record['digest'] for node in _results(chain) for record in node['records']}
    names = [name for name, digest in wanted.items() if known.get(name) != digest]
    made = bundles(names, screening.bundle, screening.at_once)
    chain.ctx.bundles = [[f'{label}_{number:03d}', names, 1] for number, names in enumerate(made, 1)]
    chain.ctx.running_bundles = []
    return names, len(made)


def _phases(chain: IdempotentWorkChain, candidates: Iterable[Collection[str]]) -> dict[str, str]:
    """The digest of each competing phase of the candidates' elements by name; empty if no hull is asked for."""
    if steps.settings(chain).screen.hull is None:
        return {}
    library = chain.inputs.library.get_library() if 'library' in chain.inputs else None
    phases = competing(library if isinstance(library, Library) else None, candidates)
    return {name: crystal.content_hash for name, crystal in phases.items()}


def has_bundles(chain: IdempotentWorkChain) -> bool:
    """Whether bundles wait, and the campaign is not to stop."""
    return bool(chain.ctx.bundles) and request_for(chain.node) is None and 'screen_failed' not in chain.ctx


def run_bundles(chain: IdempotentWorkChain) -> Any:
    """Submit as many bundles as may run at once, and wait for them."""
    screening = steps.settings(chain).screen
    code = chain.inputs.codes[SCREEN]
    section = screening.model_dump(mode='json')
    options = job_options(section, wall_seconds(section), code.with_mpi)
    wave, chain.ctx.bundles = chain.ctx.bundles[: screening.at_once], chain.ctx.bundles[screening.at_once :]
    jobs = {}
    for label, names, attempt in wave:
        before = chain.ctx.get(attempt_label(label, attempt - 1)) if attempt > 1 else None
        jobs[attempt_label(label, attempt)] = chain.submit_once(
            attempt_label(label, attempt),
            PotentialCalculation,
            code=code,
            settings=chain.inputs.settings,
            pool=chain.ctx.pool,
            candidates=orm.List(names),
            **({'library': chain.inputs.library} if needs_library(names) else {}),
            metadata={'options': options},
            **folders_before(before, attempt_label(label, attempt - 1)),
        )
    chain.ctx.running_bundles = wave
    return ToContext(**jobs)


def inspect_bundles(chain: IdempotentWorkChain) -> None:
    """What became of the jobs that ran: the remainder of one that was cut down waits again."""
    for label, names, attempt in chain.ctx.running_bundles:
        job = chain.ctx[attempt_label(label, attempt)]
        records = job.outputs.results['records'] if 'results' in job.outputs else []
        done = {record['id'] for record in records}
        left = [name for name in names if name not in done]
        if job.is_finished_ok or not left:
            chain.report(f'{label}: {len(done)} crystals relaxed')
        elif done or (was_cut_down(job) and attempt < ATTEMPTS):
            chain.report(f'{label}: {len(done)} of {len(names)} crystals relaxed, the others are submitted again')
            chain.ctx.bundles = [*chain.ctx.bundles, [label, left, attempt + 1]]
        else:
            chain.ctx.screen_failed = attempt_label(label, attempt)
    chain.ctx.running_bundles = []


def judge(chain: IdempotentWorkChain) -> ExitCode | None:
    """Continue with the candidates as the potential relaxed and judged them."""
    if 'screen_failed' in chain.ctx:
        job = chain.ctx[chain.ctx.screen_failed]
        return chain.exit_codes.DECISION_FAILED.format(
            step='screening',
            status=job.exit_status,
            reason=explain_job(chain, job, job.exit_message or 'it was killed'),
            pk=chain.node.pk,
        )
    if request_for(chain.node) is not None:
        # nothing is chosen among candidates that nobody has looked at; what goes on takes the results that are there
        steps.return_state(chain)
        return ExitCode(0)
    results = {f'results_{number:03d}': node for number, node in enumerate(_results(chain), 1)}
    if not results:
        return None
    node = chain.decide(
        chain.ctx.judged_under,
        screen_candidates,
        settings=chain.inputs.settings,
        **steps.known(chain, 'pool', 'table'),
        **results,
    )
    if not node.is_finished_ok:
        return steps.decision_failed(chain, 'screening', node)
    before, chain.ctx.pool = chain.ctx.pool, node.outputs.pool
    chain.report(
        f'{chain.ctx.pool.accepted} of {before.accepted} candidates stand after the screening, in '
        f'PoolData<{chain.ctx.pool.pk}>'
    )
    return None


def rejections(chain: IdempotentWorkChain) -> str:
    """In words how many candidates the potential rejected and why the first one; empty if none."""
    rejected = [item for item in chain.ctx.pool.get_candidates() if item.rejected_by == POTENTIAL]
    if not rejected:
        return ''
    first = rejected[0]
    return f', or rejected by screen.potential ({len(rejected)}, e.g. {first.id}: {first.verdicts[POTENTIAL].reason})'


def _results(chain: IdempotentWorkChain) -> list[orm.Dict]:
    """What the jobs of this generation and of all before it found of the candidates that wait, and of their phases."""
    caller = chain.node.caller
    generations = generation_ids(chain_of(caller.pk)) if caller is not None else []
    return [
        node
        for node in results_of([*generations, chain.node.pk])
        if any(chain.ctx.wanted.get(record['id']) == record['digest'] for record in node['records'])
    ]
