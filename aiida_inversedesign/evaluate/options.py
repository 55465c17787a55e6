"""Scheduler options of the engines' jobs. Imports no aiida."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def processes(settings: Mapping[str, Any]) -> int:
    """How many processes each job runs with."""
    options = settings['options']
    return int(options['num_machines'] * options['num_mpiprocs_per_machine'])


def job_options(settings: Mapping[str, Any], seconds: int) -> dict[str, Any]:
    """``metadata.options`` of a job from the settings' ``options``.

    :param seconds: the wall time granted to the job.
    """
    options = dict(settings['options'])
    resources = {name: options.pop(name) for name in ('num_machines', 'num_mpiprocs_per_machine')}
    return {name: value for name, value in options.items() if value is not None} | {
        'resources': resources,
        'max_wallclock_seconds': seconds,
    }
