"""Which calculation made a node, also where that belongs to another campaign."""

from __future__ import annotations

from collections.abc import Iterable

from aiida.orm import Data, ProcessNode, QueryBuilder

from aiida_inversedesign.graph.jobs import among
from aiida_inversedesign.graph.scalars import edge, scalars


def creators_of(nodes: Iterable[int]) -> set[int]:
    """PKs of the calculations that made these nodes."""
    query = QueryBuilder().append(Data, filters=among(set(nodes)), tag='made')
    query.append(ProcessNode, with_outgoing='made', edge_filters=edge(kind='create'), project='id')
    return {row[0] for row in scalars(query)}
