"""What a campaign has cost: DFT calculations, core-hours, and what they were spent on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.intervals import wilson
from aiida_inversedesign.audit.metrics.rates import NO_HITS
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph.evaluation_account import STATUSES
from aiida_inversedesign.graph.job_record import Cost, JobRecord, cost_of

#: Why there is no cost in DFT calculations.
NO_DFT = 'no DFT calculation was made'


def count_dft(jobs: Sequence[JobRecord]) -> dict[str, Any]:
    """DFT calculations; ``by_kind`` also has the jobs of other engines, which are not DFT calculations.

    A calculation has one of three outcomes: ``failed``; ``residual``, converged with forces or a pressure above their
    thresholds; the others converged or still run.
    """
    real = [job for job in jobs if not job.cached]
    dft = [job for job in real if job.is_dft]
    return {
        'total': len(dft),
        'failed': sum(job.has_failed for job in dft),
        'residual': sum(job.has_residual for job in dft),
        'restarts': sum(job.is_restart for job in dft),
        'references': sum(job.is_reference for job in dft),
        'cached': sum(job.is_dft and job.cached for job in jobs),
        'by_kind': dict(sorted(Counter(job.kind for job in real).items())),
    }


def core_hours(jobs: Sequence[JobRecord], recorded: float | None) -> dict[str, Any]:
    """Core-hours of every job with a record, and how many jobs have none."""
    hours, missing, real = _recorded(jobs, recorded)
    return {**hours, 'core_hours_not_recorded': {'jobs': missing, 'of': real}}


def _recorded(jobs: Sequence[JobRecord], hours: float | None) -> tuple[dict[str, Any], int, int]:
    """Core-hours, or why they are not known; how many jobs have no record of their wall time, and of how many."""
    real = [job for job in jobs if not job.cached]
    missing = sum(job.wall_seconds is None for job in real)
    if not real or hours is not None:
        return {'core_hours': hours if real else 0.0}, missing, len(real)
    reason = f'not recorded: none of {len(real)} jobs has a record of its wall time'
    return {'core_hours': None, 'core_hours_reason': reason}, missing, len(real)


def hit_figures(hits: Sequence[dict[str, Any]], n: int, cost: Cost, goal: Goal) -> dict[str, Any]:
    """What the first, each further, and on average each hit has cost.

    The interval of a cost per hit is that of the hit rate: the cost per evaluation over its bounds.

    :param hits: distinct hits as :func:`hit_costs` gives them. :param n: evaluations that have ended.
    """
    if hits:
        return {
            'first_hit': {key: hits[0][key] for key in ('evaluation', 'dft_calculations', 'core_hours', 'candidate')},
            'dft_per_hit': cost.dft_calculations / len(hits) if cost.dft_calculations else None,
            **({} if cost.dft_calculations else {'dft_per_hit_reason': NO_DFT}),
            'core_hours_per_hit': None if cost.core_hours is None else cost.core_hours / len(hits),
            **({'core_hours_per_hit_reason': 'core-hours are not recorded'} if cost.core_hours is None else {}),
            'cost_per_hit_intervals': _cost_intervals(len(hits), n, cost),
            'hits': _with_steps(hits),
        }
    reason = 'no hit so far' if goal.defines_hits else NO_HITS
    nothing = dict.fromkeys(('evaluation', 'dft_calculations', 'core_hours', 'candidate'))
    return {
        'first_hit': {**nothing, 'reason': reason},
        'dft_per_hit': None,
        'dft_per_hit_reason': reason,
        'core_hours_per_hit': None,
        'core_hours_per_hit_reason': reason,
        'cost_per_hit_intervals': None,
        'hits': [],
    }


def _cost_intervals(hits: int, n: int, cost: Cost) -> dict[str, Any]:
    low, high = wilson(hits, n)
    spent = {'dft_calculations': cost.dft_calculations or None, 'core_hours': cost.core_hours}
    return {
        **{name: None if value is None else [value / n / high, value / n / low] for name, value in spent.items()},
        'n': n,
    }


def _with_steps(hits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each hit with what was spent between the one before and it."""
    found, before = [], {'evaluation': 0, 'dft_calculations': 0, 'core_hours': 0.0}
    for hit in hits:
        step = {
            name: None if hit[name] is None or before[name] is None else hit[name] - before[name] for name in before
        }
        found.append({**hit, 'since_the_last': step})
        before = {name: hit[name] for name in before}
    return found


def spent_on(
    jobs: Sequence[JobRecord],
    failed: Iterable[str],
    running: Iterable[str],
    stopped: Iterable[str] = (),
    copies: Iterable[str] = (),
) -> dict[str, Any]:
    """DFT calculations and core-hours by what became of them; the parts of ``by_outcome`` add up.

    :param failed: candidates whose evaluation failed. :param running: those whose evaluation has not ended.
    :param stopped: those whose evaluation was killed with the campaign.
    :param copies: those that ended in the same thing as an earlier one.
    """
    fates = {
        **dict.fromkeys(failed, 'failed_evaluations'),
        **dict.fromkeys(running, 'running_evaluations'),
        **dict.fromkeys(stopped, 'stopped_evaluations'),
    }
    again = set(copies)
    outcomes: dict[str, list[JobRecord]] = {
        'references': [],
        'generators': [],
        **{f'{name}_evaluations': [] for name in STATUSES},
    }
    for job in jobs:
        name = fates.get(job.evaluation, 'completed_evaluations')
        name = 'references' if job.is_reference else 'generators' if job.is_generator else name
        outcomes[name].append(job)
    return {
        'by_outcome': {name: _cost(found) for name, found in outcomes.items()},
        'copies': _cost([job for job in jobs if job.evaluation in again]),
        'failed_calculations': _cost([job for job in jobs if job.has_failed]),
        'restarts': _cost([job for job in jobs if job.is_restart]),
        'cache_copies': {'calculations': sum(job.cached for job in jobs), 'core_hours': 0.0},
    }


def _cost(jobs: Sequence[JobRecord]) -> dict[str, Any]:
    cost = cost_of(jobs)
    hours, missing, _ = _recorded(jobs, cost.core_hours)
    return {'dft_calculations': cost.dft_calculations, **hours, 'not_recorded': missing}
