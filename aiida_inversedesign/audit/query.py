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

from aiida.orm import CalcJobNode, Data, Dict, QueryBuilder, StructureData, WorkChainNode

from aiida_inversedesign.data.pool import PoolData
from aiida_inversedesign.data.table import TableData

CAMPAIGN = 'aiida.workflows:inversedesign.campaign'
PW = 'aiida.calculations:quantumespresso.pw'
#: Jobs of the engines that are no DFT code, and what the audit calls them.
OTHER_ENGINES = {
    'aiida.calculations:inversedesign.ase': 'ase',
    'aiida.calculations:inversedesign.table': 'table',
}

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

    @property
    def is_dft(self) -> bool:
        """Whether it ran a DFT code."""
        return self.process_type == PW

    @property
    def is_reference(self) -> bool:
        """Whether it belongs to an elemental reference."""
        return self.evaluation.startswith('reference_')

    @property
    def kind(self) -> str:
        """What it was for.

        ``reference``, ``relax``, ``final_scf``, ``equation_of_state``, ``static``, ``ase``, ``table`` or ``other``.
        """
        if not self.is_dft:
            return OTHER_ENGINES.get(self.process_type, 'other')
        if self.is_reference:
            return 'reference'
        if self.path[0].startswith('eos_'):
            return 'equation_of_state'
        if self.path[0].startswith('static'):
            return 'static'
        if self.path[0] == 'relax':
            # aiida-quantumespresso before 5.0 ended a relaxation with a separate single point
            return 'final_scf' if any(label.startswith('final_scf') for label in self.path[1:-1]) else 'relax'
        return 'other'

    @property
    def is_restart(self) -> bool:
        """Whether it is the second or a later attempt of its base work chain."""
        name, _, number = self.path[-1].rpartition('_')
        return name == 'iteration' and number.isdigit() and int(number) > 1

    @property
    def has_failed(self) -> bool:
        """Whether it ended without exit code 0."""
        return self.state in ('excepted', 'killed') or (self.state == 'finished' and self.exit_status != 0)


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


def _among(identifiers: Iterable[int]) -> dict[str, Any]:
    """The filter for nodes with one of these PKs; QueryBuilder refuses an empty list, and no PK is 0."""
    return {'id': {'in': list(identifiers) or [0]}}


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
    jobs = [job for depth in DEPTHS for job in _jobs_at(identifiers, depth)]
    return sorted(jobs, key=lambda job: (job.created, job.id))


def _chain(generations: list[int], depth: int) -> QueryBuilder:
    """The joins from generations down to jobs with ``depth`` work chains between evaluation and job."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=_among(generations), tag='generation', project='id')
    parent = 'generation'
    for level in range(depth + 1):
        query.append(
            WorkChainNode,
            with_incoming=parent,
            edge_filters={'type': 'call_work'},
            edge_project='label',
            edge_tag=f'link_{level}',
            tag=f'level_{level}',
            project='id',
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
            created=job['ctime'],
            generation=row['generation']['id'],
            evaluation_id=row['level_0']['id'],
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


def generation_numbers(campaigns: Iterable[int]) -> dict[int, int]:
    """Number of each generation of these campaigns by its PK, oldest first."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=_among(campaigns), tag='campaign')
    query.append(
        WorkChainNode,
        with_incoming='campaign',
        edge_filters={'type': 'call_work', 'label': {'like': 'generation\\_%'}},
        edge_project='label',
        edge_tag='link',
        project=['id', 'ctime'],
        tag='generation',
    )
    found = sorted(
        (row['generation']['ctime'], row['generation']['id'], row['link']['label']) for row in query.iterdict()
    )
    return {identifier: int(label.rpartition('_')[2]) for _, identifier, label in found}


def generation_ids(campaigns: Iterable[int]) -> list[int]:
    """PKs of the generations of these campaigns, oldest first."""
    return list(generation_numbers(campaigns))


def chain_of(campaign: int) -> list[int]:
    """PKs of the campaigns that share this one's settings node, oldest first: itself and those it resumed.

    The order is that of their creation: PKs are given anew when an archive is imported.
    """
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': campaign}, tag='campaign', project='ctime')
    query.append(Data, with_outgoing='campaign', edge_filters={'label': 'settings'}, tag='settings')
    query.append(
        WorkChainNode,
        with_incoming='settings',
        edge_filters={'label': 'settings'},
        filters={'process_type': CAMPAIGN},
        project=['ctime', 'id'],
        tag='member',
    )
    return [identifier for own, created, identifier in sorted(query.distinct().all()) if created <= own]


def _pk(node: WorkChainNode) -> int:
    """The PK of a stored node."""
    if node.pk is None:
        raise ValueError(f'{node.process_label or "the work chain"} is not stored: only stored nodes can be queried')
    return node.pk


def campaign_cost(campaign: WorkChainNode) -> Cost:
    """What a campaign has cost so far, those that it resumed included."""
    return cost_of(find_jobs(generation_ids(chain_of(_pk(campaign)))))


def evaluation_costs(generation: WorkChainNode) -> dict[str, Cost]:
    """The cost of each evaluation of a generation, references included, by call link label."""
    jobs: dict[str, list[Job]] = {}
    for job in find_jobs([_pk(generation)]):
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
    query.append(WorkChainNode, filters=_among(generations), tag='generation', project='id')
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
    return sorted(found, key=lambda item: (item.started, item.id))


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
    query.append(WorkChainNode, filters=_among(generations), tag='generation')
    query.append(TableData, with_incoming='generation', edge_filters={'label': 'table', 'type': 'return'}, tag='table')
    return query.order_by({'table': {'ctime': 'desc'}}).first(flat=True)


def find_pools(generations: Iterable[int]) -> list[PoolData]:
    """The pools that these generations returned, each once, oldest first."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=_among(generations), tag='generation')
    query.append(
        PoolData,
        with_incoming='generation',
        edge_filters={'label': 'pool', 'type': 'return'},
        tag='pool',
        project=['ctime', 'id', '*'],
    )
    return [node for _, _, node in sorted(query.distinct().all(), key=lambda row: row[:2])]


def evaluated_properties(evaluations: Iterable[int]) -> dict[int, dict[str, float]]:
    """Value of each property that the evaluations with these PKs returned."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=_among(evaluations), tag='evaluation', project='id')
    query.append(
        Dict, with_incoming='evaluation', edge_filters={'label': 'properties', 'type': 'return'}, project='attributes'
    )
    return {
        identifier: {name: float(entry['value']) for name, entry in properties.items()}
        for identifier, properties in query.iterall(batch_size=1000)
    }


def proposed_structures(evaluations: Iterable[int]) -> dict[int, StructureData]:
    """The input structures of the evaluations with these PKs."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=_among(evaluations), tag='evaluation', project='id')
    query.append(StructureData, with_outgoing='evaluation', edge_filters={'label': 'structure'}, project='*')
    return dict(query.all())
