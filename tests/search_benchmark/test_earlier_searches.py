"""Arms that start from an earlier search, and arms that may ask a cheaper method."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.search import statistics
from aiida_inversedesign.benchmarks.search.arms import (
    ArmError,
    informed_by,
    make_arm,
    our_names,
    parse_arms,
    starting_from_earlier,
)
from aiida_inversedesign.benchmarks.search.fidelity import with_cheap
from aiida_inversedesign.benchmarks.search.goals import Task, make_task, parse_goal
from aiida_inversedesign.benchmarks.search.loop import Plan, Run, search
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.benchmarks.search.report import summarise
from aiida_inversedesign.benchmarks.search.run import run_all, shuffled, with_earlier

PLAN = Plan(initial=8, batch=4, budget=24)
ARMS = ['gp:log_ei', 'from:gp:log_ei', 'shuffled:gp:log_ei']
GOAL = parse_goal('maximize', 'y')


@pytest.fixture(scope='module')
def other() -> Pool:
    """80 points elsewhere, with the maximum shifted a little."""
    rng = np.random.default_rng(8)
    X = rng.random((80, 3))
    y = 2.0 - (X[:, 0] - 0.35) ** 2 - (X[:, 1] - 0.55) ** 2
    return Pool('other.csv', tuple(f'o{i}' for i in range(80)), X, ('a', 'b', 'c'), {'y': y})


@pytest.fixture(scope='module')
def told(pool: Pool, other: Pool) -> Pool:
    """The pool with what searches in the other one found."""
    return with_earlier(
        replace(pool, values={'y': pool.values['y']}), other, GOAL, None, PLAN, ARMS[1:], range(3), None, True, 0
    )


def test_a_search_starts_where_the_earlier_one_ended(told: Pool) -> None:
    task = make_task(GOAL, told.values)
    outcome = run_all(told, task, PLAN, ARMS, range(3), jobs=0)
    figures = summarise(outcome)
    assert not outcome.failed
    start = {name: np.mean([task.hits[run.order[:8]].sum() for run in runs]) for name, runs in outcome.runs.items()}
    assert start['from:gp:log_ei'] > start['gp:log_ei'] + 1
    ratio = figures['paired']['against']['from:gp:log_ei']['cost_to_half_ratio']
    assert ratio['value'] < 0.8
    assert ratio['n'] == 3
    # half of the starting points are those of the others
    for run, alone in zip(outcome.runs['from:gp:log_ei'], outcome.runs['gp:log_ei'], strict=True):
        assert set(alone.order[:4]) <= set(run.order[:8])
    assert 'earlier search' in figures['arms']['from:gp:log_ei']['what']


def test_the_earlier_rows_are_those_of_a_search_and_the_same_each_time(told: Pool, other: Pool) -> None:
    run = search(make_arm('gp:log_ei'), other, make_task(GOAL, other.values), 1, PLAN)
    assert np.array_equal(told.earlier['from', 1].features, other.features[run.order])
    assert np.array_equal(told.earlier['from', 1].values['y'], other.values['y'][run.order])
    wrong = shuffled(other, 1)
    assert sorted(wrong.values['y']) == sorted(other.values['y'])
    assert abs(np.corrcoef(wrong.values['y'], other.values['y'])[0, 1]) < 0.3
    run = search(make_arm('gp:log_ei'), wrong, make_task(GOAL, wrong.values), 1, PLAN)
    assert np.array_equal(told.earlier['shuffled', 1].values['y'], wrong.values['y'][run.order])
    first, second = (search(make_arm('from:gp:log_ei'), told, make_task(GOAL, told.values), 1, PLAN) for _ in range(2))
    assert first.order == second.order
    assert told.digest != replace(told, earlier={}).digest


def test_what_cannot_be_an_earlier_pool_is_refused(pool: Pool, other: Pool) -> None:
    same = (GOAL, None, PLAN, ['from:gp:log_ei'], [0], None, True, 0)
    with pytest.raises(PoolError, match='shares no descriptors'):
        with_earlier(pool, replace(other, names=('a', 'b', 'd')), *same)
    with pytest.raises(PoolError, match=r'1 candidates are in toy\.csv too, e\.g\. c5'):
        with_earlier(pool, replace(other, ids=('c5', *other.ids[1:])), *same)
    with pytest.raises(PoolError, match='name the pool of the earlier search with --from'):
        search(make_arm('from:gp:log_ei'), pool, make_task(GOAL, pool.values), 0, PLAN)
    with pytest.raises(ArmError, match=r'add for example from:auto to --arms'):
        starting_from_earlier(['auto', 'fidelity:auto'])


def test_names_of_arms() -> None:
    assert parse_arms('from:auto,shuffled:gp:log_ei,fidelity:auto') == [
        'from:auto',
        'shuffled:gp:log_ei',
        'fidelity:auto',
    ]
    assert starting_from_earlier(['auto', 'from:gp:log_ei']) == ['from:gp:log_ei']
    assert informed_by('from:gp:log_ei') == ('from', 'gp:log_ei')
    assert informed_by('gp:log_ei') == ('', 'gp:log_ei')
    assert not [name for name in parse_arms('ours') if name.startswith(('from:', 'shuffled:', 'fidelity:'))]
    assert 'from:auto' in our_names()


@pytest.fixture(scope='module')
def cheap(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a cheaper method says: three candidates it does not know, the others with a systematic error."""
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp('cheap') / 'cheap.csv'
    with path.open('w', newline='') as file:
        rows = [
            [name, '' if place < 3 else 0.8 * y + 0.1 + 0.01 * rng.standard_normal()]
            for place, (name, y) in enumerate(zip(pool.ids, pool.values['y'], strict=True))
        ]
        csv.writer(file).writerows([['id', 'y'], *rows])
    return path


