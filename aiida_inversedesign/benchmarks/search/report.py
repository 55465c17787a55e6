"""Sums a search benchmark up as plain data: the keys are documented in ``docs/benchmarks.md`` and stable."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Mask
from aiida_inversedesign.audit.metrics.intervals import draws_quantile
from aiida_inversedesign.benchmarks.search import statistics
from aiida_inversedesign.benchmarks.search.arms import RANDOM, describe_arm
from aiida_inversedesign.benchmarks.search.goals import feasible, utilities
from aiida_inversedesign.benchmarks.search.loop import Run, code_digest
from aiida_inversedesign.benchmarks.search.run import Outcome

SCHEMA = 'inversedesign/1'
#: Evaluations after which figures are given, as far as they lie within starting points and budget.
AT = (10, 20, 25, 50, 75, *range(100, 500, 50), *range(500, 1000, 100), *range(1000, 10001, 500))
#: Half width of the central 80 % of a normal distribution.
_Z80 = 1.2815515655446004


def summarise(outcome: Outcome, at: Sequence[int] = ()) -> dict[str, Any]:
    """The figures of a benchmark; a figure that is not known is None with a ``reason``.

    :param at: further numbers of evaluations at which figures are given.
    """
    pool, task, plan = outcome.pool, outcome.task, outcome.plan
    last = min(plan.budget, len(pool))
    marks = sorted({n for n in (*AT, *at, plan.initial, last) if plan.initial <= n <= last})
    arms = {name: _arm(name, outcome, marks) for name in outcome.arms}
    return {
        'schema': SCHEMA,
        'pool': {
            'file': pool.name,
            'n': len(pool),
            'descriptors': pool.features.shape[1],
            'left_out': pool.left_out,
            'variables': pool.variables,
            'ignored_columns': pool.ignored,
            'rows': pool.rows,
            'with_error': {name: int(np.isfinite(column).sum()) for name, column in pool.errors.items()},
            'hash': pool.digest,
            'cost_ratio': None if pool.cheap is None else pool.cheap.ratio,
        },
        'goal': task.goal.model_dump(mode='json', exclude_none=True),
        'rule': task.rule,
        'hits': task.total,
        'seeds': len(outcome.seeds),
        'seed_numbers': outcome.seeds,
        'initial': plan.initial,
        'start': plan.start,
        'batch': plan.batch,
        'budget': plan.budget,
        'half': half_of(outcome),
        'versions': _versions(),
        'arms': arms,
        'paired': _paired(outcome, marks),
    }


def _versions() -> dict[str, str]:
    """Of what all arms of ours rest on."""
    from importlib.metadata import version

    from aiida_inversedesign import __version__

    packages = ('numpy', 'scipy', 'scikit-learn', 'torch', 'botorch')
    return {'aiida-inversedesign': __version__, 'code': code_digest(), **{name: version(name) for name in packages}}


def half_of(outcome: Outcome) -> int:
    """Half of the hits, rounded up."""
    return -(-outcome.task.total // 2)


def _arm(name: str, outcome: Outcome, marks: Sequence[int]) -> dict[str, Any]:
    about = describe_arm(name)
    if name == RANDOM:
        return about | _random(outcome, marks)
    runs = outcome.runs.get(name, [])
    failed = [{'seed': seed, 'reason': reason} for seed, reason in outcome.failed.get(name, [])]
    if not runs:
        reason = outcome.missing.get(name) or (failed[0]['reason'] if failed else 'no seeds')
        keys = ('hits_at', 'evaluations_to_half', 'evaluations_to_all', 'acceleration', 'enrichment_at',
                'seconds_per_step', 'peak_mb')  # fmt: skip
        return about | dict.fromkeys(keys) | {'n': 0, 'reason': reason, 'failed': failed}
    return about | _searched(runs, outcome, marks) | {'failed': failed}


def _searched(runs: list[Run], outcome: Outcome, marks: Sequence[int]) -> dict[str, Any]:
    task, size = outcome.task, len(outcome.pool)
    found = [_found(run, outcome) for run in runs]
    by_mark = {n: np.array([hits[:n].sum() for hits in found], dtype=np.float64) for n in marks}
    half = half_of(outcome)
    to_half = _until(found, half, outcome)
    to_all = _until(found, task.total, outcome)
    seconds = [value for run in runs for value in run.seconds]
    peaks = [run.peak_mb for run in runs if run.peak_mb is not None]
    expected = {n: n * task.total / size for n in marks}
    result: dict[str, Any] = {
        'n': len(runs),
        'hits_at': {str(n): _mean(by_mark[n]) for n in marks},
        'evaluations_to_first': _until(found, 1, outcome),
        'evaluations_to_half': to_half,
        'evaluations_to_all': to_all,
        'cost_to_half': _median(_costs_to_half(runs, outcome).values()),
        'enrichment_at': {str(n): _mean(by_mark[n] / expected[n]) for n in marks},
        'regret_at': _regrets(runs, outcome, marks),
        'coverage': _coverage(runs, outcome),
        'seconds_per_step': fmean(seconds) if seconds else None,
        'seconds_per_step_max': max(seconds, default=None),
        'peak_mb': max(peaks, default=None),
        'how': dict(sum((Counter(run.how) for run in runs), Counter[str]())),
        'code': dict(Counter(run.code for run in runs)),
        **({'model_calls_per_step': fmean(calls)} if (calls := [n for run in runs for n in run.calls]) else {}),
    }
    other = sum(run.code != code_digest() for run in runs)
    if other:
        result['note'] = (
            f'{other} of {len(runs)} runs were made by another version of the code: --no-resume repeats them'
        )
    for key, number, until in (('acceleration', half, to_half), ('acceleration_to_all', task.total, to_all)):
        result |= _acceleration(key, statistics.random_mean(number, task.total, size), until)
    return result


def _found(run: Run, outcome: Outcome) -> Mask:
    """Whether each evaluation up to the budget was a hit; a run that has them all stops early."""
    hits = np.zeros(max(outcome.plan.budget, len(run.order)), dtype=bool)
    hits[: len(run.order)] = outcome.task.hits[run.order]
    return hits


def _until(found: list[Mask], number: int, outcome: Outcome) -> dict[str, Any]:
    counts = [statistics.evaluations_until(hits, number) for hits in found]
    estimate = statistics.median_over_seeds(counts)
    reached = sum(math.isfinite(count) for count in counts)
    result: dict[str, Any] = {
        **estimate.named('median'),
        'hits': number,
        'reached': reached,
        'n': len(counts),
    }
    if estimate.value is None:
        result['reason'] = (
            f'{reached} of {len(counts)} runs found {number} hit(s) within {outcome.plan.budget} evaluations: '
            'the median is larger'
        )
        result['more_than'] = outcome.plan.budget
    elif reached < len(counts):
        result['note'] = f'{len(counts) - reached} of {len(counts)} runs censored at {outcome.plan.budget} evaluations'
    return result


def _acceleration(key: str, random: float, until: dict[str, Any]) -> dict[str, Any]:
    """What random search needs on average / the median of the arm; many evaluations mean little acceleration."""

    def ratio(value: float | None) -> float | None:
        return None if value is None else random / value

    result: dict[str, Any] = {
        key: ratio(until['median']),
        f'{key}_interval': [ratio(until['high']), ratio(until['low'])],
    }
    if until['median'] is None:
        result[f'{key}_reason'] = f'less than {random / until["more_than"]:.3g}: {until["reason"]}'
    return result


def _random(outcome: Outcome, marks: Sequence[int]) -> dict[str, Any]:
    """Random search, from the hypergeometric distribution: no seeds, no intervals."""
    total, size, half = outcome.task.total, len(outcome.pool), half_of(outcome)

    def hits(n: int) -> dict[str, Any]:
        mean, low, high = statistics.random_hits(n, total, size)
        return {'mean': mean, 'low': mean, 'high': mean, 'single_run': [low, high]}

    def until(number: int) -> dict[str, Any]:
        median = float(draws_quantile(number, total, size, 0.5))
        spread = [draws_quantile(number, total, size, q) for q in (0.025, 0.975)]
        mean = statistics.random_mean(number, total, size)
        return {'median': median, 'low': median, 'high': median, 'mean': mean, 'single_run': spread, 'hits': number}

    return {
        'n': None,
        'exact': True,
        'hits_at': {str(n): hits(n) for n in marks},
        'evaluations_to_first': until(1),
        'evaluations_to_half': until(half),
        'evaluations_to_all': until(total),
        'enrichment_at': {str(n): {'mean': 1.0, 'low': 1.0, 'high': 1.0} for n in marks},
        'acceleration': 1.0,
        'acceleration_interval': [1.0, 1.0],
        'acceleration_to_all': 1.0,
        'acceleration_to_all_interval': [1.0, 1.0],
        'seconds_per_step': None,
        'peak_mb': None,
        'reason': 'computed exactly, not run: no time and no memory',
    }


def _regrets(runs: list[Run], outcome: Outcome, marks: Sequence[int]) -> dict[str, Any]:
    """What the best so far lacks to the best of the pool: in the property's unit, or of the hypervolume, as a share."""
    goal, values = outcome.task.goal, outcome.pool.values
    able, score = feasible(goal, values), utilities(goal, values)
    if len(goal.objectives) > 1:
        reference = score.min(axis=0)
        whole = statistics.hypervolume(score[able], reference)

        def regret(indices: list[int]) -> float:
            chosen = np.array(indices)[able[indices]]
            return 1 - statistics.hypervolume(score[chosen], reference) / whole if whole > 0 else math.nan
    else:
        best = score[able, 0].max()

        def regret(indices: list[int]) -> float:
            chosen = np.array(indices)[able[indices]]
            return float(best - score[chosen, 0].max()) if len(chosen) else math.nan

    found = {}
    for n in marks:
        numbers = np.array([regret(run.order[:n]) for run in runs])
        known = numbers[np.isfinite(numbers)]
        found[str(n)] = _mean(known)
        if len(known) < len(numbers):
            found[str(n)]['reason'] = f'{len(numbers) - len(known)} run(s) without a feasible evaluation are left out'
    return found


