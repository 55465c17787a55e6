"""What the section ``evaluate`` of the campaign file has for every engine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aiida_inversedesign.campaign.section import Count, Finite, Model, Positive, Word


class Options(Model):
    """Scheduler options of jobs; what is not named comes from the protocol (``evaluate/options.py``)."""

    num_machines: Count | None = Field(None, description='nodes of the cluster')
    num_mpiprocs_per_machine: Count | None = Field(None, description='MPI processes on each node')
    num_cores_per_mpiproc: Count | None = Field(None, description='cores of each MPI process')
    max_wallclock_seconds: Count | None = Field(None, description='longest run of one job')
    max_memory_gb: Positive | None = Field(None, description='memory on each node, GB')
    queue_name: Word | None = Field(None, description='queue, or partition')
    account: Word | None = Field(None, description='what the job is charged to')
    qos: Word | None = Field(None, description='quality of service')
    withmpi: bool | None = Field(None, description='default: what the code says, else with more than one process')


class EngineSection(Model):
    """What the section ``evaluate`` has for every engine; each engine adds its own keys."""

    engine: str

    reuse: bool = Field(
        False,
        description='whether evaluations that the profile has already, made with the same settings (of any campaign), '
        'are taken over instead of being computed again',
    )
    caching: bool = Field(
        False,
        description="whether AiiDA's caching of single jobs must be switched on in the profile; a launch without it is "
        'refused, with what to do',
    )
    options: Options = Field(Options(), description='scheduler options of the jobs of an evaluation')
    clean_workdir: Literal['never', 'completed', 'always'] = Field(
        'never', description='whether the folders of its jobs on the computer are removed once an evaluation has ended'
    )
    free_space_gb: Annotated[Finite, Field(ge=0)] = Field(
        1.0, description="least free space, GB, on the profile's disk and where the computer runs its jobs"
    )
