"""Where a campaign stands: as plain data, from a few scalar queries, so that it may be asked for every second."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from aiida_inversedesign.audit.launches import Launches, newest_rows, read_launches
from aiida_inversedesign.audit.metrics import transfer_in_words, transfer_of
from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.contracts.registry import load
from aiida_inversedesign.campaign.demands import stability_wanted
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import KNOWN, is_feasible, loss
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph.choices import find_surrogates
from aiida_inversedesign.graph.evaluation_account import ENDED, Evaluation, last_launches
from aiida_inversedesign.graph.job_record import JobRecord, cost_of
from aiida_inversedesign.graph.jobs import find_jobs
from aiida_inversedesign.graph.screenings import running_jobs
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.workchains.orphaned import is_cut_off

#: Fewer evaluations than this say nothing about how long the rest will take.
LEAST_FOR_RATE = 5

#: No time is foretold once nothing has ended for so many times the longest wait so far.
STALLED = 3.0

#: Budgets that are used up steadily; hits come when they come.
_STEADY = ('evaluations', 'dft_calculations', 'core_hours')


def describe(node: Any) -> dict[str, Any]:
    """Where a campaign stands, as plain data: state, budget used, best, what runs, what failed and why.

    Evaluations count from the moment they end, not from the harvest of their generation.

    :param node: the campaign's ``WorkChainNode``.
    """
    settings = settings_of(node.inputs.settings)
    goal, budget = settings.goal, node.inputs.budget.get_dict() if 'budget' in node.inputs else {}
    chain = query.chain_of(node.pk)
    own = set(query.generation_ids([node.pk]))
    generations = query.find_generations(chain)
    launches = read_launches(generations, chain, with_rows=stability_wanted(settings))
    launched = launches.evaluations
    jobs = find_jobs(chain)
    evaluations = _evaluations(launches, settings, [item['pk'] for item in generations])
    known = query.known_table([item['pk'] for item in generations])
    if len(chain) == 1 and 'table' in node.inputs:
        evaluations = _earlier(node.inputs.table, {item['candidate'] for item in evaluations}) + evaluations
    cost = cost_of(jobs)
    now = datetime.now(UTC)
    ended = [item for item in evaluations if item['status'] in ENDED]
    failed = [item for item in ended if item['status'] == 'failed']
    used = {
        # those that were stopped with the campaign are launched again if it is resumed
        'evaluations': sum(item['status'] != 'stopped' for item in evaluations),
        'dft_calculations': cost.dft_calculations,
        # without a job nothing was used; None says that jobs ran and none was recorded
        'core_hours': cost.core_hours if any(not job.cached for job in jobs) else 0.0,
        'hits': sum(item['hit'] is True and not item['copy_of'] for item in ended),
        'generations': len(generations),
    }
    best = _best(ended, goal)
    hook = engine_named(settings.evaluate.engine).waits_for
    waits = load(hook)(launched, node.inputs.settings) if hook else {}
    return {
        'schema': 'inversedesign/2',
        'pk': node.pk,
        'uuid': node.uuid,
        'name': settings.name,
        'state': node.process_state.value if node.process_state is not None else 'created',
        'ended': node.is_terminated,
        'cut_off': is_cut_off(node),
        'exit_status': node.exit_status,
        'exit_message': node.exit_message,
        'stop_reason': node.outputs.stop_reason.value if 'stop_reason' in node.outputs else None,
        'started': node.ctime.isoformat(),
        'used': {name: {'value': value, 'limit': budget.get(name)} for name, value in used.items()},
        'makes_dft': engine_named(settings.evaluate.engine).makes_dft,
        'completed': len(ended) - len(failed),
        'failed': len(failed),
        'stopped': sum(item['status'] == 'stopped' for item in evaluations),
        'known': None
        if known is None
        else {'file': settings.known, 'points': known.counts['known'], 'best': known.best},
        'transfer': _transfer(settings, generations),
        'best': best,
        'best_so_far': best_so_far(evaluations, goal),
        'objective': goal.objectives[0].described(),
        'units': {name: settings.unit(name) for name in goal.properties},
        'running': [
            {
                'candidate': item.label,
                'pk': item.id,
                'what': ', '.join(filter(None, (item.description or item.label, waits.get(item.id, '')))),
                'state': item.state,
                'seconds': (now - item.started).total_seconds(),
            }
            for item in launched
            if item.is_running
        ]
        + _screening(settings, [item['pk'] for item in generations], now),
        'hits': _hits(ended),
        'failures': [_shown(item, 'reason') for item in failed],
        'time_left': _time_left(node, launched, jobs, own, used, budget, now),
    }


def _transfer(settings: CampaignSettings, generations: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the newest surrogate says of the earlier campaigns that it learned from, as phrases."""
    if not settings.learn.earlier:
        return []
    found = find_surrogates([item['pk'] for item in generations])
    taught = [(item['number'], found[item['pk']].earlier) for item in generations if item['pk'] in found]
    figures = transfer_of(taught)
    units = {name: settings.unit(name) for name in settings.goal.properties}
    return [] if figures is None else transfer_in_words(figures, units)


