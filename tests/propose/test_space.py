"""Formulas of a space: complete, without repeats, sampled without writing the space out."""

import time
from itertools import permutations
from math import comb

import pytest

from aiida_inversedesign.campaign.contracts.source import ProposalError
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import parse_ratio, reduced_formula
from aiida_inversedesign.spaces.crystals.formula_space import FormulaSpace, draw_formulas
from aiida_inversedesign.spaces.crystals.space import CrystalSpace as Space

ELEMENTS = ['B', 'C', 'N', 'Si', 'Ga']


@pytest.mark.parametrize('ratio', ['1', '1:1', '2:1', '2:1:1', '3:2:2:1', '1:1:1'])
def test_numbers_cover_the_space(ratio):
    space = FormulaSpace(ELEMENTS, [ratio])
    formulas = [reduced_formula(space.formula(number)) for number in range(space.size)]
    counts = parse_ratio(ratio)
    chosen = permutations(ELEMENTS, len(counts))
    assert sorted(formulas) == sorted({reduced_formula(dict(zip(some, counts, strict=True))) for some in chosen})
    with pytest.raises(IndexError):
        space.formula(space.size)


def test_several_ratios():
    space = FormulaSpace(ELEMENTS, ['1', '1:1', '2:1'])
    assert space.size == 5 + 10 + 20
    assert len({reduced_formula(space.formula(number)) for number in range(space.size)}) == 35


def test_huge_space_is_sampled_fast():
    space = Space(elements=list(element_table().symbols), ratios=['4:3:2:1', '1:1:1:1:1'], charge_neutral='off')
    assert FormulaSpace(space.elements, space.ratios).size == 96 * 95 * 94 * 93 + comb(96, 5)
    started = time.process_time()
    formulas, _ = draw_formulas(space, seed=3)
    assert time.process_time() - started < 2
    assert len({tuple(sorted(counts.items())) for counts in formulas}) == 1000
    assert draw_formulas(space, seed=3)[0] == formulas
    assert draw_formulas(space, seed=4)[0] != formulas


def test_named_formulas_come_first_and_once():
    space = Space(elements=['B', 'N'], ratios=['1:1'], formulas=['NB', 'SiC'], charge_neutral='off')
    assert [reduced_formula(counts) for counts in draw_formulas(space, 0)[0]] == ['BN', 'SiC']


def test_charge():
    space = {'elements': ['B', 'C', 'N', 'Si'], 'ratios': ['1:1']}
    preferred, _ = draw_formulas(Space(**space, charge_neutral='prefer'), 0)
    assert {reduced_formula(counts) for counts in preferred[:2]} == {'BN', 'SiC'}
    assert len(preferred) == 6
    required, rejected = draw_formulas(Space(**space, charge_neutral='require'), 0)
    assert {reduced_formula(counts) for counts in required} == {'BN', 'SiC'}
    assert {reduced_formula(counts) for counts in rejected} == {'BC', 'CN', 'SiB', 'SiN'}


def test_impossible_spaces():
    with pytest.raises(ProposalError, match='prefer or off'):
        draw_formulas(Space(elements=['B', 'C'], ratios=['1:1'], charge_neutral='require'), 0)
    with pytest.raises(ProposalError, match='no formula'):
        draw_formulas(Space(), 0)
    with pytest.raises(ProposalError, match='Og'):
        draw_formulas(Space(elements=['C', 'Og'], ratios=['1']), 0)
