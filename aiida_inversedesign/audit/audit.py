"""The audit of a campaign: every figure from provenance alone, read only."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiida import orm

from aiida_inversedesign.audit import metrics, query
from aiida_inversedesign.campaign.spec import CampaignSettings, Goal
from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.table import EvaluationRow, is_hit
from aiida_inversedesign.propose.candidate import Candidate

#: Version of the keys and of the definitions behind them.
SCHEMA = 'inversedesign/1'


class AuditError(InverseDesignError):
    """Something that is no campaign was to be audited."""


def audit(campaign: orm.WorkChainNode | int | str) -> dict[str, Any]:
    """Every figure of a campaign, those it resumed included, as plain JSON data.

    :param campaign: its node, PK or UUID.
    :raises AuditError: if it is another node.
    """
    node = campaign if isinstance(campaign, orm.Node) else orm.load_node(campaign)
    if not isinstance(node, orm.WorkChainNode) or node.process_type != query.CAMPAIGN or node.pk is None:
        raise AuditError(
            f'{node.__class__.__name__} {node.pk} is no campaign: '
            'give the PK of one that `aiida-inversedesign status` lists'
        )
    settings = CampaignSettings.model_validate(node.inputs.settings.get_dict())
    goal = settings.goal
    chain = query.chain_of(node.pk)
    generations = query.generation_numbers(chain)
    jobs = query.find_jobs(generations)
    table = query.last_table(generations)
    rows = table.get_rows() if table is not None else []
    candidates = _candidates(generations)
    found_by = {candidate.id: candidate.generator for candidate in candidates}
    outcomes = [
        dataclasses.replace(outcome, generator=found_by.get(outcome.candidate, ''))
        for outcome in _outcomes(query.find_evaluations(generations), generations, jobs, rows, goal)
    ]
    steps = metrics.progress(outcomes, goal)
    hits = metrics.hit_costs(steps)
    cost = query.cost_of(jobs)
    return {
        'schema': SCHEMA,
        'campaign': {
            'pk': node.pk,
            'uuid': node.uuid,
            'name': settings.name,
            'state': _state(node),
            'resumes': [identifier for identifier in chain if identifier != node.pk],
            'units': {name: settings.unit(name) for name in goal.properties},
        },
        'goal': goal.model_dump(mode='json', exclude_none=True),
        'evaluations': metrics.counts(outcomes),
        'dft_calculations': _count_dft(jobs),
        **_core_hours(jobs, cost.core_hours),
        'hit_rate': metrics.rate_of(outcomes, goal),
        **_hit_costs(hits, cost, goal),
        'enrichment': metrics.enrichment(outcomes, goal),
        'validity': metrics.validity(candidates),
        'uniqueness': metrics.unknown('not computed by this version'),
        'novelty': metrics.unknown('not computed by this version'),
        'diversity': metrics.diversity(outcomes),
        'calibration': metrics.calibration(outcomes, goal.properties),
        'reproducibility': metrics.unknown('not computed by this version'),
        'by_generation': metrics.by_generation(outcomes, goal),
        'by_generator': metrics.by_generator(outcomes, goal),
        **_stop_reason(node),
        'best': metrics.best(outcomes, goal),
        'progress': steps,
    }


def _outcomes(
    evaluations: Sequence[query.Evaluation],
    generations: dict[int, int],
    jobs: Sequence[query.Job],
    rows: Sequence[EvaluationRow],
    goal: Goal,
) -> list[metrics.Outcome]:
    """One outcome for each candidate that was launched, in the order of the launches.

    What references and launches that a resumed campaign repeated have cost is added to the candidate that came next.
    """
    by_candidate = {row.candidate: row for row in rows}
    last = {item.label: item.id for item in evaluations}
    properties = query.evaluated_properties(item.id for item in evaluations if item.exit_status == 0)
    unharvested = [item.id for item in evaluations if item.label not in by_candidate and not item.is_reference]
    structures = query.proposed_structures(unharvested) if unharvested else {}
    own: dict[int, list[query.Job]] = {}
    for job in jobs:
        own.setdefault(job.evaluation_id, []).append(job)
    waiting: list[query.Job] = []
    outcomes = []
    for item in evaluations:
        waiting += own.get(item.id, [])
        if item.is_reference or last[item.label] != item.id:
            continue
        cost, waiting = query.cost_of(waiting), []
        row = by_candidate.get(item.label)
        status = 'running' if item.is_running else 'completed' if item.exit_status == 0 else 'failed'
        found = properties.get(item.id, {}) if status == 'completed' else {}
        hit = is_hit(goal, found) if status == 'completed' else False
        outcomes.append(
            metrics.Outcome(
                candidate=item.label,
                formula=row.formula if row else _formula(structures[item.id]),
                generation=generations[item.generation],
                status=status,
                arm=row.arm if row else '',
                template=row.template if row else '',
                hit=hit if goal.defines_hits and status != 'running' else None,
                properties=found,
                predicted=row.predicted if row else {},
                dft_calculations=cost.dft_calculations,
                core_hours=cost.core_hours,
            )
        )
    return outcomes


def _formula(structure: orm.StructureData) -> str:
    elements = {kind.name: kind.symbol for kind in structure.kinds}
    return reduced_formula(Counter(elements[site.kind_name] for site in structure.sites))


def _count_dft(jobs: Sequence[query.Job]) -> dict[str, Any]:
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


def _core_hours(jobs: Sequence[query.Job], recorded: float | None) -> dict[str, Any]:
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


def _hit_costs(hits: list[dict[str, Any]], cost: query.Cost, goal: Goal) -> dict[str, Any]:
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


def _candidates(generations: dict[int, int]) -> list[Candidate]:
    """Every candidate that was considered, once: a later pool repeats those of an earlier one that are left."""
    found = {item.id: item for pool in query.find_pools(generations) for item in reversed(pool.get_candidates())}
    return list(found.values())


def _stop_reason(node: orm.WorkChainNode) -> dict[str, Any]:
    if 'stop_reason' in node.outputs:
        return {'stop_reason': node.outputs.stop_reason.value}
    if node.is_terminated:
        reason = node.exit_message or f'it ended as {_state(node)} without a reason of its own'
        return {'stop_reason': None, 'stop_reason_reason': reason}
    return {'stop_reason': None, 'stop_reason_reason': 'the campaign has not ended'}


def _state(node: orm.WorkChainNode) -> str:
    return node.process_state.value if node.process_state is not None else 'created'