def _screening(settings: CampaignSettings, generations: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """The jobs of a potential that run."""
    if settings.screen.potential is None:
        return []
    return [
        {
            'candidate': job['label'],
            'pk': job['pk'],
            'what': f'{settings.screen.potential} looks at {job["candidates"]} candidates',
            'state': job['state'],
            'seconds': (now - job['started']).total_seconds(),
        }
        for job in running_jobs(generations)
    ]


def _evaluations(launches: Launches, settings: CampaignSettings, generations: Sequence[int]) -> list[dict[str, Any]]:
    """What became of each candidate, in the order of the launches that count.

    Contents are compared only where a hit has the key of another evaluation.
    """
    chosen = last_launches(launches.evaluations)
    unnamed = [item.id for item in chosen if not item.description]
    structures = query.evaluated_candidates(unnamed) if unnamed else {}
    found = [
        {
            'candidate': item.label,
            'key': item.description.partition(' ')[2] or structures[item.id].label,
            **vars(launches.account(item, settings.goal)),
            'copy_of': '',
        }
        for item in chosen
    ]
    keys = Counter(item['key'] for item in found if item['status'] == 'completed')
    if any(item['hit'] and keys[item['key']] > 1 for item in found):
        if not launches.rows:
            launches = replace(launches, rows=newest_rows(generations))
        pairs = zip(chosen, found, strict=True)
        completed = [(item, account['key']) for item, account in pairs if account['status'] == 'completed']
        copies = launches.copies(completed, settings.space)
        found = [{**account, 'copy_of': copies.get(account['candidate'], '')} for account in found]
    return found


def _hits(ended: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The distinct hits, each with the number of evaluations that ended in it again."""
    again = Counter(item['copy_of'] for item in ended)
    distinct = [item for item in ended if item['hit'] is True and not item['copy_of']]
    return [{**_shown(item, 'properties'), 'copies': again[item['candidate']]} for item in distinct]


def _earlier(table: Any, known: set[str]) -> list[dict[str, Any]]:
    """Rows of a table that the campaign was given, of evaluations that are not its own."""
    return [
        {
            **{name: getattr(row, name) for name in ('candidate', 'key', 'status', 'properties', 'hit', 'reason')},
            'copy_of': row.copy_of or '',
        }
        for row in table.get_rows()
        if row.candidate not in known and row.arm != KNOWN
    ]


def _shown(item: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: item[key] for key in ('candidate', 'key', *keys)}


def _able(evaluations: Sequence[dict[str, Any]], goal: Goal) -> list[dict[str, Any]]:
    """Those completed that have the first objective's property and keep the constraints."""
    name = goal.objectives[0].property
    return [item for item in evaluations if name in item['properties'] and is_feasible(goal, item['properties'])]


def _best(evaluations: Sequence[dict[str, Any]], goal: Goal) -> dict[str, Any] | None:
    found = min(_able(evaluations, goal), key=lambda item: loss(goal, item['properties']), default=None)
    return None if found is None else _shown(found, 'properties', 'hit')


def best_so_far(evaluations: Sequence[dict[str, Any]], goal: Goal) -> list[list[float]]:
    """The steps of the best value: number of the evaluation that made it, and the value.

    :param evaluations: in the order of the launches; numbers count from 1.
    """
    able = {item['candidate'] for item in _able(evaluations, goal)}
    steps, least = [], math.inf
    for number, item in enumerate(evaluations, start=1):
        if item['candidate'] in able and (distance := loss(goal, item['properties'])) < least:
            steps.append([number, item['properties'][goal.objectives[0].property]])
            least = distance
    return steps


def _time_left(
    node: Any,
    launched: Sequence[Evaluation],
    jobs: Sequence[JobRecord],
    own: set[int],
    used: dict[str, Any],
    budget: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """:func:`time_left` of a campaign."""
    if node.is_terminated:
        return {'seconds': None, 'reason': 'the campaign has ended'}
    mine = [item for item in launched if item.generation in own and not item.is_reference]
    cost = cost_of([job for job in jobs if job.generation in own])
    running = sum(item.is_running for item in mine)
    return time_left(
        started=node.ctime,
        ends=[item.changed for item in mine if not item.is_running],
        spent={
            'evaluations': len(mine) - running,
            'dft_calculations': cost.dft_calculations,
            'core_hours': cost.core_hours or 0.0,
        },
        left={
            name: budget[name] - (used[name] or 0) + (running if name == 'evaluations' else 0)
            for name in _STEADY
            if budget.get(name) is not None
        },
        now=now,
    )


def time_left(
    started: datetime, ends: Sequence[datetime], spent: dict[str, float], left: dict[str, float], now: datetime
) -> dict[str, Any]:
    """Seconds until the first budget is used up at the campaign's own rate so far, or why that is not known.

    :param ends: when each of the campaign's own evaluations ended.
    :param spent: what the campaign itself has used of each budget since ``started``.
    :param left: the remainder of each budget that is limited.
    """
    if len(ends) < LEAST_FOR_RATE:
        return {
            'seconds': None,
            'reason': f'only {len(ends)} evaluations have ended; a rate needs {LEAST_FOR_RATE}',
        }
    times = [started, *sorted(ends)]
    longest = max((after - before).total_seconds() for before, after in pairwise(times))
    waiting = (now - times[-1]).total_seconds()
    if waiting > STALLED * longest:
        return {'seconds': None, 'reason': f'nothing has ended for {waiting / 60:.0f} min, the longest gap so far'}
    elapsed = (now - started).total_seconds()
    found = {name: elapsed * max(left[name], 0.0) / spent[name] for name in left if spent.get(name)}
    if not found:
        return {'seconds': None, 'reason': 'no budget is limited that is used up steadily'}
    first = min(found, key=lambda name: found[name])
    return {'seconds': found[first], 'until': first}
