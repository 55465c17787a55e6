"""Searches: fair starts, honest arms, finished runs kept, figures that follow from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.search.arms import ArmError, RandomArm, make_arm, our_names, parse_arms
from aiida_inversedesign.benchmarks.search.goals import Task, make_task, parse_goal
from aiida_inversedesign.benchmarks.search.loop import Plan, Question, Run, Step, search, starting_points
from aiida_inversedesign.benchmarks.search.peers import GROUP, PEERS, Peer, PeerError, Single
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.benchmarks.search.report import summarise
from aiida_inversedesign.benchmarks.search.run import Outcome, run_all
from aiida_inversedesign.benchmarks.search.statistics import random_hits

PLAN = Plan(initial=10, batch=5, budget=30)


@dataclass(frozen=True)
class Scripted:
    """An arm that does what it is told, and keeps what it was told."""

    script: Callable[..., list[int]]
    name: str = 'scripted'

    def begin(self, question: Question) -> Scripted:
        return self

    def choose(self, observed: Any, values: Any, size: int, generation: int) -> Step:
        return Step(self.script(observed, values, size, generation))


def test_every_arm_starts_from_the_same_points(pool: Pool, task: Task) -> None:
    starts = [search(make_arm(name), pool, task, 4, Plan(10, 5, 15)).order[:10] for name in ('random_drawn', 'gp:ucb')]
    assert starts[0] == starts[1] == starting_points(pool, task, 10, 4)
    assert starts[0] != starting_points(pool, task, 10, 5)


def test_the_errors_of_what_was_observed_reach_our_surrogates(pool: Pool, task: Task) -> None:
    rng = np.random.default_rng(5)
    errors = np.where(rng.random(len(pool)) < 0.5, 0.5, 0.001)
    noisy = replace(pool, values={'y': pool.values['y'] + errors * rng.standard_normal(len(pool))})
    plan = Plan(30, 5, 60)
    with_errors = search(make_arm('gp:auto'), replace(noisy, errors={'y': errors}), task, 0, plan)
    without = search(make_arm('gp:auto'), noisy, task, 0, plan)
    assert with_errors.order != without.order
    assert task.hits[with_errors.order].sum() > task.hits[without.order].sum()


def test_far_starts_come_from_the_worse_half(pool: Pool, task: Task) -> None:
    points = starting_points(pool, task, 30, 0, 'far')
    assert len(set(points)) == 30
    assert pool.values['y'][points].max() <= np.median(pool.values['y'])


def test_an_arm_is_told_the_answers_of_its_choices_and_no_others(pool: Pool, task: Task) -> None:
    told = []

    def script(observed: Any, values: Any, size: int, generation: int) -> list[int]:
        told.append((observed.copy(), values['y'].copy(), size, generation))
        return [int(place) for place in np.setdiff1d(np.arange(120), observed)[:size]]

    run = search(Scripted(script), pool, task, 0, Plan(10, 7, 28))
    assert [item[2] for item in told] == [7, 7, 4]
    assert [item[3] for item in told] == [2, 3, 4]
    for observed, answers, _, _ in told:
        np.testing.assert_array_equal(answers, pool.values['y'][observed])
    assert len(run.order) == len(set(run.order)) == 28


def test_a_search_ends_when_every_hit_is_found(pool: Pool, task: Task) -> None:
    hits = np.flatnonzero(task.hits)

    def script(observed: Any, values: Any, size: int, generation: int) -> list[int]:
        return [int(place) for place in hits if place not in observed][:size]

    run = search(Scripted(script), pool, task, 0, Plan(10, 5, 100))
    assert len(run.order) < 20
    assert task.hits[run.order].sum() == task.total


@pytest.mark.parametrize('wrong', [[0, 0], [500], [], list(range(99))])
def test_a_choice_that_is_none_is_an_error(pool: Pool, task: Task, wrong: list[int]) -> None:
    with pytest.raises(PoolError, match='arm scripted: chose'):
        search(Scripted(lambda *_: wrong), pool, task, 0, PLAN)


def test_a_pool_smaller_than_the_budget_is_searched_whole(pool: Pool, task: Task) -> None:
    run = search(RandomArm(), pool, task, 1, Plan(10, 50, 1000))
    assert len(run.order) <= 120
    assert task.hits[run.order].all() or task.hits[run.order].sum() == task.total


@pytest.mark.parametrize('name', ['auto', 'gp:log_ei', 'gp:posterior_mean', 'forest:log_ei', 'bootstrap:ego'])
def test_our_arms_beat_random_and_repeat_themselves(pool: Pool, task: Task, name: str) -> None:
    runs = [search(make_arm(name), pool, task, 0, Plan(12, 4, 32)) for _ in range(2)]
    assert runs[0].order == runs[1].order
    # a search that has every hit ends before its budget
    assert len(runs[0].predicted['y']) == len(runs[0].order) - 12
    # log-EI looks for the best one and stops collecting when it is found: a hit, but not many
    least = 0.5 if name.endswith('log_ei') else random_hits(32, task.total, len(pool))[0]
    assert task.hits[runs[0].order].sum() > least
    assert sum(runs[0].how.values()) == len(runs[0].seconds)


def test_every_arm_of_ours_can_be_named_and_made() -> None:
    for name in our_names():
        assert parse_arms(name) == [name]
        assert make_arm(name).name == name
    assert parse_arms('forest, log_ei,forest:log_ei,peers') == ['forest:log_ei', 'gp:log_ei', *GROUP]
    with pytest.raises(ArmError, match="Did you mean 'gp:log_ei'"):
        parse_arms('gp:log_i')
    with pytest.raises(ArmError, match='names nothing'):
        parse_arms(' ,')


@pytest.mark.parametrize(
    'name',
    ['botorch', 'spacier_window', 'rocketsled_like', 'physbo', pytest.param('baybe', marks=pytest.mark.slow)],
)
def test_peers_that_are_installed_search(pool: Pool, task: Task, name: str) -> None:
    if PEERS[name].missing():
        pytest.skip(PEERS[name].missing())
    state = np.random.get_state()[1].copy()
    run = search(make_arm(name), pool, task, 0, Plan(12, 2, 16))
    assert len(set(run.order)) == 16
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize('goal', [('window:-0.05,-0.02', ('z<=0.6',)), ('maximize', ('z<=0.6',))])
def test_peers_take_bounds_as_one_number(pool: Pool, goal: tuple[str, tuple[str, ...]]) -> None:
    task = make_task(parse_goal(goal[0], 'y', goal[1]), pool.values)
    for name in ('botorch', 'spacier_window'):
        run = search(make_arm(name), pool, task, 0, Plan(12, 4, 28))
        assert task.hits[run.order].sum() > random_hits(28, task.total, len(pool))[0]


def test_one_number_is_positive_exactly_at_hits(pool: Pool) -> None:
    for text in ('window:-0.05,-0.02', 'target:-0.04±0.02'):
        task = make_task(parse_goal(text, 'y', ['z<=0.6']), pool.values)
        assert ((Single(task.goal)(pool.values) >= 0) == task.hits).all()


def test_several_objectives(pool: Pool) -> None:
    task = make_task(parse_goal('pareto:y,z', None), pool.values)
    run = search(make_arm('gp:log_ei'), pool, task, 0, Plan(10, 3, 16))
    assert set(run.predicted) == {'y', 'z'}
    with pytest.raises(PeerError, match='takes one objective'):
        search(make_arm('rocketsled_like'), pool, task, 0, PLAN)
    outcome = Outcome(pool, task, Plan(10, 3, 16), [0], ['gp:log_ei'], {'gp:log_ei': [run]})
    regret = summarise(outcome)['arms']['gp:log_ei']['regret_at']
    assert 0 <= regret['16']['mean'] <= regret['10']['mean'] <= 1


def test_finished_runs_are_not_run_again(pool: Pool, task: Task, tmp_path: Path) -> None:
    steps: list[str] = []
    first = run_all(pool, task, PLAN, ['random_drawn'], [0, 1], tmp_path, jobs=0)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    # an interruption in the middle of a line
    file.write_text(whole[:-40])
    again = run_all(pool, task, PLAN, ['random_drawn'], [0, 1], tmp_path, jobs=0, report=lambda s, _: steps.append(s))
    assert len(steps) == 1
    assert [run.order for run in again.runs['random_drawn']] == [run.order for run in first.runs['random_drawn']]
    run_all(pool, task, PLAN, ['random_drawn'], [0, 1], tmp_path, jobs=0, report=lambda s, _: steps.append(s))
    assert len(steps) == 1
    run_all(pool, task, PLAN, ['random_drawn'], [0, 1], tmp_path, False, 0, lambda s, _: steps.append(s))
    assert len(steps) == 3
    run_all(pool, task, Plan(10, 5, 25), ['random_drawn'], [0], tmp_path, jobs=0)
    assert len(list(tmp_path.iterdir())) == 2


def test_processes_give_what_one_process_gives(pool: Pool, task: Task) -> None:
    outcomes = [run_all(pool, task, PLAN, ['random_drawn'], [0, 1, 2], jobs=jobs) for jobs in (0, 2)]
    orders = [[run.order for run in outcome.runs['random_drawn']] for outcome in outcomes]
    assert orders[0] == orders[1]


def test_a_peer_that_is_not_installed_or_fails_is_reported(
    pool: Pool, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(question: Question) -> Any:
        raise RuntimeError('no licence')

    monkeypatch.setitem(PEERS, 'absent', Peer('absent', 'a peer', ('no_such_package',), broken))
    monkeypatch.setitem(PEERS, 'broken', Peer('broken', 'a peer', (), broken))
    outcome = run_all(pool, task, PLAN, ['absent', 'broken', 'random_drawn'], [0, 1], jobs=0)
    arms = summarise(outcome)['arms']
    assert arms['absent']['hits_at'] is None
    assert 'not installed: no_such_package' in arms['absent']['reason']
    assert arms['broken']['failed'] == [{'seed': seed, 'reason': 'RuntimeError: no licence'} for seed in (0, 1)]
    assert arms['random_drawn']['n'] == 2


def test_plans_that_do_not_fit_the_pool(pool: Pool, task: Task) -> None:
    for plan, message in ((Plan(120, 5, 200), '--initial 120'), (Plan(20, 5, 20), '--budget 20'), (Plan(1, 1, 9), '2')):
        with pytest.raises(PoolError, match=message):
            run_all(pool, task, plan, ['random'], [0])


def handmade(pool: Pool, task: Task) -> Outcome:
    """Two runs: one finds half of the hits at once, the other never."""
    hits, others = np.flatnonzero(task.hits).tolist(), np.flatnonzero(~task.hits).tolist()
    mean, right = pool.values['y'], pool.values['y'].std()
    good, bad = others[:10] + hits[:3] + others[10:27], others[:30]
    runs = [
        Run(
            'made',
            seed,
            10,
            order,
            {'y': [[float(mean[i]) + shift, float(right)] for i in order[10:]]},
            [0.5] * 4,
            99.0,
        )
        for seed, (order, shift) in enumerate([(good, 0.0), (bad, 10.0)])
    ]
    return Outcome(pool, task, PLAN, [0, 1], ['random', 'gp:log_ei'], {'gp:log_ei': runs})


def test_the_figures_follow_from_the_runs(pool: Pool, task: Task) -> None:
    figures = summarise(handmade(pool, task), at=[13])
    arm = figures['arms']['gp:log_ei']
    assert (figures['schema'], figures['hits'], figures['seeds'], figures['half']) == ('inversedesign/1', 6, 2, 3)
    assert arm['hits_at']['13'] == {'mean': 1.5, 'low': 0.0, 'high': 3.0}
    assert arm['enrichment_at']['13']['mean'] == pytest.approx(1.5 / (13 * 6 / 120))
    assert arm['evaluations_to_half']['median'] is None
    assert arm['evaluations_to_half']['more_than'] == 30
    assert '1 of 2 runs found 3 hit(s)' in arm['evaluations_to_half']['reason']
    assert arm['acceleration'] is None
    assert arm['acceleration_reason'].startswith('less than 1.73')
    assert arm['acceleration_interval'] == [None, pytest.approx(3 * 121 / 7 / 13)]
    assert arm['coverage']['value'] == 0.5
    assert (arm['seconds_per_step'], arm['peak_mb']) == (0.5, 99.0)
    assert arm['regret_at']['30']['mean'] >= 0
    # handmade runs come from no version of the code
    assert arm['note'].startswith('2 of 2 runs were made by another version')
    json.dumps(figures, allow_nan=False)


def test_random_is_exact(pool: Pool, task: Task) -> None:
    figures = summarise(handmade(pool, task))['arms']['random']
    assert figures['hits_at']['20']['mean'] == pytest.approx(1.0)
    assert figures['evaluations_to_half']['mean'] == pytest.approx(3 * 121 / 7)
    drawn = [search(RandomArm(), pool, task, seed, Plan(10, 20, 50)) for seed in range(300)]
    counts = [task.hits[run.order].sum() for run in drawn]
    assert np.mean(counts) == pytest.approx(figures['hits_at']['30']['mean'] * 50 / 30, rel=0.1)


def test_arms_are_compared_seed_by_seed(pool: Pool, task: Task) -> None:
    outcome = handmade(pool, task)
    outcome.arms.append('gp:ucb')
    outcome.runs['gp:ucb'] = outcome.runs['gp:log_ei'][::-1]
    for seed, run in enumerate(outcome.runs['gp:ucb']):
        run.seed = seed
    paired = summarise(outcome)['paired']
    assert paired['first'] == 'gp:log_ei'
    row = paired['against']['gp:ucb']
    assert row['n'] == 2
