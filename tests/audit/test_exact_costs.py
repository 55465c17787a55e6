"""Costs and rates, figure by figure: every key and every value of small campaigns that are counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
from made_outcomes import outcome

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.metrics.intervals import wilson
from aiida_inversedesign.audit.metrics.predictions import calibration
from aiida_inversedesign.audit.record import CandidateRecord
from aiida_inversedesign.campaign.candidate import Verdict
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph.job_record import Cost, JobRecord

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 300.0}])
OPEN = Goal(objectives=[{'property': 'k', 'maximize': True}])
PW = 'aiida.calculations:quantumespresso.pw'
EMPTY = {'dft_calculations': 0, 'core_hours': 0.0, 'not_recorded': 0}


def job(evaluation: str, path: str = 'relax/iteration_01', **fields: Any) -> JobRecord:
    values = {
        'id': 1, 'created': None, 'generation': 1, 'evaluation_id': 1, 'process_type': PW, 'exit_status': 0,
        'state': 'finished', 'processes': 2, 'wall_seconds': 1800.0, 'allowed_seconds': 3600.0, 'cached': False,
    }  # fmt: skip
    return JobRecord(evaluation=evaluation, path=tuple(path.split('/')), **{**values, **fields})


def test_calculations_are_counted_by_outcome_and_kind() -> None:
    jobs = [
        job('a'),
        job('a', 'relax/iteration_02'),
        job('a', 'eos_0/iteration_01', exit_status=410),
        job('b', exit_status=501),
        job('b', process_type='aiida.calculations:inversedesign.ase', path='prerelax', exit_status=9),
        job('reference_B'),
        job('c', cached=True),
        job('c', cached=True, process_type='aiida.calculations:inversedesign.ase', path='prerelax'),
    ]
    assert metrics.count_dft(jobs) == {
        'total': 5,
        'failed': 1,
        'residual': 1,
        'restarts': 1,
        'references': 1,
        'cached': 1,
        'by_kind': {'equation_of_state': 1, 'prerelax': 1, 'reference': 1, 'relax': 3},
    }
    assert list(metrics.count_dft(jobs)['by_kind']) == ['equation_of_state', 'prerelax', 'reference', 'relax']


def test_core_hours_say_what_is_not_recorded() -> None:
    jobs = [job('a'), job('a', wall_seconds=None), job('a', cached=True, wall_seconds=None)]
    assert metrics.core_hours(jobs, 1.0) == {'core_hours': 1.0, 'core_hours_not_recorded': {'jobs': 1, 'of': 2}}
    assert metrics.core_hours(jobs[1:], None) == {
        'core_hours': None,
        'core_hours_not_recorded': {'jobs': 1, 'of': 1},
        'core_hours_reason': 'not recorded: none of 1 jobs has a record of its wall time',
    }
    nothing = {'core_hours': 0.0, 'core_hours_not_recorded': {'jobs': 0, 'of': 0}}
    assert metrics.core_hours(jobs[2:], None) == nothing


def steps() -> list[dict[str, Any]]:
    outcomes = [outcome('a', 100.0), outcome('b', 400.0), outcome('c'), outcome('d', 350.0), outcome('e', 300.0)]
    return metrics.hit_costs(metrics.progress([*outcomes, outcome('f', 400.0, copy_of='b')], GOAL))


def test_the_interval_of_a_cost_begins_at_its_cheap_end() -> None:
    figures = metrics.hit_figures(steps(), 6, Cost(30, 3.0, 9.0), GOAL)
    low, high = wilson(3, 6)
    # the higher the rate, the cheaper a hit
    assert figures['cost_per_hit_intervals'] == {
        'dft_calculations': [pytest.approx(30 / 6 / high), pytest.approx(30 / 6 / low)],
        'core_hours': [pytest.approx(3 / 6 / high), pytest.approx(3 / 6 / low)],
        'n': 6,
    }
    low, high = figures['cost_per_hit_intervals']['dft_calculations']
    assert low < figures['dft_per_hit'] == 10.0 < high
    assert figures['core_hours_per_hit'] == 1.0


def test_what_each_hit_has_cost() -> None:
    figures = metrics.hit_figures(steps(), 6, Cost(30, 3.0), GOAL)
    assert set(figures) == {
        'first_hit', 'dft_per_hit', 'core_hours_per_hit', 'cost_per_hit_intervals', 'hits',
    }  # fmt: skip
    assert figures['first_hit'] == {'evaluation': 2, 'dft_calculations': 10, 'core_hours': 1.0, 'candidate': 'b'}
    assert figures['hits'] == [
        {
            'evaluation': number,
            'candidate': name,
            'key': 'BN',
            'dft_calculations': 5 * number,
            'core_hours': number / 2,
            'copies': copies,
            'since_the_last': {'evaluation': more, 'dft_calculations': 5 * more, 'core_hours': more / 2},
        }
        for number, name, copies, more in ((2, 'b', ['f'], 2), (4, 'd', [], 2), (5, 'e', [], 1))
    ]


def test_without_core_hours_or_dft_a_cost_is_not_known() -> None:
    hits = [{**hit, 'core_hours': None} for hit in steps()]
    figures = metrics.hit_figures(hits, 6, Cost(0, None), GOAL)
    assert (figures['dft_per_hit'], figures['dft_per_hit_reason']) == (None, 'no DFT calculation was made')
    assert figures['core_hours_per_hit'] is None
    assert figures['core_hours_per_hit_reason'] == 'core-hours are not recorded'
    assert figures['cost_per_hit_intervals'] == {'dft_calculations': None, 'core_hours': None, 'n': 6}
    assert [hit['since_the_last']['core_hours'] for hit in figures['hits']] == [None, None, None]
    assert [hit['since_the_last']['evaluation'] for hit in figures['hits']] == [2, 2, 1]
    later = metrics.hit_figures([hits[0], steps()[1]], 6, Cost(0, None), GOAL)
    assert later['hits'][1]['since_the_last']['core_hours'] is None
    assert metrics.hit_figures(hits, 6, Cost(1, None), GOAL)['dft_per_hit'] == pytest.approx(1 / 3)


@pytest.mark.parametrize(('goal', 'reason'), [(GOAL, 'no hit so far'), (OPEN, 'no hit threshold is set')])
def test_without_a_hit_nothing_is_known_but_why(goal: Goal, reason: str) -> None:
    nothing = {'evaluation': None, 'dft_calculations': None, 'core_hours': None, 'candidate': None}
    assert metrics.hit_figures([], 6, Cost(30, 3.0), goal) == {
        'first_hit': {**nothing, 'reason': reason},
        'dft_per_hit': None,
        'dft_per_hit_reason': reason,
        'core_hours_per_hit': None,
        'core_hours_per_hit_reason': reason,
        'cost_per_hit_intervals': None,
        'hits': [],
    }


def test_every_calculation_has_one_fate() -> None:
    jobs = [
        job('good'),
        job('good', 'relax/iteration_02'),
        job('good', cached=True, wall_seconds=None),
        job('bad', exit_status=410),
        job('going', state='waiting', exit_status=None, wall_seconds=None),
        job('ended', state='killed', exit_status=None),
        job('reference_B', 'relax/iteration_02'),
        job('again'),
        job('generate', 'generate', process_type='aiida.calculations:inversedesign.generate', exit_status=410),
    ]
    one = {'dft_calculations': 1, 'core_hours': 1.0, 'not_recorded': 0}
    assert metrics.spent_on(jobs, ['bad'], ['going'], ['ended'], ['again']) == {
        'by_outcome': {
            'references': one,
            'generators': {'dft_calculations': 0, 'core_hours': 1.0, 'not_recorded': 0},
            'completed_evaluations': {'dft_calculations': 3, 'core_hours': 3.0, 'not_recorded': 0},
            'failed_evaluations': one,
            'running_evaluations': {
                'dft_calculations': 1,
                'core_hours': None,
                'not_recorded': 1,
                'core_hours_reason': 'not recorded: none of 1 jobs has a record of its wall time',
            },
            'stopped_evaluations': one,
        },
        'copies': one,
        'failed_calculations': {'dft_calculations': 2, 'core_hours': 2.0, 'not_recorded': 0},
        'restarts': {'dft_calculations': 2, 'core_hours': 2.0, 'not_recorded': 0},
        'cache_copies': {'calculations': 1, 'core_hours': 0.0},
    }
    assert metrics.spent_on([], [], [])['by_outcome']['references'] == EMPTY


def test_rates_of_groups() -> None:
    outcomes = [
        outcome('a', 400.0, arm='initial', generator='g1', core_hours=None, reused=True),
        outcome('b', 400.0, generator='g1', core_hours=None),
        outcome('c', 100.0, generator='g2', generation=2),
        outcome('d', generator='g1', generation=2, core_hours=0.25),
        outcome('e', status='running', hit=None, generation=2, arm='', generator=''),
        outcome('f', status='stopped', hit=None, generation=3, arm='control'),
    ]
    assert metrics.counts(outcomes) == {
        'total': 6, 'completed': 3, 'failed': 1, 'running': 1, 'stopped': 1,
        'hits': 2, 'distinct_hits': 2, 'copies': 0, 'reused': 1,
    }  # fmt: skip
    generators = metrics.by_generator(outcomes, GOAL)
    assert [(group['generator'], group['hit_rate']['value'], group['core_hours']) for group in generators] == [
        ('g1', 0.5, 0.25),
        ('g2', 0.0, 0.5),
    ]
    assert set(generators[0]) == {'generator', 'evaluations', 'hit_rate', 'dft_calculations', 'core_hours'}
    assert [group['dft_calculations'] for group in generators] == [10, 5]
    arms = metrics.by_arm(outcomes, GOAL)
    assert [(group['arm'], group['evaluations']['total']) for group in arms] == [
        ('acquisition', 3),
        ('control', 1),
        ('initial', 1),
    ]
    assert [group['core_hours'] for group in arms] == [0.75, 0.5, None]
    assert arms[1]['hit_rate'] == {
        'value': None, 'reason': 'no evaluation has ended', 'low': None, 'high': None, 'n': 0,
    }  # fmt: skip
    generations = metrics.by_generation(outcomes[::-1], GOAL)
    assert [(group['generation'], group['evaluations']['total']) for group in generations] == [(1, 2), (2, 3), (3, 1)]
    assert metrics.rate_of(outcomes, OPEN) == {
        'value': None, 'reason': 'no hit threshold is set', 'low': None, 'high': None, 'n': 4,
    }  # fmt: skip
    low, high = wilson(2, 4)
    assert metrics.rate_of(outcomes, GOAL) == {'value': 0.5, 'low': low, 'high': high, 'n': 4}


def test_validity_of_each_filter_and_proposer() -> None:
    def candidate(name: str, proposer: str = 'cspml', **verdicts: bool) -> CandidateRecord:
        found = {key: Verdict(value) for key, value in verdicts.items()}
        return CandidateRecord(name, 'BN', proposer, verdicts=found, content_text='{}')

    pool = [candidate('a', charge=True, size=True), candidate('b', charge=True, size=False)]
    pool += [candidate('c', 'other', charge=False)]
    low, high = wilson(2, 3)
    figure = metrics.validity(pool)
    assert figure['filters'] == [
        {'filter': 'charge', 'considered': 3, 'passed': 2, 'share': 2 / 3, 'low': low, 'high': high},
        {
            'filter': 'size', 'considered': 2, 'passed': 1, 'share': 0.5,
            'low': wilson(1, 2)[0], 'high': wilson(1, 2)[1],
        },
    ]  # fmt: skip
    assert figure['accepted'] == 1
    assert figure | {'value': 1 / 3, 'low': wilson(1, 3)[0], 'high': wilson(1, 3)[1], 'n': 3} == figure
    assert metrics.validity([]) == {'value': None, 'reason': 'no pool of candidates is recorded', 'filters': []}
    outcomes = [outcome('a', 400.0, proposer='cspml'), outcome('c', 1.0, proposer='gone')]
    groups = metrics.by_proposer(outcomes, pool, GOAL)
    assert [(group['proposer'], group['validity']['value'], group['validity']['n']) for group in groups] == [
        ('cspml', 0.5, 2),
        ('gone', None, 0),
    ]
    assert groups[1]['validity']['reason'] == 'no pool is recorded'


def test_calibration_by_what_chose() -> None:
    outcomes = [
        outcome('a', 400.0, surrogate='gp', acquisition='log_ei', predicted={'k': (390.0, 10.0)}),
        outcome('b', 200.0, surrogate='gp', acquisition='pi', predicted={'k': (230.0, 10.0)}),
        outcome('c', 100.0, acquisition='spread'),
        outcome('d', None, surrogate='gp', acquisition='pi', predicted={'k': (1.0, 1.0)}),
        outcome('e', None, status='completed', surrogate='gp', acquisition='pi', predicted={'k': (1.0, 1.0)}),
        outcome('f', 300.0, status='running', surrogate='gp', acquisition='pi', predicted={'k': (1.0, 1.0)}),
    ]
    (surrogate,) = metrics.by_surrogate(outcomes, GOAL)
    assert (surrogate['surrogate'], surrogate['calibration']['k']['n']) == ('gp', 2)
    assert surrogate['calibration']['k']['z_mean'] == pytest.approx(-1.0)
    names = [group['acquisition'] for group in metrics.by_acquisition(outcomes, GOAL)]
    assert names == ['log_ei', 'pi', 'spread']
    assert metrics.by_acquisition(outcomes, GOAL)[0]['calibration']['k']['z_mean'] == 1.0
    nothing = calibration(outcomes[2:], ['k', 'gap'])
    assert nothing['gap'] == nothing['k'] == {'value': None, 'reason': 'nothing was predicted when it was chosen'}
