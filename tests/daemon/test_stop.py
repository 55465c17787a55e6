"""``stop`` of a campaign that the daemon runs, also across a restart of the daemon."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytestmark = [pytest.mark.daemon, pytest.mark.slow]


def call(*arguments: str) -> dict[str, Any]:
    from aiida_inversedesign.cli import cli

    result = CliRunner().invoke(cli, [*arguments, '--format', 'json'], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


#: Waits for a file, so that nothing depends on how fast the machine is, and not forever if the file never comes.
INTERPRETER = """#!/bin/bash
for _ in $(seq 3000); do
    [ -e {release} ] && exec {python} "$@"
    sleep 0.2
done
"""


class Waiting:
    """A campaign of two evaluations at once whose jobs last until :meth:`release`."""

    def __init__(self, campaign: Any, folder: Path) -> None:
        from aiida.orm import InstalledCode

        from aiida_inversedesign.cli.setup_local import make_localhost_computer

        self._release, executable = folder / 'release', folder / 'python'
        executable.write_text(INTERPRETER.format(release=self._release, python=sys.executable))
        executable.chmod(0o755)
        code = InstalledCode(
            label='python',
            computer=make_localhost_computer(folder, poll_interval=0.5),
            filepath_executable=str(executable),
            default_calc_job_plugin='inversedesign.table',
        ).store()
        self.builder = campaign(evaluate={'code': code.full_label}, budget={'evaluations': 8, 'at_once': 2})[0]

    def release(self) -> None:
        """Let all jobs end, those that begin later too."""
        self._release.touch()


@pytest.fixture
def waiting(campaign: Any, tmp_path: Path) -> Waiting:
    return Waiting(campaign, tmp_path)


def running_jobs(node: Any) -> int:
    from aiida.orm import CalcJobNode, QueryBuilder

    return QueryBuilder().append(CalcJobNode, filters={'attributes.state': 'withscheduler'}).count()


def await_jobs(node: Any) -> None:
    deadline = time.monotonic() + 240
    while running_jobs(node) < 2:
        assert time.monotonic() < deadline, 'no jobs were submitted'
        time.sleep(0.5)


def test_kill_ends_a_campaign_within_seconds(
    waiting: Waiting, started_daemon_client: Any, submit_and_await: Any
) -> None:
    from aiida.engine import submit

    node = submit(waiting.builder)
    await_jobs(node)
    answer = call('stop', str(node.pk), '--kill', '--reason', 'enough')
    assert answer['notes'] == []
    submit_and_await(node, timeout=240)
    assert node.outputs.stop_reason.value.endswith('running evaluations were killed: enough')
    assert node.outputs.table.counts['total'] == 0


def test_a_request_outlives_the_daemon(
    waiting: Waiting, stop_daemon: Any, start_daemon: Any, submit_and_await: Any
) -> None:
    from aiida.engine import submit

    node = submit(waiting.builder)
    await_jobs(node)
    stop_daemon()
    answer = call('stop', str(node.pk))
    assert 'verdi daemon start' in answer['notes'][-1]
    waiting.release()
    start_daemon()
    submit_and_await(node, timeout=300)
    assert 'running evaluations finished' in node.outputs.stop_reason.value
    counts = node.outputs.table.counts
    assert (counts['total'], counts['completed'], counts['failed']) == (2, 2, 0)
