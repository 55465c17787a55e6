"""What is wrong with a daemon, and what is done about it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from aiida_inversedesign.cli.control.recover import DaemonState, Watch, problems
from aiida_inversedesign.cli.control.tend import STATISTICS, Keeper

WELL = DaemonState(daemon=1, workers=(2, 3), managed_broker=True, broker=4, subscribers=2, tasks=5, active=5)


def test_what_is_well_is_left_alone() -> None:
    assert problems(WELL) == []
    assert Watch(grace=0).decide(WELL, 0.0).kind == 'none'


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'daemon': None, 'workers': ()}, 'the daemon has died'),
        ({'daemon': None, 'workers': (), 'strays': (2, 3, 4)}, 'left behind'),
        ({'strays': (9,)}, 'of an earlier daemon'),
        ({'outlived': True}, 'database was started again'),
        ({'managed_broker': False, 'answers': True, 'away': True}, 'RabbitMQ has been away'),
    ],
)
def test_what_cannot_mend_itself_is_mended_at_once(changes: dict[str, object], words: str) -> None:
    action = Watch(grace=1000).decide(replace(WELL, **changes), 0.0)  # type: ignore[arg-type]
    assert action.kind == 'restart'
    assert words in action.reason


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'workers': ()}, 'no worker'),
        ({'broker': None}, 'the broker has died'),
        ({'subscribers': 0}, 'do not listen'),
        ({'subscribers': 1}, 'do not listen'),
        ({'tasks': 4}, 'have no task'),
        ({'unstarted': 1}, 'have not been begun'),
    ],
)
def test_what_may_mend_itself_is_given_time(changes: dict[str, object], words: str) -> None:
    watch, wrong = Watch(grace=20), replace(WELL, **changes)  # type: ignore[arg-type]
    assert watch.decide(wrong, 100.0).kind == 'none'
    assert watch.decide(wrong, 119.0).kind == 'none'
    action = watch.decide(wrong, 120.0)
    assert action.kind == 'restart'
    assert words in action.reason
    # the clock starts again with the new daemon
    assert watch.decide(wrong, 121.0).kind == 'none'


def test_what_has_mended_itself_is_forgotten() -> None:
    watch, wrong = Watch(grace=20), replace(WELL, subscribers=1)
    watch.decide(wrong, 0.0)
    watch.decide(WELL, 10.0)
    assert watch.decide(wrong, 25.0).kind == 'none'


def test_another_broker_is_not_judged() -> None:
    assert problems(replace(WELL, managed_broker=False, broker=None, subscribers=0, tasks=0)) == []


def test_what_runs_in_the_foreground_needs_no_task() -> None:
    state = replace(WELL, tasks=0, active=3)
    assert 'have no task' in Watch(grace=0).decide(state, 0.0).reason
    assert Watch(grace=0).decide(replace(state, foreground=True), 0.0).kind == 'none'


def test_without_its_database_nothing_is_started() -> None:
    assert Watch(grace=0).decide(replace(WELL, daemon=None, active=None), 0.0).kind == 'wait'


def test_paused_jobs_are_told_to_go_on_now_and_then() -> None:
    watch, paused = Watch(replay=60), replace(WELL, paused=(7, 8))
    assert watch.decide(paused, 0.0).processes == (7, 8)
    assert watch.decide(paused, 30.0).kind == 'none'
    assert watch.decide(replace(WELL, paused=(7, 8, 9)), 31.0).processes == (9,)
    assert watch.decide(paused, 60.0).processes == (7, 8)


def test_quiet_jobs_are_told_once_by_each_set_of_workers() -> None:
    watch, quiet = Watch(grace=20), replace(WELL, quiet=(7, 8))
    assert watch.decide(quiet, 0.0).processes == (7, 8)
    assert watch.decide(quiet, 100.0).kind == 'none'
    assert watch.decide(replace(WELL, quiet=(7, 8, 9)), 101.0).processes == (9,)
    # a worker less is not a new one; a new one may have taken any of them up
    assert watch.decide(replace(quiet, workers=(2,), subscribers=1), 102.0).kind == 'none'
    new = replace(quiet, workers=(2, 5))
    assert watch.decide(replace(new, subscribers=1), 103.0).kind == 'none'
    assert watch.decide(new, 104.0).processes == (7, 8)


def test_quiet_jobs_are_found(aiida_profile_clean: object) -> None:
    from aiida import orm
    from aiida.engine import ProcessState

    from aiida_inversedesign.graph.control import quiet_jobs

    def job(state: ProcessState, paused: bool = False) -> int:
        node = orm.CalcJobNode()
        node.set_process_state(state)
        if paused:
            node.pause()
        return int(node.store().pk)

    waiting = job(ProcessState.WAITING)
    job(ProcessState.WAITING, paused=True)
    job(ProcessState.FINISHED)
    assert quiet_jobs(0.0) == [waiting]
    assert quiet_jobs(60.0) == []


def test_paused_jobs_wait_until_the_daemon_is_well() -> None:
    watch = Watch(grace=20)
    assert watch.decide(replace(WELL, subscribers=0, paused=(7,)), 0.0).kind == 'none'


def test_workers_do_not_outlive_their_connection_to_rabbitmq() -> None:
    watch, gone = Watch(grace=1000), replace(WELL, managed_broker=False, answers=False, active=None)
    # at once: as soon as it is back it gives what they run to others
    assert watch.decide(gone, 0.0).kind == 'end'
    assert watch.decide(replace(gone, daemon=None, workers=(), strays=(7,)), 1.0).kind == 'end'
    nothing_left = replace(gone, daemon=None, workers=())
    assert watch.decide(nothing_left, 2.0).kind == 'wait'
    assert watch.decide(replace(nothing_left, answers=True, active=5), 3.0).kind == 'restart'


def test_processes_that_nobody_begins_are_counted(aiida_profile_clean: object) -> None:
    from aiida import orm
    from aiida.engine import ProcessState

    from aiida_inversedesign.graph.control import count_unstarted

    def stored(kind: type, state: ProcessState, checkpoint: bool = True) -> None:
        node = kind()
        node.set_process_state(state)
        node.store()
        if checkpoint:
            node.set_checkpoint('saved')

    stored(orm.WorkChainNode, ProcessState.CREATED)
    stored(orm.CalcJobNode, ProcessState.CREATED)
    stored(orm.CalcJobNode, ProcessState.WAITING)
    # has no checkpoint, so that nobody can ever begin it: its parent sees to that
    stored(orm.CalcJobNode, ProcessState.CREATED, checkpoint=False)
    assert count_unstarted(0.0) == 2
    assert count_unstarted(60.0) == 0


def test_rabbitmq_does_not_belong_to_the_daemon() -> None:
    keeper = object.__new__(Keeper)
    profile = SimpleNamespace(name='x', process_control_backend='core.rabbitmq')
    keeper.client = SimpleNamespace(profile=profile)  # type: ignore[assignment]
    assert keeper._broker_status() is None


def test_what_a_killed_daemon_left_to_count_its_load_is_found(
    aiida_profile: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with circus' command line, whose parent is not a daemon."""
    from aiida.manage.configuration import get_config

    program = f'import time; time.sleep(60)  # {STATISTICS}'
    monkeypatch.setattr('aiida_inversedesign.cli.control.tend.STATISTICS', program)
    environment = {**os.environ, 'AIIDA_PATH': get_config().dirpath}
    keeper = object.__new__(Keeper)
    with (
        subprocess.Popen([sys.executable, '-c', program], env=environment) as ours,
        subprocess.Popen([sys.executable, '-c', program], env={**environment, 'AIIDA_PATH': str(tmp_path)}) as other,
    ):
        try:
            for _ in range(100):
                if found := [process.pid for process in keeper._statistics()]:
                    break
                time.sleep(0.1)
            assert found == [ours.pid]
        finally:
            ours.kill()
            other.kill()
