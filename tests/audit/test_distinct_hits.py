"""Distinct hits: one thing counts once, however often it was reached."""

from __future__ import annotations

import json

import made_outcomes
import numpy as np
import pytest

from aiida_inversedesign.audit import metrics
from aiida_inversedesign.audit.metrics.best import symmetry_of, things
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.costs.budget import Spent, conclusion, stop_reason
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import EvaluationRow, count_statuses, with_copies
from aiida_inversedesign.campaign.spec import Budget
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.graph.job_record import Cost, JobRecord
from aiida_inversedesign.spaces.crystals.space import CrystalSpace
from aiida_inversedesign.spaces.parameters.space import ParameterSpace

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 300.0}], constraints=[{'property': 'gap', 'min': 1}])
HARD = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 300.0}])


def outcome(number, k=None, **fields):
    properties = {} if k is None else {'k': k, 'gap': 2.0}
    return made_outcomes.outcome(f'g001_c{number:04d}', k, **{'key': 'C', 'properties': properties, **fields})


def diamond(a=3.57, symbol='C', other=None):
    return Crystal(a / 2 * (np.ones((3, 3)) - np.eye(3)), (symbol, other or symbol), [[0, 0, 0], [0.25, 0.25, 0.25]])


def conventional(crystal):
    return Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell(2, in_place=False))


def rock_salt(a=4.2):
    return Crystal(a / 2 * (np.ones((3, 3)) - np.eye(3)), ('B', 'N'), [[0, 0, 0], [0.5, 0.5, 0.5]])


def row(name, crystal, value=400.0, relaxed=None, **fields):
    done = {'key': crystal.formula, 'status': 'completed', 'hit': value >= 300, 'properties': {'k': value}}
    return EvaluationRow(
        candidate=name, generation=1, arm='initial', proposed=crystal, relaxed=relaxed, **{**done, **fields}
    )


def test_relaxed_crystals_are_compared_not_proposed_ones():
    proposals = [diamond(3.4), rock_salt(), Crystal(np.diag([2.5, 2.5, 6.0]), ('C', 'C'), [[0, 0, 0], [0.5, 0.5, 0.4]])]
    rows = [
        row('a', proposals[0], relaxed=diamond(3.57)),
        row('b', proposals[1]),
        row('c', proposals[2], relaxed=conventional(diamond(3.571))),
        row('d', proposals[2], relaxed=proposals[2]),
    ]
    found = with_copies(rows, CrystalSpace.same_result)
    assert [item.copy_of for item in found] == ['', '', 'a', '']
    assert count_statuses(found)['hits'] == 4
    assert count_statuses(found)['distinct_hits'] == 3


def test_a_different_space_group_is_a_different_crystal():
    twisted = Crystal(diamond().lattice @ np.diag([1.0, 1.0, 1.05]), ('C', 'C'), [[0, 0, 0], [0.25, 0.25, 0.25]])
    figure = metrics.uniqueness([diamond(), twisted])
    assert figure['value'] == figure['structure_matcher']['value'] == 0.5
    assert figure['structure_matcher_and_space_group']['value'] == 1.0
    assert metrics.novelty([twisted], [diamond()])['new'] == []
    rows = with_copies([row('a', diamond()), row('b', twisted)], CrystalSpace.same_result)
    assert [item.copy_of for item in rows] == ['', '']


def test_failed_evaluations_are_never_compared_and_known_rows_stay():
    failed = row('a', diamond(), status='failed', hit=False)
    rows = with_copies(
        [failed, row('b', diamond()), row('c', diamond(), copy_of='elsewhere')], CrystalSpace.same_result
    )
    assert [item.copy_of for item in rows] == [None, '', 'elsewhere']


def test_a_hit_that_equals_an_earlier_miss_is_no_distinct_hit():
    rows = with_copies([row('a', diamond(), 299.9), row('b', diamond(), 300.1)], CrystalSpace.same_result)
    assert count_statuses(rows)['hits'] == 1
    assert count_statuses(rows)['distinct_hits'] == 0


