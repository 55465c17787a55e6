"""The assignment of elements is the best one, alone and for many templates at once."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.propose.assign import AssignmentError, _least, assign_elements, dissimilarities, element_rows

SYMBOLS = element_table().symbols


def test_similar_elements_take_each_others_place():
    mapping, total = assign_elements({'K': 1, 'Br': 1}, {'Na': 1, 'Cl': 1})
    assert mapping == {'Na': 'K', 'Cl': 'Br'}
    assert total > 0
    assert assign_elements({'Na': 1, 'Cl': 1}, {'Na': 1, 'Cl': 1})[1] == 0


def test_counts_decide_first():
    # by similarity Na would go to K's place, but it occurs twice
    assert assign_elements({'Na': 2, 'O': 1}, {'K': 1, 'S': 2})[0] == {'S': 'Na', 'K': 'O'}


def test_different_ratio():
    with pytest.raises(AssignmentError, match='ratio'):
        assign_elements({'Na': 1, 'Cl': 1}, {'Ca': 1, 'F': 2})


@given(st.lists(st.sampled_from(SYMBOLS), min_size=6, max_size=6, unique=True), st.sampled_from(['111', '112', '221']))
def test_least_total(symbols, label):
    counts = [int(digit) for digit in label]
    query, template = dict(zip(symbols[:3], counts, strict=False)), dict(zip(symbols[3:], counts, strict=False))
    D, row = element_table().dissimilarity, element_table().index
    best = min(
        sum(count * D[row[old], row[new]] for old, count, new in zip(template, counts, order, strict=False))
        for order in permutations(query)
        if [query[new] for new in order] == counts
    ) / sum(counts)
    mapping, total = assign_elements(query, template)
    assert total == pytest.approx(best)
    assert {mapping[old]: count for old, count in template.items()} == query
    assert dissimilarities(query, element_rows([template, query])) == pytest.approx([best, 0])


def test_many_equal_counts():
    query = dict.fromkeys(SYMBOLS[:7], 1)
    template = dict.fromkeys(SYMBOLS[10:17], 1)
    expected = assign_elements(query, template)[1]
    np.testing.assert_allclose(dissimilarities(query, element_rows([template])), [expected])


@pytest.mark.parametrize('size', [4, 5, 6])
def test_both_ways_to_assign_agree(size):
    distance = np.random.default_rng(size).uniform(size=(size, 9, size))
    least = [
        min(sum(distance[i, row, j] for i, j in enumerate(order)) for order in permutations(range(size)))
        for row in range(9)
    ]
    assert _least(distance) == pytest.approx(least)
    assert _least(distance).shape == (9,)
    assert _least(distance).dtype == np.float64


def test_elements_are_ordered_by_falling_count_and_symbol():
    counts = {'O': 4, 'Zn': 1, 'Al': 2, 'B': 2, 'C': 1}
    symbols = [SYMBOLS[row] for row in element_rows([counts])[0]]
    assert symbols == ['O', 'Al', 'B', 'C', 'Zn']
    assert element_rows([counts, counts]).shape == (2, 5)
    assert element_rows([counts]).dtype == np.int64


def test_the_dissimilarity_is_per_atom_and_weighs_counts():
    D, row = element_table().dissimilarity, element_table().index
    query, template = {'Na': 1, 'Cl': 3}, {'K': 1, 'Br': 3}
    expected = (D[row['K'], row['Na']] + 3 * D[row['Br'], row['Cl']]) / 4
    assert assign_elements(query, template) == ({'K': 'Na', 'Br': 'Cl'}, pytest.approx(expected))
    assert dissimilarities(query, element_rows([template])) == pytest.approx([expected])
