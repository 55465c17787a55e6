"""Intervals and calibration, against the formulas of the textbooks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from aiida_inversedesign.audit.metrics import intervals
from aiida_inversedesign.audit.metrics.predictions import _calibration


def test_intervals_are_those_of_the_textbooks() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0, 9.5])
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert intervals.mean_interval(values) == pytest.approx([low, high])
    assert intervals.mean_interval(values, least=3.0) == pytest.approx([3.0, high])
    assert intervals.mean_interval(values[:1]) is None
    assert intervals.mean_interval(values[:2]) == pytest.approx(
        list(stats.t.interval(0.95, 1, loc=1.5, scale=stats.sem(values[:2])))
    )
    spread, n = values.std(ddof=1), len(values)
    kurtosis = ((values - values.mean()) ** 4).mean() / spread**4
    half = stats.norm.ppf(0.975) * math.sqrt((kurtosis - (n - 3) / (n - 1)) / n) / 2
    assert intervals.spread_interval(values) == pytest.approx([spread * math.exp(-half), spread * math.exp(half)])
    assert intervals.spread_interval(values[:4]) is not None
    assert intervals.spread_interval(values[:3]) is None
    assert intervals.spread_interval(np.ones(5)) is None
    # of two values each twice the variance of the logarithm is not positive: no width
    flat = intervals.spread_interval(np.array([0.0, 0.0, 1.0, 1.0]))
    assert flat == pytest.approx([math.sqrt(1 / 3)] * 2, rel=1.0)
    assert flat[0] <= math.sqrt(1 / 3) <= flat[1]


def test_a_pooled_spread_is_chi_squared() -> None:
    groups = [np.array([1.0, 2.0, 4.0]), np.array([5.0]), np.array([3.0, 3.5]), np.array([])]
    squares = np.var(groups[0]) * 3 + np.var(groups[2]) * 2
    low, high = (math.sqrt(squares / stats.chi2.ppf(level, 3)) for level in (0.975, 0.025))
    assert intervals.pooled_spread(groups) == pytest.approx((math.sqrt(squares / 3), low, high))
    assert intervals.pooled_spread([np.array([1.0]), np.array([2.0])]) is None
    assert intervals.pooled_spread([]) is None


@pytest.mark.parametrize(('hits', 'n', 'base', 'm'), [(3, 10, 2, 20), (5, 5, 1, 4), (2, 9, 7, 8)])
def test_a_ratio_of_shares_has_the_interval_of_katz(hits: int, n: int, base: int, m: int) -> None:
    low, high = intervals.ratio_interval(hits, n, base, m)
    ratio = hits / n * m / base
    half = 1.959964 * math.sqrt((1 - hits / n) / hits + (1 - base / m) / base)
    assert (low, high) == pytest.approx((ratio * math.exp(-half), ratio * math.exp(half)), rel=1e-6)


def test_shares_at_their_ends() -> None:
    # exactly, whatever the rounding of the formula
    assert {(intervals.wilson(0, n)[0], intervals.wilson(n, n)[1]) for n in range(1, 60)} == {(0.0, 1.0)}
    assert intervals.wilson(0, 5)[0] == 0.0 < intervals.wilson(0, 5)[1] < 1
    assert intervals.wilson(5, 5)[1] == 1.0 > intervals.wilson(5, 5)[0] > 0
    assert intervals.share(0, 0) == {
        'value': None, 'reason': 'there is nothing to count', 'low': None, 'high': None, 'n': 0,
    }  # fmt: skip
    assert intervals.at_least(5, 3, 4, 9) == 0.0
    assert intervals.at_least(0, 3, 4, 9) == 1.0
    assert intervals.at_least(1, 6, 4, 9) == 1.0
    assert intervals.at_least(2, 6, 4, 9) == pytest.approx(stats.hypergeom.sf(1, 9, 4, 6))
    assert intervals.at_least(4, 6, 4, 9) == pytest.approx(stats.hypergeom.sf(3, 9, 4, 6))


@pytest.mark.parametrize(('hits', 'good', 'total'), [(1, 5, 60), (3, 5, 60), (2, 30, 90)])
def test_random_search_is_negative_hypergeometric(hits: int, good: int, total: int) -> None:
    misses = stats.nhypergeom(total, total - good, hits)
    mean, low, high = intervals.draws_needed(hits, good, total)
    assert mean == pytest.approx(misses.mean() + hits)
    assert (low, high) == (misses.ppf(0.025 - 1e-9) + hits, misses.ppf(0.975 - 1e-9) + hits)


def test_calibration_of_a_few_predictions() -> None:
    pairs = np.array([[1.0, 0.0, 1.0], [2.0, 4.0, 2.0], [5.0, 2.0, 1.0], [0.0, 1.0, 4.0]])
    found = _calibration(pairs)
    z = np.array([1.0, -1.0, 3.0, -0.25])
    assert {name: share['value'] for name, share in found['coverage'].items()} == {
        '0.5': 0.25,
        '0.8': 0.75,
        '0.95': 0.75,
    }
    logs = 0.5 * z**2 + np.log([1, 2, 1, 4]) + 0.5 * math.log(2 * math.pi)
    assert found['z_mean'] == pytest.approx(z.mean())
    assert found['z_spread'] == pytest.approx(z.std(ddof=1))
    assert found['nll'] == pytest.approx(logs.mean())
    assert found['mae'] == pytest.approx(1.75)
    assert found['n'] == 4
    assert found['intervals'] == {
        'z_mean': intervals.mean_interval(z),
        'z_spread': intervals.spread_interval(z),
        'nll': pytest.approx(intervals.mean_interval(logs)),
        'mae': pytest.approx(intervals.mean_interval(np.array([1.0, 2.0, 3.0, 1.0]), 0.0)),
    }
    assert 'intervals_reason' not in found
    one = _calibration(pairs[:1])
    assert (one['z_spread'], one['intervals']['mae']) == (None, None)
    assert one['intervals_reason'] == 'a mean needs two predictions for an interval, a spread four that differ'
    two = _calibration(pairs[:2])
    assert two['z_spread'] == pytest.approx(math.sqrt(2))
    assert two['intervals']['z_mean'] is not None
    # certain and right, certain and wrong, and certain of zero
    certain = _calibration(np.array([[2.0, 2.0, 0.0], [0.0, 0.0, 0.0]]))
    assert [share['value'] for share in certain['coverage'].values()] == [1.0, 1.0, 1.0]
    assert certain['nll'] == pytest.approx((math.log(2e-15) + math.log(2 * math.pi)) / 2)
    # a prediction of zero that comes out keeps its deviation
    zero = _calibration(np.array([[0.0, 0.0, 0.25]]))
    assert zero['nll'] == pytest.approx(math.log(0.25) + math.log(2 * math.pi) / 2)
    assert _calibration(np.array([[2.0, 1.0, 0.0]]))['z_mean'] == pytest.approx(1 / 2e-15)