def test_points_of_other_spaces_are_compared_by_their_own_rule():
    points = [ParameterSpace.read({'values': {'x': value}}) for value in (0.25, 0.25, 0.5)]
    rows = [
        EvaluationRow('abc'[place], 1, 'initial', point.key, 'completed', point, hit=True)
        for place, point in enumerate(points)
    ]
    assert [item.copy_of for item in with_copies(rows, ParameterSpace.same_result)] == ['', 'a', '']


def test_rates_costs_and_curves_count_distinct_hits():
    outcomes = [
        outcome(1, 400.0),
        outcome(2, 401.0, copy_of='g001_c0001'),
        outcome(3),
        outcome(4, 350.0),
        outcome(5, 402.0, copy_of='g001_c0001'),
    ]
    counts = metrics.counts(outcomes)
    assert (counts['hits'], counts['distinct_hits'], counts['copies']) == (4, 2, 2)
    assert metrics.rate_of(outcomes, GOAL)['value'] == pytest.approx(2 / 5)
    steps = metrics.progress(outcomes, GOAL)
    hits = metrics.hit_costs(steps)
    assert [(hit['evaluation'], hit['copies']) for hit in hits] == [(1, ['g001_c0002', 'g001_c0005']), (4, [])]
    figures = metrics.hit_figures(hits, 5, Cost(25, 2.5), GOAL)
    assert figures['dft_per_hit'] == 12.5
    low, high = figures['cost_per_hit_intervals']['dft_calculations']
    assert low < 12.5 < high
    answers = {
        name: {'k': 400.0, 'gap': 2.0} if number < 20 else {'k': 1.0, 'gap': 2.0}
        for number, name in enumerate(f'p{number}' for number in range(100))
    }
    assert metrics.enrichment(outcomes, GOAL, answers)['value'] == pytest.approx((2 / 5) / 0.2)
    assert metrics.acceleration(outcomes, GOAL, answers)['hits'] == 2
    assert metrics.acceleration(outcomes, GOAL, answers)['evaluations'] == 4


def test_what_copies_cost_is_a_line_of_its_own():
    def job(evaluation, number):
        return JobRecord(
            number, None, 1, number, evaluation, ('relax', 'iteration_01'),
            'aiida.calculations:quantumespresso.pw', 0, 'finished', 1, 3600.0, 3600.0, False,
        )  # fmt: skip

    jobs = [job('a', 1), job('b', 2), job('b', 3), job('c', 4)]
    spent = metrics.spent_on(jobs, ['c'], [], copies=['b'])
    assert spent['copies']['dft_calculations'] == 2
    assert spent['copies']['core_hours'] == 2.0
    assert spent['by_outcome']['completed_evaluations']['dft_calculations'] == 3


def test_the_best_are_things_not_evaluations():
    outcomes = [
        outcome(1, 400.0, template='t1'),
        outcome(2, 410.0, copy_of='g001_c0001', template='t2'),
        outcome(3, 405.0, template='t3'),
        outcome(4, 399.0, copy_of='g001_c0002', template='t1'),
    ]
    best = metrics.best(outcomes, GOAL)
    assert [entry['candidate'] for entry in best] == ['g001_c0002', 'g001_c0003']
    assert best[0]['copies'] == ['g001_c0001', 'g001_c0004']
    assert best[0]['templates'] == ['t1', 't2']


def evaluated(name, crystal, energy, **fields):
    return EvaluationRecord(
        candidate=name, key=crystal.formula, generation=1, status='completed', hit=True,
        properties={'k': 400.0, 'energy': energy}, proposed_text=json.dumps(crystal.to_dict()), **fields,
    )  # fmt: skip


