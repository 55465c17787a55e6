"""The choice of templates that cover a distribution."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aiida_inversedesign.propose.rankers.coverage import EQUAL, cover, distances, similarity


def test_the_second_template_is_another_structure():
    prints = np.array([[0.0], [0.01], [1.0]], dtype=np.float32)
    weights = np.array([0.4, 0.35, 0.25], dtype=np.float32)
    chosen, gains = cover(distances(prints, prints), weights, 3, prints)
    assert chosen.tolist()[:2] == [0, 2]
    assert gains[0] > gains[1]


def test_an_equal_template_comes_last_however_sure_the_first_is():
    prints = np.array([[0.0], [0.001], [1.0], [np.nan]], dtype=np.float32)
    weights = np.array([0.6, 0.3999, 0.0001, 0], dtype=np.float32)
    between = distances(prints, prints)
    chosen, _ = cover(between, weights, 4, prints)
    assert chosen.tolist() == [0, 2, 3, 1]


def test_templates_of_like_structure_vote_together():
    prints = np.array([[0.0], [1.0], [1.01], [1.02]], dtype=np.float32)
    weights = np.array([0.34, 0.22, 0.22, 0.22], dtype=np.float32)
    chosen, _ = cover(distances(prints, prints), weights, 1, prints)
    assert chosen[0] in (1, 2, 3)


@given(arrays(np.float32, (6, 3), elements=st.floats(-2, 2, width=32)), st.integers(1, 9))
def test_each_template_once_and_never_more_than_there_are(prints, number):
    weights = np.full(6, 1 / 6, dtype=np.float32)
    chosen, gains = cover(distances(prints, prints), weights, number, prints)
    assert len(set(chosen.tolist())) == len(chosen) == min(number, 6)
    assert gains.sum() <= 1 + 1e-5
    assert gains[0] == gains.max()


def test_distances_and_similarity():
    a = np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, 0.0]], dtype=np.float32)
    found = distances(a, a[:2])
    np.testing.assert_allclose(found[:2], [[0, 5], [5, 0]], atol=1e-5)
    assert np.isinf(found[2]).all()
    assert similarity(found)[2, 0] < 1e-9
    assert similarity(np.zeros(1, dtype=np.float32))[0] == np.float32(EQUAL)
    falling = similarity(np.linspace(0, 1, 50, dtype=np.float32))
    assert (np.diff(falling) <= 0).all()
