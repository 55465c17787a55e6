"""Utilities and acquisitions in closed form, with models whose predictions are given."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from aiida_inversedesign.campaign.goal import Goal, Objective
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.acquisitions.ego import BootstrapImprovement
from aiida_inversedesign.select.acquisitions.improvement import LogExpectedImprovement
from aiida_inversedesign.select.acquisitions.knowledge import covariance, log_expected_rise
from aiida_inversedesign.select.acquisitions.pareto import cells, non_dominated, reference_point, utilities
from aiida_inversedesign.select.acquisitions.spacier import region
from aiida_inversedesign.select.normal import log_difference, log_h, log_rise, log_tent, log_within
from aiida_inversedesign.select.observed import Observed
from aiida_inversedesign.select.problem import SearchProblem
from aiida_inversedesign.select.rule import ranked_gains, refined
from aiida_inversedesign.select.utility import Utility

MEANS = np.array([1.0, 2.5, 4.0, 3.0])
DEVIATIONS = np.array([0.5, 1.0, 0.25, 2.0])
POINTS = np.arange(4.0)[:, None]
NONE = POINTS[:0]
INF = math.inf


@dataclass(frozen=True)
class Given:
    """A model that predicts the entry of its tables that an input names; pending candidates halve the deviations."""

    means: Any = tuple(MEANS)
    deviations: Any = tuple(DEVIATIONS)
    offset: float = 2.0
    scale: float = 2.0
    kind: str = 'given'
    normal: bool = True

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = inputs[:, 0].astype(int)
        return np.array(self.means)[index], np.array(self.deviations)[index]

    def sample(self, inputs: np.ndarray, number: int, seed: int) -> np.ndarray:
        mean, deviation = self.predict(inputs)
        return mean + deviation * np.random.default_rng(seed).normal(size=(number, len(inputs)))

    def condition(self, pending: np.ndarray) -> Given:
        return replace(self, deviations=tuple(np.array(self.deviations) / 2))


def problem(goal: Goal, models: dict[str, Given] | None = None, seed: int = 3, **values: list[float]) -> SearchProblem:
    models = models or {name: Given() for name in goal.properties}
    columns = {name: np.array(values.get(name, [1.0, 2.0])) for name in goal.properties}
    rows = len(next(iter(columns.values())))
    observed = Observed(np.zeros((rows, 1)), columns, np.zeros(rows, dtype=bool))
    return SearchProblem(goal, models, None, observed, seed)


def scores(name: str, found: SearchProblem, pending: np.ndarray = NONE) -> np.ndarray:
    surrogate = SimpleNamespace(models=found.models)
    return make_acquisition(name, found.goal, surrogate, found.observed, found.seed).score(POINTS, pending)


def asked(*objectives: dict[str, Any], constraints: tuple[dict[str, Any], ...] = ()) -> Goal:
    named = [{'property': 'k', **objective} for objective in objectives]
    return Goal(objectives=named, constraints=list(constraints))


TOP, HIGH, BAND = asked({'maximize': True}), asked({'maximize': True, 'hit': 3.0}), asked({'window': [2.0, 3.0]})
LOW, BOTTOM = asked({'minimize': True, 'hit': 1.5}), asked({'minimize': True})
#: Above all means, so that a draw of one of them can only raise the best.
FAR = asked({'window': [4.0, 9.0]})


# -- expectations under normal distributions -----------------------------------------------------------------------


@pytest.mark.parametrize('z', [4.0, 0.0, -0.5, -0.999, -1.0, -1.001, -3.0, -40.0, -1e4, -9e5, -1e6, -1.1e6, -1e8])
def test_log_h_at_every_distance(z: float) -> None:
    with mpmath.workdps(60):
        x = mpmath.mpf(z)
        exact = -x * x / 2 - mpmath.log(2 * mpmath.pi) / 2
        # φ(z) + z Φ(z) = φ(z) (1 − |z| √(π/2) erfcx(|z|/√2)), the latter by its series far out
        if z > -30:
            exact = mpmath.log(mpmath.npdf(x) + x * mpmath.ncdf(x))
        else:
            exact += mpmath.log(1 / x**2 - 3 / x**4 + 15 / x**6 - 105 / x**8 + 945 / x**10)
    assert log_h(np.array([z]))[0] == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize('mean', [-12.0, -3.0, 0.0, 0.4, 3.0, 12.0])
@pytest.mark.parametrize('deviation', [0.5, 2.0])
def test_logarithms_of_probabilities_and_rises(mean: float, deviation: float) -> None:
    m, d = np.array([mean]), np.array([deviation])
    with mpmath.workdps(300):
        low, high = ((mpmath.mpf(edge) - mpmath.mpf(mean)) / deviation for edge in (-1, 2))
        within = mpmath.log(mpmath.ncdf(high) - mpmath.ncdf(low))
        z = (mpmath.mpf(mean) - 1) / deviation
        rise = mpmath.log(deviation * (mpmath.npdf(z) + z * mpmath.ncdf(z)))
        above = mpmath.log(mpmath.ncdf((mpmath.mpf(mean) - 1) / deviation))
        below = mpmath.log(mpmath.ncdf((1 - mpmath.mpf(mean)) / deviation))
        at = [(mpmath.mpf(mean) + shift) / deviation for shift in (1.5, 0, -1.5)]
        terms = [deviation * (mpmath.npdf(x) + x * mpmath.ncdf(x)) for x in at]
        tent = mpmath.log(terms[0] - 2 * terms[1] + terms[2])
    assert log_within(m, d, -1.0, 2.0)[0] == pytest.approx(float(within), rel=1e-8, abs=1e-12)
    assert log_within(m, d, 1.0, INF)[0] == pytest.approx(float(above), rel=1e-8, abs=1e-12)
    assert log_within(m, d, -INF, 1.0)[0] == pytest.approx(float(below), rel=1e-8, abs=1e-12)
    assert log_rise(m, d, 1.0)[0] == pytest.approx(float(rise), rel=1e-8, abs=1e-9)
    assert log_tent(m, d, 1.5)[0] == pytest.approx(float(tent), rel=1e-7, abs=1e-9)
    assert log_tent(m, d, np.array([1.5]))[0] == log_tent(m, d, 1.5)[0]


def test_narrow_tents_are_their_area_times_the_density() -> None:
    mean, deviation = np.array([0.5, -0.5, 0.0]), np.array([2.0, 2.0, 0.5])
    for width in (1e-4, 1e-6):
        expected = np.log(width**2) + norm.logpdf(mean, 0, deviation)
        assert log_tent(mean, deviation, width) == pytest.approx(expected, rel=1e-6)
    assert log_tent(np.zeros(3), np.ones(3), np.array([0.0, -1.0, 1.0]))[:2].tolist() == [-INF, -INF]


def test_differences_of_logarithms() -> None:
    larger, smaller = np.log([3.0, 3.0, 5.0, 2.0]), np.array([math.log(2.0), -INF, math.log(0.001), math.log(2.0)])
    assert np.exp(log_difference(larger, smaller)) == pytest.approx([1.0, 3.0, 4.999, 0.0])


# -- utilities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('objective', 'expected'),
    [
        ({'maximize': True}, Utility('k', 1, 2.0, 0.0, 4.0, -INF, INF, False)),
        ({'minimize': True}, Utility('k', -1, 2.0, 0.0, 4.0, -INF, INF, False)),
        ({'maximize': True, 'hit': 3.0}, Utility('k', 1, 3.0, 0.0, 4.0, 3.0, INF, True)),
        ({'minimize': True, 'hit': 3.0}, Utility('k', -1, 3.0, 0.0, 4.0, -INF, 3.0, True)),
        ({'window': [1.0, 3.0]}, Utility('k', 0, 2.0, 0.25, 4.0, 1.0, 3.0, True)),
        ({'target': 5.0, 'tolerance': 2.0}, Utility('k', 0, 5.0, 0.5, 4.0, 3.0, 7.0, True)),
    ],
)
def test_a_utility_is_counted_from_the_threshold(objective: dict[str, Any], expected: Utility) -> None:
    assert Utility.of(Objective(property='k', **objective), 2.0, 4.0) == expected


@pytest.mark.parametrize('goal', [TOP, HIGH, BAND, LOW, BOTTOM], ids=['top', 'high', 'band', 'low', 'bottom'])
def test_expectations_of_a_utility_are_its_integrals(goal: Goal) -> None:
    utility = Utility.of(goal.objectives[0], 2.0, 2.0)
    m, d = np.array([2.2]), np.array([1.0])
    for level in (-0.5, 0.1):

        def gain(y: float, level: float = level) -> float:
            return max(float(utility.value(np.array([y]))[0]) - level, 0.0) * norm.pdf(y, 2.2, 1.0)

        edges = sorted({utility.origin + sign * 2.0 * (utility.half - level) for sign in (-1, 1)} | {utility.origin})
        exact = quad(gain, -6, 10, points=edges, limit=200)[0]
        assert np.exp(utility.log_gain(m, d, level))[0] == pytest.approx(exact, rel=1e-6)
        chance = np.mean(utility.value(norm.ppf((np.arange(20000) + 0.5) / 20000, 2.2, 1.0)) >= level)
        assert np.exp(utility.log_above(m, d, level))[0] == pytest.approx(chance, abs=1e-4)
    assert utility.deviation(np.array([1.0, 0.0])).tolist() == [0.5, 1e-9]


def test_above_the_height_of_a_tent_there_is_nothing() -> None:
    utility = Utility.of(BAND.objectives[0], 2.0, 2.0)
    assert utility.half == 0.25
    for level in (0.25, 0.5):
        assert utility.log_above(np.array([2.5, 2.4]), np.ones(2), level).tolist() == [-INF, -INF]
        assert utility.log_gain(np.array([2.5]), np.ones(1), level).tolist() == [-INF]
    assert utility.value(np.array([2.0, 2.5, 3.0, 4.0])).tolist() == [0.0, 0.25, 0.0, -0.5]


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
            {'property': 'k', 'window': [1.0, 4.0]},
            {'property': 'k', 'maximize': True, 'hit': 2.0},
            {'property': 'g', 'minimize': True},
            {'property': 'h', 'minimize': True, 'hit': 3.0},
        ],
        constraints=[{'property': 'k', 'max': 3.5}, {'property': 'h', 'min': 1.0}, {'property': 'c', 'min': 2.0}],
    )
    found = problem(goal, k=[2.5, 2.5], g=[3.0, 2.5], h=[2.0, 2.0], c=[3.0, 3.0])

    def chance(low: float, high: float) -> np.ndarray:
        return norm.cdf(high, MEANS, DEVIATIONS) - norm.cdf(low, MEANS, DEVIATIONS)

    exact = chance(2.0, 3.5) * chance(-INF, 2.5) * chance(1.0, 3.0) * chance(2.0, INF)
    assert np.exp(scores('pi', found)) == pytest.approx(exact, rel=1e-6)


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
        constraints=[{'property': 'k', 'min': 0.0}],
    )
    found = problem(goal)
    for pending in (NONE, POINTS[:2]):
        seed = int(np.random.SeedSequence([3, len(pending)]).generate_state(1)[0])
        k, g = (Given().sample(POINTS[order], 1, seed + place)[0] for place, order in enumerate(_short(found)))
        order = _short(found)[0]
        drawn = np.empty(4)
        drawn[order] = ((k - 2) / 2 - (g - 2) / 2 + 0.25 - np.abs(k - 2.5) / 2) / 3
        weight = np.log(norm.cdf(MEANS / DEVIATIONS))
        assert scores('thompson', found, pending) == pytest.approx(drawn + weight)


def _short(found: SearchProblem) -> list[np.ndarray]:
    """The order of the candidates by their upper bounds, for each of two draws."""
    values = [utility.value(MEANS) + 3 * DEVIATIONS / 2 for utility in found.utilities]
    bound = np.mean(values, axis=0) + np.log(norm.cdf(MEANS / DEVIATIONS))
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
    assert reference_point(np.array([[0.0, 2.0], [1.0, 0.0], [0.0, -5.0]])) == pytest.approx([-0.1, -0.2])
    # the front is one point: below the worst of all, by their extent
    assert reference_point(np.array([[1.0, 1.0], [0.0, -3.0]])) == pytest.approx([-0.1, -3.4])
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
    from aiida_inversedesign.select.errors import SelectError

    try:
        make_acquisition(name, goal, models, problem(goal).observed, 0)
    except SelectError:
        return False
    return True
