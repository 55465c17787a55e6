"""What leads a generator in a campaign: its goal on formulas, from the table of evaluations."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.learn.surrogate import SurrogateError
from aiida_inversedesign.propose.generators.mix import Mix
from aiida_inversedesign.propose.generators.request import NotReadyError
from aiida_inversedesign.propose.generators.score import (
    COMPARABLE,
    campaign_request,
    formula_score,
    formula_surrogate,
    known_formulas,
)
from aiida_inversedesign.spaces.crystals.space import CrystalSpace as Space

RADII = element_table().column('covalent_radius_cordero')
MAXIMIZE = Goal.model_validate({'objectives': [{'property': 'lattice_constant', 'maximize': True}]})
TARGET = Goal.model_validate({'objectives': [{'property': 'lattice_constant', 'target': 5.6, 'tolerance': 0.1}]})
BOUND = Goal.model_validate(
    {
        'objectives': [{'property': 'lattice_constant', 'maximize': True}],
        'constraints': [{'property': 'band_gap', 'max': 2.0}],
    }
)
PARETO = Goal.model_validate(
    {
        'objectives': [
            {'property': 'lattice_constant', 'maximize': True},
            {'property': 'band_gap', 'minimize': True},
        ]
    }
)
SPACE = Space(elements=['Li', 'Na', 'K', 'Rb', 'F', 'Cl', 'Br', 'I', 'O', 'S'], ratios=['1:1', '2:1'])
CRYSTAL = Crystal(np.eye(3) * 3, ('Si',), [[0, 0, 0]])


def size(formula):
    """A lattice constant of rock salt, in Å, and a gap that falls with it."""
    return 0.02 * sum(RADII[symbol] for symbol in parse_formula(formula))


def row(number, formula, status='completed', **properties):
    values = {'lattice_constant': size(formula), 'band_gap': 10 - size(formula)} | properties
    return EvaluationRow(
        f'c{number}', 1, 'initial', formula, status, CRYSTAL, CRYSTAL, values if status == 'completed' else {}
    )


@pytest.fixture(scope='module')
def rows():
    done = ['LiF', 'LiCl', 'NaF', 'NaCl', 'KF', 'LiBr', 'NaBr', 'Li2O', 'Na2O', 'Li2S']
    return [row(number, formula) for number, formula in enumerate(done)]


def test_surrogate_knows_formulas(rows):
    model = formula_surrogate([(item.key, item.properties) for item in rows], ['lattice_constant'], 0)
    mean, deviation = model.predict(['NaCl', 'RbI', {'Li': 1, 'F': 1}])['lattice_constant']
    assert mean[0] == pytest.approx(size('NaCl'), abs=0.1)
    assert mean[2] == pytest.approx(size('LiF'), abs=0.1)
    assert mean[0] > mean[2]
    assert deviation[1] > deviation[0] > 0


def test_same_formula_with_other_crystals_and_values(rows):
    twice = [(item.key, item.properties) for item in [*rows, row(99, 'NaCl', lattice_constant=9.0)]]
    mean, _ = formula_surrogate(twice, ['lattice_constant'], 0).predict(['NaCl'])['lattice_constant']
    assert size('NaCl') < mean[0] < 9.0


def test_too_little_to_learn(rows):
    pairs = [(item.key, item.properties) for item in rows[:2]]
    with pytest.raises(NotReadyError, match=r"2 evaluation\(s\) have a value of 'lattice_constant'"):
        formula_surrogate(pairs, ['lattice_constant'], 0)
    with pytest.raises(NotReadyError, match='hardness'):
        formula_surrogate([(item.key, item.properties) for item in rows], ['hardness'], 0)
    with pytest.raises(NotReadyError):
        formula_score([], MAXIMIZE, 0)
    with pytest.raises(NotReadyError):
        formula_score([row(number, 'NaCl', lattice_constant=np.nan) for number in range(5)], MAXIMIZE, 0)
    with pytest.raises(SurrogateError, match='magic'):
        formula_surrogate([(item.key, item.properties) for item in rows], ['lattice_constant'], 0, kind='magic')


@pytest.mark.parametrize('goal', [MAXIMIZE, TARGET, BOUND, PARETO], ids=['maximize', 'target', 'bound', 'pareto'])
def test_scores_do_not_depend_on_what_they_are_asked_with(rows, goal):
    score = formula_score(rows, goal, 0)
    wanted = [parse_formula(formula) for formula in ('KI', 'RbCl', 'K2S', 'LiI', 'NaI')]
    together = score(wanted)
    assert np.isfinite(together).all()
    assert together == pytest.approx([score([counts])[0] for counts in wanted], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize('acquisition', [*COMPARABLE, 'auto', 'thompson', 'knowledge_gradient', 'random'])
def test_every_acquisition_of_a_campaign_leads_a_search(rows, acquisition):
    goal = PARETO if acquisition == 'log_ehvi' else MAXIMIZE
    assert np.isfinite(formula_score(rows, goal, 0, acquisition)([{'K': 1, 'I': 1}])).all()


def test_larger_is_better(rows):
    score = formula_score(rows, MAXIMIZE, 0, 'posterior_mean')
    large, small = score([{'Rb': 1, 'I': 1}, {'Li': 1, 'F': 1}])
    assert large > small


def test_what_fails_is_avoided(rows):
    # potassium always fails
    failed = [row(50 + n, formula, 'failed') for n, formula in enumerate(['KCl', 'KBr', 'KI', 'K2O', 'K2S'] * 4)]
    more = [row(80 + n, formula) for n, formula in enumerate(['RbF', 'RbCl', 'RbBr', 'NaI', 'LiI'] * 3)]
    wanted = [{'K': 3, 'N': 1}, {'Rb': 3, 'N': 1}]
    gap = np.subtract(*formula_score([*rows, *more], MAXIMIZE, 0)(wanted))
    gap_with_failures = np.subtract(*formula_score([*rows, *more, *failed], MAXIMIZE, 0)(wanted))
    assert gap_with_failures < gap


def test_known_formulas(rows):
    twice = [
        *rows,
        row(20, 'NaCl', lattice_constant=9.0),
        row(21, 'RbI', 'failed'),
        row(22, 'KI', lattice_constant=np.nan),
    ]
    known = known_formulas(twice, MAXIMIZE)
    assert known[0].counts == {'Na': 1, 'Cl': 1}
    assert known[0].utility == 9.0
    assert len(known) == 10
    # those that break the constraint come last
    broken = known_formulas([*rows, row(20, 'KI', band_gap=1.0)], BOUND)
    assert broken[0].counts == {'K': 1, 'I': 1}
    assert known_formulas([], MAXIMIZE) == []


def test_campaign(rows):
    goal = Goal.model_validate(
        {
            'objectives': [{'property': 'lattice_constant', 'maximize': True}],
            'composition': [{'forbidden': ['Rb']}, {'element': 'I', 'max': 0.4}],
        }
    )
    done = {item.key for item in rows}
    shares = {'enumeration': 1, 'evolution': 1, 'inverse_kmd': 1, 'tree_search': 1, 'gradient': 1}
    for table in (rows, []):
        request = campaign_request(SPACE, goal, table, done, 12, 0)
        assert (request.score is None) == (not table)
        found = Mix(shares).propose(request)
        assert len(found) == 12
        for item in found:
            assert 'Rb' not in item.counts
            assert item.counts.get('I', 0) <= 0.4 * sum(item.counts.values())
        assert {item.generator for item in found} == (set(shares) if table else {'enumeration'})


@pytest.mark.parametrize('goal', [MAXIMIZE, TARGET, BOUND, PARETO], ids=['maximize', 'target', 'bound', 'pareto'])
def test_changes_by_the_own_gradient_are_those_of_the_score(rows, goal):
    failed = [row(50 + n, formula, 'failed') for n, formula in enumerate(['KCl', 'KBr', 'KI', 'K2O', 'K2S'] * 4)]
    score = formula_score([*rows, *failed], goal, 0)
    here = {'Rb': 2, 'S': 1}
    near = [{'Rb': 2.00001, 'S': 0.99999}, {'Rb': 1.99999, 'S': 1.00001}, {'Rb': 2.0, 'S': 1.0}]
    found, calls = score.changes(here, near)
    assert score.function.differentiable
    assert calls == 4
    assert found == pytest.approx(score(near) - score([here])[0], rel=0.02, abs=1e-9)
    assert found[2] == 0


def test_changes_by_differences(rows):
    """A forest has no gradient, and its steps are seen by differences: one score for each point."""
    score = formula_score(rows, MAXIMIZE, 0, kind='forest')
    assert not score.function.differentiable
    found, calls = score.changes({'Li': 1, 'F': 1}, [{'Rb': 1, 'I': 1}, {'Li': 1, 'F': 1}])
    assert calls == 3
    assert found == pytest.approx(score([{'Rb': 1, 'I': 1}, {'Li': 1, 'F': 1}]) - score([{'Li': 1, 'F': 1}]))
    request = campaign_request(SPACE, MAXIMIZE, rows, (), 5, 0, kind='forest')
    assert request.changes is None
    assert len(Mix({'gradient': 1}).propose(request)) == 5
