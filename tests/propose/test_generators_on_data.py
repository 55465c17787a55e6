"""Searches for formulas on published energies and moduli: they find good ones sooner than enumeration or chance."""

from __future__ import annotations

import gzip
import json
import random

import numpy as np
import pytest

from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label
from aiida_inversedesign.propose.generators.domain import key_of
from aiida_inversedesign.propose.generators.mix import make_generator
from aiida_inversedesign.propose.generators.request import Known, Request
from aiida_inversedesign.spaces.crystals.space import CrystalSpace as Space

SEARCHES = ['inverse_kmd', 'evolution', 'tree_search', 'gradient']


@pytest.fixture(scope='module')
def perovskites(shared):
    """Heat of formation of the most stable arrangement of each known perovskite of ratio 3:1:1, eV/atom."""
    heats: dict[str, float] = {}
    with gzip.open(shared / 'data' / 'perov5_structures.jsonl.gz', 'rt') as file:
        for line in file:
            row = json.loads(line)
            if 'heat_all' in row and ratio_label(parse_formula(row['formula'])) == '3:1:1':
                heats[row['formula']] = min(row['heat_all'], heats.get(row['formula'], np.inf))
    return heats


def surrogate_request(values, sign, evaluated, number, seed):
    """A search for high ``sign`` × property among known formulas, led by a surrogate of the evaluated ones."""
    from aiida_inversedesign.propose.generators.score import formula_surrogate

    known = {key_of(parse_formula(formula)): formula for formula in values}
    done = random.Random(seed).sample(sorted(values), evaluated)
    surrogate = formula_surrogate([(formula, {'y': sign * values[formula]}) for formula in done], ['y'], seed)

    def score(items):
        mean, deviation = surrogate.predict(items)['y']
        return mean + deviation

    space = Space(
        elements=sorted({symbol for key in known for symbol, _ in key}),
        ratios=sorted({ratio_label(dict(key)) for key in known}),
        charge_neutral='off',
    )
    asked = Request(
        space,
        number,
        seed,
        score,
        [Known(parse_formula(formula), sign * values[formula]) for formula in done],
        frozenset(done),
        lambda counts: key_of(counts) in known,
    )
    return asked, {key: sign * values[formula] for key, formula in known.items()}


@pytest.mark.parametrize('name', SEARCHES)
def test_stable_perovskites_are_found_sooner_than_by_enumeration(name, perovskites):
    """1 of 20 known perovskites is wanted, 50 formulas are proposed: enumeration finds 2 or 3 of them."""
    found, drawn = 0, 0
    for seed in range(2):
        asked, truth = surrogate_request(perovskites, -1, 60, 50, seed)
        wanted = np.quantile(list(truth.values()), 0.95)
        found += sum(truth[key_of(item.counts)] >= wanted for item in make_generator(name).propose(asked))
        drawn += sum(truth[key_of(item.counts)] >= wanted for item in make_generator('enumeration').propose(asked))
    assert found >= drawn + 5
    assert found >= 10


@pytest.mark.parametrize('name', ['evolution', 'tree_search'])
def test_stiff_compounds_are_found_sooner_than_by_chance(name, shared):
    """The stiffest tenth of the known elastic tensors, in a space a thousand times as large."""
    values: dict[str, float] = {}
    with gzip.open(shared / 'data' / 'elastic_structures.jsonl.gz', 'rt') as file:
        for line in file:
            row = json.loads(line)
            values[row['formula']] = max(row['K_VRH'], values.get(row['formula'], -np.inf))
    asked, truth = surrogate_request(values, 1, 100, 30, 0)
    wanted = np.quantile(list(truth.values()), 0.9)
    found = make_generator(name).propose(asked)
    assert len(found) == 30
    # 3 of 30 by chance
    assert sum(truth[key_of(item.counts)] >= wanted for item in found) >= 12
