"""The audit's figures against slow, obvious counting, and their intervals against simulation."""

from __future__ import annotations

from itertools import combinations, permutations
from math import dist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.audit.metrics import acceleration, enrichment
from aiida_inversedesign.audit.metrics.intervals import (
    at_least,
    draws_needed,
    mean_interval,
    spread_interval,
    wilson,
)
from aiida_inversedesign.audit.metrics.predictions import _calibration
from aiida_inversedesign.audit.metrics.structures import mean_distance
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 1.0}])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_choice_by_counting_every_one(data):
    total = data.draw(st.integers(1, 9))
    good, drawn = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    wanted = data.draw(st.integers(0, total))
    pool = [place < good for place in range(total)]
    choices = list(combinations(pool, drawn))
    assert at_least(wanted, drawn, good, total) == pytest.approx(
        sum(sum(chosen) >= wanted for chosen in choices) / len(choices), abs=1e-9
    )


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_search_by_trying_every_order(data):
    total = data.draw(st.integers(1, 6))
    good = data.draw(st.integers(1, total))
    hits = data.draw(st.integers(1, good))
    needed = []
    for order in permutations([place < good for place in range(total)]):
        needed.append(np.flatnonzero(order)[hits - 1] + 1)
    mean, low, high = draws_needed(hits, good, total)
    assert mean == pytest.approx(np.mean(needed))
    assert (low, high) == (
        np.quantile(needed, 0.025, method='inverted_cdf'),
        np.quantile(needed, 0.975, method='inverted_cdf'),
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=8))
def test_mean_distance_by_pairs(points):
    figure = mean_distance(np.array(points))
    assert figure['value'] == pytest.approx(np.mean([dist(a, b) for a, b in combinations(points, 2)]), abs=1e-9)
    assert figure['low'] <= figure['value'] <= figure['high']


def test_enrichment_and_acceleration_in_a_known_pool():
    answers = {f'c{place}': {'k': 2.0 if place < 5 else 0.0} for place in range(99)} | {'failing': None}
    outcomes = [
        EvaluationRecord(f'c{place}', 'BN', 1, 'completed', hit=hit)
        for place, hit in enumerate([False, True, False, True, False])
    ]
    figure = enrichment(outcomes, GOAL, answers)
    assert figure['value'] == pytest.approx((2 / 5) / (5 / 100))
    assert figure['p_value'] == pytest.approx(at_least(2, 5, 5, 100))
    fast = acceleration(outcomes, GOAL, answers)
    assert fast['value'] == pytest.approx(2 * 101 / 6 / 4)
    assert fast['first_hit'] == pytest.approx(101 / 6 / 2)
    assert acceleration(outcomes, GOAL)['value'] is None


@pytest.mark.parametrize(('n', 'share'), [(100, 0.5), (100, 0.2), (400, 0.1), (1000, 0.05)])
def test_wilson_covers_95_percent(n, share):
    counts = np.random.default_rng(1).binomial(n, share, 20000)
    bounds = {int(count): wilson(int(count), n) for count in np.unique(counts)}
    covered = np.mean([bounds[int(count)][0] <= share <= bounds[int(count)][1] for count in counts])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(('interval', 'truth'), [(mean_interval, 0.0), (spread_interval, 1.0)])
def test_intervals_of_means_and_spreads_cover_95_percent(interval, truth):
    rng = np.random.default_rng(2)
    bounds = [interval(rng.normal(size=200)) for _ in range(3000)]
    assert 0.93 <= np.mean([low <= truth <= high for low, high in bounds]) <= 0.97


@given(st.lists(st.lists(st.floats(0, 10), min_size=3, max_size=3), min_size=3, max_size=12))
def test_intervals_stay_in_the_range_of_their_quantity(points: list[list[float]]) -> None:
    figure = mean_distance(np.array(points))
    assert 0 <= figure['low'] <= figure['value'] <= figure['high']
    found = _calibration(np.array([[row[0], row[1], row[2] + 1e-3] for row in points]))
    low, high = found['intervals']['mae']
    assert 0 <= low <= found['mae'] <= high


def test_a_distance_of_few_is_not_negative() -> None:
    figure = mean_distance(np.array([[0.0], [0.0], [3.5]]))
    assert figure['low'] == 0
    assert figure['high'] > figure['value']


def test_calibration_does_not_depend_on_the_unit() -> None:
    pairs = np.array([[1.0, 0.8, 0.3], [2.0, 2.5, 0.4], [3.0, 2.9, 0.2], [4.0, 4.1, 0.3]])
    usual = _calibration(pairs)
    for scale in (1e-20, 1e20):
        assert _calibration(scale * pairs)['coverage'] == usual['coverage']
        assert _calibration(scale * pairs)['z_mean'] == pytest.approx(usual['z_mean'])
