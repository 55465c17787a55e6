"""The figures of ``benchmark discovery``; intervals are 95 % bootstrap intervals over the systems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.benchmarks.discovery.arms import Arm
from aiida_inversedesign.benchmarks.discovery.run import Outcome, Plan, Search
from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer
from aiida_inversedesign.benchmarks.proposal.scores import sign_test
from aiida_inversedesign.benchmarks.search.statistics import RESAMPLES, mean_over_seeds

#: The arm that acceleration and enrichment refer to.
BASELINE = 'random'


def summarise(
    outcomes: Sequence[Outcome], arms: Sequence[Arm], plan: Plan, oracle: Relaxer, screen: Relaxer | None
) -> dict[str, Any]:
    """Everything that was measured, as plain JSON data."""
    done = [item for item in outcomes if not item.reason]
    curves = {arm.name: _curves(done, arm.name, plan.budget) for arm in arms}
    figures: dict[str, Any] = {
        'plan': asdict(plan),
        'oracle': _about(oracle),
        'screen': _about(screen) if screen is not None and any(arm.screens for arm in arms) else None,
        'notes': _notes(arms, oracle, screen),
        'n': len(done),
        'truths': sum(len(item.system.truths) for item in done),
        'stable_truths': sum(item.stable_truths for item in done),
        'arms': {arm.name: _arm(arm, done, curves, plan) for arm in arms},
        'paired': _paired([arm.name for arm in arms], curves),
        'systems': [_system(item) for item in outcomes],
    }
    return figures


def _notes(arms: Sequence[Arm], oracle: Relaxer, screen: Relaxer | None) -> list[str]:
    screens = [arm.name for arm in arms if arm.screens]
    if not screens or screen is None or screen.potential.name != oracle.potential.name:
        return []
    return [
        f'{", ".join(screens)}: the screening potential is the oracle and knows the answers: its figures say nothing '
        'about a search. Name another one with --screen'
    ]


def _about(relaxer: Relaxer) -> dict[str, Any]:
    return {
        'potential': relaxer.potential.name,
        'convention': relaxer.potential.convention,
        'versions': relaxer.identity['versions'],
        'weights_sha256': relaxer.identity['weights_sha256'],
    }


def _padded(marks: Sequence[bool], budget: int) -> Array:
    """Number found after 1, 2, … evaluations; an arm that ended early finds no more."""
    counts = np.zeros(budget)
    counts[: len(marks)] = marks
    return np.cumsum(counts)


def _curves(done: Sequence[Outcome], name: str, budget: int) -> Array:
    """Distinct stable crystals after each evaluation, of each system, shape (n, budget); repeats are averaged."""
    rows = [np.mean([_padded(run.new, budget) for run in item.searches[name]], axis=0) for item in done]
    return np.array(rows).reshape(-1, budget)


def _arm(arm: Arm, done: Sequence[Outcome], curves: dict[str, Array], plan: Plan) -> dict[str, Any]:
    own = curves[arm.name]
    marks = sorted({max(1, round(plan.budget * share)) for share in (0.25, 0.5, 0.75, 1.0)})

    def over_systems(value: Callable[[Search], float]) -> dict[str, Any]:
        values = [float(np.mean([value(run) for run in item.searches[arm.name]])) for item in done]
        return _named(mean_over_seeds(values))

    ideal = np.arange(1, plan.budget + 1).sum()
    return {
        'what': arm.what,
        'n': len(done),
        'stable_at': {str(mark): _named(mean_over_seeds(own[:, mark - 1])) for mark in marks},
        'known': over_systems(lambda run: sum(index is not None for index in run.known)),
        'area': _named(mean_over_seeds(own.sum(axis=1) / ideal)),
        'enrichment': _against_baseline(curves, arm.name, _enrichment, 'finds none'),
        'acceleration': _against_baseline(curves, arm.name, _acceleration, 'finds none, or this arm finds fewer'),
        'evaluations': over_systems(lambda run: len(run.new)),
        'failed': over_systems(lambda run: sum(value is None for value in run.above)),
        'cpu_seconds': over_systems(lambda run: run.cpu_seconds),
        'oracle_cpu_seconds': over_systems(lambda run: run.oracle_seconds),
    }


def _named(estimate: Any) -> dict[str, Any]:
    found = estimate.named('mean')
    return found if estimate.value is not None else {**found, 'reason': 'no system was searched'}


def _enrichment(own: Array, base: Array) -> float:
    """Found with the whole budget / found by the baseline."""
    return float(own[-1] / base[-1]) if base[-1] > 0 else np.nan


def _acceleration(own: Array, base: Array) -> float:
    """Evaluations of the baseline for all that it finds / those of the arm for as many; means over the systems."""
    wanted = base[-1]
    if wanted <= 0 or own[-1] < wanted:
        return np.nan
    return _evaluations(base, wanted) / _evaluations(own, wanted)


def _evaluations(curve: Array, wanted: float) -> float:
    """Evaluations until a mean curve reaches a number, between two of them by a straight line."""
    index = int(np.argmax(curve >= wanted - 1e-12))
    before = curve[index - 1] if index else 0.0
    return index + (wanted - before) / (curve[index] - before)


def _against_baseline(
    curves: dict[str, Array], name: str, figure: Callable[[Array, Array], float], nothing: str
) -> dict[str, Any]:
    """A figure of two mean curves, its interval from systems that are drawn again, both arms together."""
    unknown = {'value': None, 'low': None, 'high': None}
    if BASELINE not in curves:
        return {**unknown, 'reason': f'the arm {BASELINE} was not run'}
    own, base = curves[name], curves[BASELINE]
    value = figure(own.mean(axis=0), base.mean(axis=0)) if len(own) else np.nan
    if not np.isfinite(value):
        return {**unknown, 'reason': f'{BASELINE} {nothing}' if len(own) else 'no system was searched'}
    indices = np.random.default_rng(0).integers(0, len(own), (RESAMPLES, len(own)))
    drawn = np.array([figure(own[rows].mean(axis=0), base[rows].mean(axis=0)) for rows in indices])
    # a draw in which it is not known lies beyond every other one, on a side that is not known
    known = drawn[np.isfinite(drawn)]
    if len(own) < 2 or len(known) < 0.95 * RESAMPLES:
        return {'value': float(value), 'low': None, 'high': None, 'reason': 'too few systems for an interval'}
    low, high = np.quantile(known, [0.025, 0.975])
    return {'value': float(value), 'low': float(low), 'high': float(high)}


def _paired(names: Sequence[str], curves: dict[str, Array]) -> dict[str, Any]:
    """The first arm against each other on the same systems: differences, and the exact sign test."""
    first, *others = names
    against = {}
    for name in others:
        differences = curves[first][:, -1] - curves[name][:, -1]
        more, fewer = int((differences > 1e-9).sum()), int((differences < -1e-9).sum())
        against[name] = {
            'difference': _named(mean_over_seeds(differences)),
            'more': more,
            'equal': len(differences) - more - fewer,
            'fewer': fewer,
            'p': sign_test(more, fewer),
        }
    return {'first': first, 'against': against}


def _system(item: Outcome) -> dict[str, Any]:
    found = {
        'system': item.system.name,
        'formulas': list(item.system.formulas),
        'decoys': list(item.system.decoys),
        'truths': [truth.crystal.formula for truth in item.system.truths],
    }
    if item.reason:
        return {**found, 'reason': item.reason}
    searches = {name: [{**asdict(run), 'stable': sum(run.new)} for run in runs] for name, runs in item.searches.items()}
    return {**found, 'stable_truths': item.stable_truths, 'searches': searches}
