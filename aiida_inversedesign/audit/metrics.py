"""The figures of an audit as pure functions of plain records. A figure that is not known is None with a reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.audit.record import CandidateRecord, EvaluationRecord
from aiida_inversedesign.campaign.spec import Goal
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.learn.table import is_feasible, loss

#: Levels at which the coverage of predictions is reported.
COVERAGES = (0.5, 0.8, 0.95)


#: The figures are made from the records of evaluations.
Outcome = EvaluationRecord


def unknown(reason: str, **further: Any) -> dict[str, Any]:
    """A figure that is not known, and why."""
    return {'value': None, 'reason': reason, **further}


def hit_rate(hits: int, n: int) -> dict[str, Any]:
    """Hits / evaluations with the Wilson 95 % interval (Wilson, JASA 22, 209 (1927))."""
    from scipy.stats import binomtest

    if n == 0:
        return unknown('no evaluation has ended', low=None, high=None, n=0)
    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method='wilson')
    return {'value': hits / n, 'low': float(interval.low), 'high': float(interval.high), 'n': n}


def rate_of(outcomes: Sequence[Outcome], goal: Goal) -> dict[str, Any]:
    """The hit rate of those evaluations that have ended, failed ones included."""
    if not goal.defines_hits:
        return unknown('the goal names no value that counts as a hit', low=None, high=None, n=len(ended(outcomes)))
    return hit_rate(sum(outcome.hit is True for outcome in outcomes), len(ended(outcomes)))


def ended(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that are not running."""
    return [outcome for outcome in outcomes if outcome.status != 'running']


def progress(outcomes: Sequence[Outcome], goal: Goal) -> list[dict[str, Any]]:
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
                'formula': outcome.formula,
                'generation': outcome.generation,
                'status': outcome.status,
                'dft_calculations': spent,
                'core_hours': hours if recorded else None,
                'value': value,
                'best': best,
                'hit': outcome.hit,
            }
        )
    return steps


