"""Single steps of a running work chain, found without loading its other children."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from aiida.orm import CalcFunctionNode, CalcJobNode, ProcessNode, QueryBuilder, WorkChainNode

from aiida_inversedesign.graph.jobs import among
from aiida_inversedesign.nodes.table_data import TableData


def find_step(parent: int, label: str, name: str) -> CalcFunctionNode | None:
    """The calculation function that a work chain called under a link label and that has this name, if it has ended.

    :param parent: PK of the work chain.
    :param name: the label of the node; a stream of evaluations takes many steps under the same link label.
    """
    query = QueryBuilder().append(WorkChainNode, filters={'id': parent}, tag='parent')
    query.append(
        CalcFunctionNode,
        with_incoming='parent',
        edge_filters={'type': 'call_calc', 'label': label},
        filters={'label': name, 'attributes.process_state': 'finished'},
        tag='step',
        project=['*', 'id'],
    )
    found = query.order_by({'step': {'id': 'desc'}}).first()
    return found[0] if found else None


def without_checkpoint(processes: Iterable[int]) -> dict[int, datetime]:
    """The jobs and work chains among these that have neither ended nor a checkpoint, and when each was stored.

    Functions never have one and are left out. Asked of the database and not of loaded nodes, which would tell what
    they were when they were loaded.
    """
    filters = {**among(processes), 'attributes': {'!has_key': ProcessNode.CHECKPOINT_KEY}}
    query = QueryBuilder().append(
        (CalcJobNode, WorkChainNode), filters=filters, project=['id', 'ctime', 'attributes.process_state']
    )
    ended = ('finished', 'excepted', 'killed')
    return {identifier: created for identifier, created, state in query.all() if state not in ended}


def _harvests(generations: Iterable[int], project: list[str]) -> QueryBuilder:
    """What is asked of the tables that harvests of these generations made."""
    query = QueryBuilder().append(WorkChainNode, filters=among(generations), tag='generation')
    links = {'type': 'call_calc', 'label': 'harvest'}
    query.append(CalcFunctionNode, with_incoming='generation', edge_filters=links, tag='step')
    return query.append(TableData, with_incoming='step', edge_filters={'type': 'create'}, project=project, tag='table')


def harvest_times(generations: Iterable[int]) -> list[tuple[float, int]]:
    """When each harvest of these generations was made (seconds since the epoch), and the rows of its table."""
    query = _harvests(generations, ['ctime', 'attributes.counts.total'])
    return sorted((created.timestamp(), rows) for created, rows in query.iterall(batch_size=1000))


def latest_harvest(generations: Iterable[int]) -> int:
    """Rows of the largest table that these generations have made, 0 without one."""
    query = _harvests(generations, ['attributes.counts.total'])
    return int(query.order_by({'table': {'id': 'desc'}}).first(flat=True) or 0)
