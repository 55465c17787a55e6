"""Search, intervals, repeats and structures, figure by figure: small campaigns that are counted by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.metrics import intervals
from aiida_inversedesign.audit.metrics.predictions import _calibration
from aiida_inversedesign.audit.metrics.search import pool_hits
from aiida_inversedesign.audit.metrics.structures import mean_distance
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.chemistry.crystal import Crystal

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 300.0}])
OPEN = Goal(objectives=[{'property': 'k', 'maximize': True}])
UNKNOWN = {'value': None}


def outcome(name: str, k: float | None = None, **fields: Any) -> EvaluationRecord:
    values = {
        'key': 'BN',
        'generation': 1,
        'status': 'failed' if k is None else 'completed',
        'arm': 'acquisition',
        'hit': k is not None and k >= 300,
        'properties': {} if k is None else {'k': k},
        'dft_calculations': 5,
        'core_hours': 0.5,
    }
    return EvaluationRecord(name, **{**values, **fields})


def rock_salt(first: str = 'B', second: str = 'N', a: float = 4.2) -> Crystal:
    return Crystal(a / 2 * (np.ones((3, 3)) - np.eye(3)), (first, second), [[0, 0, 0], [0.5, 0.5, 0.5]])


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
    words = 'what random search needs is not known: '
    found = {'hits': 1, 'evaluations': 2, 'n': 2}
    alone = metrics.acceleration(outcomes[:3], GOAL, reason='no table')
    assert alone == UNKNOWN | {'reason': f'{words}there is no random control arm (no table)', **found}
    failing = metrics.acceleration(outcomes[:4], GOAL)
    assert failing['reason'] == f'{words}none of 1 random evaluations is a hit'


def test_intervals_are_those_of_the_textbooks() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0, 9.5])
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert intervals.mean_interval(values) == pytest.approx([low, high])
    assert intervals.mean_interval(values, least=3.0) == pytest.approx([3.0, high])
    assert intervals.mean_interval(values[:1]) is None
    assert intervals.mean_interval(values[:2]) == pytest.approx(
        list(stats.t.interval(0.95, 1, loc=1.5, scale=stats.sem(values[:2])))
    )
    spread, n = values.std(ddof=1), len(values)
    kurtosis = ((values - values.mean()) ** 4).mean() / spread**4
    half = stats.norm.ppf(0.975) * math.sqrt((kurtosis - (n - 3) / (n - 1)) / n) / 2
    assert intervals.spread_interval(values) == pytest.approx([spread * math.exp(-half), spread * math.exp(half)])
    assert intervals.spread_interval(values[:4]) is not None
    assert intervals.spread_interval(values[:3]) is None
    assert intervals.spread_interval(np.ones(5)) is None
    # of two values each twice the variance of the logarithm is not positive: no width
    flat = intervals.spread_interval(np.array([0.0, 0.0, 1.0, 1.0]))
    assert flat == pytest.approx([math.sqrt(1 / 3)] * 2, rel=1.0)
    assert flat[0] <= math.sqrt(1 / 3) <= flat[1]


def test_a_pooled_spread_is_chi_squared() -> None:
    groups = [np.array([1.0, 2.0, 4.0]), np.array([5.0]), np.array([3.0, 3.5]), np.array([])]
    squares = np.var(groups[0]) * 3 + np.var(groups[2]) * 2
    low, high = (math.sqrt(squares / stats.chi2.ppf(level, 3)) for level in (0.975, 0.025))
    assert intervals.pooled_spread(groups) == pytest.approx((math.sqrt(squares / 3), low, high))
    assert intervals.pooled_spread([np.array([1.0]), np.array([2.0])]) is None
    assert intervals.pooled_spread([]) is None


@pytest.mark.parametrize(('hits', 'n', 'base', 'm'), [(3, 10, 2, 20), (5, 5, 1, 4), (2, 9, 7, 8)])
def test_a_ratio_of_shares_has_the_interval_of_katz(hits: int, n: int, base: int, m: int) -> None:
    low, high = intervals.ratio_interval(hits, n, base, m)
    ratio = hits / n * m / base
    half = 1.959964 * math.sqrt((1 - hits / n) / hits + (1 - base / m) / base)
    assert (low, high) == pytest.approx((ratio * math.exp(-half), ratio * math.exp(half)), rel=1e-6)


def test_shares_at_their_ends() -> None:
    assert intervals.wilson(0, 5)[0] == 0.0 < intervals.wilson(0, 5)[1] < 1
    assert intervals.wilson(5, 5)[1] == 1.0 > intervals.wilson(5, 5)[0] > 0
    assert intervals.share(0, 0) == {
        'value': None, 'reason': 'there is nothing to count', 'low': None, 'high': None, 'n': 0,
    }  # fmt: skip
    assert intervals.at_least(5, 3, 4, 9) == 0.0
    assert intervals.at_least(0, 3, 4, 9) == 1.0
    assert intervals.at_least(1, 6, 4, 9) == 1.0
    assert intervals.at_least(2, 6, 4, 9) == pytest.approx(stats.hypergeom.sf(1, 9, 4, 6))
    assert intervals.at_least(4, 6, 4, 9) == pytest.approx(stats.hypergeom.sf(3, 9, 4, 6))


def test_calibration_of_a_few_predictions() -> None:
    pairs = np.array([[1.0, 0.0, 1.0], [2.0, 4.0, 2.0], [5.0, 2.0, 1.0], [0.0, 1.0, 4.0]])
    found = _calibration(pairs)
    z = np.array([1.0, -1.0, 3.0, -0.25])
    assert {name: share['value'] for name, share in found['coverage'].items()} == {
        '0.5': 0.25,
        '0.8': 0.75,
        '0.95': 0.75,
    }
    logs = 0.5 * z**2 + np.log([1, 2, 1, 4]) + 0.5 * math.log(2 * math.pi)
    assert found['z_mean'] == pytest.approx(z.mean())
    assert found['z_spread'] == pytest.approx(z.std(ddof=1))
    assert found['nll'] == pytest.approx(logs.mean())
    assert found['mae'] == pytest.approx(1.75)
    assert found['n'] == 4
    assert found['intervals'] == {
        'z_mean': intervals.mean_interval(z),
        'z_spread': intervals.spread_interval(z),
        'nll': pytest.approx(intervals.mean_interval(logs)),
        'mae': pytest.approx(intervals.mean_interval(np.array([1.0, 2.0, 3.0, 1.0]), 0.0)),
    }
    assert 'intervals_reason' not in found
    one = _calibration(pairs[:1])
    assert (one['z_spread'], one['intervals']['mae']) == (None, None)
    assert one['intervals_reason'] == 'a mean needs two predictions for an interval, a spread four that differ'
    two = _calibration(pairs[:2])
    assert two['z_spread'] == pytest.approx(math.sqrt(2))
    assert two['intervals']['z_mean'] is not None
    # certain and right, certain and wrong, and certain of zero
    certain = _calibration(np.array([[2.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    assert [share['value'] for share in certain['coverage'].values()] == [1.0, 1.0, 1.0]
    assert certain['nll'] == pytest.approx((math.log(2e-15) + math.log(2 * math.pi)) / 2)
    assert _calibration(np.array([[2.0, 1.0, 0.0]]))['z_mean'] == pytest.approx(1 / 2e-15)


def test_what_verify_and_repeats_tell() -> None:
    text = json.dumps(rock_salt().to_dict())
    repeated = [outcome('a', 300.0, proposed_text=text), outcome('b', 304.0, proposed_text=text)]
    single = [
        outcome('c', 1.0, proposed_text='other'),
        outcome('d', proposed_text=text),
        outcome('e', 2.0),
        outcome('f', 3.0),
    ]
    nothing = UNKNOWN | {'reason': 'no candidate was evaluated more than once', 'n': 0}
    assert metrics.reproducibility(single) == UNKNOWN | {
        'reason': 'decisions were not taken again: `aiida-inversedesign verify` does so', 'repeats': nothing,
    }  # fmt: skip
    found = metrics.reproducibility([*repeated, *single])['repeats']
    spread, low, high = intervals.pooled_spread([np.array([300.0, 304.0])])
    assert found == {'value': {'k': spread}, 'intervals': {'k': [low, high]}, 'n': 1}
    verified = {
        'identical': 5, 'within_tolerance': ['x', 'y'], 'different': 1, 'not_repeatable': ['z'],
        'by_kind': {
            'select': {'identical': 3, 'within_tolerance': 1, 'different': 2},
            'fit': {'identical': 0, 'within_tolerance': 0, 'different': []},
        },
    }  # fmt: skip
    again = metrics.reproducibility(single, verified)
    assert again == {
        **intervals.share(7, 8),
        'not_repeatable': 1,
        'by_kind': {
            'select': intervals.share(4, 6),
            'fit': intervals.share(0, 0, 'no decision of this kind can be repeated here'),
        },
        'repeats': nothing,
    }
    none = metrics.reproducibility(
        single, {**verified, 'identical': 0, 'within_tolerance': 0, 'different': 0, 'by_kind': None}
    )
    assert (none['reason'], none['by_kind']) == ('no decision can be repeated here', {})
    # a property that only one of them has is no repeat
    odd = [*repeated[:1], outcome('b', 304.0, proposed_text=text, properties={'gap': 1.0})]
    assert metrics.reproducibility(odd)['repeats'] == {'value': {}, 'intervals': {}, 'n': 1}


def evaluated(name: str, key: str, **properties: float) -> EvaluationRecord:
    return outcome(name, 1.0, key=key, properties=properties)


def test_shares_on_and_near_the_hull() -> None:
    references = {'B': -6.0, 'N': -8.0}
    outcomes = [
        evaluated('on', 'BN', energy=-7.5),
        evaluated('near', 'BN', energy=-7.4),
        evaluated('far', 'B2N2', energy=-7.0),
        evaluated('no energy', 'BN'),
        evaluated('no reference', 'SiC', energy=-7.0),
        evaluated('unreadable', 'B?N', energy=-7.0),
        outcome('failed', properties={'energy': -9.0}),
    ]
    found = metrics.stability(outcomes, references)
    assert found['e_above_hull'] == pytest.approx({'far': 0.5, 'near': 0.1, 'on': 0.0})
    assert list(found['e_above_hull']) == ['far', 'near', 'on']
    assert (found['value'], found['n']) == (pytest.approx(1 / 3), 3)
    assert (found['without_reference'], found['unreadable_formulas']) == (1, 1)
    assert found['phases'] == {
        'hull': ['on', 'reference:B', 'reference:N'], 'considered': 5 - 1, 'references': references,
    }  # fmt: skip
    assert set(found['near']) == {'value', 'low', 'high', 'n', 'within_eV_per_atom'}
    assert found['near']['within_eV_per_atom'] == 0.1
    reasons = [
        metrics.stability(chosen, references)
        for chosen in (outcomes[3:4], outcomes[4:5], outcomes[5:6], [evaluated('x', 'BN', energy=math.nan)])
    ]
    assert [reason['n'] for reason in reasons] == [0, 0, 0, 0]
    assert [reason['reason'] for reason in reasons[:3]] == [
        'no completed evaluation has an energy',
        'every evaluation has an element without a reference energy',
        'the formulas of 1 evaluations cannot be read',
    ]
    assert 'is not a number' in reasons[3]['reason']


def test_hull_distances_of_a_data_set() -> None:
    outcomes = [
        evaluated(name, 'BN', e_above_hull=value) for name, value in (('b', 1e-6), ('a', 0.1), ('c', 0.11), ('d', -0.2))
    ]
    found = metrics.stability([*outcomes, evaluated('e', 'BN'), outcome('f', properties={'e_above_hull': 0.0})], {})
    assert found == {
        **intervals.share(2, 4),
        'near': {**intervals.share(3, 4), 'within_eV_per_atom': 0.1},
        'e_above_hull': {'a': 0.1, 'b': 1e-6, 'c': 0.11, 'd': 0.0},
        'phases': None,
        'phases_reason': 'the values are those of the data set',
    }
    assert metrics.stability([evaluated('e', 'BN')], {}) == UNKNOWN | {
        'reason': 'no elemental references and no energies above a hull are recorded', 'n': 0,
    }  # fmt: skip
    sun = metrics.stable_unique_novel(outcomes, {'a': 0.1, 'b': 0.2}, ['a', 'b', 'c'])
    assert sun == {**intervals.share(1, 4), 'within_eV_per_atom': 0.1}
    assert metrics.stable_unique_novel(outcomes, {}, []) == UNKNOWN | {
        'reason': 'no energies above a hull are known', 'n': 0,
    }  # fmt: skip
    assert metrics.stable_unique_novel(outcomes, {'a': 0.1}, None) == UNKNOWN | {
        'reason': 'whether crystals are novel is not known', 'n': 0,
    }  # fmt: skip


def test_uniqueness_and_novelty_of_a_few_crystals() -> None:
    zincblende = Crystal(rock_salt().lattice, ('B', 'N'), [[0, 0, 0], [0.25, 0.25, 0.25]])
    crystals = [rock_salt(), rock_salt(), zincblende, rock_salt('Al')]
    assert metrics.uniqueness(crystals) == {
        **intervals.share(3, 4),
        'structure_matcher': intervals.share(3, 4),
        'structure_matcher_and_space_group': intervals.share(3, 4),
    }
    assert metrics.uniqueness([]) == metrics.novelty([], crystals) == UNKNOWN | {'reason': 'there is no crystal'}
    found = metrics.novelty(crystals, [rock_salt(), rock_salt('Si', 'C')])
    assert (found['value'], found['n'], found['library'], found['new']) == (0.5, 4, 2, [2, 3])
    assert found['structure_matcher_and_space_group']['value'] == 0.5
    # zincblende alone is a prototype that no entry has
    assert found['prototype'] == intervals.share(1, 4)


def test_a_mean_distance_has_the_interval_of_the_jackknife() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    means = [mean_distance(np.delete(points, index, axis=0))['value'] for index in range(4)]
    half = 1.959964 * math.sqrt(3 / 4 * sum((mean - np.mean(means)) ** 2 for mean in means))
    found = mean_distance(points)
    assert found == {
        'value': found['value'], 'n': 4,
        'low': pytest.approx(max(found['value'] - half, 0.0)), 'high': pytest.approx(found['value'] + half),
    }  # fmt: skip
    assert mean_distance(points[:2]) == {
        'value': 5.0, 'n': 2, 'interval_reason': 'a single pair has no spread',
    }  # fmt: skip


def test_diversity_of_evaluations_and_hits() -> None:
    crystals = [
        rock_salt(),
        rock_salt('Al'),
        Crystal(rock_salt().lattice, ('Si', 'C'), [[0, 0, 0], [0.25, 0.25, 0.25]]),
    ]
    texts = [json.dumps(crystal.to_dict()) for crystal in crystals]
    outcomes = [
        outcome(name, k, key=key, proposed_text=text, prototype='AB', copy_of=copy_of)
        for name, k, key, text, copy_of in (
            ('a', 400.0, 'BN', texts[0], ''), ('b', 400.0, 'AlN', texts[1], ''), ('c', 400.0, 'BN', texts[0], 'a'),
            ('d', 1.0, 'SiC', texts[2], ''), ('e', 1.0, 'B?', None, ''),
        )
    ]  # fmt: skip
    fast = metrics.diversity(outcomes, fingerprints=False, reason='too many')
    unread = '1 formulas cannot be read, the first is {!r}'
    assert fast == UNKNOWN | {
        'reason': 'too many',
        'evaluations': {
            'n': 5, 'formulas': 4, 'chemical_systems': 3, 'chemical_systems_reason': unread.format('B?'),
            'prototypes': 1, 'distance': UNKNOWN | {'reason': 'too many'},
        },
        'hits': {
            'n': 2, 'formulas': 2, 'chemical_systems': 2, 'prototypes': 1, 'distance': UNKNOWN | {'reason': 'too many'},
        },
    }  # fmt: skip
    slow = metrics.diversity(outcomes)
    assert (slow['n'], slow['evaluations']['distance']['n'], slow['hits']['distance']['n']) == (4, 4, 2)
    assert slow['value'] == slow['evaluations']['distance']['value'] > 0
    nothing = metrics.diversity(outcomes[4:])
    assert nothing['evaluations']['chemical_systems'] is None
    assert nothing['evaluations']['prototypes_reason'] == 'the pool has no prototypes of them'
    assert nothing['hits'] == {
        'n': 0, 'formulas': 0, 'chemical_systems': 0, 'prototypes': 0,
        'distance': UNKNOWN | {'reason': 'there are fewer than two crystals', 'n': 0},
    }  # fmt: skip


def test_points_are_counted_by_key() -> None:
    outcomes = [outcome('a', 400.0, key='x'), outcome('b', 1.0, key='x'), outcome('c', 1.0, key='y')]
    assert metrics.number_of_keys(outcomes, 'no crystals') == UNKNOWN | {
        'reason': 'no crystals',
        'evaluations': {'n': 3, 'keys': 2, 'distance': UNKNOWN | {'reason': 'no crystals'}},
        'hits': {'n': 1, 'keys': 1, 'distance': UNKNOWN | {'reason': 'no crystals'}},
    }