def _coverage(runs: list[Run], outcome: Outcome) -> dict[str, Any]:
    """Share of the chosen candidates whose value lies within the 80 % interval predicted when they were chosen."""
    shares: dict[str, list[list[float]]] = {}
    for run in runs:
        chosen = run.order[run.initial :]
        for name, pairs in run.predicted.items():
            if len(pairs) != len(chosen) or not chosen:
                continue
            mean, deviation = np.array(pairs).T
            inside = np.abs(outcome.pool.values[name][chosen] - mean) <= _Z80 * deviation
            shares.setdefault(name, []).append([float(inside.mean()), float(len(chosen))])
    if not shares:
        return {'level': 0.8, 'value': None, 'low': None, 'high': None, 'n': 0, 'reason': 'it makes no predictions'}
    by_property = {name: _share(rows) for name, rows in shares.items()}
    return {'level': 0.8, **_share([row for rows in shares.values() for row in rows]), 'by_property': by_property}


def _share(rows: list[list[float]]) -> dict[str, Any]:
    estimate = statistics.mean_over_seeds([row[0] for row in rows])
    number = int(sum(row[1] for row in rows))
    return {**estimate.named('value'), 'n': number}


def _paired(outcome: Outcome, marks: Sequence[int]) -> dict[str, Any]:
    """The first arm that was run against each other one, on the same seeds and starting points."""
    names = [name for name in outcome.arms if outcome.runs.get(name)]
    if len(names) < 2:
        return {}
    first = {run.seed: _found(run, outcome) for run in outcome.runs[names[0]]}
    found: dict[str, Any] = {'first': names[0], 'against': {}}
    for other in names[1:]:
        pairs = [(first[run.seed], _found(run, outcome)) for run in outcome.runs[other] if run.seed in first]
        found['against'][other] = {
            'n': len(pairs),
            'hits_at': {str(n): _mean([float(a[:n].sum()) - float(b[:n].sum()) for a, b in pairs]) for n in marks},
            'cost_to_half_ratio': _cost_ratio(outcome, names[0], other),
            **{
                key: _sooner(pairs, number)
                for key, number in (
                    ('sooner_to_first', 1), ('sooner_to_half', half_of(outcome)), ('sooner_to_all', outcome.task.total)
                )
            },
        }  # fmt: skip
    return found


