"""What a random search would have found: exact where every candidate's answer is known, else from the control arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.audit.metrics import hit_rate
from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.row import is_feasible, is_hit, loss
from aiida_inversedesign.graph.evaluation_account import ENDED

#: Points at which the best of a random search is computed.
STEPS = 200


@dataclass(frozen=True)
class RandomHits:
    """Hits of a random search after 0, 1, 2, … evaluations.

    :param expected: on average. :param low: :param high: 95 % of random searches, or of base rates, lie between.
    :param how: where the base rate comes from, in words. :param rate: the base rate.
    """

    expected: list[float]
    low: list[float]
    high: list[float]
    rate: float
    how: str


def random_hits(record: CampaignRecord, evaluations: int) -> RandomHits | str:
    """Hits that a random choice among the candidates would find, or why that is not known."""
    goal = record.goal
    if not goal.defines_hits:
        return 'no hit threshold is set'
    draws = np.arange(evaluations + 1)
    if record.answers:
        from scipy.stats import hypergeom

        answers = list(record.answers.values())
        number = len(answers)
        hits = sum(answer is not None and is_hit(goal, dict(answer)) is True for answer in answers)
        known = np.minimum(draws, number)
        return RandomHits(
            (known * hits / number).tolist(),
            hypergeom.ppf(0.025, number, hits, known).tolist(),
            hypergeom.ppf(0.975, number, hits, known).tolist(),
            hits / number,
            f'exact: {hits} of the {number} candidates that passed every filter are hits',
        )
    control = [item for item in record.evaluations if item.arm == 'control' and item.status in ENDED]
    if not control:
        why = record.answers_reason or 'the answers of the candidates that were not evaluated are not known'
        return f'{why}, and the campaign has no random control arm (select.control_fraction)'
    figure = hit_rate(sum(item.is_distinct_hit for item in control), len(control))
    return RandomHits(
        (draws * figure['value']).tolist(),
        (draws * figure['low']).tolist(),
        (draws * figure['high']).tolist(),
        figure['value'],
        f'estimated from the {len(control)} evaluations of the random control arm; the band is its 95 % interval',
    )


@dataclass(frozen=True)
class RandomBest:
    """Best value of random searches after ``draws`` evaluations: the median, and where 95 % of them lie."""

    draws: list[int]
    median: list[float | None]
    low: list[float | None]
    high: list[float | None]


def random_best(record: CampaignRecord, evaluations: int) -> RandomBest | None:
    """Best-so-far of a random search among candidates whose answers are all known; None where they are not.

    After k draws from N candidates, none of the r best is among them with probability C(N − r, k) / C(N, k).
    """
    from scipy.special import gammaln

    goal = record.goal
    name = goal.objectives[0].property
    answers = [dict(answer) for answer in (record.answers or {}).values() if answer is not None and name in answer]
    able = sorted((answer for answer in answers if is_feasible(goal, answer)), key=lambda answer: loss(goal, answer))
    number = len(record.answers or {})
    if not able or evaluations < 1:
        return None
    ranks = np.arange(1, len(able) + 1)
    counts = sorted({round(draws) for draws in np.linspace(1, min(evaluations, number), STEPS)})
    levels = (0.025, 0.5, 0.975)
    found: dict[float, list[float | None]] = {level: [] for level in levels}
    for draws in counts:
        left = number - ranks - draws
        logs = gammaln(number - ranks + 1) - gammaln(np.maximum(left, 0) + 1)
        logs += gammaln(number - draws + 1) - gammaln(number + 1)
        reached = np.where(left < 0, 1.0, 1 - np.exp(logs))
        for level in levels:
            rank = int(np.searchsorted(reached, level - 1e-12))
            found[level].append(float(able[rank][name]) if rank < len(able) else None)
    return RandomBest(counts, found[0.5], found[0.025], found[0.975])
