"""How a search went, figure by figure: small campaigns that are counted by hand."""

from __future__ import annotations

import pytest
from made_outcomes import outcome
from scipy import stats

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.metrics import intervals
from aiida_inversedesign.audit.metrics.search import pool_hits
from aiida_inversedesign.campaign.goal import Goal

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 300.0}])
OPEN = Goal(objectives=[{'property': 'k', 'maximize': True}])
UNKNOWN = {'value': None}


def test_each_step_of_a_search() -> None:
    outcomes = [
        outcome('a', 200.0),
        outcome('b', 400.0, status='running', generation=2),
        outcome('c', dft_calculations=0, core_hours=None),
        outcome('d', 200.0, key='AlN', copy_of='a'),
        outcome('e', 250.0, core_hours=None),
        outcome('f', 300.0),
    ]
    same = {'key': 'BN', 'generation': 1, 'hit': False, 'copy_of': '', 'status': 'completed'}
    expected = [
        same | {'candidate': 'a', 'value': 200.0, 'best': 200.0, 'dft_calculations': 5, 'core_hours': 0.5},
        same
        | {'candidate': 'b', 'value': 400.0, 'best': 200.0, 'dft_calculations': 10, 'core_hours': 1.0}
        | {'status': 'running', 'generation': 2, 'hit': True},
        same
        | {'candidate': 'c', 'value': None, 'best': 200.0, 'dft_calculations': 10, 'core_hours': 1.0}
        | {'status': 'failed'},
        same
        | {'candidate': 'd', 'value': 200.0, 'best': 200.0, 'dft_calculations': 15, 'core_hours': 1.5}
        | {'key': 'AlN', 'copy_of': 'a'},
        same | {'candidate': 'e', 'value': 250.0, 'best': 250.0, 'dft_calculations': 20, 'core_hours': None},
        same
        | {'candidate': 'f', 'value': 300.0, 'best': 300.0, 'dft_calculations': 25, 'core_hours': None}
        | {'hit': True},
    ]  # fmt: skip
    assert metrics.progress(outcomes, GOAL) == [{'evaluation': n, **step} for n, step in enumerate(expected, 1)]


def test_enrichment_in_a_pool_names_its_base() -> None:
    answers = {f'c{number}': {'k': 300.0 if number < 2 else 0.0} for number in range(9)} | {'failing': None}
    assert pool_hits(answers, GOAL) == 2
    outcomes = [outcome('a', 400.0), outcome('b', 1.0), outcome('c'), outcome('d', 400.0, copy_of='a')]
    low, high = intervals.wilson(1, 4)
    base = {'value': 0.2, 'n': 10, 'hits': 2, 'source': 'whole pool'}
    assert metrics.enrichment([*outcomes, outcome('e', status='running', hit=None)], GOAL, answers) == {
        'value': pytest.approx(0.25 / 0.2),
        'low': pytest.approx(low / 0.2),
        'high': pytest.approx(high / 0.2),
        'n': 4,
        'base_rate': base,
        'random_hits': pytest.approx(0.8),
        'p_value': pytest.approx(stats.hypergeom.sf(0, 10, 2, 4)),
    }
    nothing = metrics.enrichment([outcome('e', status='running', hit=None)], GOAL, answers)
    assert nothing == UNKNOWN | {'reason': 'no evaluation has ended', 'base_rate': base}
    poor = metrics.enrichment(outcomes, GOAL, {'x': {'k': 1.0}, 'y': None})
    assert poor['reason'] == 'none of the 2 candidates of the pool is a hit'
    assert poor['base_rate'] == {'value': 0.0, 'n': 2, 'hits': 0, 'source': 'whole pool'}
    # more evaluations than the pool has (repeats) draw the whole pool
    assert metrics.enrichment(outcomes, GOAL, {'x': {'k': 300.0}, 'y': None})['p_value'] == 1.0


