"""Knowledge gradient and hypervolumes, with models whose predictions are given."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from given_models import (
    BOTTOM,
    DEVIATIONS,
    FAR,
    INF,
    MEANS,
    POINTS,
    TOP,
    Given,
    asked,
    problem,
    scores,
)
from scipy.stats import norm

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.acquisitions.knowledge import covariance, log_expected_rise
from aiida_inversedesign.select.acquisitions.pareto import (
    LogExpectedHypervolumeImprovement,
    cells,
    non_dominated,
    reference_point,
    utilities,
)
from aiida_inversedesign.select.rule import ranked_gains

# -- knowledge gradient --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('values', 'slopes'),
    [
        ([0.0, 0.0], [0.0, 1.0]),
        ([0.0, -1.0, 0.5], [1.0, 2.0, -0.5]),
        ([0.0, 5.0, 0.0], [0.0, 0.0, 1.0]),
        ([0.0, -9.0, 0.0, 0.2], [-1.0, 0.0, 1.0, 1.0]),
        ([1.0, 0.0, 2.0, 1.5, 0.0], [0.1, -0.3, 0.0, 0.2, 0.4]),
    ],
)
def test_the_expected_rise_of_lines(values: list[float], slopes: list[float]) -> None:
    a, b = np.array(values), np.array(slopes)
    z = np.linspace(-10, 10, 400001)
    exact = np.trapezoid(((a[:, None] + b[:, None] * z).max(axis=0) - a.max()) * norm.pdf(z), z)
    assert math.exp(log_expected_rise(a, b)) == pytest.approx(exact, rel=1e-6)


def test_nothing_rises_where_all_slopes_are_equal() -> None:
    assert log_expected_rise(np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5])) == -INF
    assert log_expected_rise(np.array([1.0]), np.array([2.0])) == -INF


def test_covariances_have_an_exact_diagonal() -> None:
    found = covariance(Given(), POINTS, 5)
    assert np.diag(found) == pytest.approx(DEVIATIONS**2)
    drawn = Given().sample(POINTS, 2048, 5)
    assert found == pytest.approx(np.corrcoef(drawn.T) * np.outer(DEVIATIONS, DEVIATIONS))
    # without a deviation there is nothing to correlate
    flat = covariance(Given(deviations=(0.0, 1.0, 1.0, 1.0)), POINTS, 5)
    assert flat[0].tolist() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize('goal', [TOP, BOTTOM, FAR], ids=['top', 'bottom', 'band'])
@pytest.mark.parametrize('count', [0, 1])
def test_the_knowledge_gradient_is_its_average(goal: Goal, count: int) -> None:
    found = problem(
        asked(
            goal.objectives[0].model_dump(exclude={'property'}, exclude_none=True),
            constraints=({'property': 'g', 'min': 1.0},),
        )
    )
    model = Given() if not count else Given().condition(POINTS[:1])
    utility = found.utilities[0]
    ours = scores('knowledge_gradient', found, POINTS[:count])
    first = scores('log_ei', found, POINTS[:count])
    order = np.argsort(-first, kind='stable')
    changes = covariance(model, POINTS[order], 3) / np.array(model.deviations)[order]
    z = np.linspace(-8, 8, 20001)
    means = MEANS[order]
    weight = np.log(norm.sf((1 - MEANS) / np.array(model.deviations)))
    for place, index in enumerate(order):
        then = utility.value(means[:, None] + changes[:, [place]] * z).max(axis=0)
        exact = np.trapezoid((then - utility.value(means).max()) * norm.pdf(z), z)
        assert np.exp(ours[index] - weight[index]) == pytest.approx(
            exact, rel=0.02 if goal is FAR else 1e-4, abs=1e-5 if goal is FAR else 1e-9
        )


# -- hypervolume ---------------------------------------------------------------------------------------------------


def test_cells_are_columns_above_the_front() -> None:
    lower, upper = cells(np.array([[2.0, 1.0], [1.0, 3.0], [0.5, 0.5], [0.0, 9.0], [9.0, 0.0]]), np.zeros(2))
    assert lower.tolist() == [[0.0, 3.0], [1.0, 1.0], [2.0, 0.0]]
    assert upper.tolist() == [[1.0, INF], [2.0, INF], [INF, INF]]
    alone = cells(np.array([[0.0, 1.0]]), np.zeros(2))
    assert [corner.tolist() for corner in alone] == [[[0.0, 0.0]], [[INF, INF]]]
    lower, upper = cells(np.array([[1.0, 1.0, 1.0]]), np.zeros(3))
    filled = (np.minimum(upper, 2.0) - np.minimum(lower, 2.0)).prod(axis=1).sum()
    assert filled == pytest.approx(7.0)


def test_the_reference_point_lies_below_the_front_or_all_observations() -> None:
    assert reference_point(np.array([[1.0, 2.0], [1.5, -1.0], [0.5, -5.0]])) == pytest.approx([0.95, -1.3])
    # the front is one point: below the worst of all, by their extent
    assert reference_point(np.array([[1.0, 1.0], [0.0, -3.0]])) == pytest.approx([-0.1, -3.4])
    assert reference_point(np.array([[1.0, 1.0], [0.5, -3.0]])) == pytest.approx([0.45, -3.4])
    assert reference_point(np.array([[1.0, 1.0], [1.0, -3.0]])) == pytest.approx([0.9, -3.4])
    assert reference_point(np.empty((0, 3))).tolist() == [-1.0, -1.0, -1.0]
    assert non_dominated(np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 2.0]])).tolist() == [
        True,
        False,
        False,
        True,
    ]
    assert non_dominated(np.array([[0.0, 1.0], [0.0, 2.0], [1.0, 0.0]])).tolist() == [False, True, True]


PAIR = Goal(
    objectives=[{'property': 'k', 'maximize': True}, {'property': 'g', 'minimize': True}],
    constraints=[{'property': 'k', 'min': 0.0}],
)


def test_utilities_are_those_of_feasible_complete_observations() -> None:
    found = problem(PAIR, k=[1.0, -1.0, math.nan, 4.0, 3.0], g=[1.0, 1.0, 1.0, 2.0, 5.0])
    assert utilities(found).tolist() == [[-0.5, 0.5], [1.0, 0.0], [0.5, -1.5]]
    assert utilities(found, settled=True).tolist() == utilities(found).tolist()
    assert utilities(replace(found, pending=2), settled=True).tolist() == [[-0.5, 0.5]]
    assert utilities(replace(found, pending=1), settled=True).tolist() == [[-0.5, 0.5], [1.0, 0.0]]
    assert utilities(replace(found, pending=1)).tolist() == utilities(found).tolist()


def test_the_expected_hypervolume_improvement_sums_its_cells() -> None:
    found = problem(PAIR, k=[1.0, 4.0, 3.0], g=[1.0, 2.0, 5.0])
    lower, upper = cells(utilities(found), reference_point(utilities(found)))
    total = np.zeros(4)
    for low, high in zip(lower, upper, strict=True):
        part = np.ones(4)
        for utility, bottom, top in zip(found.utilities, low, high, strict=True):
            m, d = utility.sign * (MEANS - 2) / 2, DEVIATIONS / 2
            rises = [
                d * (norm.pdf((m - e) / d) + (m - e) / d * norm.cdf((m - e) / d)) if e < INF else 0 * m
                for e in (bottom, top)
            ]
            part = part * (rises[0] - rises[1])
        total += part
    assert np.exp(scores('log_ehvi', found)) == pytest.approx(total * norm.cdf(MEANS / DEVIATIONS))


def test_pending_candidates_do_not_move_the_reference_point() -> None:
    found = problem(PAIR, k=[2.5], g=[2.5])
    given = found.given(POINTS[2:3])
    settled = reference_point(utilities(found))
    assert utilities(given).tolist() == [[0.25, -0.25], [1.0, -1.0]]
    assert reference_point(utilities(given)) != pytest.approx(settled)
    # a candidate known for certain adds what lies between it and the front
    sharp = Given((3.5, 2.5, 2.5, 2.5), (1e-6,) * 4), Given((2.25, 2.5, 2.5, 2.5), (1e-6,) * 4)
    certain = replace(given, models=dict(zip('kg', sharp, strict=True)))
    value = LogExpectedHypervolumeImprovement().value(certain, POINTS, certain.marginals(POINTS))
    assert math.exp(value[0]) == pytest.approx(
        (0.75 - settled[0]) * (-0.125 + 0.25) + (0.75 - 0.25) * (-0.25 - settled[1]), rel=1e-4
    )


def test_the_noisy_improvement_is_that_of_draws() -> None:
    found, pending = problem(PAIR, k=[1.0, 4.0, 3.0], g=[1.0, 2.0, 5.0]), POINTS[1:2]
    assert np.array_equal(scores('log_nehvi', found), scores('log_ehvi', found))
    first = scores('log_ehvi', found, pending)
    order = np.argsort(-first, kind='stable')
    points = np.concatenate([pending, POINTS[order]])
    observed = utilities(found)
    k, g = (Given().sample(points, 64, 3 + index) for index in range(2))
    gain = np.zeros(4)
    for one in np.stack([(k - 2) / 2, -(g - 2) / 2], axis=-1):
        lower, upper = cells(np.concatenate([observed, one[:1]]), reference_point(observed))
        filled = np.maximum(np.minimum(one[1:, None], upper[None]) - lower[None], 0)
        gain += filled.prod(axis=2).sum(axis=1) / 64
    exact = np.empty(4)
    exact[order] = ranked_gains(gain, first[order])
    weight = np.log(norm.cdf(MEANS / DEVIATIONS))
    assert scores('log_nehvi', found, pending) == pytest.approx(exact + weight)
