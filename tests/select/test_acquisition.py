"""What acquisitions prefer, on real crystals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.acquisition import acquisition, resolve
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.observed import Observed, SelectError
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

MAXIMIZE = {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]}
WINDOW = {'objectives': [{'property': 'bulk_modulus', 'window': [110.0, 130.0]}]}
BOTH = {'objectives': [*WINDOW['objectives'], {'property': 'volume', 'minimize': True, 'hit': 9.0}]}


def serving(goal):
    """Every installed acquisition that serves a goal."""
    found = Goal.model_validate(goal)
    return [name for name in registry.names('acquisitions') if not acquisition(resolve(name, found)).refuses(found)]


SINGLE, SEVERAL = serving(WINDOW), serving(BOTH)


@pytest.fixture(scope='module')
def setting(pool, evaluate):
    rows = [evaluate(candidate) for candidate in pool[:40]]
    surrogate = fit_surrogate(rows, ['bulk_modulus', 'volume'], CrystalSpace(), 'gp', 0)
    inputs = surrogate.inputs(CrystalSpace(), [c.content for c in pool[40:]], [c.probability for c in pool[40:]])
    return rows, surrogate, inputs


def score(setting, goal, name='log_ei', pending=None, rows=None, seed=1):
    own, surrogate, inputs = setting
    goal = Goal(**goal)
    observed = Observed.from_rows(own if rows is None else rows, surrogate, [*goal.properties], CrystalSpace())
    acquisition = make_acquisition(name, goal, surrogate, observed, seed)
    return acquisition.score(inputs, inputs[:0] if pending is None else pending)


def test_expected_improvement_is_the_closed_form(setting):
    rows, surrogate, inputs = setting
    mean, deviation = surrogate.models['bulk_modulus'].predict(inputs)
    rows = [row for row in rows if row.properties['bulk_modulus'] < 150]
    best = max(row.properties['bulk_modulus'] for row in rows)
    u = (mean - best) / deviation
    exact = (deviation * (norm.pdf(u) + u * norm.cdf(u))) / surrogate.models['bulk_modulus'].scale
    ours = np.exp(score(setting, {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]}, rows=rows))
    large = exact > 1e-9
    assert large.sum() > 50
    assert np.allclose(ours[large], exact[large], rtol=1e-6)


def test_minimise_prefers_the_other_end(setting):
    _, surrogate, inputs = setting
    mean, _ = surrogate.models['bulk_modulus'].predict(inputs)
    up = score(setting, {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]})
    down = score(setting, {'objectives': [{'property': 'bulk_modulus', 'minimize': True}]})
    assert mean[np.argsort(-up)[:10]].mean() > mean.mean() > mean[np.argsort(-down)[:10]].mean()


@pytest.mark.parametrize(
    'objective', [{'target': 120.0, 'tolerance': 10.0}, {'window': [110.0, 130.0]}], ids=['target', 'window']
)
@pytest.mark.parametrize('name', ['log_ei', 'posterior_mean'])
def test_target_and_window_look_in_the_middle(setting, objective, name):
    _, surrogate, inputs = setting
    mean, _ = surrogate.models['bulk_modulus'].predict(inputs)
    best = np.argsort(-score(setting, {'objectives': [{'property': 'bulk_modulus', **objective}]}, name))[:10]
    assert np.abs(mean[best] - 120).mean() < 0.5 * np.abs(mean - 120).mean()


def test_a_window_is_its_middle_as_a_target(setting):
    window = {'objectives': [{'property': 'bulk_modulus', 'window': [110.0, 130.0]}]}
    target = {'objectives': [{'property': 'bulk_modulus', 'target': 120.0, 'tolerance': 10.0}]}
    assert np.allclose(score(setting, window), score(setting, target))


def test_once_hit_further_hits_are_still_wanted(setting, pool, evaluate):
    rows = setting[0]
    goal = {'objectives': [{'property': 'bulk_modulus', 'window': [110.0, 130.0]}]}
    perfect = evaluate(pool[40], properties={'bulk_modulus': 120.0})
    _, surrogate, inputs = setting
    mean, deviation = surrogate.models['bulk_modulus'].predict(inputs)
    chance = norm.cdf((130 - mean) / deviation) - norm.cdf((110 - mean) / deviation)
    best = np.argsort(-score(setting, goal, rows=[*rows, perfect]))[:10]
    assert chance[best].mean() > 2 * chance.mean()


@pytest.mark.parametrize('name', ['log_ei', 'posterior_mean'])
def test_constraints_are_respected(setting, name):
    _, surrogate, inputs = setting
    goal = {
        'objectives': [{'property': 'bulk_modulus', 'minimize': True}],
        'constraints': [{'property': 'volume', 'max': 16.0}],
    }
    mean, deviation = surrogate.models['volume'].predict(inputs)
    feasible = norm.cdf((16 - mean) / deviation)
    free = np.argsort(-score(setting, {'objectives': goal['objectives']}, name))[:10]
    bound = np.argsort(-score(setting, goal, name))[:10]
    assert feasible[free].mean() < 0.3
    assert feasible[bound].mean() > 0.6


def test_without_a_feasible_row_feasibility_leads(setting):
    _, surrogate, inputs = setting
    goal = {
        'objectives': [{'property': 'bulk_modulus', 'maximize': True}],
        'constraints': [{'property': 'volume', 'min': 45.0}],
    }
    rows = [row for row in setting[0] if row.properties['volume'] < 45]
    mean, _ = surrogate.models['volume'].predict(inputs)
    best = np.argsort(-score(setting, goal, rows=rows))[:10]
    assert mean[best].mean() > np.quantile(mean, 0.9)


@pytest.mark.parametrize('name', ['log_ei', 'qlog_ei', 'ucb', 'ego'])
def test_pending_candidates_push_away(setting, name):
    inputs = setting[2]
    alone = score(setting, MAXIMIZE, name)
    best = int(np.argmax(alone))
    joint = score(setting, MAXIMIZE, name, pending=inputs[[best]])
    # what a second crystal with the same descriptors adds is less
    assert joint[best] < alone[best] - 0.02
    # it loses more ranks than the others do
    ranks = [np.argsort(np.argsort(-values)) for values in (alone, joint)]
    assert ranks[1][best] >= ranks[0][best]


def test_the_joint_improvement_is_that_of_both(setting):
    """qEI of a pair by brute force from the same model: E[max] − E[max of the pending one]."""
    _, surrogate, inputs = setting
    pending, free = inputs[[5]], score(setting, MAXIMIZE, 'qlog_ei')
    joint = score(setting, MAXIMIZE, 'qlog_ei', pending=pending)
    model = surrogate.models['bulk_modulus']
    best = max(row.properties['bulk_modulus'] for row in setting[0])
    some = np.argsort(-free)[:5]
    drawn = model.sample(np.concatenate([pending, inputs[some]]), 20000, 3)
    alone = np.maximum(drawn[:, :1], best)
    exact = (np.maximum(drawn[:, 1:], alone) - alone).mean(axis=0) / model.scale
    assert np.allclose(np.exp(joint[some]), exact, rtol=0.35, atol=2e-3)


def test_several_objectives_reach_both_ends_of_the_front(setting):
    _, surrogate, inputs = setting
    goal = {'objectives': [{'property': 'bulk_modulus', 'maximize': True}, {'property': 'volume', 'maximize': True}]}
    scores = score(setting, goal, 'auto')
    assert np.array_equal(scores, score(setting, goal, 'log_nehvi'))
    means = {name: model.predict(inputs)[0] for name, model in surrogate.models.items()}
    best = np.argsort(-scores)[:20]
    # hard or voluminous, not the crowd in the middle: a low rank in one is made up in the other
    ranks = np.stack([np.argsort(np.argsort(values)) / len(values) for values in means.values()])
    assert ranks.max(axis=0)[best].mean() > ranks.max(axis=0).mean()


@pytest.mark.parametrize(('goal', 'names'), [(MAXIMIZE, SINGLE), (WINDOW, SINGLE)], ids=['maximize', 'window'])
def test_every_acquisition_keeps_the_contract(setting, goal, names):
    inputs = setting[2]
    for name in names:
        if name == 'spacier' and goal is MAXIMIZE:
            continue
        for pending in (inputs[:0], inputs[:3]):
            scores = score(setting, goal, name, pending)
            assert scores.shape == (len(inputs),)
            assert np.isfinite(scores).all()
            assert np.array_equal(scores, score(setting, goal, name, pending)), name


def test_every_acquisition_for_several_objectives_keeps_the_contract(setting):
    inputs = setting[2]
    goal = {
        'objectives': [
            {'property': 'bulk_modulus', 'window': [110.0, 130.0]},
            {'property': 'volume', 'minimize': True, 'hit': 15.0},
        ],
        'constraints': [{'property': 'volume', 'min': 8.0}],
    }
    for name in SEVERAL:
        for pending in (inputs[:0], inputs[:3]):
            scores = score(setting, goal, name, pending)
            assert np.isfinite(scores).all()
            assert np.array_equal(scores, score(setting, goal, name, pending)), name


@pytest.mark.parametrize('name', ['log_ei', 'pi', 'spacier', 'thompson', 'ego'])
def test_a_window_inside_the_data_is_looked_for(setting, name):
    _, surrogate, inputs = setting
    mean, _ = surrogate.models['bulk_modulus'].predict(inputs)
    best = np.argsort(-score(setting, WINDOW, name))[:10]
    assert np.abs(mean[best] - 120).mean() < 0.7 * np.abs(mean - 120).mean()


def test_the_hit_probability_is_the_product_over_properties(setting):
    _, surrogate, inputs = setting
    goal = {
        'objectives': [
            {'property': 'bulk_modulus', 'window': [110.0, 130.0]},
            {'property': 'volume', 'minimize': True, 'hit': 15.0},
        ]
    }
    exact = np.ones(len(inputs))
    for name, low, high in (('bulk_modulus', 110, 130), ('volume', -np.inf, 15)):
        mean, deviation = surrogate.models[name].predict(inputs)
        exact *= norm.cdf((high - mean) / deviation) - norm.cdf((low - mean) / deviation)
    assert np.allclose(np.exp(score(setting, goal, 'pi')), exact, atol=1e-9)
    assert np.array_equal(score(setting, goal, 'auto'), score(setting, goal, 'pi'))


def test_thompson_draws_anew_for_each_place_and_seed(setting):
    inputs = setting[2]
    first = score(setting, MAXIMIZE, 'thompson')
    assert not np.allclose(first, score(setting, MAXIMIZE, 'thompson', pending=inputs[:1]))
    assert not np.allclose(first, score(setting, MAXIMIZE, 'thompson', seed=2))


def test_chunks_do_not_matter(setting, monkeypatch):
    whole = score(setting, MAXIMIZE)
    monkeypatch.setattr('aiida_inversedesign.select.rule.CHUNK', 7)
    assert np.allclose(whole, score(setting, MAXIMIZE), rtol=1e-8)


def test_bad_requests(setting):
    with pytest.raises(SelectError, match='does not model band_gap'):
        score(setting, {'objectives': [{'property': 'band_gap', 'maximize': True}]})
    with pytest.raises(SelectError, match="no acquisition 'logei'; did you mean 'log_ei'"):
        score(setting, MAXIMIZE, 'logei')
    with pytest.raises(SelectError, match='a region to move towards'):
        score(setting, MAXIMIZE, 'spacier')
    with pytest.raises(SelectError, match='is for several objectives'):
        score(setting, MAXIMIZE, 'log_ehvi')
    both = {'objectives': [{'property': 'bulk_modulus', 'maximize': True}, {'property': 'volume', 'minimize': True}]}
    with pytest.raises(SelectError, match='is for one objective'):
        score(setting, both, 'knowledge_gradient')
    with pytest.raises(SelectError, match='different lengths'):
        Observed(np.zeros((2, 3)), {'volume': np.zeros(3)}, np.zeros(2, dtype=bool))
