"""How a search went: best so far, what hits have cost, and how much better than random it was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.intervals import (
    at_least,
    draws_needed,
    ratio_interval,
    share,
    unknown,
    wilson,
)
from aiida_inversedesign.audit.metrics.rates import NO_HITS, ended
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import is_feasible, is_hit, loss

#: What the data set answers for each candidate, None where its evaluation fails.
Answers = Mapping[str, Mapping[str, float] | None]


def progress(outcomes: Sequence[EvaluationRecord], goal: Goal) -> list[dict[str, Any]]:
    """After each evaluation: what had been spent, the value found, and the best so far that keeps the constraints.

    :param outcomes: in the order in which they were launched; costs add up in this order.
    """
    name = goal.objectives[0].property
    spent, hours, best, least = 0, 0.0, None, math.inf
    recorded = True
    steps = []
    for number, outcome in enumerate(outcomes, start=1):
        spent += outcome.dft_calculations
        recorded = recorded and (outcome.core_hours is not None or outcome.dft_calculations == 0)
        hours += outcome.core_hours or 0.0
        value = outcome.properties.get(name)
        if outcome.status == 'completed' and value is not None and is_feasible(goal, outcome.properties):
            distance = loss(goal, outcome.properties)
            if distance < least:
                best, least = value, distance
        steps.append(
            {
                'evaluation': number,
                'candidate': outcome.candidate,
                'key': outcome.key,
                'generation': outcome.generation,
                'status': outcome.status,
                'dft_calculations': spent,
                'core_hours': hours if recorded else None,
                'value': value,
                'best': best,
                'hit': outcome.hit,
                'copy_of': outcome.copy_of,
            }
        )
    return steps


def hit_costs(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What had been spent when each distinct hit was found, in order: evaluations, DFT calculations, core-hours.

    Each with its ``copies``: the later evaluations that ended in the same thing.
    """
    copies: dict[str, list[str]] = {}
    for step in steps:
        copies.setdefault(step['copy_of'], []).append(step['candidate'])
    return [
        {
            **{key: step[key] for key in ('evaluation', 'candidate', 'key', 'dft_calculations', 'core_hours')},
            'copies': copies.get(step['candidate'], []),
        }
        for step in steps
        if step['hit'] and not step['copy_of']
    ]


def pool_hits(answers: Answers, goal: Goal) -> int:
    """Number of hits among all candidates of a pool whose answers are known."""
    return sum(found is not None and is_hit(goal, dict(found)) is True for found in answers.values())


def enrichment(
    outcomes: Sequence[EvaluationRecord], goal: Goal, answers: Answers | None = None, reason: str = ''
) -> dict[str, Any]:
    """Hit rate / base rate.

    The base rate comes from the whole pool where its answers are known: the hit rate is that of all evaluations, its
    interval Wilson's divided by the base rate, and ``p_value`` the exact hypergeometric probability that a random
    choice of as many finds as many hits. Else it comes from the campaign's random control arm: the ratio is that of
    the acquisition arm to it, with Katz's interval.

    :param answers: of the whole pool, if they are known. :param reason: why they are not.
    """
    if not goal.defines_hits:
        return unknown(NO_HITS)
    if answers:
        return _pool_enrichment(ended(outcomes), goal, answers)
    chosen = [outcome for outcome in ended(outcomes) if outcome.arm == 'acquisition']
    control = [outcome for outcome in ended(outcomes) if outcome.arm == 'control']
    why = f' ({reason})' if reason else ''
    if not control:
        return unknown(
            'the base rate is not known: the campaign has no random control arm (select.control_fraction)' + why
        )
    if not chosen:
        return unknown('no evaluation was chosen by an acquisition')
    hits, base = (sum(outcome.is_distinct_hit for outcome in arm) for arm in (chosen, control))
    if base == 0:
        return unknown(f'the base rate is not known: none of {len(control)} random evaluations is a hit')
    result: dict[str, Any] = {
        'value': (hits / len(chosen)) / (base / len(control)),
        'n': len(chosen),
        'n_control': len(control),
        'base_rate': {**share(base, len(control)), 'source': 'control arm'},
    }
    if not hits:
        result['interval_reason'] = 'without a hit the logarithm of the ratio has no value'
    elif hits == len(chosen) and base == len(control):
        result['interval_reason'] = "all evaluations of both arms are hits: Katz's interval would have no width"
    else:
        result['low'], result['high'] = ratio_interval(hits, len(chosen), base, len(control))
    return result


def _pool_enrichment(outcomes: Sequence[EvaluationRecord], goal: Goal, answers: Answers) -> dict[str, Any]:
    total, good = len(answers), pool_hits(answers, goal)
    base = {'value': good / total, 'n': total, 'hits': good, 'source': 'whole pool'}
    if not outcomes:
        return unknown('no evaluation has ended', base_rate=base)
    if good == 0:
        return unknown(f'none of the {total} candidates of the pool is a hit', base_rate=base)
    n, hits = len(outcomes), sum(outcome.is_distinct_hit for outcome in outcomes)
    low, high = wilson(hits, n)
    rate = good / total
    return {
        'value': hits / n / rate,
        'low': low / rate,
        'high': high / rate,
        'n': n,
        'base_rate': base,
        'random_hits': n * rate,
        'p_value': at_least(hits, min(n, total), good, total),
    }


def acceleration(
    outcomes: Sequence[EvaluationRecord], goal: Goal, answers: Answers | None = None, reason: str = ''
) -> dict[str, Any]:
    """Evaluations that random search needs for the same number of hits / those that it took.

    In a pool of N with M hits random needs k (N + 1) / (M + 1) on average for k; ``low`` and ``high`` are the 2.5 and
    97.5 % quantiles of random search (negative hypergeometric) over the same number. Without the whole pool's answers
    random needs k / p, p the hit rate of the control arm, with the interval of p.

    :param outcomes: in the order of their launches.
    """
    if not goal.defines_hits:
        return unknown(NO_HITS)
    order = ended(outcomes)
    indices = [index for index, outcome in enumerate(order, 1) if outcome.is_distinct_hit]
    if not indices:
        return unknown('no hit so far', n=len(order))
    k, took = len(indices), indices[-1]
    result: dict[str, Any] = {'hits': k, 'evaluations': took, 'n': len(order)}
    if answers:
        good = pool_hits(answers, goal)
        if good < k:
            return unknown(
                f'{k} hits were found, but the pool has {good}: its answers are not those of the evaluations'
            )
        mean, low, high = draws_needed(k, good, len(answers))
        return {
            'value': mean / took,
            'low': low / took,
            'high': high / took,
            **result,
            'random_evaluations': mean,
            'first_hit': (len(answers) + 1) / (good + 1) / indices[0],
            'source': 'whole pool',
        }
    control = [outcome for outcome in order if outcome.arm == 'control']
    base = sum(outcome.is_distinct_hit for outcome in control)
    if not base:
        said = f'none of {len(control)} random evaluations is a hit' if control else 'there is no random control arm'
        return unknown(f'the cost of random search is unknown: {said}' + (f' ({reason})' if reason else ''), **result)
    least, most = wilson(base, len(control))
    return {
        'value': k / (base / len(control)) / took,
        'low': k / most / took,
        'high': k / least / took,
        **result,
        'random_evaluations': k / (base / len(control)),
        'source': 'control arm',
    }
