"""The daemon is started by ``verdi``: here by that of the interpreter that runs the tests, whatever the PATH says."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope='session', autouse=True)
def verdi_of_this_interpreter() -> None:
    """Put the interpreter's folder on the PATH; AiiDA looked for ``verdi`` when it was imported."""
    from aiida.engine.daemon import client

    folder = Path(sys.executable).parent
    os.environ['PATH'] = f'{folder}{os.pathsep}{os.environ["PATH"]}'
    client.VERDI_BIN = str(folder / 'verdi')


def until(condition: Callable[[], Any], what: str, seconds: float = 180) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f'{what} after {seconds:.0f} s'
        time.sleep(0.2)


def until_listened_to() -> None:
    """Wait until a worker listens to the broker: on a busy machine that takes longer than AiiDA's ``submit`` waits."""
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    # it warns of each file that is missing while the broker starts
    until(lambda: broker.probe_service_status().get('task_subscribers'), 'no worker listens to the broker')


def stop_and_wait(client: Any) -> None:
    """Stop the daemon; AiiDA's own call returns while the PID file is still there, so that it counts as running."""
    if client.is_daemon_running:
        client.stop_daemon(wait=True, timeout=180)
    until(lambda: not client.is_daemon_running, 'the daemon still runs')


@pytest.fixture
def started_daemon_client(daemon_client: Any) -> Iterator[Any]:
    """A daemon of this test's own, with a worker that listens.

    AiiDA's fixture keeps one for all tests. Cleaning the profile before the next test stops it, and as long as its PID
    file is there the fixture takes it for running: that test would wait for nobody.
    """
    stop_and_wait(daemon_client)
    daemon_client.start_daemon(timeout=180)
    until_listened_to()
    yield daemon_client
    stop_and_wait(daemon_client)


@pytest.fixture
def stop_daemon(started_daemon_client: Any) -> Callable[[], None]:
    """Stops the daemon, and returns when it has stopped."""
    return lambda: stop_and_wait(started_daemon_client)


@pytest.fixture
def start_daemon(started_daemon_client: Any) -> Callable[[], None]:
    """Starts the daemon again, and returns when a worker listens to its broker."""

    def start() -> None:
        started_daemon_client.start_daemon(timeout=180)
        until_listened_to()

    return start
