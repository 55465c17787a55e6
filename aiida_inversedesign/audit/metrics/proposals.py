"""What became of the proposals before anything was computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.intervals import share, unknown
from aiida_inversedesign.audit.metrics.rates import groups_of, summary
from aiida_inversedesign.audit.record import CandidateRecord, EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph.records import ScreeningJob
from aiida_inversedesign.screen.potentials.judge import POTENTIAL

#: Why a potential dropped candidates, by words of its verdict.
_DROPPED = {
    'same_crystal': 'relaxes to the same',
    'evaluated_before': 'relaxes to an evaluated',
    'window': '(screen.window)',
    'hull': '(screen.hull)',
    'keep': '(screen.keep)',
    'no_crystal': ': it ',
    'imaginary_frequency': '(screen.vibrations)',
}


def validity(candidates: Sequence[CandidateRecord]) -> dict[str, Any]:
    """Share of proposals that pass every filter, and filter by filter in the order they were applied."""
    if not candidates:
        return unknown('no pool of candidates is recorded', filters=[])
    names = list(dict.fromkeys(name for candidate in candidates for name in candidate.verdicts))
    filters = []
    for name in names:
        verdicts = [candidate.verdicts[name] for candidate in candidates if name in candidate.verdicts]
        passed = sum(verdict.passed for verdict in verdicts)
        figure = share(passed, len(verdicts))
        filters.append(
            {
                'filter': name,
                'considered': len(verdicts),
                'passed': passed,
                'share': figure['value'],
                'low': figure['low'],
                'high': figure['high'],
            }
        )
    accepted = sum(candidate.accepted for candidate in candidates)
    return {**share(accepted, len(candidates)), 'accepted': accepted, 'filters': filters}


def by_proposer(
    outcomes: Sequence[EvaluationRecord], candidates: Sequence[CandidateRecord], goal: Goal
) -> list[dict[str, Any]]:
    """Evaluations, hit rate and validity of the structures of each proposer.

    One of whose candidates none was evaluated is listed if a candidate was accepted.
    """
    accepted: dict[str, list[bool]] = {}
    for candidate in candidates:
        accepted.setdefault(candidate.proposer, []).append(candidate.accepted)
    found = groups_of(outcomes, goal, 'proposer', lambda item: item.proposer)
    evaluated = {group['proposer'] for group in found}
    idle = {name for name, passed in accepted.items() if name and any(passed)} - evaluated
    found = sorted([*found, *({'proposer': name, **summary([], goal)} for name in idle)], key=lambda x: x['proposer'])
    return [
        {**group, 'validity': share(sum(own := accepted.get(group['proposer'], [])), len(own), 'no pool is recorded')}
        for group in found
    ]


def screening(
    candidates: Sequence[CandidateRecord], jobs: Sequence[ScreeningJob], potential: str | None
) -> dict[str, Any]:
    """What a potential did before anything was evaluated, and what that cost; never part of the DFT calculations."""
    if potential is None:
        return {'potential': None, 'reason': 'the campaign file names no screen.potential'}
    seen = [item for item in candidates if POTENTIAL in item.verdicts]
    reasons = [item.verdicts[POTENTIAL].reason for item in seen if not item.verdicts[POTENTIAL].passed]
    dropped = {name: sum(words in reason for reason in reasons) for name, words in _DROPPED.items()}
    first = jobs[0].identity if jobs else {}
    return {
        'potential': potential,
        'versions': first.get('versions', {}),
        'weights_sha256': first.get('weights_sha256', ''),
        'candidates': len(seen),
        'kept': sum(item.accepted for item in seen),
        'dropped': {**dropped, 'other': len(reasons) - sum(dropped.values())},
        'questions': sum(job.questions for job in jobs),
        'phases': sum(job.phases for job in jobs),
        'failed_phases': sum(job.failed_phases for job in jobs),
        'jobs': len(jobs),
        'core_hours': sum(job.core_hours for job in jobs),
    }
