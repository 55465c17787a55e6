"""The choice of templates that cover a distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aiida_inversedesign.propose.rankers.coverage import COVERED, EQUAL, cover, distances, looked_at, similarity


def choose(prints, weights, number, prototypes):
    """What is chosen among templates that are also the structures that may be right."""
    prints, weights = np.array(prints, dtype=np.float32), np.array(weights, dtype=np.float32)
    prototypes = np.array(prototypes)
    shares = np.bincount(prototypes, weights=weights)
    return cover(distances(prints, prints), weights, number, prints, prototypes, shares)


def test_templates_of_one_prototype_vote_together():
    chosen, gains = choose([[0.0], [1.0], [2.0], [3.0]], [0.34, 0.22, 0.22, 0.22], 2, [0, 1, 1, 1])
    assert chosen[0] in (1, 2, 3)
    assert chosen[1] == 0
    assert gains[0] > gains[1]


def test_orderings_of_one_lattice_do_not_stand_in_each_others_way():
    # AuCu3 and its stackings: other prototypes with nearly the same fingerprint
    chosen, _ = choose([[0.0], [0.01], [0.02], [5.0]], [0.4, 0.3, 0.2, 0.1], 4, [0, 1, 2, 3])
    assert chosen.tolist() == [0, 1, 2, 3]


def test_of_one_prototype_the_template_that_covers_most_is_taken():
    chosen, _ = choose([[0.0], [1.0], [1.01], [1.02]], [0.34, 0.22, 0.22, 0.22], 1, [0, 0, 0, 0])
    assert chosen[0] in (1, 2, 3)


def test_the_same_structure_of_a_chosen_prototype_comes_last():
    chosen, _ = choose([[0.0], [0.001], [1.0], [np.nan]], [0.6, 0.3999, 0.0001, 0], 4, [0, 0, 0, 1])
    assert chosen.tolist() == [0, 2, 3, 1]


@given(arrays(np.float32, (6, 3), elements=st.floats(-2, 2, width=32)), st.integers(1, 9))
def test_each_template_once_and_never_more_than_there_are(prints, number):
    weights = np.full(6, 1 / 6, dtype=np.float32)
    chosen, gains = choose(prints, weights, number, [0, 0, 1, 1, 2, 3])
    assert len(set(chosen.tolist())) == len(chosen) == min(number, 6)
    assert gains.sum() <= 1 + COVERED + 1e-5
    assert gains[0] == gains.max()


@pytest.mark.parametrize('size', [30, 250, 500])
def test_what_comes_first_does_not_depend_on_how_many_are_asked_for(size):
    random = np.random.default_rng(size)
    prints = random.normal(size=(size, 3))
    weights = np.sort(random.dirichlet(np.ones(size)))[::-1]
    prototypes = random.integers(0, size // 4, size)
    most, _ = choose(prints, weights, 200, prototypes)
    for number in (1, 5, 40, 100, 150):
        assert choose(prints, weights, number, prototypes)[0].tolist() == most[:number].tolist()
        # nor does it need templates that are looked at for later places only
        few = looked_at(number)
        assert choose(prints[:few], weights[:few], number, prototypes[:few])[0].shape == (min(number, size),)


def test_distances_and_similarity():
    a = np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, 0.0]], dtype=np.float32)
    found = distances(a, a[:2])
    np.testing.assert_allclose(found[:2], [[0, 5], [5, 0]], atol=1e-5)
    assert np.isinf(found[2]).all()
    assert similarity(found)[2, 0] < 1e-9
    assert similarity(np.zeros(1, dtype=np.float32))[0] == np.float32(EQUAL)
    falling = similarity(np.linspace(0, 1, 50, dtype=np.float32))
    assert (np.diff(falling) <= 0).all()
