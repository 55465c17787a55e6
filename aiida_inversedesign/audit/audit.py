"""The audit of a campaign: every figure from provenance alone, read only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.record import AuditError, CampaignRecord, Cost, JobRecord, cost_of
from aiida_inversedesign.campaign.spec import Goal

if TYPE_CHECKING:
    from aiida import orm

__all__ = ['SCHEMA', 'AuditError', 'audit']

#: Version of the keys and of the definitions behind them.
SCHEMA = 'inversedesign/1'


def audit(campaign: orm.WorkChainNode | int | str | CampaignRecord) -> dict[str, Any]:
    """Every figure of a campaign, those it resumed included, as plain JSON data.

    :param campaign: its node, PK or UUID, or its record.
    :raises AuditError: if it is another node, or cannot be understood.
    """
    if not isinstance(campaign, CampaignRecord):
        from aiida_inversedesign.audit.load import load_record

        campaign = load_record(campaign)
    record, goal = campaign, campaign.goal
    outcomes = record.evaluations
    steps = metrics.progress(outcomes, goal)
    hits = metrics.hit_costs(steps)
    cost = cost_of(record.jobs)
    return {
        'schema': SCHEMA,
        'source': record.source,
        'campaign': {
            'uuid': record.uuid,
            'name': record.name,
            'state': record.state,
            'resumes': list(record.resumed),
            'units': record.units,
        },
        'goal': goal.model_dump(mode='json', exclude_none=True),
        'evaluations': metrics.counts(outcomes),
        'dft_calculations': _count_dft(record.jobs),
        **_core_hours(record.jobs, cost.core_hours),
        'hit_rate': metrics.rate_of(outcomes, goal),
        **_hit_costs(hits, cost, goal),
        'enrichment': metrics.enrichment(outcomes, goal),
        'validity': metrics.validity(record.candidates),
        'uniqueness': metrics.unknown('not computed by this version'),
        'novelty': metrics.unknown('not computed by this version'),
        'diversity': metrics.diversity(outcomes),
        'calibration': metrics.calibration(outcomes, goal.properties),
        'reproducibility': metrics.unknown('not computed by this version'),
        'by_generation': metrics.by_generation(outcomes, goal),
        'by_generator': metrics.by_generator(outcomes, goal),
        **_stop_reason(record),
        'best': metrics.best(outcomes, goal),
        'progress': steps,
    }


def _count_dft(jobs: Sequence[JobRecord]) -> dict[str, Any]:
    """DFT calculations; ``by_kind`` also has the jobs of other engines, which are no DFT calculations."""
    real = [job for job in jobs if not job.cached]
    dft = [job for job in real if job.is_dft]
    return {
        'total': len(dft),
        'failed': sum(job.has_failed for job in dft),
        'restarts': sum(job.is_restart for job in dft),
        'references': sum(job.is_reference for job in dft),
        'cached': sum(job.is_dft and job.cached for job in jobs),
        'by_kind': dict(sorted(Counter(job.kind for job in real).items())),
    }


def _core_hours(jobs: Sequence[JobRecord], recorded: float | None) -> dict[str, Any]:
    """Core-hours of every job with a record, and how many jobs have none."""
    real = [job for job in jobs if not job.cached]
    missing = sum(job.wall_seconds is None for job in real)
    result: dict[str, Any] = {
        'core_hours': recorded if real else 0.0,
        'core_hours_not_recorded': {'jobs': missing, 'of': len(real)},
    }
    if result['core_hours'] is None:
        result['core_hours_reason'] = f'not recorded: none of {len(real)} jobs has a record of its wall time'
    return result


def _hit_costs(hits: list[dict[str, Any]], cost: Cost, goal: Goal) -> dict[str, Any]:
    """What the first, and on average each hit has cost."""
    if hits:
        return {
            'first_hit': {key: hits[0][key] for key in ('evaluation', 'dft_calculations', 'core_hours', 'candidate')},
            'dft_per_hit': cost.dft_calculations / len(hits),
            'core_hours_per_hit': None if cost.core_hours is None else cost.core_hours / len(hits),
            'hits': hits,
        }
    reason = 'no hit so far' if goal.defines_hits else 'the goal names no value that counts as a hit'
    nothing = dict.fromkeys(('evaluation', 'dft_calculations', 'core_hours', 'candidate'))
    return {
        'first_hit': {**nothing, 'reason': reason},
        'dft_per_hit': None,
        'dft_per_hit_reason': reason,
        'core_hours_per_hit': None,
        'hits': [],
    }


def _stop_reason(record: CampaignRecord) -> dict[str, Any]:
    if record.stop_reason is not None:
        return {'stop_reason': record.stop_reason}
    if record.has_ended:
        reason = record.exit_message or f'it ended as {record.state} without a reason of its own'
        return {'stop_reason': None, 'stop_reason_reason': reason}
    return {'stop_reason': None, 'stop_reason_reason': 'the campaign has not ended'}
