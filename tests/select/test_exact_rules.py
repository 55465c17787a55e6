"""What each acquisition computes, with models whose predictions are given."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from given_models import (
    BAND,
    DEVIATIONS,
    HIGH,
    INF,
    MEANS,
    NONE,
    POINTS,
    TOP,
    Given,
    asked,
    problem,
    scores,
)
from scipy.stats import norm

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.acquisitions.ego import BootstrapImprovement
from aiida_inversedesign.select.acquisitions.improvement import LogExpectedImprovement
from aiida_inversedesign.select.acquisitions.spacier import region
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.select.problem import SearchProblem
from aiida_inversedesign.select.rule import ranked_gains, refined

# -- rules for each candidate alone --------------------------------------------------------------------------------


def test_the_expected_improvement_counts_from_the_best() -> None:
    z = (MEANS - 2.0) / DEVIATIONS
    exact = DEVIATIONS * (norm.pdf(z) + z * norm.cdf(z)) / 2
    assert np.exp(scores('log_ei', problem(TOP))) == pytest.approx(exact)
    # with a threshold further hits are still wanted
    z = (MEANS - 3.0) / DEVIATIONS
    exact = DEVIATIONS * (norm.pdf(z) + z * norm.cdf(z)) / 2
    assert np.exp(scores('log_ei', problem(HIGH, k=[1.0, 5.0]))) == pytest.approx(exact)


def test_bounds_and_means_are_averaged_over_the_objectives() -> None:
    both = Goal(objectives=[{'property': 'k', 'maximize': True}, {'property': 'g', 'minimize': True, 'hit': 1.0}])
    models = {'k': Given(), 'g': Given(tuple(MEANS[::-1]), tuple(DEVIATIONS[::-1]), 0.0, 4.0)}
    found = problem(both, models)
    means = ((MEANS - 2) / 2 + (1 - MEANS[::-1]) / 4) / 2
    spread = (DEVIATIONS / 2 + DEVIATIONS[::-1] / 4) / 2
    assert scores('posterior_mean', found) == pytest.approx(means)
    assert scores('ucb', found) == pytest.approx(means + spread)
    # pending candidates sharpen the prediction
    assert scores('ucb', found, POINTS[:1]) == pytest.approx(means + spread / 2)


def test_which_scores_can_only_shrink() -> None:
    bound = asked({'maximize': True}, constraints=({'property': 'g', 'min': 0.0},))
    both = Goal(objectives=[{'property': 'k', 'maximize': True}, {'property': 'g', 'minimize': True}])
    half = Goal(objectives=[{'property': 'k', 'maximize': True}, {'property': 'g', 'window': [0.0, 1.0]}])
    claims = [
        ('log_ei', TOP, True), ('log_ei', BAND, False), ('log_ei', bound, False), ('ucb', BAND, True),
        ('ucb', bound, False), ('posterior_mean', TOP, True), ('pi', TOP, False), ('spacier', BAND, False),
        ('qlog_ei', TOP, False), ('knowledge_gradient', TOP, False), ('thompson', TOP, False), ('ego', TOP, True),
        ('log_ehvi', both, True), ('log_ehvi', half, False), ('log_nehvi', both, False),
    ]  # fmt: skip
    for name, goal, shrinks in claims:
        surrogate, found = SimpleNamespace(models={'k': Given(), 'g': Given()}), problem(goal)
        assert make_acquisition(name, goal, surrogate, found.observed, 0).submodular is shrinks, (name, shrinks)


def test_the_probability_joins_windows_and_constraints_of_a_property() -> None:
    goal = Goal(
        objectives=[
            {'property': 'k', 'window': [1.0, 3.25]},
            {'property': 'k', 'maximize': True, 'hit': 2.0},
            {'property': 'g', 'minimize': True},
            {'property': 'c', 'maximize': True},
            {'property': 'h', 'minimize': True, 'hit': 3.0},
        ],
        constraints=[{'property': 'k', 'max': 3.5}, {'property': 'h', 'min': 1.0}, {'property': 'c', 'min': 2.0}],
    )
    found = problem(goal, k=[2.5, 2.5], g=[3.0, 2.5], h=[2.0, 2.0], c=[3.0, 3.0])

    def chance(low: float, high: float) -> np.ndarray:
        return norm.cdf(high, MEANS, DEVIATIONS) - norm.cdf(low, MEANS, DEVIATIONS)

    exact = chance(2.0, 3.25) * chance(-INF, 2.5) * chance(3.0, INF) * chance(1.0, 3.0) * chance(2.0, INF)
    # by the normal distribution, or by what a model says of its own
    assert np.exp(scores('pi', found)) == pytest.approx(exact, rel=1e-6)
    own = replace(found, models={name: Given(normal=False) for name in 'kghc'})
    assert np.exp(scores('pi', own)) == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_spacier_counts_the_distance_to_the_region_and_the_spread() -> None:
    goal = Goal(
        objectives=[{'property': 'k', 'window': [1.5, 2.0]}, {'property': 'g', 'maximize': True, 'hit': 5.0}],
        constraints=[{'property': 'g', 'max': 6.0}, {'property': 'c', 'min': 2.0}, {'property': 'k', 'min': 1.75}],
    )
    models = {'k': Given(), 'g': Given(scale=4.0), 'c': Given(scale=1.0)}
    found = problem(goal, models, k=[1.0], g=[1.0], c=[1.0])
    assert region(found) == {'k': (1.75, 2.0), 'g': (5.0, 6.0), 'c': (2.0, INF)}
    distance = ((MEANS - np.clip(MEANS, 1.75, 2.0)) / 2) ** 2 + ((MEANS - 5.0) / 4) ** 2
    distance += np.minimum(MEANS - 2.0, 0) ** 2
    spread = DEVIATIONS * np.sqrt(1 / 4 + 1 / 16 + 1)
    assert scores('spacier', found) == pytest.approx(-distance / 2 - spread)
    assert region(problem(HIGH)) == {'k': (3.0, INF)}


# -- rules with draws ----------------------------------------------------------------------------------------------


def test_thompson_takes_a_draw_of_each_property_once() -> None:
    goal = Goal(
        objectives=[
            {'property': 'k', 'maximize': True},
            {'property': 'g', 'minimize': True},
            {'property': 'k', 'window': [2.0, 3.0]},
        ],
        constraints=[{'property': 'k', 'min': 2.5}],
    )
    found = problem(goal)
    for pending in (NONE, POINTS[:2]):
        seed = int(np.random.SeedSequence([3, len(pending)]).generate_state(1)[0])
        k, g = (Given().sample(POINTS[order], 1, seed + place)[0] for place, order in enumerate(_short(found)))
        order = _short(found)[0]
        drawn = np.empty(4)
        drawn[order] = ((k - 2) / 2 - (g - 2) / 2 + 0.25 - np.abs(k - 2.5) / 2) / 3
        weight = np.log(norm.cdf((MEANS - 2.5) / DEVIATIONS))
        assert scores('thompson', found, pending) == pytest.approx(drawn + weight)


def _short(found: SearchProblem) -> list[np.ndarray]:
    """The order of the candidates by their upper bounds, for each of two draws."""
    values = [utility.value(MEANS) + 3 * DEVIATIONS / 2 for utility in found.utilities]
    bound = np.mean(values, axis=0) + np.log(norm.cdf((MEANS - 2.5) / DEVIATIONS))
    return [np.argsort(-bound, kind='stable')] * 2


def test_the_joint_improvement_is_over_the_pending_draws() -> None:
    goal = asked({'maximize': True}, constraints=({'property': 'g', 'min': 1.0},))
    found, pending = problem(goal), POINTS[2:3]
    assert np.array_equal(scores('qlog_ei', found), scores('log_ei', found))
    first = scores('log_ei', found, pending)
    order = np.argsort(-first, kind='stable')
    drawn = (Given().sample(np.concatenate([pending, POINTS[order]]), 512, 3) - 2) / 2
    level = np.maximum(drawn[:, 0], 0.0)
    gains = np.maximum(drawn[:, 1:] - level[:, None], 0).mean(axis=0)
    weight = np.log(norm.sf((1 - MEANS) / DEVIATIONS))
    exact = np.empty(4)
    exact[order] = ranked_gains(gains, first[order])
    assert scores('qlog_ei', found, pending) == pytest.approx(exact + weight)


def test_a_bootstrap_surrogate_is_used_as_it_is_and_others_are_learned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    own = problem(TOP, {'k': Given(kind='bootstrap')})
    assert np.array_equal(scores('ego', own), scores('log_ei', own))
    unknown = replace(own, models={'k': Given()}, observed=replace(own.observed, failed=np.ones(2, dtype=bool)))
    assert np.array_equal(BootstrapImprovement().score(unknown, POINTS, NONE), scores('log_ei', unknown))
    asked_for = []

    def fit(inputs: np.ndarray, values: np.ndarray, seed: int) -> Given:
        asked_for.append((inputs.tolist(), values.tolist(), seed))
        return Given(tuple(MEANS + 1))

    monkeypatch.setattr('aiida_inversedesign.learn.models.bootstrap.fit_bootstrap', fit)
    goal = asked({'maximize': True}, constraints=({'property': 'g', 'min': 1.0},))
    found = problem(goal, k=[1.0, 9.0, math.nan, 2.0], g=[2.0] * 4)
    observed = Observed(np.arange(4.0)[:, None], found.observed.values, np.array([False, True, False, False]))
    found = replace(found, observed=observed)
    rule = BootstrapImprovement()
    expected = LogExpectedImprovement().score(
        replace(found, models={'k': Given(tuple(MEANS + 1)), 'g': Given()}), POINTS, NONE
    )
    for _ in range(2):
        assert np.array_equal(rule.score(found, POINTS, NONE), expected)
    assert asked_for == [([[0.0], [3.0]], [1.0, 2.0], 3)]


def test_only_the_best_of_a_first_pass_are_computed_exactly() -> None:
    looked = []

    def exact(short: np.ndarray) -> np.ndarray:
        looked.extend(short.tolist())
        return np.array([5.0, 7.0])[: len(short)]

    assert refined(np.array([0.0, 2.0, 1.0, 3.0]), exact, 2).tolist() == [3.5, 7.0, 4.0, 5.0]
    assert looked == [3, 1]
    assert ranked_gains(np.array([0.0, 1.0, 0.0]), np.array([2.0, 0.0, 3.0])).tolist() == [-2.0, 0.0, -1.0]


def test_who_serves_which_goal() -> None:
    both = Goal(objectives=[{'property': 'k', 'maximize': True}, {'property': 'g', 'minimize': True}])
    models = SimpleNamespace(models={'k': Given(), 'g': Given()})
    served = {
        name: [_serves(name, goal, models) for goal in (TOP, BAND, both)]
        for name in ('log_ei', 'ucb', 'posterior_mean', 'pi', 'spacier', 'thompson', 'log_ehvi', 'qlog_ei')
    }
    assert served == {
        'log_ei': [True, True, True],  # of several objectives it means log_nehvi
        'ucb': [True, True, True],
        'posterior_mean': [True, True, True],
        'pi': [True, True, True],
        'spacier': [False, True, False],
        'thompson': [True, True, True],
        'log_ehvi': [False, False, True],
        'qlog_ei': [True, True, False],
    }


def _serves(name: str, goal: Goal, models: Any) -> bool:
    from aiida_inversedesign.select.observed import SelectError

    try:
        make_acquisition(name, goal, models, problem(goal).observed, 0)
    except SelectError:
        return False
    return True
