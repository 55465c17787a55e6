"""What became of an evaluation and of a job, case by case; no profile is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.graph.evaluation_account import Ending, Evaluation, account_of, last_launches
from aiida_inversedesign.graph.job_record import Cost, JobRecord, cost_of

GOAL = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 2.0}])
STABLE = Goal(objectives=[{'property': 'k', 'maximize': True, 'hit': 2.0}], constraints=[
    {'property': 'e_above_hull', 'max': 0.1},
])  # fmt: skip
PW = 'aiida.calculations:quantumespresso.pw'
ASE = 'aiida.calculations:inversedesign.ase'
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ('state', 'exit_status', 'running', 'ok', 'reason'),
    [
        ('created', None, True, False, ''),
        ('running', None, True, False, ''),
        ('waiting', 0, True, False, ''),
        ('finished', 0, False, True, ''),
        ('finished', 7, False, False, 'because of this'),
        ('finished', None, False, False, 'because of this'),
        ('excepted', None, False, False, 'it stopped with an internal error: ValueError: no'),
        ('killed', None, False, False, 'it was killed before it finished'),
        ('killed', 0, False, False, 'it was killed before it finished'),
    ],
)
def test_how_a_process_ended(state: str, exit_status: int | None, running: bool, ok: bool, reason: str) -> None:
    ending = Ending(
        state=state, exit_status=exit_status, exit_message='because of this.', exception='Traceback\nValueError: no\n'
    )
    assert (ending.is_running, ending.is_ok, ending.reason) == (running, ok, reason)
    assert Ending(state='finished', exit_status=7).reason == 'it ended with exit status 7'
    bare = Ending(state='excepted').reason
    assert bare == 'it stopped with an internal error (`verdi process report` shows it)'


@pytest.mark.parametrize(
    ('state', 'exit_status', 'was_stopped', 'is_harvested', 'status'),
    [
        ('waiting', None, True, True, 'running'),
        ('killed', None, True, False, 'stopped'),
        ('killed', None, True, True, 'failed'),
        ('killed', None, False, False, 'failed'),
        ('excepted', None, True, False, 'failed'),
        ('finished', 0, True, False, 'completed'),
        ('finished', 3, True, False, 'failed'),
    ],
)
def test_what_became_of_an_evaluation(
    state: str, exit_status: int | None, was_stopped: bool, is_harvested: bool, status: str
) -> None:
    ending = Ending(state=state, exit_status=exit_status)
    assert ending.status(was_stopped, is_harvested) == status
    assert ending.status(was_stopped) == ('stopped' if (state, was_stopped) == ('killed', True) else status)
    account = account_of(ending, GOAL, {}, {} if is_harvested else None, was_stopped)
    assert (account.status, account.reason) == (status, ending.reason)


def test_properties_are_those_returned_with_what_only_the_table_has() -> None:
    good = Ending(state='finished', exit_status=0)
    account = account_of(good, GOAL, {'k': 2.0}, {'k': 1.0, 'e_above_hull': 0.0}, False)
    assert account.properties == {'k': 2.0, 'e_above_hull': 0.0}
    assert account.hit is True
    assert account_of(good, GOAL, {'k': 2.0}, None, False).hit is True
    assert account_of(good, GOAL, {'k': 1.0}, None, False).hit is False
    failed = account_of(Ending(state='finished', exit_status=3), GOAL, {'k': 2.0}, {'k': 2.0}, False)
    assert (failed.properties, failed.hit) == ({}, False)
    running = account_of(Ending(state='waiting'), GOAL, {'k': 2.0}, None, False)
    assert (running.properties, running.hit) == ({}, None)
    assert account_of(Ending(state='killed'), GOAL, {}, None, True).hit is None


def test_the_energy_above_the_hull_waits_for_the_harvest() -> None:
    good = Ending(state='finished', exit_status=0)
    assert account_of(good, STABLE, {'k': 2.0}, None, False).hit is None
    assert account_of(good, STABLE, {'k': 2.0, 'e_above_hull': 0.1}, None, False).hit is True
    assert account_of(good, STABLE, {'k': 2.0}, {'e_above_hull': 0.1}, False).hit is True
    assert account_of(good, STABLE, {'k': 2.0}, {'e_above_hull': 0.2}, False).hit is False
    # harvested without it: it will not come
    assert account_of(good, STABLE, {'k': 2.0}, {'k': 2.0}, False).hit is False
    assert account_of(Ending(state='finished', exit_status=3), STABLE, {}, None, False).hit is False


def launch(number: int, label: str, process_label: str = 'EvaluateWorkChain') -> Evaluation:
    return Evaluation(
        state='finished', exit_status=0, id=number, uuid=str(number), generation=1, label=label, description='',
        process_label=process_label, started=NOW, changed=NOW,
    )  # fmt: skip


def test_the_last_launch_of_each_candidate_counts() -> None:
    launched = [launch(1, 'a'), launch(2, 'reference_B'), launch(3, 'b'), launch(4, 'a'), launch(5, 'c')]
    assert [item.id for item in last_launches(iter(launched))] == [3, 4, 5]
    assert [item.is_reference for item in launched] == [False, True, False, False, False]
    assert not launched[0].is_reused
    assert launch(6, 'd', 'ReusedEvaluateWorkChain').is_reused


def job(path: str = 'relax/iteration_01', evaluation: str = 'a', **fields: Any) -> JobRecord:
    values = {
        'id': 1, 'created': NOW, 'generation': 1, 'evaluation_id': 1, 'process_type': PW, 'exit_status': 0,
        'state': 'finished', 'processes': 2, 'wall_seconds': 1800.0, 'allowed_seconds': 7200.0, 'cached': False,
    }  # fmt: skip
    return JobRecord(evaluation=evaluation, path=tuple(path.split('/')), **{**values, **fields})


@pytest.mark.parametrize(
    ('path', 'process_type', 'evaluation', 'kind', 'dft', 'restart'),
    [
        ('relax/iteration_01', PW, 'a', 'relax', True, False),
        ('relax/iteration_02', PW, 'a', 'relax', True, True),
        ('eos_3/iteration_10', PW, 'a', 'equation_of_state', True, True),
        ('relax/iteration_02', PW, 'reference_B', 'reference', True, True),
        ('relax_attempt_2', ASE, 'a', 'ase', False, True),
        ('relax_attempt_1', ASE, 'reference_B', 'ase', False, False),
        ('stage_2', PW, 'a', 'further', True, False),
        ('relax/iteration_x', PW, 'a', 'relax', True, False),
        ('somewhere/iteration_02', 'aiida.calculations:strange', 'a', 'other', False, True),
    ],
)
def test_what_a_job_was_for(path: str, process_type: str, evaluation: str, kind: str, dft: bool, restart: bool) -> None:
    found = job(path, evaluation, process_type=process_type)
    assert (found.is_dft, found.is_restart, found.is_reference) == (dft, restart, evaluation == 'reference_B')
    assert found.kind == kind


@pytest.mark.parametrize(
    ('state', 'exit_status', 'process_type', 'ended', 'failed', 'residual'),
    [
        ('waiting', None, PW, False, False, False),
        ('running', 410, PW, False, False, False),
        ('excepted', None, PW, True, True, False),
        ('killed', None, PW, True, True, False),
        ('killed', 501, PW, True, True, False),
        ('finished', 0, PW, True, False, False),
        ('finished', 501, PW, True, False, True),
        ('finished', 410, PW, True, True, False),
        ('finished', None, PW, True, True, False),
        ('finished', 501, 'aiida.calculations:strange', True, True, False),
        ('finished', 0, 'aiida.calculations:strange', True, False, False),
    ],
)
def test_how_a_job_ended(
    state: str, exit_status: int | None, process_type: str, ended: bool, failed: bool, residual: bool
) -> None:
    found = job(state=state, exit_status=exit_status, process_type=process_type, exit_message='Said.')
    assert (found.has_ended, found.has_failed, found.has_residual) == (ended, failed, residual)
    assert bool(found.failure) == failed


def test_why_a_job_failed() -> None:
    assert job(state='killed').failure == 'the job was killed before it finished'
    strange = job(process_type='aiida.calculations:strange', exit_status=9, exit_message='Said.')
    assert strange.failure == 'Said'
    assert job(process_type='aiida.calculations:strange', exit_status=9).failure == 'the job ended with exit status 9'
    out_of_time = job(exit_status=400, exit_message='Said.').failure
    assert 'wall time' in out_of_time


def test_what_jobs_cost() -> None:
    jobs = [
        job(),
        job(wall_seconds=None),
        job(cached=True),
        job(process_type=ASE, path='prerelax', processes=1, wall_seconds=3600.0),
    ]
    assert [item.core_hours for item in jobs] == [1.0, None, 0.0, 1.0]
    assert job(cached=True, wall_seconds=None).core_hours == 0.0
    cost = cost_of(iter(jobs))
    assert cost == Cost(2, 2.0, 1.0 + 4.0 + 1.0)
    assert cost.charged == (2, 6.0)
    assert cost_of(jobs[1:2]) == Cost(1, None, 4.0)
    assert cost_of([]) == cost_of(jobs[2:3]) == Cost()
