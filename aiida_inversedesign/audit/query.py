"""Every question that the audit asks the provenance graph: its only file that uses QueryBuilder.

A campaign has a fixed shape: campaign → generation → evaluation → (relaxation → base →, or base →) calculation job.
Each question is therefore a chain of joins of known depth with scalar projections, which stays fast where a walk over
``called_descendants`` takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida.orm import CalcJobNode, Data, Dict, QueryBuilder, WorkChainNode

from aiida_inversedesign.data.table import TableData

CAMPAIGN = 'aiida.workflows:inversedesign.campaign'
PW = 'aiida.calculations:quantumespresso.pw'

#: How many work chains lie between an evaluation and its calculation jobs.
DEPTHS = (0, 1, 2)


@dataclass(frozen=True)
class Job:
    """One calculation job below a generation.

    :param evaluation: call link label of the evaluation: a candidate's id, or ``reference_<element>``.
    :param path: call link labels from the evaluation down to the job.
    :param wall_seconds: as recorded by the code, or None.
    :param allowed_seconds: an upper bound where nothing is recorded: the wall time it was allowed, or its lifetime.
    :param cached: whether it is a copy of an earlier job, which cost nothing.
    """

    id: int
    generation: int
    evaluation: str
    path: tuple[str, ...]
    process_type: str
    exit_status: int | None
    state: str
    processes: int
    wall_seconds: float | None
    allowed_seconds: float
    cached: bool

    @property
    def is_dft(self) -> bool:
        """Whether it ran a DFT code."""
        return self.process_type == PW


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


def cost_of(jobs: Iterable[Job]) -> Cost:
    """The cost of some jobs."""
    real = [job for job in jobs if not job.cached]
    recorded = [job.processes * job.wall_seconds / 3600 for job in real if job.wall_seconds is not None]
    charged = [
        job.processes * (job.allowed_seconds if job.wall_seconds is None else job.wall_seconds) / 3600 for job in real
    ]
    return Cost(sum(job.is_dft for job in real), sum(recorded) if recorded else None, sum(charged))


def find_jobs(generations: Iterable[int]) -> list[Job]:
    """Every calculation job below the generations with these PKs, in the order they were made."""
    identifiers = list(generations)
    if not identifiers:
        return []
    jobs = [job for depth in DEPTHS for job in _jobs_at(identifiers, depth)]
    return sorted(jobs, key=lambda job: job.id)


def _chain(generations: list[int], depth: int) -> QueryBuilder:
    """The joins from generations down to jobs with ``depth`` work chains between evaluation and job."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': {'in': generations}}, tag='generation', project='id')
    parent = 'generation'
    for level in range(depth + 1):
        query.append(
            WorkChainNode,
            with_incoming=parent,
            edge_filters={'type': 'call_work'},
            edge_project='label',
            edge_tag=f'link_{level}',
            tag=f'level_{level}',
        )
        parent = f'level_{level}'
    return query.append(
        CalcJobNode,
        with_incoming=parent,
        edge_filters={'type': 'call_calc'},
        edge_project='label',
        edge_tag='link_job',
        tag='job',
        project=_JOB_COLUMNS,
    )


_JOB_COLUMNS = [
    'id',
    'process_type',
    'attributes.exit_status',
    'attributes.process_state',
    'attributes.resources',
    'attributes.max_wallclock_seconds',
    'ctime',
    'mtime',
    'extras._aiida_cached_from',
]


def _jobs_at(generations: list[int], depth: int) -> Iterator[Job]:
    recorded = _chain(generations, depth).append(
        Dict,
        with_incoming='job',
        edge_filters={'label': 'output_parameters'},
        tag='parameters',
        project='attributes.wall_time_seconds',
    )
    seconds = {
        row['job']['id']: row['parameters']['attributes.wall_time_seconds']
        for row in recorded.iterdict(batch_size=1000)
    }
    for row in _chain(generations, depth).iterdict(batch_size=1000):
        job = row['job']
        resources = job['attributes.resources'] or {}
        state = job['attributes.process_state']
        lifetime = (job['mtime'] - job['ctime']).total_seconds()
        allowed = job['attributes.max_wallclock_seconds']
        ended = state in ('finished', 'excepted', 'killed')
        yield Job(
            id=job['id'],
            generation=row['generation']['id'],
            evaluation=row['link_0']['label'],
            path=(*(row[f'link_{level}']['label'] for level in range(1, depth + 1)), row['link_job']['label']),
            process_type=job['process_type'],
            exit_status=job['attributes.exit_status'],
            state=state,
            processes=resources.get('tot_num_mpiprocs')
            or resources.get('num_machines', 1) * resources.get('num_mpiprocs_per_machine', 1),
            wall_seconds=seconds.get(job['id']),
            allowed_seconds=min(lifetime, allowed or lifetime) if ended else float(allowed or lifetime),
            cached=job['extras._aiida_cached_from'] is not None,
        )


