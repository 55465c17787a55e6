"""One calculation job as the audit knows it, and what jobs have cost. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aiida_inversedesign.campaign.contracts.job_kinds import is_dft, job_kind
from aiida_inversedesign.graph.failure_reasons import failure_reason

#: Process type of the job of a program that generates crystals, and its exit status if it gave fewer than asked.
GENERATE_JOB, PARTLY = 'aiida.calculations:inversedesign.generate', 410


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One calculation job below a generation: of an evaluation, or its generator.

    :param id: its PK where it was read.
    :param changed: when it last changed; once it has ended, when that was.
    :param generation: PK of the generation.
    :param evaluation_id: PK of the evaluation; of a generator that of the generation.
    :param evaluation: call link label of the evaluation: a candidate's id, or ``reference_<element>``; of a generator
        its own.
    :param path: call link labels from the evaluation down to the job.
    :param wall_seconds: as recorded by the code, or None.
    :param allowed_seconds: an upper bound where nothing is recorded: the wall time it was allowed, or its lifetime.
    :param cached: whether it is a copy of an earlier job, which cost nothing.
    :param code_version: of the executable, as its output says; empty where it does not.
    :param code: full label of the code; empty if not known.
    :param computer: label of the computer; empty if not known.
    """

    id: int
    created: datetime
    generation: int
    evaluation_id: int
    evaluation: str
    path: tuple[str, ...]
    process_type: str
    exit_status: int | None
    state: str
    processes: int
    wall_seconds: float | None
    allowed_seconds: float
    cached: bool
    uuid: str = ''
    changed: datetime | None = None
    exit_message: str | None = None
    code_version: str = ''
    code: str = ''
    computer: str = ''

    @property
    def is_dft(self) -> bool:
        """Whether it is charged as a DFT calculation, as its engine says."""
        return is_dft(self.process_type)

    @property
    def is_reference(self) -> bool:
        """Whether it belongs to an elemental reference."""
        return self.evaluation.startswith('reference_')

    @property
    def is_generator(self) -> bool:
        """Whether it generated crystals before a proposal, and belongs to no evaluation."""
        return self.process_type == GENERATE_JOB

    @property
    def kind(self) -> str:
        """What it was for: ``reference`` for DFT jobs of one, ``generator``, a kind of its engine, or ``other``."""
        if self.is_generator:
            return 'generator'
        found = job_kind(self.process_type, self.path)
        if found is None:
            return 'other'
        return 'reference' if found.is_dft and self.is_reference else found.name

    @property
    def is_restart(self) -> bool:
        """Whether it is the second or a later attempt of its base work chain, or of an engine's one job."""
        name, _, number = self.path[-1].rpartition('_')
        return name in ('iteration', 'relax_attempt') and number.isdigit() and int(number) > 1

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.state in ('finished', 'excepted', 'killed')

    @property
    def has_failed(self) -> bool:
        """Whether it ended without exit code 0, or another that its engine accepts for a job of its kind."""
        if self.state != 'finished' or self.exit_status == 0:
            return self.state in ('excepted', 'killed')
        if self.is_generator:
            return self.exit_status != PARTLY
        kind = job_kind(self.process_type, self.path)
        return kind is None or self.exit_status not in kind.accepted | kind.residual

    @property
    def has_residual(self) -> bool:
        """Whether it converged, but for forces or a pressure above their thresholds in its final calculation."""
        if self.state != 'finished' or not self.exit_status:
            return False
        kind = job_kind(self.process_type, self.path)
        return kind is not None and self.exit_status in kind.residual

    @property
    def core_hours(self) -> float | None:
        """Processes × wall time; 0 for a cache copy, None where no wall time is recorded."""
        if self.cached:
            return 0.0
        return None if self.wall_seconds is None else self.processes * self.wall_seconds / 3600

    @property
    def failure(self) -> str:
        """Why it failed, in plain words; empty if it did not."""
        if not self.has_failed:
            return ''
        return failure_reason(self.process_type, self.exit_status, self.exit_message, self.state, name='the job')


@dataclass(frozen=True)
class Cost:
    """What calculation jobs have cost.

    :param dft_calculations: DFT jobs, restarts and failures included, cache copies not.
    :param core_hours: as recorded, or None where no job has a record.
    :param charged_core_hours: the same with each unrecorded job at its upper bound, for budgets.
    """

    dft_calculations: int = 0
    core_hours: float | None = None
    charged_core_hours: float = 0.0

    @property
    def charged(self) -> tuple[int, float]:
        """DFT calculations and core-hours that a budget is charged with."""
        return self.dft_calculations, self.charged_core_hours


def cost_of(jobs: Iterable[JobRecord]) -> Cost:
    """The cost of some jobs."""
    real = [job for job in jobs if not job.cached]
    recorded = [job.processes * job.wall_seconds / 3600 for job in real if job.wall_seconds is not None]
    charged = [
        job.processes * (job.allowed_seconds if job.wall_seconds is None else job.wall_seconds) / 3600 for job in real
    ]
    return Cost(sum(job.is_dft for job in real), sum(recorded) if recorded else None, sum(charged))
