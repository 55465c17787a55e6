"""A database that another program locks, or that goes away: a campaign in the foreground waits, and can be stopped."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rehearsal import make_python_code
from test_interrupt import JOBS, count_evaluated, processes_in

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.control import FOREGROUND
from aiida_inversedesign.workchains import patience
from aiida_inversedesign.workchains.foreground import run_campaign
from aiida_inversedesign.workchains.resume import resume_campaign


def database_of(profile: Any) -> Path:
    return Path(profile.storage_config['filepath']) / 'database.sqlite'


class Locks(threading.Thread):
    """Another program that locks the database, as a backup does.

    :param kind: ``IMMEDIATE`` (nobody else writes), ``EXCLUSIVE`` (nobody else reads), ``READ`` (no commit succeeds).
    :param wait_for: query of what must be there before the first lock.
    :param then: what is done as soon as the lock is held.
    """

    def __init__(
        self, path: Path, kind: str, seconds: float, times: int = 1, wait_for: str = '', pause: float = 1.0,
        then: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(daemon=True)
        self.path, self.kind, self.seconds, self.times = path, kind, seconds, times
        self.wait_for, self.pause, self.then = wait_for, pause, then
        self.ended, self.held = threading.Event(), 0

    def run(self) -> None:
        database = sqlite3.connect(self.path, isolation_level=None, timeout=60)
        while self.wait_for and not self.ended.wait(0.1) and not database.execute(self.wait_for).fetchone()[0]:
            pass
        while self.held < self.times and not self.ended.wait(self.pause):
            if self.kind == 'READ':
                database.execute('BEGIN')
                database.execute('SELECT count(*) FROM db_dbnode').fetchone()
            else:
                database.execute(f'BEGIN {self.kind}')
            self.held += 1
            if self.then is not None:
                self.then()
            self.ended.wait(self.seconds)
            database.execute('ROLLBACK')
        database.close()


@contextmanager
def locked(*arguments: Any, **options: Any) -> Iterator[Locks]:
    locks = Locks(*arguments, **options)
    locks.start()
    yield locks
    locks.ended.set()
    locks.join()


def rows_of(node: Any) -> list[Any]:
    rows = node.outputs.table.get_rows()
    assert len({row.candidate for row in rows}) == len(rows)
    return rows


@pytest.mark.parametrize('kind', ['IMMEDIATE', 'EXCLUSIVE', 'READ'])
def test_a_campaign_waits_for_a_locked_database(
    campaign: Any, aiida_profile: Any, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, 'UNTIL_ANNOUNCED', 0.5)
    builder, _ = campaign(budget={'evaluations': 6})
    with locked(database_of(aiida_profile), kind, 2.0, times=2, pause=0.3) as locks:
        node = run_campaign(builder)
    assert locks.held
    assert node.is_finished_ok, node.exit_message
    assert len(rows_of(node)) == count_evaluated() == 6
    said = [record.getMessage() for record in caplog.records if record.name == patience.__name__]
    assert 'waits for it and goes on by itself' in said[0]
    assert 'answers again' in said[1]
    assert len(said) <= 2 * locks.held
    assert not [record for record in caplog.records if record.levelno > logging.WARNING]


@pytest.mark.parametrize(('kind', 'number'), [('IMMEDIATE', signal.SIGINT), ('EXCLUSIVE', signal.SIGTERM)])
def test_a_stop_during_a_lock_ends_everything_within_ten_seconds(
    campaign: Any,
    aiida_profile: Any,
    tmp_path: Path,
    kind: str,
    number: signal.Signals,
) -> None:
    from aiida.orm import QueryBuilder, WorkChainNode

    code = make_python_code(tmp_path, 'inversedesign.table')
    evaluate = {'code': code.full_label, 'delay_seconds': 30.0, 'delay_sigma': 0.0}
    builder, _ = campaign(evaluate=evaluate, budget={'evaluations': 4, 'at_once': 2})
    stopped: list[float] = []

    def stop() -> None:
        stopped.append(time.monotonic())
        os.kill(os.getpid(), number)

    with locked(database_of(aiida_profile), kind, 40.0, wait_for=JOBS, then=stop):
        with pytest.raises(InverseDesignError, match=r'jobs were cancelled.*resume [0-9]+ --gone'):
            run_campaign(builder)
        assert time.monotonic() - stopped[0] < 10
        assert processes_in(tmp_path) == []
    filters = {'process_type': 'aiida.workflows:inversedesign.campaign'}
    (first,) = QueryBuilder().append(WorkChainNode, filters=filters).all(flat=True)
    assert not first.is_terminated
    # the tests' own process lives, and so it would seem to run
    first.base.extras.delete(FOREGROUND)
    builder, _ = resume_campaign(first, {}, gone=True)
    assert first.is_killed
    assert 'table' not in builder or builder.table.counts['total'] < 4
