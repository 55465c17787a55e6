"""The stage between proposal and selection: jobs with a potential, in bundles, and the verdicts that follow from them.

In the context are the bundles that wait (names of candidates) and the newest jobs; what the jobs found is asked of the
provenance graph, so that a restarted daemon counts nothing twice.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ToContext

from aiida_inversedesign.decisions.potential_job import PotentialCalculation
from aiida_inversedesign.decisions.screen_candidates import screen_candidates
from aiida_inversedesign.engines.common.options import job_options, wall_seconds
from aiida_inversedesign.graph.campaigns import chain_of, generation_ids
from aiida_inversedesign.graph.choices import SCREENING
from aiida_inversedesign.graph.screenings import results_of
from aiida_inversedesign.processes.attempts import ATTEMPTS, attempt_label, was_cut_down
from aiida_inversedesign.processes.earlier_attempts import folders_before
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain
from aiida_inversedesign.screen.potentials.bundles import bundles
from aiida_inversedesign.screen.potentials.judge import to_screen
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
    wanted = to_screen(pool.get_candidates(), settings.propose.min_distance)
    if not wanted:
        return False
    known = _known(chain)
    names = [item.id for item in wanted if known.get(item.id) != item.content.content_hash]
    made = bundles(names, settings.screen.bundle, settings.screen.at_once)
    chain.ctx.bundles = [[f'{SCREEN}_{number:03d}', names, 1] for number, names in enumerate(made, 1)]
    chain.ctx.running_bundles = []
    taken = len(wanted) - len(names)
    chain.report(
        f'{settings.screen.potential} looks at {len(names)} candidates in {len(made)} jobs'
        + (f'; {taken} were looked at before' if taken else '')
    )
    return True


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
            metadata={'options': options},
            **folders_before(before, attempt_label(label, attempt - 1)),
        )
    chain.ctx.running_bundles = wave
    return ToContext(**jobs)


def inspect_bundles(chain: IdempotentWorkChain) -> None:
    """What became of the jobs that ran: what is left of one that was cut down waits again."""
    for label, names, attempt in chain.ctx.running_bundles:
        job = chain.ctx[attempt_label(label, attempt)]
        records = job.outputs.results['records'] if 'results' in job.outputs else []
        done = {record['id'] for record in records}
        left = [name for name in names if name not in done]
        if job.is_finished_ok or not left:
            chain.report(f'{label}: {len(done)} candidates relaxed')
        elif done or (was_cut_down(job) and attempt < ATTEMPTS):
            chain.report(f'{label}: {len(done)} of {len(names)} candidates relaxed, the others are submitted again')
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
        SCREEN,
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


def _results(chain: IdempotentWorkChain) -> list[orm.Dict]:
    """What the jobs of this generation, and of interrupted ones before it, found of the candidates that wait."""
    caller = chain.node.caller
    generations = generation_ids(chain_of(caller.pk)) if caller is not None else []
    wanted = {
        item.id: item.content.content_hash
        for item in to_screen(chain.ctx.pool.get_candidates(), steps.settings(chain).propose.min_distance)
    }
    return [
        node
        for node in results_of([*generations, chain.node.pk])
        if any(wanted.get(record['id']) == record['digest'] for record in node['records'])
    ]


def _known(chain: IdempotentWorkChain) -> dict[str, str]:
    """Digest of each candidate's crystal that has been looked at, by id."""
    return {record['id']: record['digest'] for node in _results(chain) for record in node['records']}