def test_a_hit_says_how_far_above_the_lowest_polymorph_it_is():
    zincblende = diamond(3.6, 'B', 'N')
    outcomes = [
        evaluated('rs', rock_salt(), -10.0),
        evaluated('zb', zincblende, -11.76),
        evaluated('c', diamond(), -9.0),
    ]
    best = {entry['candidate']: entry for entry in metrics.best(outcomes, HARD, e_above_hull={'zb': 0.02})}
    assert best['rs']['e_above_polymorph'] == pytest.approx(1.76)
    assert best['rs']['polymorphs'] == 2
    assert best['zb']['e_above_polymorph'] == 0
    assert best['zb']['e_above_hull'] == 0.02
    assert best['c']['polymorphs'] == 1
    assert best['zb']['space_group'] == {'symbol': 'F-43m', 'number': 216}
    assert best['zb']['prototype'] == 'AB_cF8_216_a_c'
    # energies of a data set are not known to be comparable
    assert 'polymorphs' not in metrics.best(outcomes, HARD, same_settings=False)[0]


def test_the_best_are_told_completely():
    text = json.dumps(diamond().to_dict())
    values = [(1, 400.0, -9.0, ''), (2, 420.0, -9.125, 'g001_c0001'), (3, 410.0, -9.0625, ''), (4, 100.0, -8.0, '')]
    outcomes = [
        outcome(number, k, properties={'k': k, 'gap': gap, 'energy': energy}, copy_of=copy, proposed_text=text)
        for (number, k, energy, copy), gap in zip(values, (2.0, 2.0, 1.0, 0.5), strict=True)
    ]
    outcomes += [
        outcome(5, 999.0, properties={'gap': 2.0, 'energy': -20.0}, key='Si'),
        outcome(6),
        outcome(7, status='running'),
    ]
    first, second = metrics.best(outcomes, GOAL, e_above_hull={'g001_c0003': 0.25})
    same = {'key': 'C', 'generation': 1, 'arm': 'acquisition', 'hit': True, 'prototype': 'A_cF8_227_a'}
    group = {'space_group': {'symbol': 'Fd-3m', 'number': 227}, 'template': '', 'templates': [], 'polymorphs': 3}
    assert first == same | group | {
        'candidate': 'g001_c0002',
        'properties': {'k': 420.0, 'gap': 2.0, 'energy': -9.125},
        'copies': ['g001_c0001'],
        'e_above_polymorph': 0.0,
    }
    assert second == same | group | {
        'candidate': 'g001_c0003',
        'properties': {'k': 410.0, 'gap': 1.0, 'energy': -9.0625},
        'copies': [],
        'e_above_polymorph': 0.0625,
        'e_above_hull': 0.25,
    }
    assert [item['candidate'] for item in metrics.best(outcomes, GOAL, 1)] == ['g001_c0002']
    assert len(metrics.best(outcomes, HARD, None)) == 3
    assert metrics.lowest_polymorphs(outcomes) == {'C': (-9.125, 3), 'Si': (-20.0, 1)}
    many = [outcome(number, 300.0 + number) for number in range(9)]
    assert [item['properties']['k'] for item in metrics.best(many, HARD)] == [308.0, 307.0, 306.0, 305.0, 304.0]
    own = outcome(1, 400.0, properties={'k': 400.0, 'e_above_hull': 0.5})
    assert metrics.best([own], HARD)[0]['e_above_hull'] == 0.5
    assert 'space_group' not in metrics.best([own], HARD)[0]


def test_a_crystal_without_a_space_group_is_told_as_such(monkeypatch):
    item = evaluated('c', diamond(), -9.0)
    assert symmetry_of(item)['space_group'] == {'symbol': 'Fd-3m', 'number': 227}
    monkeypatch.setattr('aiida_inversedesign.chemistry.symmetry.symmetry_dataset', lambda crystal: None)
    assert symmetry_of(item)['space_group'] is None


def test_copies_of_copies_are_copies_of_the_first():
    outcomes = [outcome(1, 400.0), outcome(2, 400.0, copy_of='g001_c0001'), outcome(3, 400.0, copy_of='g001_c0002')]
    outcomes += [outcome(4, 400.0, copy_of='gone'), outcome(5, 400.0, copy_of='gone'), outcome(6)]
    found = things(outcomes)
    assert {key: [item.candidate[-1] for item in group] for key, group in found.items()} == {
        'g001_c0001': ['1', '2', '3'],
        'gone': ['4', '5'],
    }


