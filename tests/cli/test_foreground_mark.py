"""A campaign in the foreground is known as such while it runs, so that nobody hands its processes to the daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import psutil
import pytest

from aiida_inversedesign.graph.control import count_active_processes, foreground_campaigns
from aiida_inversedesign.workchains import foreground


def test_who_runs_a_campaign_is_known_while_it_runs(campaign: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[dict[str, Any]]] = []

    def look(pk: int) -> None:
        seen.append(foreground_campaigns())

    monkeypatch.setattr(foreground, 'find_request', look)
    node = foreground.run_campaign(campaign(budget={'evaluations': 2})[0])
    assert node.is_finished_ok, node.exit_message
    ((found,), *_) = seen
    assert found['pid'] == os.getpid()
    assert foreground.is_alive(found)
    assert foreground_campaigns() == []
    assert count_active_processes() == 0


def test_a_process_that_is_gone_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE) as other:
        found = {**foreground.this_process(), 'pid': other.pid, 'started': psutil.Process(other.pid).create_time()}
        assert foreground.is_alive(found)
        other.kill()
    assert not foreground.is_alive(found)


def test_another_process_with_its_number_is_not_it() -> None:
    found = foreground.this_process()
    assert not foreground.is_alive({**found, 'started': found['started'] - 1000})
    # nothing can be said of another machine, so its campaign is left alone
    assert foreground.is_alive({**found, 'host': 'elsewhere', 'pid': -1})
    assert not foreground.is_alive({'host': found['host']})


def test_functions_hold_no_slot(aiida_profile: Any) -> None:
    """A function that was cut off stays active forever; the daemon has no task for it, and needs none."""
    from aiida.orm import CalcFunctionNode

    before = count_active_processes()
    node = CalcFunctionNode()
    node.set_process_state('running')
    node.store()
    assert count_active_processes() == before
