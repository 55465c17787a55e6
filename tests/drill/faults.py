"""The faults of the drill: each is a name and what it does, and perhaps what ends it some seconds later."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from campaign import Setting
from services import Postgres, RabbitMQ, Slurm, SmallDisk


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    :param strike: does it; returns what was hit, or nothing if there was nothing to hit.
    :param mend: ends it; None where ``tend`` or AiiDA has to.
    :param seconds: how long it lasts.
    """

    name: str
    strike: Callable[[], str]
    mend: Callable[[], None] | None = None
    seconds: float = 0.0


def daemon_processes(role: str, folder: Path) -> list[psutil.Process]:
    """The processes of the drill's daemon with this role; ``statistics`` is what circus starts beside its workers."""
    mark = 'daemon/log/circus-drill.log' if role == 'statistics' else f'-p drill daemon {role}'
    found = []
    for process in psutil.process_iter(['cmdline', 'status']):
        line = ' '.join(process.info['cmdline'] or [])
        if mark not in line or process.info['status'] == psutil.STATUS_ZOMBIE:
            continue
        with suppress(psutil.Error):
            if process.environ().get('AIIDA_PATH', '').startswith(str(folder)):
                found.append(process)
    return sorted(found, key=lambda process: process.pid)


def _kill(processes: list[psutil.Process]) -> str:
    for process in processes:
        with suppress(psutil.Error):
            os.kill(process.pid, signal.SIGKILL)
    return ', '.join(str(process.pid) for process in processes)


def faults_of(
    setting: Setting,
    folder: Path,
    disk: SmallDisk,
    postgres: Postgres | None,
    rabbitmq: RabbitMQ | None,
    slurm: Slurm | None,
) -> list[Fault]:
    """Every kind of fault that a configuration can suffer."""

    def hit(action: Callable[[], None], words: str) -> Callable[[], str]:
        def strike() -> str:
            action()
            return words

        return strike

    found = [
        Fault('kill -9 a worker', lambda: _kill(daemon_processes('worker', folder)[:1])),
        Fault('kill -9 the daemon, workers go on', lambda: _kill(daemon_processes('start-circus', folder))),
        Fault(
            'kill -9 the daemon with all its processes',
            lambda: _kill([p for role in ('start-circus', 'worker', 'broker') for p in daemon_processes(role, folder)]),
        ),
        Fault('scratch disk full', hit(disk.fill, 'no byte left'), disk.free, 6.0),
    ]
    if setting.broker == 'zeromq':
        found.append(Fault('kill -9 the broker', lambda: _kill(daemon_processes('broker', folder))))
    if rabbitmq is not None:
        found.append(Fault('kill -9 RabbitMQ', hit(rabbitmq.kill, 'all processes'), rabbitmq.start, 2.0))
    if postgres is not None:
        found.append(Fault('kill -9 PostgreSQL', hit(postgres.kill, 'all processes'), postgres.start, 2.0))
    if slurm is not None:
        for name in ('slurmctld', 'slurmd'):
            found.append(Fault(f'kill -9 {name}', hit(lambda name=name: slurm.kill(name), name), slurm.start, 4.0))
    return found
