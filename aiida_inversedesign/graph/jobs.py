"""Calculation jobs below generations: every one, in a few queries of fixed depth."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from aiida.orm import CalcJobNode, Dict, QueryBuilder, WorkChainNode

from aiida_inversedesign.graph.job_record import GENERATE_JOB, JobRecord
from aiida_inversedesign.graph.scalars import edge, scalars

if TYPE_CHECKING:
    from aiida.orm.implementation import StorageBackend

#: Outputs of jobs that may have ``wall_time_seconds``: those of codes, and of our own scripts.
WITH_WALL_TIME = ('results', 'output_parameters', 'generated')

#: PKs of one query at most.
_PART = 5000

#: How many work chains lie between an evaluation and its calculation jobs.
DEPTHS = (0, 1, 2)


def among(identifiers: Iterable[int]) -> dict[str, Any]:
    """The filter for nodes with one of these PKs; QueryBuilder refuses an empty list, and no PK is 0."""
    return {'id': {'in': list(identifiers) or [0]}}


def parts(identifiers: Iterable[int]) -> Iterator[list[int]]:
    """PKs in parts for one query each: SQLite takes no more than some ten thousand parameters."""
    whole = list(identifiers)
    for start in range(0, len(whole), _PART):
        yield whole[start : start + _PART]


def find_jobs(campaigns: Iterable[int]) -> list[JobRecord]:
    """Every calculation job of evaluations and generators of the campaigns with these PKs, in the order they were made.

    Those of proposals, fits and screenings by a potential are none of them.
    """
    return records_of(read_jobs(list(campaigns)))


def jobs_of_generation(generation: int, evaluations: Iterable[int] | None = None) -> list[JobRecord]:
    """Every calculation job below one generation, in the order they were made.

    :param evaluations: PKs of those evaluations, references included, that alone are looked at; by default all.
    """
    only = among(evaluations) if evaluations is not None else None
    return records_of(_read([generation], _generation, only, None))


def read_jobs(campaigns: list[int], backend: StorageBackend | None = None) -> list[tuple[Any, ...]]:
    """What the storage says of each job below these campaigns: plain rows, for :func:`records_of`.

    :param backend: the storage; by default that of the loaded profile.
    """
    return _read(campaigns, _generations_of, None, backend)


def records_of(
    rows: Iterable[tuple[Any, ...]], codes: Mapping[int, Mapping[str, Any]] | None = None
) -> list[JobRecord]:
    """The jobs of rows of :func:`read_jobs`, in the order they were made.

    :param codes: ``label`` and ``computer`` of the engine's code by generation, for those jobs that shall name them.
    """
    jobs = [_job(row, codes or {}) for row in rows]
    # equal times are distinguished by UUIDs: an imported archive has new PKs
    return sorted(jobs, key=lambda job: (job.created, job.uuid))


# with a cast the storage converts: otherwise each cell is JSON to be read, a third of the time
_COLUMNS: list[Any] = [
    'id',
    'uuid',
    'process_type',
    {'attributes.exit_status': {'cast': 'i'}},
    {'attributes.exit_message': {'cast': 't'}},
    {'attributes.process_state': {'cast': 't'}},
    {'attributes.resources': {'cast': 't'}},
    {'attributes.max_wallclock_seconds': {'cast': 'f'}},
    'ctime',
    'mtime',
    {'extras._aiida_cached_from': {'cast': 't'}},
]
#: Where a row of :func:`_below` has the PK of its job, after those of generation and evaluation.
_PK = 2


def _read(
    starts: list[int],
    generations: Callable[[int, StorageBackend | None], QueryBuilder],
    evaluations: dict[str, Any] | None,
    backend: StorageBackend | None,
) -> list[tuple[Any, ...]]:
    """The jobs below each of some nodes, and what their outputs record.

    :param evaluations: filter of those that alone are looked at; None for all, and generators.
    """
    # from one node each: of joins that start at a list of PKs PostgreSQL makes a comparison of each with each
    rows = [
        row
        for start in starts
        for depth in DEPTHS
        for row in scalars(_below(generations(start, backend), depth, evaluations or {}))
    ]
    if evaluations is None:
        found = [row for start in starts for row in scalars(_generators(generations(start, backend)))]
        # of no evaluation: the generation stands for it, and the job's own label for its label
        rows += [(generation, generation, *columns, label, label) for generation, *columns, label in found]
    recorded = _recorded((row[_PK] for row in rows), backend)
    return [(*recorded.get(row[_PK], (None, None)), *row) for row in rows]


def _generations_of(campaign: int, backend: StorageBackend | None) -> QueryBuilder:
    query = QueryBuilder(backend=backend).append(WorkChainNode, filters={'id': campaign}, tag='campaign')
    return query.append(
        WorkChainNode,
        with_incoming='campaign',
        edge_filters=edge('generation_%', 'call_work'),
        tag='generation',
        project='id',
    )


def _generation(identifier: int, backend: StorageBackend | None) -> QueryBuilder:
    return QueryBuilder(backend=backend).append(
        WorkChainNode, filters={'id': identifier}, tag='generation', project='id'
    )


def _below(query: QueryBuilder, depth: int, evaluations: dict[str, Any]) -> QueryBuilder:
    """The joins from ``generation`` down to jobs with ``depth`` work chains between evaluation and job.

    A row has the PKs of generation and evaluation, ``_COLUMNS`` of the job, and the labels from the evaluation down.
    """
    parent = 'generation'
    for level in range(depth + 1):
        query.append(
            WorkChainNode,
            with_incoming=parent,
            edge_filters=edge(kind='call_work'),
            edge_project='label',
            tag=f'level_{level}',
            filters=evaluations if level == 0 else {},
            project='id' if level == 0 else None,
        )
        parent = f'level_{level}'
    return query.append(
        CalcJobNode,
        with_incoming=parent,
        edge_filters=edge(kind='call_calc'),
        edge_project='label',
        tag='job',
        project=_COLUMNS,
    )


def _generators(query: QueryBuilder) -> QueryBuilder:
    """The join from ``generation`` to its generators: PK of the generation, ``_COLUMNS`` of the job, and its label."""
    return query.append(
        CalcJobNode,
        with_incoming='generation',
        edge_filters=edge(kind='call_calc'),
        edge_project='label',
        filters={'process_type': GENERATE_JOB},
        tag='job',
        project=_COLUMNS,
    )


def _recorded(jobs: Iterable[int], backend: StorageBackend | None) -> dict[int, tuple[float | None, str | None]]:
    """Wall time in seconds and version of the code, as the outputs of the jobs with these PKs record them.

    By PK: to walk down from the generations once more would take longer.
    """
    identifiers = list(jobs)
    found: dict[int, tuple[float | None, str | None]] = {}
    for label in WITH_WALL_TIME:
        query = QueryBuilder(backend=backend).append(CalcJobNode, filters=among(identifiers), tag='job', project='id')
        query.append(
            Dict,
            with_incoming='job',
            edge_filters=edge(label),
            project=[{'attributes.wall_time_seconds': {'cast': 'f'}}, {'attributes.creator_version': {'cast': 't'}}],
        )
        found |= {job: (seconds, version) for job, seconds, version in scalars(query)}
    return found


def _job(row: tuple[Any, ...], codes: Mapping[int, Mapping[str, Any]]) -> JobRecord:
    """The record of a row of :func:`read_jobs`."""
    seconds, version, generation, evaluation_id, pk, uuid, process_type, exit_status, exit_message, state = row[:10]
    resources, allowed, created, changed, cached_from, label, *path = row[10:]
    code = {} if process_type == GENERATE_JOB else codes.get(generation) or {}
    lifetime = (changed - created).total_seconds()
    ended = state in ('finished', 'excepted', 'killed')
    return JobRecord(
        id=pk,
        created=created,
        generation=generation,
        evaluation_id=evaluation_id,
        evaluation=label,
        path=tuple(path),
        process_type=process_type,
        exit_status=exit_status,
        state=state,
        processes=_processes(resources),
        wall_seconds=seconds,
        allowed_seconds=min(lifetime, allowed or lifetime) if ended else allowed or lifetime,
        cached=cached_from is not None,
        uuid=uuid,
        changed=changed,
        exit_message=exit_message,
        code_version=version or '',
        code=code.get('label', ''),
        computer=code.get('computer', ''),
    )


@functools.cache
def _processes(resources: str | None) -> int:
    """MPI processes of a job's resources, given as JSON text."""
    asked = json.loads(resources) if resources else {}
    whole: int = asked.get('tot_num_mpiprocs') or asked.get('num_machines', 1) * asked.get(
        'num_mpiprocs_per_machine', 1
    )
    return whole
