"""Jobs of this package's own programs that their machine cut down: which are submitted again, and how often."""

from __future__ import annotations

import re
from typing import Any

from aiida import orm

#: How often a job that its machine cut down is submitted in all.
ATTEMPTS = 3

#: Exit codes of a job whose machine let it down: whatever its program has to say, it writes to its results. The first
#: two are AiiDA's own: nothing could be fetched, a node failed.
MACHINE_FAILED = (
    'ERROR_NO_RETRIEVED_FOLDER',
    'ERROR_SCHEDULER_NODE_FAILURE',
    'ERROR_NO_RESULTS',
    'ERROR_UNREADABLE_RESULTS',
)

#: How schedulers without accounting tell of a limit, in the error stream of a job: Slurm in the first three (the
#: hyphen up to 21.08), OpenPBS and Torque in the last.
_LIMIT = re.compile('DUE TO TIME LIMIT|oom[-_]kill|OOM Killed|PBS: job killed: .* exceeded limit')


def ended_with(job: orm.CalcJobNode, *names: str) -> bool:
    """Whether a job ended with one of the exit codes of its class that have these names."""
    known = job.process_class.exit_codes
    return job.exit_status in {known[name].status for name in names if name in known}


def was_cut_down(job: orm.CalcJobNode) -> bool:
    """Whether a job was cut down by its machine: a node or a scheduler died, a disk was full, it never began.

    One that used up its wall time or its memory would do so again.
    """
    return job.is_finished and ended_with(job, *MACHINE_FAILED) and not _LIMIT.search(job.get_scheduler_stderr() or '')


def attempt_label(label: str, number: int) -> str:
    """The call link label of an attempt: ``relax``, ``relax_attempt_2``, ``relax_attempt_3``."""
    return label if number == 1 else f'{label}_attempt_{number}'


def step_of(label: str) -> str:
    """What an attempt is an attempt of: ``propose`` of ``propose_attempt_2``."""
    return label.partition('_attempt_')[0]


def is_due(job: Any, attempts: int) -> bool:
    """Whether a step that is made by a job is to be submitted, for the first time or once more.

    :param job: the last attempt, or None.
    :param attempts: how many there were.
    """
    return job is None or (isinstance(job, orm.CalcJobNode) and attempts < ATTEMPTS and was_cut_down(job))
