"""What called what, and which data went in and came out: the graph below campaigns, level by level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiida.orm import Data, Node, ProcessNode, QueryBuilder, User

from aiida_inversedesign.graph.jobs import among, parts
from aiida_inversedesign.graph.scalars import edge, scalars


@dataclass(frozen=True)
class Call:
    """A process, as called by another; ``parent`` and ``label`` are empty for what nobody called."""

    id: int
    uuid: str
    parent: int | None
    label: str
    node_type: str
    process_type: str
    state: str | None
    exit_status: int | None
    exit_message: str | None
    cached: bool = False

    @property
    def is_job(self) -> bool:
        """Whether it is a calculation job."""
        return self.node_type.endswith('.CalcJobNode.')

    @property
    def is_work(self) -> bool:
        """Whether it is a work chain."""
        return self.node_type.endswith('.WorkChainNode.')

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.state in ('finished', 'excepted', 'killed')


@dataclass(frozen=True)
class Link:
    """Data that went into a process (``input_calc``, ``input_work``) or came out of it (``create``, ``return``)."""

    process: int
    type: str
    label: str
    node: int
    uuid: str
    node_type: str


_COLUMNS = [
    'id',
    'uuid',
    'node_type',
    'process_type',
    'attributes.process_state',
    'attributes.exit_status',
    'attributes.exit_message',
    'extras._aiida_cached_from',
]


def find_calls(roots: Iterable[int]) -> list[Call]:
    """These processes and everything below them, parents before children, children in the order of their making."""
    wanted = list(roots)
    query = QueryBuilder().append(ProcessNode, filters=among(wanted), project=_COLUMNS)
    level = sorted((_call(None, '', row) for row in query.all()), key=lambda call: wanted.index(call.id))
    found, known = list(level), {call.id for call in level}
    while level:
        level = [call for call in _called([call.id for call in level if call.is_work]) if call.id not in known]
        known |= {call.id for call in level}
        found += level
    return found


def _called(parents: list[int]) -> Iterator[Call]:
    for part in parts(parents):
        query = QueryBuilder().append(ProcessNode, filters=among(part), tag='parent', project='id')
        query.append(
            ProcessNode,
            with_incoming='parent',
            edge_filters={'type': {'in': ['call_calc', 'call_work']}},
            edge_project='label',
            tag='child',
            project=['ctime', *_COLUMNS],
        )
        rows = [(created, parent, label, row) for parent, created, *row, label in query.iterall(batch_size=1000)]
        for _, parent, label, row in sorted(rows, key=lambda item: (item[0], item[3][0])):
            yield _call(parent, label, row)


def _call(parent: int | None, label: str, row: Sequence[Any]) -> Call:
    """The call of a row of ``_COLUMNS``."""
    identifier, uuid, node_type, process_type, state, status, message, source = row
    return Call(
        identifier, uuid, parent, label, node_type, process_type or '', state, status, message, source is not None
    )


def find_links(processes: Iterable[int]) -> Iterator[Link]:
    """Every link between these processes and data."""
    for part in parts(processes):
        for side, types in (('with_outgoing', ['input_calc', 'input_work']), ('with_incoming', ['create', 'return'])):
            query = QueryBuilder().append(ProcessNode, filters=among(part), tag='process', project='id')
            query.append(
                Data,
                **{side: 'process'},
                edge_filters={'type': {'in': types}},
                edge_project=['type', 'label'],
                project=['id', 'uuid', 'node_type'],
            )
            for process, identifier, uuid, node_type, link_type, label in query.iterall(batch_size=1000):
                yield Link(process, link_type, label, identifier, uuid, node_type)


def attributes_of(nodes: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The attributes of the nodes with these PKs."""
    found: dict[int, dict[str, Any]] = {}
    for part in parts(nodes):
        query = QueryBuilder().append(Data, filters=among(part), project=['id', 'attributes'])
        found |= dict(query.all(batch_size=1000))
    return found


def nodes_of(nodes: Iterable[int]) -> list[Node]:
    """The nodes with these PKs, read together."""
    return [node for part in parts(nodes) for node in QueryBuilder().append(Node, filters=among(part)).all(flat=True)]


def input_hashes(processes: Iterable[int]) -> dict[int, dict[str, tuple[int, str | None]]]:
    """PK and recorded hash of each input of these processes, by PK of the process and label of the input."""
    found: dict[int, dict[str, tuple[int, str | None]]] = {}
    for part in parts(processes):
        query = QueryBuilder().append(ProcessNode, filters=among(part), tag='process', project='id')
        query.append(
            Data,
            with_outgoing='process',
            edge_filters={'type': {'in': ['input_calc', 'input_work']}},
            edge_project='label',
            project=['id', 'extras._aiida_hash'],
        )
        for process, node, recorded, label in query.iterall(batch_size=1000):
            found.setdefault(process, {})[label] = (node, recorded)
    return found


def creators_of(nodes: Iterable[int]) -> set[int]:
    """PKs of the calculations that made these nodes."""
    query = QueryBuilder().append(Data, filters=among(set(nodes)), tag='made')
    query.append(ProcessNode, with_outgoing='made', edge_filters=edge(kind='create'), project='id')
    return {row[0] for row in scalars(query)}


def any_user() -> User | None:
    """One of the users of the storage: an archive has no default one, but nodes cannot be made without."""
    return QueryBuilder().append(User).first(flat=True)
