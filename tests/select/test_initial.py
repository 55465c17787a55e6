"""The initial design spreads."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.select.initial import initial_design


def clusters(seed: int = 0):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(4, 5)) * 20
    features = np.concatenate([center + rng.normal(size=(25, 5)) * 0.5 for center in centers])
    return features, np.repeat(np.arange(4), 25)


def test_starts_with_the_most_probable_and_visits_every_cluster():
    features, labels = clusters()
    probabilities = [0.1] * 100
    probabilities[37] = 0.9
    chosen = initial_design(features, [f'X{i}' for i in range(100)], probabilities, 4, seed=0)
    assert chosen[0] == 37
    assert sorted(labels[chosen]) == [0, 1, 2, 3]


def test_spreads_more_than_random():
    features, _ = clusters(1)
    chosen = initial_design(features, [f'X{i}' for i in range(100)], [None] * 100, 6, seed=0)

    def closest(rows):
        return min(np.linalg.norm(features[a] - features[b]) for a in rows for b in rows if a != b)

    drawn = [closest(np.random.default_rng(s).choice(100, 6, replace=False)) for s in range(20)]
    assert closest(chosen) >= np.median(drawn)


def test_formulas_come_before_distance():
    features = np.array([[0.0], [100.0], [1.0], [2.0]])
    assert initial_design(features, ['A', 'A', 'B', 'C'], [0.9, 0.1, 0.1, 0.1], 4, seed=0) == [0, 3, 2, 1]


def test_what_is_done_counts():
    features = np.array([[0.0], [1.0], [10.0]])
    assert initial_design(features, ['A', 'B', 'C'], [None] * 3, 1, seed=0, done=[0]) == [2]


def test_refused_rows_are_skipped_and_the_rest_is_returned():
    features = np.arange(5.0).reshape(-1, 1)
    chosen = initial_design(features, list('ABCDE'), [None] * 5, 9, seed=0, acceptable=lambda i, taken: i % 2 == 0)
    assert sorted(chosen) == [0, 2, 4]
    assert initial_design(features[:0], [], [], 3, seed=0) == []


@pytest.mark.parametrize('seed', [0, 1])
def test_seeded(seed):
    features = np.zeros((20, 2))
    first = initial_design(features, ['A'] * 20, [None] * 20, 5, seed)
    assert first == initial_design(features, ['A'] * 20, [None] * 20, 5, seed)
    assert first != initial_design(features, ['A'] * 20, [None] * 20, 5, seed + 7)


def test_the_most_probable_proposal_of_a_formula_comes_before_its_oddities():
    features = np.array([[0.0], [1.0], [9.0], [2.0], [8.0]])
    chosen = initial_design(features, ['A', 'B', 'B', 'C', 'C'], [0.9, 0.5, 0.1, 0.6, 0.2], 4, seed=0)
    assert chosen[:3] == [0, 3, 1]
    assert chosen[3] in (2, 4)
