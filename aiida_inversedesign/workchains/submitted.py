"""Cancelling jobs that a scheduler has, with the database or without it."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from aiida.common.exceptions import RemoteOperationError
from aiida.orm import CalcJobNode
from aiida.schedulers import JobState, Scheduler
from aiida.transports import Transport
from plumpy.greenback_bridge import sync_await

LOGGER = logging.getLogger(__name__)

#: How often a scheduler is asked to cancel a job, and the seconds in between.
ATTEMPTS, PAUSE = 3, 1.0


@dataclass
class Machine:
    """A computer as far as a job has to be cancelled on it: nothing of it is read from the database later."""

    label: str
    transport: Transport
    scheduler: Scheduler

    @classmethod
    def of(cls, job: CalcJobNode) -> Machine:
        """The computer of a job."""
        return cls(job.computer.label, job.get_authinfo().get_transport(), job.computer.get_scheduler())


@dataclass(frozen=True)
class Submitted:
    """A job that a scheduler has."""

    pk: int
    number: str


@dataclass
class SubmittedJobs:
    """The jobs of live processes, noted down as soon as their schedulers have given them numbers."""

    machines: dict[str, Machine] = field(default_factory=dict)
    _numbers: dict[int, tuple[str, str]] = field(default_factory=dict)

    def follow(self, job: CalcJobNode) -> None:
        """Note the number of a job when it is submitted, before the database has it."""
        computer, record = job.computer.uuid, job.set_job_id
        if computer not in self.machines:
            self.machines[computer] = Machine.of(job)

        def set_job_id(number: Any) -> None:
            if number is not None:
                self._numbers[job.pk] = (computer, str(number))
            record(number)

        job.set_job_id = set_job_id

    def cancel(self, processes: Iterable[int]) -> None:
        """Cancel the jobs of the processes with these PKs."""
        found = defaultdict(list)
        for pk in processes:
            if pk in self._numbers:
                computer, number = self._numbers[pk]
                found[computer].append(Submitted(pk, number))
        for computer, jobs in found.items():
            cancel_on(self.machines[computer], jobs)


def cancel_jobs(jobs: Iterable[CalcJobNode]) -> None:
    """Tell the schedulers to cancel jobs; one that cannot be cancelled is named in a warning."""
    computers = defaultdict(list)
    for job in jobs:
        if job.get_job_id() is not None:
            computers[job.computer.uuid].append(job)
    for nodes in computers.values():
        cancel_on(Machine.of(nodes[0]), [Submitted(node.pk, node.get_job_id()) for node in nodes])


def cancel_on(machine: Machine, waiting: list[Submitted]) -> None:
    """Cancel jobs of one computer, and name those that could not be."""
    error: BaseException | None = None
    try:
        for _ in range(ATTEMPTS):
            try:
                with machine.transport:
                    machine.scheduler.set_transport(machine.transport)
                    while waiting:
                        _cancel(waiting[0], machine.scheduler)
                        del waiting[0]
                break
            except Exception as problem:  # plug-ins of transports and schedulers raise whatever they like
                error = problem
                sync_await(asyncio.sleep(PAUSE))
    except BaseException as problem:
        error = error or problem
        raise
    finally:
        for job in waiting:
            LOGGER.warning(
                'job %s of CalcJob<%s> on %s could not be cancelled (%s): cancel it there by hand',
                job.number, job.pk, machine.label, error,
            )  # fmt: skip


def _cancel(job: Submitted, scheduler: Scheduler) -> None:
    # `core.direct` looks for the children of a process that may have ended
    with suppress(psutil.NoSuchProcess):
        if scheduler.kill_job(job.number) is True:
            return
        still = scheduler.get_jobs(jobs=[job.number], as_dict=True).get(job.number)
        if still is not None and still.job_state != JobState.DONE:
            raise RemoteOperationError(f'the scheduler did not cancel job {job.number}')
