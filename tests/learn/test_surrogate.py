"""The surrogate on real elastic data."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from aiida_inversedesign.learn.fit import fit_on_features, fit_surrogate
from aiida_inversedesign.learn.surrogate import Surrogate, SurrogateError
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

SPACE = CrystalSpace()


def shuffled(rows, seed=0):
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]


def test_ranks_bulk_moduli_from_twenty_rows(elastic):
    correlations = []
    for seed in range(5):
        rows = shuffled(elastic, seed)
        surrogate = fit_surrogate(rows[:20], ['bulk_modulus'], SPACE, 'auto', 0)
        mean, deviation = surrogate.predict(SPACE, [row.proposed for row in rows[20:320]], [None] * 300)['bulk_modulus']
        truth = np.array([row.properties['bulk_modulus'] for row in rows[20:320]])
        correlations.append(spearmanr(mean, truth)[0])
        assert (deviation > 0).all()
    assert np.median(correlations) > 0.75


def test_state_round_trip(elastic):
    rows = shuffled(elastic)
    surrogate = fit_surrogate(rows[:15], ['bulk_modulus', 'volume'], SPACE, 'gp', 4)
    again = Surrogate.from_state(json.loads(json.dumps(surrogate.state())))
    crystals = [row.proposed for row in rows[15:40]]
    for name, pair in surrogate.predict(SPACE, crystals, [0.5] * 25).items():
        for one, other in zip(pair, again.predict(SPACE, crystals, [0.5] * 25)[name], strict=True):
            assert np.abs(one - other).max() <= 1e-10
    assert again.state() == surrogate.state()


def test_each_property_learns_from_the_rows_that_have_it(elastic):
    rows = shuffled(elastic)[:12]
    rows[0] = dataclasses.replace(rows[0], properties={'volume': 20.0})
    rows[1] = dataclasses.replace(rows[1], properties={'volume': 20.0, 'bulk_modulus': float('nan')})
    rows[2] = dataclasses.replace(rows[2], status='failed', properties={}, relaxed=None)
    surrogate = fit_surrogate(rows, ['bulk_modulus', 'volume'], SPACE, 'gp', 0)
    assert len(surrogate.models['bulk_modulus'].y) == 9
    assert len(surrogate.models['volume'].y) == 11


def test_too_few_rows(elastic):
    with pytest.raises(SurrogateError, match=r"2 completed evaluation.* 'bulk_modulus', at least 3"):
        fit_surrogate(elastic[:2], ['bulk_modulus'], SPACE, 'gp', 0)
    with pytest.raises(SurrogateError, match=r"0 completed .* 'band_gap'"):
        fit_surrogate(elastic[:9], ['bulk_modulus', 'band_gap'], SPACE, 'gp', 0)
    with pytest.raises(SurrogateError, match='0 completed'):
        fit_surrogate([], ['bulk_modulus'], SPACE, 'gp', 0)


def test_bad_requests(elastic):
    with pytest.raises(SurrogateError, match=r"no surrogate 'oracle'.*nstalled are bootstrap, curves, forest, gp"):
        fit_surrogate(elastic[:9], ['bulk_modulus'], SPACE, 'oracle', 0)
    with pytest.raises(SurrogateError, match=r'name learn\.source'):
        fit_surrogate(elastic[:9], ['bulk_modulus'], SPACE, 'transfer', 0)
    with pytest.raises(SurrogateError, match='no properties'):
        fit_surrogate(elastic[:9], [], SPACE, 'gp', 0)
    surrogate = fit_surrogate(elastic[:9], ['bulk_modulus'], SPACE, 'gp', 0)
    state = surrogate.state()
    with pytest.raises(SurrogateError, match='other descriptors'):
        Surrogate.from_state({**state, 'names': ['a']}).inputs(SPACE, [elastic[0].proposed], [None])
    with pytest.raises(SurrogateError, match='version 0'):
        Surrogate.from_state({**state, 'version': 0})
    models = {'bulk_modulus': {**state['models']['bulk_modulus'], 'kind': 'oracle'}}
    with pytest.raises(SurrogateError, match=r"no surrogate 'oracle'.*fit the surrogate again"):
        Surrogate.from_state({**state, 'models': models})


@pytest.mark.parametrize('kind', ['forest', 'bootstrap', 'auto'])
def test_every_kind_serves_a_table(elastic, kind):
    rows = shuffled(elastic)[:25]
    rows[3] = dataclasses.replace(rows[3], status='failed', properties={}, relaxed=None)
    surrogate = fit_surrogate(rows, ['bulk_modulus', 'volume'], SPACE, kind, 1)
    again = Surrogate.from_state(json.loads(json.dumps(surrogate.state(), allow_nan=False)))
    inputs = surrogate.inputs(SPACE, [row.proposed for row in elastic[:40]], [None] * 40)
    for name, model in surrogate.models.items():
        assert np.allclose(model.predict(inputs), again.models[name].predict(inputs), rtol=1e-9)
        assert surrogate.record[name]['rows_without_value'] == 1
        assert surrogate.record[name]['reason']
    chance = surrogate.failure.probability(inputs)
    assert ((chance > 0) & (chance < 0.5)).all()
    assert np.allclose(again.failure.probability(inputs), chance)
    assert again.record == json.loads(json.dumps(surrogate.record))


def test_transfer_in_a_table(elastic):
    from aiida_inversedesign.learn.models.transfer import learn_prior
    from aiida_inversedesign.spaces.crystals.features import featurize

    rows = shuffled(elastic)
    features, _ = featurize([row.proposed for row in rows[:300]], [None] * 300)
    prior = learn_prior('shear', features, np.array([row.properties['bulk_modulus'] ** 0.8 for row in rows[:300]]))
    few, test = rows[300:312], rows[320:520]
    errors = []
    for kind, priors in (('gp', ()), ('transfer', (prior,)), ('auto', (prior,))):
        surrogate = fit_surrogate(few, ['bulk_modulus'], SPACE, kind, 0, priors)
        mean, _ = surrogate.predict(SPACE, [row.proposed for row in test], [None] * len(test))['bulk_modulus']
        errors.append(np.abs(mean - [row.properties['bulk_modulus'] for row in test]).mean())
    assert errors[1] < 0.7 * errors[0]
    assert surrogate.record['bulk_modulus']['chosen'] == 'transfer'
    assert errors[2] == pytest.approx(errors[1])
    again = Surrogate.from_state(json.loads(json.dumps(surrogate.state())))
    assert np.allclose(
        again.predict(SPACE, [row.proposed for row in test], [None] * 200)['bulk_modulus'],
        surrogate.predict(SPACE, [row.proposed for row in test], [None] * 200)['bulk_modulus'],
    )


def columns(n: int = 30, d: int = 3, seed: int = 0):
    X = np.random.default_rng(seed).normal(size=(n, d)) * [1e3, 1, 1e-3][:d] + 5
    return X, X[:, 0] / 1e3 + X[:, 1]


def test_a_matrix_of_columns_is_learned_as_a_table_is():
    X, y = columns()
    y[4] = np.nan
    surrogate = fit_on_features(X, {'y': y, 'z': 2 * y}, np.isnan(y), seed=1, reference=X)
    test, values = columns(50, seed=3)
    mean, deviation = surrogate.models['y'].predict(surrogate.standardise(test))
    assert np.abs(mean - values).mean() < 0.3 * values.std()
    assert surrogate.names == ('column_0', 'column_1', 'column_2')
    assert surrogate.record['z']['rows_without_value'] == 1
    again = Surrogate.from_state(json.loads(json.dumps(surrogate.state())))
    assert np.allclose(again.models['y'].predict(again.standardise(test))[1], deviation)
    with pytest.raises(SurrogateError, match='other descriptors'):
        surrogate.inputs(SPACE, [], [])


@pytest.mark.parametrize('kind', ['auto', 'gp', 'forest', 'bootstrap'])
def test_bad_matrices_are_defined(kind):
    X, y = columns()
    for change, message in (
        ({'features': X[:0], 'targets': {'y': y[:0]}}, "0 completed .* 'y', at least 3"),
        ({'features': X[:1], 'targets': {'y': y[:1]}}, r'1 completed evaluation.*\(1 evaluations in all\)'),
        ({'targets': {'y': np.full(30, np.nan)}}, '0 completed'),
        ({'targets': {}}, 'no properties'),
        ({'targets': {'y': y[:5]}}, r"'y' has shape \(5,\) for 30 rows"),
        ({'features': X[:, 0]}, 'one row per evaluation'),
        ({'features': np.where(X[7, 1] == X, np.nan, X)}, r"1 row\(s\).*first row 7 in 'column_1'"),
        ({'failed': np.zeros(3, bool)}, "'failed' has shape"),
    ):
        arguments = {'features': X, 'targets': {'y': y}, **change}
        with pytest.raises(SurrogateError, match=message):
            fit_on_features(**arguments, kind=kind)
    # a constant, and duplicates that contradict each other
    surrogate = fit_on_features(X, {'y': np.full(30, 4.0)}, kind=kind)
    assert np.allclose(surrogate.models['y'].predict(surrogate.standardise(X))[0], 4)
    assert surrogate.record['y']['reason'] == 'all values are equal'
    twice = np.vstack([X, X])
    surrogate = fit_on_features(twice, {'y': np.concatenate([y, y + 1])}, kind=kind)
    mean, deviation = surrogate.models['y'].predict(surrogate.standardise(X))
    assert np.abs(mean - y - 0.5).mean() < 0.5
    assert (deviation > 0.2).mean() > 0.8
    # more columns than rows, one of them constant
    wide = np.column_stack([np.random.default_rng(1).normal(size=(12, 40)), np.ones(12)])
    surrogate = fit_on_features(wide, {'y': wide[:, 0]}, kind=kind)
    assert np.isfinite(surrogate.models['y'].predict(surrogate.standardise(wide))).all()
