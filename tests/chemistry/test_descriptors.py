"""Composition descriptors against their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.descriptors import Scaler, describe, descriptor_names
from aiida_inversedesign.chemistry.elements import ElementError, element_table

SYMBOLS = st.sampled_from(element_table().symbols)
COUNTS = st.dictionaries(SYMBOLS, st.integers(1, 12), min_size=1, max_size=5)


@given(COUNTS)
def test_definition(counts):
    table = element_table()
    divisor = np.gcd.reduce(list(counts.values()))
    n = np.array(list(counts.values())) / divisor
    F = table.values[[table.index[symbol] for symbol in counts]]
    w = n / n.sum()
    mean = w @ F
    expected = np.concatenate([mean, n @ F, w @ (F - mean) ** 2, F.max(axis=0), F.min(axis=0)])
    np.testing.assert_allclose(describe([counts])[0], expected, rtol=1e-10, atol=1e-10)


def test_many_at_once_equal_one_by_one():
    formulas = ['C', 'BN', 'CaCO3', 'LiFePO4', 'Si']
    np.testing.assert_allclose(describe(formulas), np.concatenate([describe([item]) for item in formulas]))
    assert describe(formulas).shape == (5, 290) == (5, len(descriptor_names()))


def test_multiples_are_the_same_formula():
    np.testing.assert_array_equal(describe([{'Ti': 2, 'O': 4}]), describe(['TiO2']))


def test_unknown_element():
    with pytest.raises(ElementError, match='Cf'):
        describe([{'Cf': 1}])


def test_scaler_centres_and_keeps_constant_columns():
    data = np.array([[1.0, 5.0], [3.0, 5.0]])
    np.testing.assert_allclose(Scaler.of(data).transform(data), [[-1, 0], [1, 0]])