def test_a_cheaper_method_is_asked_and_paid_for(pool: Pool, task: Task, cheap: Path) -> None:
    both = with_cheap(pool, cheap, 20.0, GOAL)
    outcome = run_all(both, task, PLAN, ['gp:log_ei', 'fidelity:gp:log_ei'], range(3), jobs=0)
    assert not outcome.failed
    for run in outcome.runs['fidelity:gp:log_ei']:
        assert len(run.asked) == len(run.order)
        assert run.asked == sorted(run.asked)
        # the first questions are at the cost of one evaluation, and no candidate is asked about twice
        assert run.asked[0] == 20
        assert run.asked[-1] <= 117
        assert Run.from_dict(run.to_dict()) == run
    figures = summarise(outcome)
    cost = figures['arms']['fidelity:gp:log_ei']['cost_to_half']['median']
    assert cost > figures['arms']['fidelity:gp:log_ei']['evaluations_to_half']['median']
    assert cost < figures['arms']['gp:log_ei']['cost_to_half']['median']
    assert not any(run.asked for run in outcome.runs['gp:log_ei'])


def test_what_cannot_be_asked_is_refused(pool: Pool, cheap: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match='one property that is maximised or minimised'):
        with_cheap(pool, cheap, 10.0, parse_goal('pareto:y,z', None))
    (tmp_path / 'other.csv').write_text('id,z\nc1,2\n')
    with pytest.raises(PoolError, match="no column 'y' with numbers"):
        with_cheap(pool, tmp_path / 'other.csv', 10.0, GOAL)
    with pytest.raises(PoolError, match='name what the cheaper method says with --cheap'):
        search(make_arm('fidelity:gp:log_ei'), pool, make_task(GOAL, pool.values), 0, PLAN)


def test_ratio_of_medians() -> None:
    found = statistics.ratio_of_medians(np.array([[10.0, 12.0, 14.0], [20.0, 24.0, 28.0]]))
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    # a ratio with a censored median is not known
    assert statistics.ratio_of_medians(np.array([[2.0, 3.0], [math.inf, math.inf]])).value is None
    some = statistics.ratio_of_medians(np.array([[2.0] * 6, [4.0, 4.0, 4.0, 4.0, math.inf, math.inf]]))
    assert (some.value, some.low, some.high) == (0.5, None, 0.5)
    assert statistics.ratio_of_medians(np.array([[math.inf, math.inf], [2.0, 3.0]])).value is None
    assert statistics.ratio_of_medians(np.empty((2, 0))).value is None
