"""The elements of a formula without reading its amounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.formulas import SYMBOLS, FormulaError, elements_of, parse_formula


@given(st.dictionaries(st.sampled_from(SYMBOLS[:103]), st.integers(1, 12), min_size=1, max_size=5))
def test_they_are_those_that_pymatgen_reads(counts: dict[str, int]) -> None:
    formula = ''.join(f'{symbol}{number if number > 1 else ""}' for symbol, number in counts.items())
    assert elements_of(formula) == set(parse_formula(formula)) == set(counts)


@pytest.mark.parametrize('formula', ['Ca(NO3)2', 'Fe0.5O'])
def test_brackets_and_fractions(formula: str) -> None:
    assert elements_of(formula) == ({'Ca', 'N', 'O'} if 'Ca' in formula else {'Fe', 'O'})


@pytest.mark.parametrize('formula', ['', '12', 'Xx2', 'a', 'Fe O', 'not a formula'])
def test_what_is_none(formula: str) -> None:
    with pytest.raises(FormulaError, match='is not a formula'):
        elements_of(formula)
