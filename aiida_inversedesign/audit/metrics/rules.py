"""What the rules of ``screen.rules`` brought: how many candidates obey each, and how many of these are hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.rates import summary
from aiida_inversedesign.audit.record import CandidateRecord, EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.screen.rules import Rules, rule_in_words


def rules(
    outcomes: Sequence[EvaluationRecord],
    candidates: Sequence[CandidateRecord],
    settings: Mapping[str, Any] | None,
    goal: Goal,
) -> dict[str, Any]:
    """Candidates and evaluations by the first rule that they obey; those that obey none come last, as rule null.

    :param settings: the section ``screen.rules`` of the campaign; None without one.
    """
    if settings is None:
        return {'rules': [], 'reason': 'the campaign file names no screen.rules'}
    verdicts = {item.id: item.verdicts[Rules.name] for item in candidates if Rules.name in item.verdicts}
    groups = []
    for number, rule in [*enumerate(settings['any'], 1), (None, None)]:
        own = {name for name, verdict in verdicts.items() if verdict.value == number}
        rejected = sum(not verdicts[name].passed for name in own)
        groups.append(
            {
                'rule': number,
                'words': 'no rule' if rule is None else rule_in_words(rule),
                'kept': len(own) - rejected,
                'rejected': rejected,
                **summary([item for item in outcomes if item.candidate in own], goal),
            }
        )
    return {'rejects': settings['reject'], 'judged': len(verdicts), 'rules': groups}
