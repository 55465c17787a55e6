"""What each acquisition computes, on small problems whose answers are known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.acquisition import acquisition
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.learn.failure import fit_failure
from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.select.acquisition import make_acquisition
from aiida_inversedesign.select.acquisitions.knowledge import log_expected_rise
from aiida_inversedesign.select.acquisitions.pareto import cells, non_dominated, reference_point
from aiida_inversedesign.select.acquisitions.spacier import region
from aiida_inversedesign.select.batch import choose_points
from aiida_inversedesign.select.normal import log_within
from aiida_inversedesign.select.observed import Observed, SelectError
from aiida_inversedesign.select.problem import SearchProblem

TOP = Goal(objectives=[{'property': 'a', 'maximize': True}])
BAND = Goal(objectives=[{'property': 'a', 'window': [0.5, 1.0]}])
FRONT = Goal(objectives=[{'property': 'a', 'maximize': True}, {'property': 'b', 'minimize': True}])
SINGLE = [name for name in registry.names('acquisitions') if not acquisition(name).refuses(BAND)]


@dataclass(frozen=True)
class Fitted:
    """The part of a surrogate that a selection looks at."""

    models: dict[str, Any]
    failure: Any = None
    extra: dict[str, Any] = field(default_factory=dict)


def landscape(points: np.ndarray) -> dict[str, np.ndarray]:
    return {'a': np.sin(2 * points[:, 0]) + points[:, 1] / 2, 'b': np.cos(points[:, 0]) + points[:, 1] ** 2 / 3}


def setting(seed: int = 0, rows: int = 25, pool: int = 120, dimension: int = 3):
    rng = np.random.default_rng(seed)
    X, inputs = rng.normal(size=(rows, dimension)), rng.normal(size=(pool, dimension))
    values = landscape(X)
    surrogate = Fitted({name: fit_gp(X, y) for name, y in values.items()})
    return surrogate, Observed(X, values, np.zeros(rows, dtype=bool)), inputs


@pytest.fixture(scope='module')
def known():
    return setting()


def scores(name, goal, known, pending=None, seed=0):
    surrogate, observed, inputs = known
    return make_acquisition(name, goal, surrogate, observed, seed).score(
        inputs, inputs[:0] if pending is None else pending
    )


# -- knowledge gradient --------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-2, 2).map(lambda b: round(b, 3))), min_size=1, max_size=12),
)
def test_the_expected_rise_of_the_best_line_is_its_integral(lines):
    values, slopes = (np.array(column) for column in zip(*lines, strict=True))
    z = np.linspace(-9, 9, 40001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    best = (values[:, None] + slopes[:, None] * z).max(axis=0)
    exact = scipy.integrate.trapezoid((best - values.max()) * density, z)
    assert np.exp(log_expected_rise(values, slopes)) == pytest.approx(exact, rel=1e-3, abs=1e-5)


def test_the_knowledge_gradient_is_that_of_the_model(known):
    surrogate, observed, inputs = known
    few = (surrogate, observed, inputs[:30])
    ours = np.exp(scores('knowledge_gradient', TOP, few))
    model = surrogate.models['a']
    best = model.predict(inputs[:30])[0].max()
    chosen = int(np.argmax(ours))
    # brute force: what the means become if the candidate turns out at each quantile of its prediction
    drawn = model.sample(inputs[:30], 60000, 5)
    centred = drawn - drawn.mean(axis=0)
    slopes = (centred * centred[:, [chosen]]).mean(axis=0) / drawn[:, chosen].std()
    means = model.predict(inputs[:30])[0]
    then = (means + slopes * np.random.default_rng(0).normal(size=(40000, 1))).max(axis=1)
    assert ours[chosen] * model.scale == pytest.approx(then.mean() - best, rel=0.1)


# -- hypervolume ---------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_cells_fill_what_the_front_leaves(points):
    observed = np.array(points, dtype=float).reshape(-1, 2)
    lower, upper = cells(observed, np.array([0.0, 0.0]))
    for corner in itertools.product(np.arange(8) + 0.5, repeat=2):
        point = np.array(corner)
        inside = ((point > lower) & (point < upper)).all(axis=1).sum()
        dominated = bool((observed >= point).all(axis=1).any())
        assert inside == (0 if dominated else 1)


@pytest.mark.parametrize('columns', [2, 3])
def test_cells_agree_with_botorch(columns):
    import torch
    from botorch.utils.multi_objective.box_decompositions.dominated import DominatedPartitioning

    observed = np.random.default_rng(1).uniform(0, 1, size=(15, columns))
    reference, top = np.zeros(columns), np.full(columns, 1.5)
    lower, upper = cells(observed, reference)
    left = (np.minimum(upper, top) - np.minimum(lower, top)).prod(axis=1).sum()
    volume = (
        DominatedPartitioning(torch.zeros(columns).double(), torch.from_numpy(observed)).compute_hypervolume().item()
    )
    assert left + volume == pytest.approx(1.5**columns, rel=1e-5)


def test_the_front_and_its_reference_point():
    values = np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 2.0], [2.0, 2.0], [3.0, 0.0]])
    assert non_dominated(values).tolist() == [True, False, True, False, True]
    assert reference_point(values) == pytest.approx([-0.3, -0.3])
    assert reference_point(np.ones((3, 2))) == pytest.approx([0.9, 0.9])
    assert reference_point(np.empty((0, 2))) == pytest.approx([-1.0, -1.0])


@pytest.mark.parametrize('goal', [FRONT, Goal(objectives=[*BAND.objectives, {'property': 'b', 'minimize': True}])])
def test_expected_hypervolume_improvement_is_its_average(known, goal):
    surrogate, observed, inputs = known
    closed = np.exp(scores('log_ehvi', goal, known))
    problem = SearchProblem.of(goal, surrogate, observed, 0)
    utility = np.stack([u.value(observed.values[u.property]) for u in problem.utilities], axis=-1)
    lower, upper = cells(utility, reference_point(utility))
    rng, best = np.random.default_rng(2), np.argsort(-closed)[:4]
    for index in best:
        drawn = np.stack(
            [
                u.value(mean + deviation * rng.normal(size=40000))
                for u in problem.utilities
                for mean, deviation in [surrogate.models[u.property].predict(inputs[[index]])]
            ],
            axis=-1,
        )
        filled = np.maximum(np.minimum(drawn[:, None], upper[None]) - lower[None], 0).prod(axis=2).sum(axis=1)
        assert closed[index] == pytest.approx(filled.mean(), rel=0.05)


def test_a_pending_candidate_leaves_less_of_the_hypervolume(known):
    inputs = known[2]
    alone = scores('log_nehvi', FRONT, known)
    assert np.array_equal(alone, scores('log_ehvi', FRONT, known))
    best = int(np.argmax(alone))
    joint = scores('log_nehvi', FRONT, known, pending=inputs[[best]])
    assert joint[best] < alone[best]
    assert (np.argsort(np.argsort(-joint))[best]) > 0


# -- SPACIER -------------------------------------------------------------------------------------------------------


def test_spacier_is_the_maximum_over_temporary_targets(known):
    surrogate, observed, inputs = known
    goal = Goal(
        objectives=[{'property': 'a', 'window': [2.0, 2.5]}, {'property': 'b', 'minimize': True, 'hit': -0.5}],
        constraints=[{'property': 'b', 'min': -2.0}],
    )
    problem = SearchProblem.of(goal, surrogate, observed, 0)
    assert region(problem) == {'a': (2.0, 2.5), 'b': (-2.0, -0.5)}
    ours = scores('spacier', goal, known)
    grid = np.linspace(-6, 6, 241)
    scale = np.array([surrogate.models[name].scale for name in 'ab'])
    for index in range(0, len(inputs), 17):
        mean, deviation = (
            np.array([surrogate.models[name].predict(inputs[[index]])[part][0] for name in 'ab']) for part in (0, 1)
        )
        targets = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
        nearest = np.clip(targets, [2.0, -2.0], [2.5, -0.5])
        spread = np.linalg.norm(deviation / scale)
        value = -(((targets - mean) / scale) ** 2).sum(axis=1) - spread
        value -= (((targets - nearest) / scale) ** 2).sum(axis=1)
        assert ours[index] == pytest.approx(value.max(), abs=1e-2)


# -- constraints and failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', SINGLE)
def test_candidates_that_would_fail_are_avoided(known, name):
    surrogate, observed, inputs = known
    failed = np.concatenate([observed.inputs[:, 0] > 0, inputs[:, 0] > 0])
    failure = fit_failure(np.concatenate([observed.inputs, inputs]), failed)
    assert failure.width > 0
    goal = Goal(objectives=[{'property': 'a', 'maximize': True, 'hit': 1.0}])
    wary = scores(name, goal, (replace(surrogate, failure=failure), observed, inputs))
    bold = scores(name, goal, known)
    share = [(inputs[np.argsort(-values)[:15], 0] > 0).mean() for values in (bold, wary)]
    assert share[1] < share[0]


@pytest.mark.parametrize('name', SINGLE)
def test_a_pool_without_any_feasible_candidate_still_has_an_order(known, name):
    goal = Goal(
        objectives=[{'property': 'a', 'maximize': True, 'hit': 1.0}], constraints=[{'property': 'b', 'min': 5.0}]
    )
    surrogate, _, inputs = known
    values = scores(name, goal, known)
    assert np.isfinite(values).all()
    places = choose_points(name, goal, *known[:2], inputs, 4, seed=0)
    assert len({place.index for place in places}) == 4
    # what is most probably feasible, or for SPACIER nearest to it, comes first
    chance = log_within(*surrogate.models['b'].predict(inputs), 5.0, np.inf)
    assert chance[[place.index for place in places]].mean() > chance.mean()


# -- defined behaviour on little or odd data -----------------------------------------------------------------------


@pytest.mark.parametrize('name', SINGLE)
@pytest.mark.parametrize('y', [np.full(6, 3.0), np.array([1.0, 1.0, 1.0, 1.0, 1.0, 2.0])], ids=['constant', 'one'])
def test_constant_targets_give_a_batch(name, y):
    rng = np.random.default_rng(0)
    X, inputs = rng.normal(size=(6, 4)), rng.normal(size=(30, 4))
    goal = Goal(objectives=[{'property': 'a', 'maximize': True, 'hit': 5.0}])
    observed = Observed(X, {'a': y}, np.zeros(6, dtype=bool))
    places = choose_points(name, goal, Fitted({'a': fit_gp(X, y)}), observed, inputs, 3, seed=1)
    assert len({place.index for place in places}) == 3
    assert all(np.isfinite(place.value) for place in places)


@pytest.mark.parametrize('goal', [TOP, BAND, FRONT], ids=['top', 'window', 'front'])
def test_all_failed_or_nothing_observed(known, goal):
    surrogate, observed, inputs = known
    nothing = Observed(
        observed.inputs, {name: np.full(25, np.nan) for name in observed.values}, np.ones(25, dtype=bool)
    )
    empty = Observed(observed.inputs[:0], {name: y[:0] for name, y in observed.values.items()}, np.zeros(0, dtype=bool))
    for data in (nothing, empty):
        assert len(choose_points('auto', goal, surrogate, data, inputs, 3, seed=0)) == 3


@pytest.mark.parametrize('name', [*SINGLE, 'auto', 'random'])
def test_pools_smaller_than_the_batch_and_duplicates(known, name):
    surrogate, observed, inputs = known
    goal = BAND
    pool = np.concatenate([inputs[:3], inputs[:3]])
    places = choose_points(name, goal, surrogate, observed, pool, 10, seed=0, control=1)
    assert len(places) == 3
    assert len({tuple(pool[place.index]) for place in places}) == 3
    assert [place.arm for place in places].count('control') == 1
    assert choose_points(name, goal, surrogate, observed, inputs[:0], 5, seed=0) == []
    assert choose_points(name, goal, surrogate, observed, inputs, 0, seed=0) == []
    assert choose_points(name, goal, surrogate, observed, pool, 5, seed=0, pending=inputs[:3]) == []


@pytest.mark.parametrize('name', [*SINGLE, 'auto', 'random'])
def test_the_same_seed_gives_the_same_places(known, name):
    surrogate, observed, inputs = known
    first = choose_points(name, BAND, surrogate, observed, inputs, 5, seed=3, control=1, pending=inputs[:2])
    assert first == choose_points(name, BAND, surrogate, observed, inputs, 5, seed=3, control=1, pending=inputs[:2])
    assert [place.arm for place in first] == ['control'] + ['acquisition'] * 4


def test_ties_are_broken_by_the_seed_and_not_by_the_order_of_the_pool():
    X = np.zeros((4, 2))
    observed = Observed(X, {'a': np.ones(4)}, np.zeros(4, dtype=bool))
    pool = np.full((50, 2), 4.0) + np.arange(50)[:, None] * 1e-7
    surrogate = Fitted({'a': fit_gp(X, np.ones(4))})
    chosen = {choose_points('posterior_mean', TOP, surrogate, observed, pool, 1, seed)[0].index for seed in range(20)}
    assert len(chosen) > 5


def test_the_shortlist_is_exact_where_scores_can_only_shrink(known, monkeypatch):
    surrogate, observed, inputs = known
    for name, goal in (('log_ei', TOP), ('ucb', TOP), ('log_ehvi', FRONT)):
        monkeypatch.setattr('aiida_inversedesign.select.batch.SHORTLIST', 1000)
        whole = [place.index for place in choose_points(name, goal, surrogate, observed, inputs, 8, seed=0)]
        monkeypatch.setattr('aiida_inversedesign.select.batch.SHORTLIST', 2)
        assert [place.index for place in choose_points(name, goal, surrogate, observed, inputs, 8, seed=0)] == whole


@given(seed=st.integers(0, 50), count=st.integers(1, 4))
def test_scores_shrink_where_that_is_claimed(seed, count):
    surrogate, observed, inputs = setting()
    pending = np.random.default_rng(seed).normal(size=(count, 3))
    for name, goal in (('log_ei', TOP), ('ucb', BAND), ('posterior_mean', BAND), ('log_ehvi', FRONT)):
        acquisition = make_acquisition(name, goal, surrogate, observed, 0)
        assert acquisition.submodular
        before, after = acquisition.score(inputs, inputs[:0]), acquisition.score(inputs, pending)
        assert (after <= before + 1e-7 * np.maximum(1, np.abs(before))).all()


def test_an_unknown_property_or_name(known):
    surrogate, observed, inputs = known
    with pytest.raises(SelectError, match='the observations have no b'):
        SearchProblem.of(FRONT, surrogate, Observed(observed.inputs, {'a': observed.values['a']}, observed.failed), 0)
    with pytest.raises(SelectError, match="no acquisition 'best'"):
        choose_points('best', TOP, surrogate, observed, inputs, 1, seed=0)
    with pytest.raises(SelectError, match='negative'):
        choose_points('auto', TOP, surrogate, observed, inputs, -1, seed=0)
