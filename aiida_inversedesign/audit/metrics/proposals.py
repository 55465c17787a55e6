"""What became of the proposals before anything was computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.intervals import share, unknown
from aiida_inversedesign.audit.metrics.rates import groups_of
from aiida_inversedesign.audit.record import CandidateRecord, EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal


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
    """Evaluations, hit rate and validity of the structures of each proposer."""
    accepted: dict[str, list[bool]] = {}
    for candidate in candidates:
        accepted.setdefault(candidate.proposer, []).append(candidate.accepted)
    found = groups_of(outcomes, goal, 'proposer', lambda item: item.proposer)
    return [
        {**group, 'validity': share(sum(own := accepted.get(group['proposer'], [])), len(own), 'no pool is recorded')}
        for group in found
    ]