def _costs_to_half(runs: list[Run], outcome: Outcome) -> dict[int, float]:
    """What half of the hits cost, by seed, in evaluations: what a cheaper method was asked until then is added."""
    costs = {}
    for run in runs:
        until = statistics.evaluations_until(_found(run, outcome), half_of(outcome))
        costs[run.seed] = until
        if run.asked and outcome.pool.cheap is not None and math.isfinite(until):
            costs[run.seed] += run.asked[int(until) - 1] / outcome.pool.cheap.ratio
    return costs


def _cost_ratio(outcome: Outcome, first: str, other: str) -> dict[str, Any]:
    """What half of the hits cost the other arm / the first one: ratio of the medians, seeds resampled in pairs."""
    costs = [_costs_to_half(outcome.runs[name], outcome) for name in (other, first)]
    seeds = sorted(costs[0].keys() & costs[1].keys())
    pairs = np.array([[one[seed] for seed in seeds] for one in costs], dtype=np.float64)
    estimate = statistics.ratio_of_medians(pairs)
    return {**estimate.named('value'), 'n': len(seeds)}


def _median(values: Iterable[float]) -> dict[str, Any]:
    return statistics.median_over_seeds(list(values)).named('median')


def _sooner(pairs: list[tuple[Mask, Mask]], number: int) -> dict[str, int]:
    """In how many seeds the first arm needs fewer evaluations, as many, or more."""
    order = Counter[str]()
    for one, two in pairs:
        a, b = (statistics.evaluations_until(hits, number) for hits in (one, two))
        order['sooner' if a < b else 'later' if a > b else 'equal'] += 1
    return {key: order[key] for key in ('sooner', 'equal', 'later')}


def _mean(values: Sequence[float] | Array) -> dict[str, Any]:
    return statistics.mean_over_seeds(values).named('mean')
