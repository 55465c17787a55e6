"""The figures of the audit, by example and by property."""

from __future__ import annotations

import made_outcomes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from aiida_inversedesign.audit.metrics import (
    best,
    by_generation,
    calibration,
    diversity,
    enrichment,
    hit_costs,
    hit_rate,
    progress,
    rate_of,
    validity,
)
from aiida_inversedesign.audit.record import CandidateRecord
from aiida_inversedesign.campaign.candidate import Verdict
from aiida_inversedesign.campaign.goal import Goal

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 300.0}], constraints=[{'property': 'gap', 'min': 1}])
OPEN = Goal(objectives=[{'property': 'k', 'maximize': True}])


def outcome(number, k=None, gap=2.0, **fields):
    properties = {} if k is None else {'k': k, 'gap': gap}
    hit = k is not None and k >= 300 and gap >= 1
    return made_outcomes.outcome(f'g001_c{number:04d}', k, **{'hit': hit, 'properties': properties, **fields})


@given(n=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_interval_is_the_textbook_formula(n, share):
    hits = round(share * n)
    figure = hit_rate(hits, n)
    z, p = norm.ppf(0.975), hits / n
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert figure['value'] == p
    assert figure['low'] == pytest.approx(center - half, abs=1e-9)
    assert figure['high'] == pytest.approx(center + half, abs=1e-9)


def test_failed_count_and_running_do_not():
    outcomes = [outcome(1, 400.0), outcome(2), outcome(3, 100.0), outcome(4, status='running', hit=None)]
    assert rate_of(outcomes, GOAL)['n'] == 3
    assert rate_of(outcomes, GOAL)['value'] == pytest.approx(1 / 3)


def test_unknown_is_null_with_a_reason():
    assert hit_rate(0, 0)['value'] is None
    assert 'no evaluation' in hit_rate(0, 0)['reason']
    assert 'no hit threshold' in rate_of([outcome(1, 5.0)], OPEN)['reason']
    assert 'no hit threshold' in enrichment([outcome(1, 5.0)], OPEN)['reason']
    assert 'no random control arm' in enrichment([outcome(1, 400.0)], GOAL)['reason']
    assert 'none of 1 random' in enrichment([outcome(1, 400.0), outcome(2, 9.0, arm='control')], GOAL)['reason']
    assert 'no evaluation was chosen' in enrichment([outcome(2, 9.0, arm='control')], GOAL)['reason']
    assert validity([])['value'] is None
    assert calibration([outcome(1, 4.0)], ['k'])['k']['value'] is None


def test_progress_adds_up_and_keeps_the_constraints():
    outcomes = [outcome(1, 100.0), outcome(2), outcome(3, 500.0, gap=0.5), outcome(4, 350.0), outcome(5, 320.0)]
    steps = progress(outcomes, GOAL)
    assert [step['dft_calculations'] for step in steps] == [5, 10, 15, 20, 25]
    assert [step['best'] for step in steps] == [100, 100, 100, 350, 350]
    assert [step['value'] for step in steps] == [100, None, 500, 350, 320]
    hits = hit_costs(steps)
    assert [hit['evaluation'] for hit in hits] == [4, 5]
    assert hits[0]['dft_calculations'] == 20
    assert hits[0]['core_hours'] == pytest.approx(2.0)


def test_core_hours_are_not_guessed():
    steps = progress([outcome(1, 1.0), outcome(2, 2.0, core_hours=None), outcome(3, 3.0)], GOAL)
    assert [step['core_hours'] for step in steps] == [0.5, None, None]


def test_a_target_is_best_when_it_is_nearest():
    goal = Goal(objectives=[{'property': 'k', 'target': 200.0, 'tolerance': 5.0}])
    steps = progress([outcome(1, 100.0), outcome(2, 230.0), outcome(3, 205.0), outcome(4, 190.0)], goal)
    assert [step['best'] for step in steps] == [100, 230, 205, 205]
    # of two equally near ones the first stays the best
    assert [step['best'] for step in progress([outcome(1, 190.0), outcome(2, 210.0)], goal)] == [190, 190]
    assert best([outcome(1, 100.0), outcome(3, 205.0)], goal)[0]['properties']['k'] == 205


def test_enrichment_is_the_ratio_of_the_arms():
    outcomes = [outcome(i, 400.0 if i < 6 else 10.0) for i in range(10)]
    outcomes += [outcome(20 + i, 400.0 if i < 2 else 10.0, arm='control') for i in range(10)]
    outcomes += [outcome(40, 400.0, arm='initial')]
    figure = enrichment(outcomes, GOAL)
    assert figure['value'] == pytest.approx(3.0)
    assert figure['low'] < 3.0 < figure['high']
    # Katz: exp(ln 3 ± 1.96 √(1/6 − 1/10 + 1/2 − 1/10))
    assert figure['high'] == pytest.approx(3 * np.exp(1.959964 * np.sqrt(1 / 6 - 0.1 + 0.5 - 0.1)), rel=1e-5)
    every = [outcome(1, 400.0), outcome(2, 400.0), outcome(3, 400.0, arm='control')]
    assert enrichment(every, GOAL)['value'] == 1
    # an interval from 1 to 1 of three evaluations would be a lie
    assert 'low' not in enrichment(every, GOAL)
    assert 'all evaluations of both arms are hits' in enrichment(every, GOAL)['interval_reason']
    none = [outcome(1, 9.0), outcome(2, 400.0, arm='control')]
    assert enrichment(none, GOAL)['value'] == 0
    assert 'low' not in enrichment(none, GOAL)
    assert 'without a hit' in enrichment(none, GOAL)['interval_reason']


def test_by_generation():
    outcomes = [outcome(1, 400.0), outcome(2, generation=2), outcome(3, 50.0, generation=2, core_hours=None)]
    first, second = by_generation(outcomes, GOAL)
    assert (first['generation'], first['hit_rate']['value'], first['dft_calculations']) == (1, 1.0, 5)
    counts = {
        'total': 2,
        'completed': 1,
        'failed': 1,
        'running': 0,
        'stopped': 0,
        'hits': 0,
        'distinct_hits': 0,
        'copies': 0,
        'reused': 0,
    }
    assert second['evaluations'] == counts
    assert second['core_hours'] == 0.5


def test_validity_is_a_funnel():
    def candidate(number, **verdicts):
        return CandidateRecord(
            f'g001_c{number:04d}', 'BN', 'cspml', verdicts={k: Verdict(v) for k, v in verdicts.items()}
        )

    figure = validity([candidate(1, charge=True, distance=False), candidate(2, charge=False)])
    assert figure['value'] == 0
    assert [(row['filter'], row['considered'], row['passed'], row['share']) for row in figure['filters']] == [
        ('charge', 2, 1, 0.5),
        ('distance', 1, 0, 0.0),
    ]
    assert figure['filters'][0]['low'] < 0.5 < figure['filters'][0]['high']


def test_calibration_of_honest_predictions():
    rng = np.random.default_rng(0)
    outcomes = []
    for number in range(2000):
        mean, deviation = rng.normal(), rng.uniform(0.5, 2)
        outcomes.append(outcome(number, mean + deviation * rng.normal(), predicted={'k': (mean, deviation)}))
    figure = calibration(outcomes, ['k'])['k']
    assert figure['n'] == 2000
    for level, coverage in figure['coverage'].items():
        assert coverage['low'] - 0.01 < float(level) < coverage['high'] + 0.01
    assert figure['z_spread'] == pytest.approx(1, abs=0.05)
    assert figure['mae'] == pytest.approx(1.25 * np.sqrt(2 / np.pi), rel=0.05)


def test_diversity_counts_distinct_systems():
    outcomes = [outcome(1, 400.0, key='BN'), outcome(2, 4.0, key='B2O3'), outcome(3, 400.0, key='BN')]
    figure = diversity(outcomes)
    assert {key: figure['evaluations'][key] for key in ('n', 'formulas', 'chemical_systems')} == {
        'n': 3,
        'formulas': 2,
        'chemical_systems': 2,
    }
    assert figure['hits']['formulas'] == 1
    assert figure['evaluations']['prototypes'] is None
    assert 'fewer than two crystals' in figure['reason']
