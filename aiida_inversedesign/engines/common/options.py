"""Scheduler options of the jobs: what the campaign file names, else what its protocol says. Imports no aiida."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import find
from aiida_inversedesign.engines.common.protocols import protocol_inputs

#: Options of jobs that no protocol speaks of: those of engines without one, of proposals and of fits.
DEFAULTS: dict[str, Any] = {'num_machines': 1, 'num_mpiprocs_per_machine': 1, 'max_wallclock_seconds': 3600}

#: Options that AiiDA calls resources.
RESOURCES = ('num_machines', 'num_mpiprocs_per_machine', 'num_cores_per_mpiproc')

#: AiiDA's unit of memory is 1024 bytes.
KIB_PER_GB = 1e9 / 1024


def effective_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a section of the campaign file, completed by its protocol; what nobody names is left out."""
    defaults = DEFAULTS
    engine = find(settings.get('engine'))
    if engine is not None and engine.protocols:
        protocol = protocol_inputs(engine.name, settings['protocol'])
        defaults = {name: protocol[name] for name in DEFAULTS}
    return {**defaults, **{name: value for name, value in settings['options'].items() if value is not None}}


def processes(settings: Mapping[str, Any]) -> int:
    """How many processes each job runs with."""
    options = effective_options(settings)
    return int(options['num_machines'] * options['num_mpiprocs_per_machine'])


def wall_seconds(settings: Mapping[str, Any]) -> int:
    """The longest run of one job."""
    return int(effective_options(settings)['max_wallclock_seconds'])


def job_options(settings: Mapping[str, Any], seconds: int, with_mpi: bool | None = None) -> dict[str, Any]:
    """``metadata.options`` of a job.

    :param settings: the section of the campaign file that the job belongs to.
    :param with_mpi: what the code itself says; AiiDA refuses a job whose options say otherwise.
    """
    options = effective_options(settings)
    result = {
        'resources': {name: options.pop(name) for name in RESOURCES if name in options},
        'max_wallclock_seconds': seconds,
    }
    del options['max_wallclock_seconds']
    if 'max_memory_gb' in options:
        result['max_memory_kb'] = int(options.pop('max_memory_gb') * KIB_PER_GB)
    if 'withmpi' not in options:
        # always said: the job's plugin may have a default of its own
        options['withmpi'] = processes(settings) > 1 if with_mpi is None else with_mpi
    return result | options
