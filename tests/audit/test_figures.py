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
