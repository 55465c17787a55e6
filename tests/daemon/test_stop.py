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


@pytest.fixture
def waiting(campaign: Any, tmp_path: Path) -> Any:
    """A campaign of two evaluations at once, each of which takes a number of seconds."""
    from aiida.orm import InstalledCode

    from aiida_inversedesign.cli.setup_local import make_localhost_computer

    code = InstalledCode(
        label='python',
        computer=make_localhost_computer(tmp_path, poll_interval=0.5),
        filepath_executable=sys.executable,
        default_calc_job_plugin='inversedesign.table',
    ).store()

    def make(seconds: float) -> Any:
        evaluate = {'code': code.full_label, 'delay_seconds': seconds, 'delay_sigma': 0.0}
        return campaign(evaluate=evaluate, budget={'evaluations': 8, 'at_once': 2})[0]

    return make


def running_jobs(node: Any) -> int:
    from aiida.orm import CalcJobNode, QueryBuilder

    return QueryBuilder().append(CalcJobNode, filters={'attributes.state': 'withscheduler'}).count()


def await_jobs(node: Any) -> None:
    deadline = time.monotonic() + 120
    while running_jobs(node) < 2:
        assert time.monotonic() < deadline, 'no jobs were submitted'
        time.sleep(0.5)


def test_kill_ends_a_campaign_within_seconds(waiting: Any, started_daemon_client: Any, submit_and_await: Any) -> None:
    from aiida.engine import submit

    node = submit(waiting(600))
    await_jobs(node)
    answer = call('stop', str(node.pk), '--kill', '--reason', 'enough')
    assert answer['notes'] == []
    submit_and_await(node, timeout=90)
    assert node.outputs.stop_reason.value.endswith('running evaluations were killed: enough')
    assert node.outputs.table.counts['total'] == 0


def test_a_request_outlives_the_daemon(waiting: Any, started_daemon_client: Any, submit_and_await: Any) -> None:
    from aiida.engine import submit

    node = submit(waiting(30))
    await_jobs(node)
    started_daemon_client.stop_daemon(wait=True, timeout=180)
    answer = call('stop', str(node.pk))
    assert 'verdi daemon start' in answer['notes'][-1]
    started_daemon_client.start_daemon()
    submit_and_await(node, timeout=180)
    assert 'running evaluations finished' in node.outputs.stop_reason.value
    assert node.outputs.table.counts == {
        'total': 2,
        'completed': 2,
        'failed': 0,
        'hits': node.outputs.table.counts['hits'],
    }
