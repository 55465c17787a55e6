"""Calculation jobs below generations: every one, in a few queries of fixed depth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aiida.orm import CalcJobNode, Dict, QueryBuilder, WorkChainNode

from aiida_inversedesign.audit.record import JobRecord

#: How many work chains lie between an evaluation and its calculation jobs.
DEPTHS = (0, 1, 2)


def among(identifiers: Iterable[int]) -> dict[str, Any]:
    """The filter for nodes with one of these PKs; QueryBuilder refuses an empty list, and no PK is 0."""
    return {'id': {'in': list(identifiers) or [0]}}


def find_jobs(generations: Iterable[int], evaluations: Iterable[int] | None = None) -> list[JobRecord]:
    """Every calculation job below the generations with these PKs, in the order they were made.

    :param evaluations: PKs of those evaluations, references included, that alone are looked at; by default all.
    """
    identifiers, only = list(generations), None if evaluations is None else list(evaluations)
    jobs = [job for depth in DEPTHS for job in _jobs_at(identifiers, depth, only)]
    # equal times are told apart by UUIDs: PKs are given anew when an archive is imported
    return sorted(jobs, key=lambda job: (job.created, job.uuid))


_COLUMNS = [
    'id',
    'uuid',
    'process_type',
    'attributes.exit_status',
    'attributes.exit_message',
    'attributes.process_state',
    'attributes.resources',
    'attributes.max_wallclock_seconds',
    'ctime',
    'mtime',
    'extras._aiida_cached_from',
]


def _chain(generations: list[int], depth: int, columns: list[str], evaluations: list[int] | None) -> QueryBuilder:
    """The joins from generations down to jobs with ``depth`` work chains between evaluation and job."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(generations), tag='generation', project='id')
    parent = 'generation'
    for level in range(depth + 1):
        query.append(
            WorkChainNode,
            with_incoming=parent,
            edge_filters={'type': 'call_work'},
            edge_project='label',
            edge_tag=f'link_{level}',
            tag=f'level_{level}',
            filters=among(evaluations) if level == 0 and evaluations is not None else {},
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
        project=columns,
    )


def _jobs_at(generations: list[int], depth: int, evaluations: list[int] | None) -> Iterator[JobRecord]:
    recorded = _chain(generations, depth, ['id'], evaluations).append(
        Dict,
        with_incoming='job',
        edge_filters={'label': 'output_parameters'},
        tag='parameters',
        project=['attributes.wall_time_seconds', 'attributes.creator_version'],
    )
    outputs = {row['job']['id']: row['parameters'] for row in recorded.iterdict(batch_size=1000)}
    for row in _chain(generations, depth, _COLUMNS, evaluations).iterdict(batch_size=1000):
        job = row['job']
        output = outputs.get(job['id'], {})
        resources = job['attributes.resources'] or {}
        state = job['attributes.process_state']
        lifetime = (job['mtime'] - job['ctime']).total_seconds()
        allowed = job['attributes.max_wallclock_seconds']
        ended = state in ('finished', 'excepted', 'killed')
        yield JobRecord(
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
            wall_seconds=output.get('attributes.wall_time_seconds'),
            allowed_seconds=min(lifetime, allowed or lifetime) if ended else float(allowed or lifetime),
            cached=job['extras._aiida_cached_from'] is not None,
            uuid=job['uuid'],
            changed=job['mtime'],
            exit_message=job['attributes.exit_message'],
            code_version=output.get('attributes.creator_version') or '',
        )
