"""Exact figures of random search, and intervals over seeds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from aiida_inversedesign.audit.metrics.intervals import draws_quantile
from aiida_inversedesign.benchmarks.search.statistics import (
    evaluations_until,
    hypervolume,
    mean_over_seeds,
    median_over_seeds,
    random_hits,
    random_mean,
)


@pytest.mark.parametrize(('number', 'total', 'size'), [(1, 2, 6), (2, 3, 7), (3, 3, 7)])
def test_random_search_by_counting_every_order(number: int, total: int, size: int) -> None:
    counts = []
    for places in itertools.combinations(range(size), total):
        counts.append(places[number - 1] + 1)
    assert random_mean(number, total, size) == pytest.approx(np.mean(counts))
    for q in (0.1, 0.5, 0.9):
        expected = next(n for n in range(size + 1) if np.mean(np.array(counts) <= n) >= q - 1e-12)
        assert draws_quantile(number, total, size, q) == expected


def test_the_classic_search_of_perovskites() -> None:
    assert random_mean(5, 9, 7572) == pytest.approx(3786.5)
    assert random_mean(9, 9, 7572) == pytest.approx(6815.7)


def test_random_hits_are_those_of_draws_without_repeats() -> None:
    rng = np.random.default_rng(0)
    drawn = [int((rng.permutation(50)[:20] < 10).sum()) for _ in range(4000)]
    mean, low, high = random_hits(20, 10, 50)
    assert mean == pytest.approx(np.mean(drawn), abs=0.1)
    assert (low, high) == tuple(np.quantile(drawn, [0.025, 0.975]).astype(int))
    assert random_hits(99, 10, 50) == (10.0, 10, 10)


def test_evaluations_until_a_hit() -> None:
    hits = [False, True, False, True]
    assert [evaluations_until(hits, n) for n in (1, 2, 3)] == [2.0, 4.0, math.inf]


def test_a_median_among_censored_runs_is_not_known() -> None:
    few = median_over_seeds([10.0, 20.0, 30.0, math.inf])
    assert few.value == 25.0
    assert few.low == 10.0
    assert few.high is None
    most = median_over_seeds([10.0, math.inf, math.inf])
    assert most.value is None
    # the middle of 20 and more than the budget is not known either
    assert median_over_seeds([20.0, math.inf]).value is None


def test_one_seed_has_no_interval() -> None:
    assert mean_over_seeds([3.0]).low is None
    assert median_over_seeds([3.0]).value == 3.0
    assert mean_over_seeds([]).value is None


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        found = mean_over_seeds(rng.normal(size=30))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 0 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_hypervolume_of_a_staircase() -> None:
    points = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [0.5, 0.5]])
    assert hypervolume(points, np.zeros(2)) == pytest.approx(6.0)
    assert hypervolume(points, np.full(2, 5.0)) == 0.0
