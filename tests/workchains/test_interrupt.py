"""Ctrl-C in the foreground: nothing goes on, what finished is kept, and resume takes up the rest."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.workchains.foreground import run_campaign


@pytest.fixture
def python_code(aiida_profile_clean: Any, tmp_path: Path) -> str:
    """A code for the table engine's jobs on this machine."""
    import sys

    from aiida.orm import InstalledCode

    from aiida_inversedesign.cli.setup_local import make_localhost_computer

    computer = make_localhost_computer(tmp_path, poll_interval=0.1)
    return (
        InstalledCode(
            label='python',
            computer=computer,
            filepath_executable=sys.executable,
            default_calc_job_plugin='inversedesign.table',
        )
        .store()
        .full_label
    )


@pytest.mark.slow
def test_an_interrupted_campaign_leaves_nothing_running_and_goes_on_with_resume(
    python_code: str, campaign: Any
) -> None:
    from aiida.orm import ProcessNode, QueryBuilder, WorkChainNode

    from aiida_inversedesign.workchains.resume import resume_campaign

    # durations follow from the crystals: between one and fifteen seconds
    evaluate = {'code': python_code, 'delay_seconds': 4.0, 'delay_sigma': 1.0}
    builder, _ = campaign(evaluate=evaluate, select={'initial': 6}, budget={'evaluations': 6})

    def interrupt_when_some_have_finished() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(9.0, interrupt_when_some_have_finished)
    timer.start()
    first = run_campaign(builder)
    timer.join()
    assert first.is_killed
    states = QueryBuilder().append(ProcessNode, project='attributes.process_state').all(flat=True)
    assert set(states) <= {'finished', 'killed'}
    evaluated = {'process_type': 'aiida.workflows:inversedesign.evaluate.table', 'attributes.exit_status': 0}
    assert QueryBuilder().append(WorkChainNode, filters=evaluated).count() < 6

    builder, spec = resume_campaign(first, {})
    assert spec.budget.evaluations == 6
    second = run_campaign(builder)
    assert second.is_finished_ok, second.exit_message
    rows = second.outputs.table.get_rows()
    assert len({row.candidate for row in rows}) == len(rows) == 6
    assert all(row.status == 'completed' for row in rows)
    # an evaluation that had finished before was not launched again
    assert QueryBuilder().append(WorkChainNode, filters=evaluated).count() == 6
