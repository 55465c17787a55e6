"""Whether the same gives the same: decisions taken again, candidates evaluated again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import pooled_spread, share, unknown
from aiida_inversedesign.audit.record import EvaluationRecord


def reproducibility(outcomes: Sequence[EvaluationRecord], verified: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Share of decisions that come out the same again, and the spread of repeated evaluations.

    Those that cannot be repeated here (other versions, missing code) are not counted, but reported.

    :param verified: what ``aiida-inversedesign verify`` found, or None if it was not run.
    """
    repeats = _repeats(outcomes)
    if verified is None:
        return unknown('decisions were not re-run: `aiida-inversedesign verify` does so', repeats=repeats)
    same = _number(verified['identical']) + _number(verified['within_tolerance'])
    different = _number(verified['different'])
    figure = share(same, same + different, 'no decision can be repeated here')
    return {
        **figure,
        'not_repeatable': _number(verified['not_repeatable']),
        'by_kind': {kind: _of_kind(counts) for kind, counts in (verified.get('by_kind') or {}).items()},
        'repeats': repeats,
    }


def _of_kind(counts: Mapping[str, Any]) -> dict[str, Any]:
    same = _number(counts['identical']) + _number(counts['within_tolerance'])
    return share(same, same + _number(counts['different']), 'no decision of this kind can be repeated here')


def _number(found: Any) -> int:
    return found if isinstance(found, int) else len(found)


def _repeats(outcomes: Sequence[EvaluationRecord]) -> dict[str, Any]:
    """Standard deviation of each property over evaluations of one and the same proposed candidate, pooled."""
    groups: dict[str, list[EvaluationRecord]] = {}
    for outcome in outcomes:
        if outcome.status == 'completed' and outcome.proposed_text:
            groups.setdefault(outcome.proposed_text, []).append(outcome)
    repeated = [group for group in groups.values() if len(group) > 1]
    if not repeated:
        return unknown('no candidate was evaluated more than once', n=0)
    names = sorted({name for group in repeated for item in group for name in item.properties})
    spread, intervals = {}, {}
    for name in names:
        values = [np.array([item.properties[name] for item in group if name in item.properties]) for group in repeated]
        pooled = pooled_spread(values)
        if pooled is not None:
            spread[name], intervals[name] = pooled[0], list(pooled[1:])
    return {'value': spread, 'intervals': intervals, 'n': len(repeated)}
