"""Which calculation made a node, also where that belongs to another campaign."""

from __future__ import annotations

from collections.abc import Iterable

from aiida.orm import Data, ProcessNode, QueryBuilder

from aiida_inversedesign.audit.queries.jobs import among

#: Nodes of one query: SQLite takes no more than some ten thousand parameters.
_PART = 5000


def creators_of(nodes: Iterable[int]) -> set[int]:
    """PKs of the calculations that made these nodes."""
    wanted, found = sorted(set(nodes)), set()
    for start in range(0, len(wanted), _PART):
        query = QueryBuilder().append(Data, filters=among(wanted[start : start + _PART]), tag='made')
        query.append(ProcessNode, with_outgoing='made', edge_filters={'type': 'create'}, project='id')
        found |= set(query.all(flat=True))
    return found
