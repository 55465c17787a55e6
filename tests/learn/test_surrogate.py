"""The surrogate on real elastic data."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from aiida_inversedesign.learn.surrogate import Surrogate, SurrogateError, fit_surrogate


def shuffled(rows, seed=0):
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]


def test_ranks_bulk_moduli_from_twenty_rows(elastic):
    correlations = []
    for seed in range(5):
        rows = shuffled(elastic, seed)
        surrogate = fit_surrogate(rows[:20], ['bulk_modulus'], 'auto', 0)
        mean, deviation = surrogate.predict([row.proposed for row in rows[20:320]], [None] * 300)['bulk_modulus']
        truth = np.array([row.properties['bulk_modulus'] for row in rows[20:320]])
        correlations.append(spearmanr(mean, truth)[0])
        assert (deviation > 0).all()
    assert np.median(correlations) > 0.75


def test_state_round_trip(elastic):
    rows = shuffled(elastic)
    surrogate = fit_surrogate(rows[:15], ['bulk_modulus', 'volume'], 'gp', 4)
    again = Surrogate.from_state(json.loads(json.dumps(surrogate.state())))
    crystals = [row.proposed for row in rows[15:40]]
    for name, pair in surrogate.predict(crystals, [0.5] * 25).items():
        for one, other in zip(pair, again.predict(crystals, [0.5] * 25)[name], strict=True):
            assert np.abs(one - other).max() <= 1e-10
    assert again.state() == surrogate.state()


def test_each_property_learns_from_the_rows_that_have_it(elastic):
    rows = shuffled(elastic)[:12]
    rows[0] = dataclasses.replace(rows[0], properties={'volume': 20.0})
    rows[1] = dataclasses.replace(rows[1], properties={'volume': 20.0, 'bulk_modulus': float('nan')})
    rows[2] = dataclasses.replace(rows[2], status='failed', properties={}, relaxed=None)
    surrogate = fit_surrogate(rows, ['bulk_modulus', 'volume'], 'gp', 0)
    assert len(surrogate.models['bulk_modulus'].y) == 9
    assert len(surrogate.models['volume'].y) == 11


def test_too_few_rows(elastic):
    with pytest.raises(SurrogateError, match=r"2 completed evaluation.* 'bulk_modulus', at least 3"):
        fit_surrogate(elastic[:2], ['bulk_modulus'], 'gp', 0)
    with pytest.raises(SurrogateError, match=r"0 completed .* 'band_gap'"):
        fit_surrogate(elastic[:9], ['bulk_modulus', 'band_gap'], 'gp', 0)
    with pytest.raises(SurrogateError, match='0 completed'):
        fit_surrogate([], ['bulk_modulus'], 'gp', 0)


def test_bad_requests(elastic):
    with pytest.raises(SurrogateError, match="unknown surrogate 'forest'"):
        fit_surrogate(elastic[:9], ['bulk_modulus'], 'forest', 0)
    with pytest.raises(SurrogateError, match='no properties'):
        fit_surrogate(elastic[:9], [], 'gp', 0)
    state = fit_surrogate(elastic[:9], ['bulk_modulus'], 'gp', 0).state()
    with pytest.raises(SurrogateError, match='other descriptors'):
        Surrogate.from_state({**state, 'names': ['a']})
    with pytest.raises(SurrogateError, match='version 0'):
        Surrogate.from_state({**state, 'version': 0})