def hit_costs(steps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What had been spent when each hit was found, in order: evaluations, DFT calculations, core-hours."""
    return [
        {key: step[key] for key in ('evaluation', 'candidate', 'formula', 'dft_calculations', 'core_hours')}
        for step in steps
        if step['hit']
    ]


def enrichment(outcomes: Sequence[Outcome], goal: Goal) -> dict[str, Any]:
    """Hit rate of the acquisition arm / hit rate of the random control arm, with the 95 % interval of a risk ratio."""
    from scipy.stats.contingency import relative_risk

    if not goal.defines_hits:
        return unknown('the goal names no value that counts as a hit')
    chosen = [outcome for outcome in ended(outcomes) if outcome.arm == 'acquisition']
    control = [outcome for outcome in ended(outcomes) if outcome.arm == 'control']
    if not control:
        return unknown('the base rate is not known: the campaign has no random control arm (select.control_fraction)')
    if not chosen:
        return unknown('no evaluation was chosen by an acquisition')
    hits, base = (sum(outcome.hit is True for outcome in arm) for arm in (chosen, control))
    if base == 0:
        return unknown(f'the base rate is not known: none of {len(control)} random evaluations is a hit')
    ratio = relative_risk(hits, len(chosen), base, len(control))
    result = {'value': float(ratio.relative_risk), 'n': len(chosen), 'n_control': len(control)}
    if hits:
        # without a hit the interval's logarithm has no value
        interval = ratio.confidence_interval(0.95)
        result |= {'low': float(interval.low), 'high': float(interval.high)}
    return result


def by_generation(outcomes: Sequence[Outcome], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations, hit rate and cost of each generation."""
    result = []
    for number in sorted({outcome.generation for outcome in outcomes}):
        own = [outcome for outcome in outcomes if outcome.generation == number]
        hours = [outcome.core_hours for outcome in own if outcome.core_hours is not None]
        result.append(
            {
                'generation': number,
                'evaluations': counts(own),
                'hit_rate': rate_of(own, goal),
                'dft_calculations': sum(outcome.dft_calculations for outcome in own),
                'core_hours': sum(hours) if hours else None,
            }
        )
    return result


def by_generator(outcomes: Sequence[Outcome], goal: Goal) -> list[dict[str, Any]]:
    """Evaluations and hit rate of the formulas that each generator found, the initial design apart."""
    later = [outcome for outcome in outcomes if outcome.arm != 'initial']
    return [
        {'generator': name, 'evaluations': counts(own), 'hit_rate': rate_of(own, goal)}
        for name in sorted({outcome.generator for outcome in later if outcome.generator})
        for own in [[outcome for outcome in later if outcome.generator == name]]
    ]


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Evaluations: total, completed, failed, running, hits."""
    statuses = [outcome.status for outcome in outcomes]
    return {
        'total': len(statuses),
        **{status: statuses.count(status) for status in ('completed', 'failed', 'running')},
        'hits': sum(outcome.hit is True for outcome in outcomes),
    }


def best(outcomes: Sequence[Outcome], goal: Goal, number: int = 5) -> list[dict[str, Any]]:
    """The completed evaluations with the least loss among those that keep the constraints."""
    name = goal.objectives[0].property
    able = [
        outcome
        for outcome in outcomes
        if outcome.status == 'completed' and name in outcome.properties and is_feasible(goal, outcome.properties)
    ]
    able.sort(key=lambda outcome: loss(goal, outcome.properties))
    keys = ('candidate', 'formula', 'template', 'generation', 'arm', 'properties', 'hit')
    return [{key: getattr(outcome, key) for key in keys} for outcome in able[:number]]


def validity(candidates: Sequence[CandidateRecord]) -> dict[str, Any]:
    """Share of proposals that pass every filter, and filter by filter in the order they were applied."""
    if not candidates:
        return unknown('no pool of candidates is recorded', filters=[])
    names = list(dict.fromkeys(name for candidate in candidates for name in candidate.verdicts))
    filters = []
    for name in names:
        verdicts = [candidate.verdicts[name] for candidate in candidates if name in candidate.verdicts]
        passed = sum(verdict.passed for verdict in verdicts)
        filters.append({'filter': name, 'considered': len(verdicts), 'passed': passed, 'share': passed / len(verdicts)})
    accepted = sum(candidate.accepted for candidate in candidates)
    return {'value': accepted / len(candidates), 'n': len(candidates), 'accepted': accepted, 'filters': filters}


def calibration(outcomes: Sequence[Outcome], properties: Sequence[str]) -> dict[str, Any]:
    """How the predictions made at the choice turned out, for each property: coverage, z-scores, NLL, MAE."""
    result: dict[str, Any] = {}
    for name in properties:
        pairs = [
            (outcome.properties[name], *outcome.predicted[name])
            for outcome in outcomes
            if outcome.status == 'completed' and name in outcome.properties and name in outcome.predicted
        ]
        result[name] = _calibration(np.array(pairs)) if pairs else unknown('nothing was predicted when it was chosen')
    return result


def _calibration(pairs: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """Figures from rows (value, mean, standard deviation)."""
    from scipy.stats import norm

    error, deviation = pairs[:, 0] - pairs[:, 1], np.maximum(pairs[:, 2], 1e-12)
    z = error / deviation
    coverage = {}
    for level in COVERAGES:
        inside = int((np.abs(z) <= norm.ppf(0.5 + level / 2)).sum())
        coverage[f'{level:g}'] = hit_rate(inside, len(z))
    return {
        'n': len(z),
        'coverage': coverage,
        'z_mean': float(z.mean()),
        'z_spread': float(z.std(ddof=1)) if len(z) > 1 else None,
        'nll': float((0.5 * z**2 + np.log(deviation) + 0.5 * math.log(2 * math.pi)).mean()),
        'mae': float(np.abs(error).mean()),
    }


def diversity(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Distinct formulas and chemical systems among the evaluations and among the hits."""

    def distinct(chosen: Sequence[Outcome]) -> dict[str, int]:
        formulas = {outcome.formula for outcome in chosen if outcome.formula}
        systems = {'-'.join(sorted(parse_formula(formula))) for formula in formulas}
        return {'n': len(chosen), 'formulas': len(formulas), 'chemical_systems': len(systems)}

    hits = [outcome for outcome in outcomes if outcome.hit]
    return unknown(
        'the mean pairwise fingerprint distance is not computed by this version',
        evaluations=distinct(outcomes),
        hits=distinct(hits),
    )
