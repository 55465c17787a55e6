"""The assignment of elements is the best one, alone and for many templates at once."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.propose.assign import AssignmentError, assign_elements, dissimilarities, element_rows

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
