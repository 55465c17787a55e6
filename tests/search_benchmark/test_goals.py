"""Goals as they are written, and the hits they have in a pool."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aiida_inversedesign.benchmarks.search.goals import GoalError, front, make_task, parse_goal, utilities
from aiida_inversedesign.campaign.row import is_hit

VALUES = {'gap': np.array([0.0, 1.5, 2.0, 3.0, 3.5, 2.5]), 'heat': np.array([0.1, 0.1, 0.3, 0.2, 0.0, 0.25])}


def test_windows_and_bounds_define_hits_as_campaigns_do() -> None:
    goal = parse_goal('window:1.5,3.0', 'gap', ['heat<=0.2'])
    task = make_task(goal, VALUES)
    assert task.hits.tolist() == [False, True, False, True, False, False]
    rows = [{name: float(column[i]) for name, column in VALUES.items()} for i in range(6)]
    assert [is_hit(goal, row) for row in rows] == task.hits.tolist()
    assert task.rule == '1.5 <= gap <= 3 and heat <= 0.2'


@pytest.mark.parametrize('text', ['target:2.5±0.5', 'target:2.5+-0.5', 'target: 2.5 +/- 0.5'])
def test_a_target_has_a_tolerance(text: str) -> None:
    task = make_task(parse_goal(text, 'gap'), VALUES)
    assert task.hits.tolist() == [False, False, True, True, False, True]


@pytest.mark.parametrize(
    ('where', 'bounds'),
    [
        ('heat<=0.2', (None, 0.2)),
        ('heat >= -1e-3', (-0.001, None)),
        ('0.1 <= heat', (0.1, None)),
        ('.1<=heat<=0.2', (0.1, 0.2)),
    ],
)
def test_bounds(where: str, bounds: tuple[float | None, float | None]) -> None:
    (constraint,) = parse_goal('maximize', 'gap', [where]).constraints
    assert (constraint.min, constraint.max) == bounds


def test_the_best_share_is_not_told_to_the_arms() -> None:
    values = {'y': np.arange(100.0)}
    task = make_task(parse_goal('maximize', 'y'), values, top=0.1)
    assert task.total == 10
    assert task.goal.objectives[0].hit is None
    assert task.rule.startswith('top 0.1: y >= ')
    low = make_task(parse_goal('minimize', 'y'), values)
    assert np.flatnonzero(low.hits).tolist() == [0, 1, 2, 3, 4]
    told = make_task(parse_goal('maximize', 'y', hit=97), values)
    assert told.total == 3


def test_the_best_share_is_one_of_those_that_keep_the_bounds() -> None:
    values = {'y': np.arange(100.0), 'x': np.arange(100.0)}
    task = make_task(parse_goal('maximize', 'y', ['x<=49']), values, top=0.1)
    assert np.flatnonzero(task.hits).tolist() == [45, 46, 47, 48, 49]


def test_several_objectives_have_the_pareto_front_as_hits() -> None:
    values = {'a': np.array([0.0, 1.0, 2.0, 0.5]), 'b': np.array([0.0, 3.5, 3.0, 0.1])}
    task = make_task(parse_goal('pareto:a,-b', None), values)
    assert task.hits.tolist() == [True, False, True, True]
    assert make_task(parse_goal('pareto:a,b', None), values, top=0.5).total == 2


@pytest.mark.parametrize(
    ('text', 'name', 'where', 'message'),
    [
        ('maximise', 'gap', (), 'write maximize, minimize'),
        ('maximize:3', 'gap', (), 'write maximize'),
        ('window:3,1', 'gap', (), 'low < high'),
        ('target:3', 'gap', (), 'target:V±T'),
        ('target:3±0', 'gap', (), 'greater than 0'),
        ('pareto:gap', None, (), 'two or more'),
        ('pareto:gap,-gap', None, (), 'different'),
        ('maximize', None, (), 'name the property'),
        ('maximize', 'gap', ('heat<0.2',), 'name<=V'),
        ('maximize', 'gap', ('heat',), 'name<=V'),
        ('maximize', 'gap', ('1<=heat>=2',), 'name<=V'),
        ('maximize', 'gap', ('2<=heat<=1',), 'below max'),
    ],
)
def test_what_is_not_understood_says_how_to_write_it(
    text: str, name: str | None, where: tuple[str, ...], message: str
) -> None:
    with pytest.raises(GoalError, match=message):
        parse_goal(text, name, where)


@pytest.mark.parametrize(
    ('text', 'where', 'top', 'message'),
    [
        ('window:10,11', (), None, 'no member of the pool is a hit'),
        ('window:-1,11', (), None, 'every member'),
        ('maximize', ('heat>=9',), None, 'no member of the pool keeps'),
        ('maximize', (), 1.5, 'between 0 and 1'),
        ('window:1,2', (), 0.1, '--top is for'),
    ],
)
def test_goals_that_make_no_search(text: str, where: tuple[str, ...], top: float | None, message: str) -> None:
    with pytest.raises(GoalError, match=message):
        make_task(parse_goal(text, 'gap', where), VALUES, top)


def test_a_constant_property_is_no_search() -> None:
    with pytest.raises(GoalError, match='every member'):
        make_task(parse_goal('maximize', 'y'), {'y': np.ones(10)})


@given(arrays(np.float64, (12, 2), elements=st.integers(0, 5).map(float)))
def test_the_front_is_what_nothing_dominates(points: np.ndarray) -> None:
    expected = [not any((other >= point).all() and (other > point).any() for other in points) for point in points]
    assert front(points).tolist() == expected


def test_utilities_rise_towards_the_goal() -> None:
    assert utilities(parse_goal('window:1.5,3', 'gap'), VALUES)[:, 0].tolist() == [-1.5, 0, 0, 0, -0.5, 0]
    assert utilities(parse_goal('target:2±1', 'gap'), VALUES)[:, 0].tolist() == [-2, -0.5, 0, -1, -1.5, -0.5]
    assert utilities(parse_goal('minimize', 'heat'), VALUES)[4, 0] == 0
