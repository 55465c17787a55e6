"""Hit rates: overall, and of each group of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.intervals import share, unknown
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph.evaluation_account import ENDED, STATUSES

NO_HITS = 'no hit threshold is set'


def hit_rate(hits: int, n: int) -> dict[str, Any]:
    """Distinct hits / evaluations with the Wilson 95 % interval."""
    return share(hits, n, 'no evaluation has ended')


def rate_of(outcomes: Sequence[EvaluationRecord], goal: Goal) -> dict[str, Any]:
    """The hit rate of those evaluations that have ended, failed ones included."""
    if not goal.defines_hits:
        return unknown(NO_HITS, low=None, high=None, n=len(ended(outcomes)))
    return hit_rate(sum(outcome.is_distinct_hit for outcome in outcomes), len(ended(outcomes)))


def ended(outcomes: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    """Those that completed or failed: neither running nor stopped together with the campaign."""
    return [outcome for outcome in outcomes if outcome.status in ENDED]


def counts(outcomes: Sequence[EvaluationRecord]) -> dict[str, int]:
    """Numbers of evaluations by what became of them.

    Total, completed, failed, running, stopped with the campaign (they add up); of them hits, distinct hits, copies
    (completed, and the same thing as an earlier one), and reused ones.
    """
    statuses = [outcome.status for outcome in outcomes]
    return {
        'total': len(statuses),
        **{status: statuses.count(status) for status in STATUSES},
        'hits': sum(outcome.hit is True for outcome in outcomes),
        'distinct_hits': sum(outcome.is_distinct_hit for outcome in outcomes),
        'copies': sum(bool(outcome.copy_of) for outcome in outcomes),
        'reused': sum(outcome.reused for outcome in outcomes),
    }


def by_generation(outcomes: Sequence[EvaluationRecord], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations, hit rate and cost of each generation."""
    own: dict[int, list[EvaluationRecord]] = {}
    for outcome in outcomes:
        own.setdefault(outcome.generation, []).append(outcome)
    return [{'generation': number, **summary(own[number], goal)} for number in sorted(own)]


def summary(outcomes: Sequence[EvaluationRecord], goal: Goal) -> dict[str, Any]:
    """Evaluations, hit rate and cost of some evaluations; core-hours are null where none is recorded."""
    hours = [outcome.core_hours for outcome in outcomes if outcome.core_hours is not None]
    return {
        'evaluations': counts(outcomes),
        'hit_rate': rate_of(outcomes, goal),
        'dft_calculations': sum(outcome.dft_calculations for outcome in outcomes),
        'core_hours': sum(hours) if hours else None,
    }


def by_generator(outcomes: Sequence[EvaluationRecord], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations and hit rate of the formulas that each generator found, the initial design separately."""
    later = [outcome for outcome in outcomes if outcome.arm != 'initial']
    return groups_of(later, goal, 'generator', lambda item: item.generator)


def by_arm(outcomes: Sequence[EvaluationRecord], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations and hit rate of the initial design, the acquisition and the random control arm."""
    return groups_of(outcomes, goal, 'arm', lambda item: item.arm)


def groups_of(
    outcomes: Sequence[EvaluationRecord],
    goal: Goal,
    name: str,
    key: Callable[[EvaluationRecord], str],
    further: Callable[[list[EvaluationRecord]], dict[str, Any]] = lambda group: {},
) -> list[dict[str, Any]]:
    """Evaluations, hit rate and cost of each group; what belongs to none is left out.

    :param further: more figures of a group.
    """
    groups: dict[str, list[EvaluationRecord]] = {}
    for outcome in outcomes:
        if key(outcome):
            groups.setdefault(key(outcome), []).append(outcome)
    return [{name: label, **summary(groups[label], goal), **further(groups[label])} for label in sorted(groups)]