def test_enrichment_over_the_control_arm() -> None:
    arms = [outcome('a', 400.0), outcome('b', 1.0), outcome('c', 400.0, copy_of='a')]
    arms += [outcome('d', 400.0, arm='control'), outcome('e', arm='control'), outcome('f', 400.0, arm='initial')]
    arms += [outcome('g', 1.0, arm='control'), outcome('h', 1.0, arm='control')]
    low, high = intervals.ratio_interval(1, 3, 1, 4)
    assert metrics.enrichment(arms, GOAL) == {
        'value': pytest.approx((1 / 3) / (1 / 4)),
        'n': 3,
        'n_control': 4,
        'base_rate': {**intervals.share(1, 4), 'source': 'control arm'},
        'low': low,
        'high': high,
    }
    assert metrics.enrichment(arms[:3], GOAL, reason='no table') == UNKNOWN | {
        'reason': 'the base rate is not known: the campaign has no random control arm (select.control_fraction)'
        ' (no table)'
    }
    bare = 'the base rate is not known: the campaign has no random control arm (select.control_fraction)'
    assert metrics.enrichment(arms[:3], GOAL)['reason'] == bare
    assert metrics.enrichment(arms[3:6], GOAL)['reason'] == 'no evaluation was chosen by an acquisition'
    none = metrics.enrichment([arms[0], arms[4], arms[6]], GOAL)
    assert none['reason'] == 'the base rate is not known: none of 2 random evaluations is a hit'
    without = metrics.enrichment([arms[1], arms[3]], GOAL)
    assert {'low', 'high'}.isdisjoint(without)
    assert without['interval_reason'] == 'without a hit the logarithm of the ratio has no value'


def test_acceleration_in_a_pool_and_over_the_control_arm() -> None:
    answers = {f'c{number}': {'k': 300.0 if number < 4 else 0.0} for number in range(19)}
    outcomes = [outcome('a', 1.0), outcome('b', 400.0), outcome('r', status='running', hit=None)]
    outcomes += [outcome('c', arm='control'), outcome('d', 400.0, arm='control'), outcome('e', 1.0)]
    mean, low, high = intervals.draws_needed(2, 4, 19)
    assert metrics.acceleration(outcomes, GOAL, answers) == {
        'value': pytest.approx(mean / 4),
        'low': low / 4,
        'high': high / 4,
        'hits': 2,
        'evaluations': 4,
        'n': 5,
        'random_evaluations': pytest.approx(2 * 20 / 5),
        'first_hit': pytest.approx(20 / 5 / 2),
        'source': 'whole pool',
    }
    least, most = intervals.wilson(1, 2)
    assert metrics.acceleration(outcomes, GOAL) == {
        'value': pytest.approx(2 / 0.5 / 4),
        'low': pytest.approx(2 / most / 4),
        'high': pytest.approx(2 / least / 4),
        'hits': 2,
        'evaluations': 4,
        'n': 5,
        'random_evaluations': pytest.approx(4.0),
        'source': 'control arm',
    }
    # the pool has exactly as many hits as were found, or fewer
    assert metrics.acceleration(outcomes, GOAL, {'x': {'k': 300.0}, 'y': {'k': 300.0}})['value'] is not None
    fewer = metrics.acceleration(outcomes, GOAL, {'x': {'k': 300.0}, 'y': None})
    assert fewer == UNKNOWN | {
        'reason': '2 hits were found, but the pool has 1: its answers are not those of the evaluations'
    }
    assert metrics.acceleration(outcomes[:1], GOAL, answers) == UNKNOWN | {'reason': 'no hit so far', 'n': 1}
    assert metrics.acceleration(outcomes, OPEN) == UNKNOWN | {'reason': 'no hit threshold is set'}
    words = 'the cost of random search is unknown: '
    found = {'hits': 1, 'evaluations': 2, 'n': 2}
    alone = metrics.acceleration(outcomes[:3], GOAL, reason='no table')
    assert alone == UNKNOWN | {'reason': f'{words}there is no random control arm (no table)', **found}
    failing = metrics.acceleration(outcomes[:4], GOAL)
    assert failing['reason'] == f'{words}none of 1 random evaluations is a hit'
