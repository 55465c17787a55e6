"""What is said of formulas before anything is computed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aiida_inversedesign.campaign.goal import CompositionConstraint
from aiida_inversedesign.chemistry.symbols import SYMBOLS
from aiida_inversedesign.screen.composition import composition_verdicts, element_quantity

COUNTS = st.dictionaries(st.sampled_from(SYMBOLS[:83]), st.integers(1, 12), min_size=1, max_size=5)


def verdict(counts: dict[str, int], **limits: object):
    (found,) = composition_verdicts(counts, [CompositionConstraint(**limits)])
    return found


def test_an_element_budget_is_an_atomic_fraction_and_includes_its_bound():
    phosphate = {'Li': 1, 'Fe': 1, 'P': 1, 'O': 4}
    assert verdict(phosphate, element='Li', max=1 / 7).passed
    assert verdict({'Li': 2, 'O': 1}, element='Li', max=0.2).reason == 'fraction of Li 0.667 is above 0.2'
    assert not verdict({'Fe': 2, 'O': 3}, element='Li', min=0.1).passed
    assert verdict({'Fe': 2, 'O': 3}, element='Li', max=0.1).value == 0
    assert verdict(phosphate, elements=['P', 'O'], min=5 / 7, max=5 / 7).passed


def test_forbidden_elements_are_named():
    assert verdict({'Cs': 1, 'Pb': 1, 'I': 3}, forbidden=['Cd', 'Pb']).reason == 'contains Pb'
    assert verdict({'Cs': 1, 'Sn': 1, 'I': 3}, forbidden=['Cd', 'Pb']).passed


def test_supply_risk_is_the_published_mean_by_mass():
    # HHIModel of pymatgen with the same data (Gaultois 2013)
    from pymatgen.analysis.hhi import HHIModel

    production, reserves = HHIModel().get_hhi('LiFePO4')
    counts = {'Li': 1, 'Fe': 1, 'P': 1, 'O': 4}
    assert verdict(counts, quantity='hhi_production', max=1e4).value == pytest.approx(production, rel=1e-4)
    assert verdict(counts, quantity='hhi_reserves', max=1e4).value == pytest.approx(reserves, rel=1e-4)


def test_price_tells_platinum_from_sand():
    assert verdict({'Si': 1, 'O': 2}, quantity='price', max=10).passed
    assert not verdict({'Pt': 1, 'O': 2}, quantity='price', max=1000).passed
    assert all(value > 0 for value in element_quantity('price').values())


def test_what_is_not_known_does_not_pass_and_says_so():
    found = verdict({'H': 2, 'O': 1}, quantity='hhi_production', max=1e4)
    assert not found.passed
    assert found.value is None
    assert found.reason == 'the hhi_production of H is not known'


@given(counts=COUNTS, factor=st.integers(2, 5), limit=st.floats(0.01, 1))
def test_a_verdict_does_not_depend_on_how_the_formula_is_written(counts, factor, limit):
    rules = [
        CompositionConstraint(element='O', max=limit),
        CompositionConstraint(quantity='price', max=100 * limit),
        CompositionConstraint(forbidden=['Pb', 'Tl']),
    ]
    once = composition_verdicts(counts, rules)
    again = composition_verdicts({symbol: factor * count for symbol, count in counts.items()}, rules)
    assert [one.passed for one in once] == [one.passed for one in again]
    assert len(once) == 3
    assert all(bool(one.reason) != one.passed for one in once)


@pytest.mark.parametrize(
    ('fields', 'says'),
    [
        ({}, 'exactly one of'),
        ({'element': 'Li', 'forbidden': ['Pb'], 'max': 0.1}, 'got element and forbidden'),
        ({'element': 'Li'}, 'needs min, max or both'),
        ({'element': 'Lithium', 'max': 0.1}, 'not a chemical symbol'),
        ({'elements': [], 'max': 0.1}, 'names no element'),
        ({'element': 'Li', 'min': 0.5, 'max': 0.2}, 'min must not be above max'),
        ({'element': 'Li', 'max': 20}, 'at most 1'),
        ({'forbidden': ['Pb'], 'max': 0.1}, 'takes no min or max'),
        ({'quantity': 'toxicity', 'max': 1}, 'price'),
        ({'quantity': 'price', 'max': -1}, 'greater than or equal to 0'),
    ],
)
def test_a_wrong_constraint_is_refused_with_the_reason(fields, says):
    with pytest.raises(ValidationError, match=says):
        CompositionConstraint(**fields)