def generation_ids(campaigns: Iterable[int]) -> list[int]:
    """PKs of the generations of these campaigns, oldest first."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': {'in': list(campaigns)}}, tag='campaign')
    query.append(
        WorkChainNode, with_incoming='campaign', edge_filters={'type': 'call_work'}, project='id', tag='generation'
    )
    return sorted(query.all(flat=True))


def chain_of(campaign: int) -> list[int]:
    """PKs of the campaigns that share this one's settings node, oldest first: itself and those it resumed."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': campaign}, tag='campaign')
    query.append(Data, with_outgoing='campaign', edge_filters={'label': 'settings'}, tag='settings')
    query.append(
        WorkChainNode, with_incoming='settings', filters={'process_type': CAMPAIGN}, project='id', tag='member'
    )
    return sorted({identifier for identifier in query.all(flat=True) if identifier <= campaign})


def campaign_cost(campaign: WorkChainNode) -> Cost:
    """What a campaign has cost so far, those that it resumed included."""
    return cost_of(find_jobs(generation_ids(chain_of(campaign.pk))))


def evaluation_costs(generation: WorkChainNode) -> dict[str, Cost]:
    """The cost of each evaluation of a generation, references included, by call link label."""
    jobs: dict[str, list[Job]] = {}
    for job in find_jobs([generation.pk]):
        jobs.setdefault(job.evaluation, []).append(job)
    return {label: cost_of(found) for label, found in jobs.items()}


@dataclass(frozen=True)
class Evaluation:
    """One launched evaluation process.

    :param label: the candidate's id, or ``reference_<element>``.
    :param changed: when it last changed; once it has ended, when that was.
    """

    id: int
    uuid: str
    generation: int
    label: str
    state: str
    exit_status: int | None
    exit_message: str | None
    description: str
    started: datetime
    changed: datetime

    @property
    def is_reference(self) -> bool:
        """Whether it computes an elemental reference, not a candidate."""
        return self.label.startswith('reference_')

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state not in ('finished', 'excepted', 'killed')


def find_evaluations(generations: Iterable[int]) -> list[Evaluation]:
    """Every evaluation launched by the generations with these PKs, elemental references included, oldest first."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': {'in': list(generations)}}, tag='generation', project='id')
    query.append(
        WorkChainNode,
        with_incoming='generation',
        edge_filters={'type': 'call_work'},
        edge_project='label',
        edge_tag='link',
        tag='evaluation',
        project=[
            'id',
            'uuid',
            'label',
            'attributes.process_state',
            'attributes.exit_status',
            'attributes.exit_message',
            'ctime',
            'mtime',
        ],
    )
    found = [
        Evaluation(
            id=row['evaluation']['id'],
            uuid=row['evaluation']['uuid'],
            generation=row['generation']['id'],
            label=row['link']['label'],
            state=row['evaluation']['attributes.process_state'],
            exit_status=row['evaluation']['attributes.exit_status'],
            exit_message=row['evaluation']['attributes.exit_message'],
            description=row['evaluation']['label'],
            started=row['evaluation']['ctime'],
            changed=row['evaluation']['mtime'],
        )
        for row in query.iterdict(batch_size=1000)
    ]
    return sorted(found, key=lambda item: item.id)


def list_campaigns() -> list[dict[str, Any]]:
    """PK, label, state and creation time of every campaign in the profile, oldest first."""
    query = QueryBuilder().append(
        WorkChainNode,
        filters={'process_type': CAMPAIGN},
        project=['id', 'uuid', 'label', 'attributes.process_state', 'attributes.exit_status', 'ctime'],
    )
    names = ('pk', 'uuid', 'name', 'state', 'exit_status', 'created')
    return [dict(zip(names, row, strict=True)) for row in sorted(query.all())]


def last_table(generations: Iterable[int]) -> TableData | None:
    """The newest table that one of these generations returned, or None."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': {'in': list(generations)}}, tag='generation')
    query.append(TableData, with_incoming='generation', edge_filters={'label': 'table', 'type': 'return'}, tag='table')
    return query.order_by({'table': {'id': 'desc'}}).first(flat=True)
