"""Soft scores of oxidation states."""

import gzip
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.elements import ElementError, element_table
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.chemistry.oxidation import charge_score, oxidation_score, oxidation_scores
from aiida_inversedesign.chemistry.validity import charge_neutral


@pytest.mark.parametrize('formula', ['NaCl', 'CaCO3', 'BaTiO3', 'Fe2O3', 'Al2O3', 'CuFeS2'])
def test_usual_states_score_one(formula):
    scores = oxidation_scores(parse_formula(formula))
    assert scores.charge > 0.6
    assert scores.oxidation > 0.6


@pytest.mark.parametrize(('better', 'worse'), [('NaCl', 'NaCl2'), ('TiO2', 'TiO'), ('MgO', 'MgO3'), ('Li2O', 'LiO')])
def test_usual_before_unusual(better, worse):
    assert charge_score(parse_formula(better)) > charge_score(parse_formula(worse))


def test_no_neutral_assignment():
    scores = oxidation_scores({'Na': 1, 'Cl': 2})
    assert scores.oxidation == 0
    assert 0 < scores.charge < 0.1


def test_mixed_valence_is_possible_and_less_usual():
    assert 0 < oxidation_score(parse_formula('Fe3O4')) < oxidation_score(parse_formula('Fe2O3'))


def test_metals_and_elements_score_one_and_say_why():
    assert oxidation_scores({'La': 1, 'Ni': 5}).reason == 'metals alone'
    assert oxidation_scores({'S': 1}).reason == 'a pure element'
    assert charge_score({'La': 1, 'Ni': 5}) == oxidation_score({'S': 1}) == 1


def test_electronegativity_order():
    # without the order, S6+ and O4- would not differ from S2- and O2+ in kind
    assert charge_score({'O': 1, 'F': 2}) > charge_score({'F': 1, 'Cs': 1, 'O': 3})


def test_unknown_element():
    with pytest.raises(ElementError, match='Xx'):
        charge_score({'Xx': 1, 'O': 1})


formulas = st.dictionaries(st.sampled_from(element_table().symbols), st.integers(1, 8), min_size=1, max_size=5)


@given(formulas)
def test_bounds_and_order(counts):
    scores = oxidation_scores(counts)
    assert 0 <= scores.oxidation <= scores.charge + 1e-12
    assert scores.charge <= 1
    assert oxidation_scores(dict(reversed(counts.items()))) == scores


def test_tells_compounds_from_random_formulas(shared):
    """Stable compounds of the Materials Project against random elements at the same counts, metals aside."""
    from sklearn.metrics import roc_auc_score

    with gzip.open(shared / 'data/mp_structures.jsonl.gz', 'rt') as handle:
        stable = sorted({item['formula'] for item in map(json.loads, handle) if item['e_above_hull'] <= 0})
    rng = random.Random(0)
    real = [parse_formula(formula) for formula in rng.sample(stable, 600)]
    pool = [symbol for counts in real for symbol in counts]
    drawn = [dict(zip(rng.sample(pool, len(counts)), counts.values(), strict=True)) for counts in real]
    drawn = [counts for counts, own in zip(drawn, real, strict=True) if len(counts) == len(own)]
    kept = [counts for counts in real if not oxidation_scores(counts).reason]
    others = [counts for counts in drawn if not oxidation_scores(counts).reason]
    truth = [1] * len(kept) + [0] * len(others)
    soft = roc_auc_score(truth, [charge_score(counts) for counts in kept + others])
    hard = roc_auc_score(truth, [float(charge_neutral(counts)) for counts in kept + others])
    assert soft > 0.8
    assert soft > hard + 0.02
