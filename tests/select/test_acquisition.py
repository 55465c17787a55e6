"""What acquisitions prefer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from aiida_inversedesign.campaign.spec import Goal
from aiida_inversedesign.learn.surrogate import fit_surrogate
from aiida_inversedesign.select.acquisition import Acquisition
from aiida_inversedesign.select.errors import SelectError

NONE = np.empty((0, 33))


@pytest.fixture(scope='module')
def setting(pool, evaluate):
    rows = [evaluate(candidate) for candidate in pool[:40]]
    surrogate = fit_surrogate(rows, ['bulk_modulus', 'volume'], 'gp', 0)
    inputs = surrogate.inputs([c.crystal for c in pool[40:]], [c.probability for c in pool[40:]])
    baseline = surrogate.inputs([row.proposed for row in rows], [row.probability for row in rows])
    return rows, surrogate, inputs, baseline


def score(setting, goal, name='log_ei', pending=NONE, rows=None):
    own, surrogate, inputs, baseline = setting
    acquisition = Acquisition(name, Goal(**goal), surrogate, own if rows is None else rows, baseline, seed=1)
    return acquisition.score(inputs, pending)


def test_expected_improvement_is_the_closed_form(setting):
    rows, surrogate, inputs, _ = setting
    mean, deviation = surrogate.models['bulk_modulus'].predict(inputs)
    rows = [row for row in rows if row.properties['bulk_modulus'] < 150]
    best = max(row.properties['bulk_modulus'] for row in rows)
    u = (mean - best) / deviation
    exact = (deviation * (norm.pdf(u) + u * norm.cdf(u))) / surrogate.models['bulk_modulus'].scale
    ours = np.exp(score(setting, {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]}, rows=rows))
    large = exact > 0.02
    assert large.sum() > 5
    assert np.allclose(ours[large], exact[large], rtol=0.1)


def test_minimise_prefers_the_other_end(setting):
    _, surrogate, inputs, _ = setting
    mean, _ = surrogate.models['bulk_modulus'].predict(inputs)
    up = score(setting, {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]})
    down = score(setting, {'objectives': [{'property': 'bulk_modulus', 'minimize': True}]})
    assert mean[np.argsort(-up)[:10]].mean() > mean.mean() > mean[np.argsort(-down)[:10]].mean()


@pytest.mark.parametrize(
    'objective', [{'target': 120.0, 'tolerance': 10.0}, {'window': [110.0, 130.0]}], ids=['target', 'window']
)
@pytest.mark.parametrize('name', ['log_ei', 'posterior_mean'])
def test_target_and_window_look_in_the_middle(setting, objective, name):
    _, surrogate, inputs, _ = setting
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
    _, surrogate, inputs, _ = setting
    mean, deviation = surrogate.models['bulk_modulus'].predict(inputs)
    chance = norm.cdf((130 - mean) / deviation) - norm.cdf((110 - mean) / deviation)
    best = np.argsort(-score(setting, goal, rows=[*rows, perfect]))[:10]
    assert chance[best].mean() > 2 * chance.mean()


@pytest.mark.parametrize('name', ['log_ei', 'posterior_mean'])
def test_constraints_are_respected(setting, name):
    _, surrogate, inputs, _ = setting
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
    _, surrogate, inputs, _ = setting
    goal = {
        'objectives': [{'property': 'bulk_modulus', 'maximize': True}],
        'constraints': [{'property': 'volume', 'min': 45.0}],
    }
    rows = [row for row in setting[0] if row.properties['volume'] < 45]
    mean, _ = surrogate.models['volume'].predict(inputs)
    best = np.argsort(-score(setting, goal, rows=rows))[:10]
    assert mean[best].mean() > np.quantile(mean, 0.9)


def test_pending_candidates_push_away(setting):
    goal = {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]}
    _, _, inputs, _ = setting
    alone = score(setting, goal)
    best = int(np.argmax(alone))
    joint = score(setting, goal, pending=inputs[[best]])
    # what a second copy of the best adds is next to nothing: another candidate is the best partner
    assert int(np.argmax(joint)) != best
    assert joint[best] < joint.max() - 0.01
    assert (joint.max() >= alone.max() - 0.05).all()


def test_several_objectives_reach_both_ends_of_the_front(setting):
    _, surrogate, inputs, baseline = setting
    goal = {'objectives': [{'property': 'bulk_modulus', 'maximize': True}, {'property': 'volume', 'maximize': True}]}
    acquisition = Acquisition('log_ei', Goal(**goal), surrogate, setting[0], baseline, seed=1)
    assert acquisition.name == 'log_nehvi'
    scores = acquisition.score(inputs, NONE)
    assert np.array_equal(
        scores, Acquisition('log_ei', Goal(**goal), surrogate, setting[0], baseline, 1).score(inputs, NONE)
    )
    means = {name: model.predict(inputs)[0] for name, model in surrogate.models.items()}
    best = np.argsort(-scores)[:20]
    # hard or voluminous, not the crowd in the middle: a low rank in one is made up in the other
    ranks = np.stack([np.argsort(np.argsort(values)) / len(values) for values in means.values()])
    assert ranks.max(axis=0)[best].mean() > ranks.max(axis=0).mean()
    assert score(setting, goal, 'posterior_mean').shape == scores.shape


def test_chunks_do_not_matter(setting, monkeypatch):
    goal = {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]}
    whole = score(setting, goal)
    monkeypatch.setattr('aiida_inversedesign.select.acquisition._CHUNK', 7)
    assert np.allclose(whole, score(setting, goal), rtol=1e-8)


def test_bad_requests(setting):
    with pytest.raises(SelectError, match='does not model band_gap'):
        score(setting, {'objectives': [{'property': 'band_gap', 'maximize': True}]})
    with pytest.raises(SelectError, match="unknown acquisition 'ucb'"):
        score(setting, {'objectives': [{'property': 'volume', 'maximize': True}]}, 'ucb')
