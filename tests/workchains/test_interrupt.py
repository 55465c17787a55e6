"""Ctrl-C in the foreground: nothing continues, finished work is kept, and resume takes up the rest."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from plumpy.greenback_bridge import run_with_portal

from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.foreground import run_campaign
from aiida_inversedesign.workchains.submitted import cancel_jobs

#: evaluations that finished, and jobs that their scheduler has
EVALUATED = (
    "SELECT count(*) FROM db_dbnode WHERE process_type = 'aiida.workflows:inversedesign.evaluate.table' "
    "AND json_extract(attributes, '$.exit_status') = 0"
)
JOBS = "SELECT count(*) FROM db_dbnode WHERE json_extract(attributes, '$.state') = 'withscheduler'"


@pytest.fixture
def python_code(aiida_profile_clean: Any, tmp_path: Path) -> Any:
    """A code for the table engine's jobs on this machine."""
    from rehearsal import make_python_code

    return make_python_code(tmp_path, 'inversedesign.table')


class Interruption(threading.Thread):
    """Sends Ctrl-C to this process when the database shows what it waits for.

    It reads the file itself: a session of AiiDA's in another thread would hold a lock on it.
    """

    def __init__(self, profile: Any, *queries: str) -> None:
        super().__init__(daemon=True)
        self.path, self.queries = Path(profile.storage_config['filepath']) / 'database.sqlite', queries
        self.ended = threading.Event()
        self.sent = False

    def run(self) -> None:
        """Look every tenth of a second."""
        with sqlite3.connect(f'file:{self.path}?mode=ro', uri=True) as database:
            while not self.ended.wait(0.1):
                if all(database.execute(query).fetchone()[0] for query in self.queries):
                    self.sent = True
                    os.kill(os.getpid(), signal.SIGINT)
                    return

    def __enter__(self) -> Interruption:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()


def processes_in(folder: Path) -> list[str]:
    """Processes that work below a folder."""
    found = []
    for process in psutil.process_iter(['cwd', 'cmdline', 'status']):
        if (process.info['cwd'] or '').startswith(str(folder)) and process.info['status'] != psutil.STATUS_ZOMBIE:
            found.append(' '.join(process.info['cmdline'] or ()))
    return found


def count_evaluated() -> int:
    from aiida.orm import QueryBuilder, WorkChainNode

    filters = {'process_type': 'aiida.workflows:inversedesign.evaluate.table', 'attributes.exit_status': 0}
    return QueryBuilder().append(WorkChainNode, filters=filters).count()


@pytest.mark.parametrize(
    'moment',
    [
        pytest.param((EVALUATED, JOBS), id='some have finished', marks=pytest.mark.slow),
        pytest.param((JOBS,), id='jobs are being submitted', marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_campaign_leaves_nothing_running_and_goes_on_with_resume(
    python_code: Any, campaign: Any, aiida_profile: Any, tmp_path: Path, moment: tuple[str, ...]
) -> None:
    from aiida.orm import ProcessNode, QueryBuilder

    from aiida_inversedesign.workchains.resume import resume_campaign

    # two waves of two jobs: while the second runs, the first has finished, however slow the machine is
    evaluate = {'code': python_code.full_label, 'delay_seconds': 2.0, 'delay_sigma': 0.0}
    builder, _ = campaign(evaluate=evaluate, budget={'evaluations': 4, 'at_once': 2})
    with Interruption(aiida_profile, *moment) as interruption:
        first = run_campaign(builder)
    assert interruption.sent
    assert first.is_killed
    assert processes_in(tmp_path) == []
    states = QueryBuilder().append(ProcessNode, project='attributes.process_state').all(flat=True)
    assert set(states) <= {'finished', 'killed'}
    finished = count_evaluated()
    assert finished < 4
    assert finished >= (EVALUATED in moment)

    builder, spec = resume_campaign(first, {})
    assert spec.budget.evaluations == 4
    second = run_campaign(builder)
    assert second.is_finished_ok, second.exit_message
    rows = second.outputs.table.get_rows()
    assert len({row.candidate for row in rows}) == len(rows) == 4
    assert all(row.status == 'completed' for row in rows)
    # an evaluation that had finished before was not launched again
    assert count_evaluated() == 4
    found = verify(second)
    assert is_sound(found), found


def test_cancelling_a_job_that_has_ended_is_no_failure(python_code: Any, caplog: pytest.LogCaptureFixture) -> None:
    """AiiDA's ``core.direct`` fails to list the children of a process that is gone."""
    from aiida.orm import CalcJobNode

    job = CalcJobNode(computer=python_code.computer)
    job.set_job_id(str(2**22 - 1))
    job.store()
    start = time.monotonic()
    asyncio.run(run_with_portal(cancel_jobs, [job]))
    assert time.monotonic() - start < 1
    assert not caplog.records


def test_a_job_that_cannot_be_cancelled_is_named(python_code: Any, caplog: pytest.LogCaptureFixture) -> None:
    from aiida.orm import CalcJobNode

    job = CalcJobNode(computer=python_code.computer)
    job.set_job_id('no-number')
    job.store()
    asyncio.run(run_with_portal(cancel_jobs, [job]))
    assert 'job no-number' in caplog.text
    assert 'cancel it there by hand' in caplog.text