def test_a_new_formula_in_a_known_prototype_is_not_a_new_prototype():
    figure = metrics.novelty([diamond(3.6, 'B', 'N'), rock_salt()], [diamond(5.4, 'Zn', 'S')])
    assert figure['value'] == 1.0
    assert figure['prototype']['value'] == 0.5
    assert (figure['library'], figure['new']) == (1, [0, 1])


def test_stable_unique_and_novel_takes_all_three():
    items = [
        evaluated('a', diamond(), -9.0),
        evaluated('b', diamond(), -9.0, copy_of='a'),
        evaluated('c', rock_salt(), -10.0),
        evaluated('d', diamond(3.6, 'B', 'N'), -11.0),
    ]
    above = {'a': 0.0, 'b': 0.0, 'c': 1.7, 'd': 0.1}
    assert metrics.stable_unique_novel(items, above, {'a', 'b', 'c'})['value'] == 0.25
    assert metrics.stable_unique_novel(items, above, {'a', 'b', 'c', 'd'})['value'] == 0.5
    assert metrics.stable_unique_novel(items, above, None)['reason']
    assert metrics.stable_unique_novel(items, {}, {'a'})['value'] is None


def test_the_stop_rule_counts_distinct_hits_and_reads_older_records():
    budget = Budget(evaluations=10, hits=2)
    assert stop_reason(budget, Spent(evaluations=4, distinct_hits=1)) is None
    assert stop_reason(budget, Spent(evaluations=4, distinct_hits=2)) == 'target reached: 2 distinct hits (wanted 2)'
    assert Spent.of({'total': 4, 'failed': 0, 'hits': 3, 'distinct_hits': 1}, 1).distinct_hits == 1
    assert Spent.of({'total': 4, 'failed': 0, 'hits': 3}, 1).distinct_hits == 3
    older = {'evaluations': 4, 'failed': 0, 'hits': 2, 'generations': 1, 'dft_calculations': 0, 'core_hours': 0.0}
    assert conclusion(budget, {**older, 'dft_per_evaluation': 0}).startswith('target reached')


@pytest.mark.parametrize(
    ('exit_status', 'failed', 'residual'),
    [(0, False, False), (501, False, True), (500, True, False), (410, True, False)],
)
def test_a_job_has_one_of_three_outcomes(exit_status, failed, residual):
    job = JobRecord(
        1, None, 1, 1, 'a', ('relax', 'iteration_01', 'iteration_01'), 'aiida.calculations:quantumespresso.pw',
        exit_status, 'finished', 1, 1.0, 1.0, False,
    )  # fmt: skip
    assert (job.has_failed, job.has_residual) == (failed, residual)
    counts = metrics.count_dft([job])
    assert (counts['total'], counts['failed'], counts['residual']) == (1, int(failed), int(residual))


@pytest.mark.parametrize(
    ('properties', 'words'),
    [
        ({'pressure': 2.2}, 'pressure 2.2 GPa'),
        ({'pressure': -2.2}, 'at most 0.5'),
        ({'max_force': 0.3}, 'max force 0.3 eV/Å'),
        ({'bulk_modulus_derivative': -0.3}, '(credible: 1 to 10)'),
        ({'eos_residual': 0.02}, 'eos residual'),
        ({'pressure': 0.01, 'max_force': 0.001, 'bulk_modulus_derivative': 3.9, 'eos_residual': 1e-5}, ''),
    ],
)
def test_doubtful_results_are_flagged(properties, words):
    found = '; '.join(outcome(1, 400.0, properties={'k': 400.0, **properties}).doubts)
    assert words in found
    assert bool(found) == bool(words)
    assert outcome(1, 400.0, computed=False, properties=properties).doubts == []
