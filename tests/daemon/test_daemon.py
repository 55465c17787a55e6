"""A campaign through the real daemon: submitted by the command, run by a worker, audited afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

pytestmark = [pytest.mark.daemon, pytest.mark.slow]


def test_a_campaign_runs_through_the_daemon(campaign: Any, submit_and_await: Any) -> None:
    from aiida.engine import submit

    from aiida_inversedesign.cli import cli

    builder, _ = campaign(budget={'evaluations': 6}, evaluate={'fail_fraction': 0.2})
    node = submit_and_await(submit(builder), timeout=400)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.table.counts['total'] == 6
    report = json.loads(CliRunner().invoke(cli, ['audit', str(node.pk), '--format', 'json']).output)
    assert report['evaluations']['total'] == 6
    assert report['evaluations']['failed'] == node.outputs.table.counts['failed']
    assert report['stop_reason'] == 'budget used up: 6 of 6 evaluations'


def test_a_worker_that_is_killed_loses_nothing_and_launches_nothing_twice(
    campaign: Any, started_daemon_client: Any, submit_and_await: Any
) -> None:
    import os
    import signal
    import time

    from aiida.engine import submit
    from aiida.orm import QueryBuilder, WorkChainNode

    builder, _ = campaign(budget={'evaluations': 8})
    node = submit(builder)
    time.sleep(6)
    workers = [int(pid) for pid in started_daemon_client.get_worker_info()['info']]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    submit_and_await(node, timeout=400)
    assert node.is_finished_ok, node.exit_message
    rows = node.outputs.table.get_rows()
    assert len({row.candidate for row in rows}) == len(rows) == 8
    evaluations = QueryBuilder().append(
        WorkChainNode, filters={'process_type': 'aiida.workflows:inversedesign.evaluate.table'}
    )
    assert evaluations.count() == 8
