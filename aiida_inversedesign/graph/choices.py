"""What the generations decided and what they were given: batches, surrogates, pools, libraries, codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aiida.orm import (
    AbstractCode,
    ArrayData,
    CalculationNode,
    Computer,
    Data,
    Dict,
    QueryBuilder,
    WorkChainNode,
    load_node,
)

from aiida_inversedesign.campaign.curves.curve import Bands
from aiida_inversedesign.graph.jobs import among
from aiida_inversedesign.graph.records import LibraryRecord, SurrogateRecord
from aiida_inversedesign.graph.scalars import edge, scalars
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.curves import bands_of
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.points import PointsData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData

#: Call link label of the decision on what a potential said; those of its jobs begin with it.
SCREENING = 'screen'
#: What the call link labels of decisions on answers begin with (``screen.estimate_cost``).
ANSWERS = 'answers'


def _called(
    generations: Iterable[int], step: str, project: str | None = None, filters: dict[str, Any] | None = None
) -> QueryBuilder:
    """The calculation functions, or jobs, of one step of these generations."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(generations), tag='generation', project='id')
    return query.append(
        CalculationNode,
        with_incoming='generation',
        edge_filters=edge(step, 'call_calc'),
        tag='step',
        project=project,
        filters=filters or {},
    )


def find_batches(generations: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Every choice of each generation as stored, with ``surrogate``: the kind it was chosen with, or empty.

    A generation with the asynchronous schedule selects many times. What an interrupted one had chosen is the same in
    the generation that took it up again.

    :returns: choices by the generation's PK, in the order in which they were made.
    """
    identifiers = list(generations)
    chosen = _called(identifiers, 'select', project='id').append(
        Dict, with_incoming='step', edge_filters=edge('batch', 'create'), project='attributes'
    )
    kinds = _called(identifiers, 'select', project='id').append(
        SurrogateData, with_outgoing='step', edge_filters=edge('surrogate'), project='attributes.kind'
    )
    kind = {step: found for _, step, found in scalars(kinds)}
    again = QueryBuilder().append(WorkChainNode, filters=among(identifiers), tag='generation', project='id')
    again.append(Dict, with_outgoing='generation', edge_filters=edge('interrupted__batch%'), project='attributes')
    batches = [(generation, '', batch) for generation, batch in scalars(again)]
    batches += [(generation, kind.get(step) or '', batch) for generation, step, batch in sorted_by_step(chosen)]
    found: dict[int, list[dict[str, Any]]] = {}
    for generation, name, batch in batches:
        found.setdefault(generation, []).extend({**choice, 'surrogate': name} for choice in batch.get('choices', ()))
    return found


def curve_bands(generations: Iterable[int]) -> dict[tuple[str, str], Bands]:
    """What selections said of the curves of those that they chose, by candidate and property; the last counts."""
    query = _called(generations, 'select', project='id').append(
        ArrayData, with_incoming='step', edge_filters=edge('curves', 'create'), project='uuid'
    )
    steps = sorted((step, uuid) for _, step, uuid in scalars(query))
    return {key: band for _, uuid in steps for key, band in bands_of(load_node(uuid)).items()}


def sorted_by_step(query: QueryBuilder) -> list[tuple[int, int, dict[str, Any]]]:
    """Rows of generation, step and content in the order of the steps."""
    return sorted(((row[0], row[1], row[2]) for row in scalars(query)), key=lambda row: row[1])


def find_surrogates(generations: Iterable[int]) -> dict[int, SurrogateRecord]:
    """The surrogate that each generation returned, by the generation's PK."""
    query = QueryBuilder().append(WorkChainNode, filters=among(generations), tag='generation', project='id')
    query.append(
        SurrogateData,
        with_incoming='generation',
        edge_filters=edge('surrogate', 'return'),
        project=['uuid', *(f'attributes.{name}' for name in ('kind', 'models', 'rows', 'earlier'))],
    )
    return {
        identifier: SurrogateRecord(uuid, kind, models or dict.fromkeys(rows or {}, kind), rows or {}, earlier or {})
        for identifier, uuid, kind, models, rows, earlier in scalars(query)
    }


def newest_surrogate(generations: Iterable[int]) -> SurrogateData | None:
    """The newest surrogate that was fitted in these generations, or None."""
    query = _called(generations, 'fit%').append(
        SurrogateData, with_incoming='step', edge_filters=edge(kind='create'), tag='surrogate', project=['*', 'id']
    )
    found = query.order_by({'surrogate': {'id': 'desc'}}).first()
    return found[1] if found else None


def informed_selections(generations: Iterable[int]) -> Iterator[CalculationNode]:
    """The selections of these generations that were made with a surrogate, the newest first."""
    query = _called(generations, 'select', project='id', filters={'attributes.exit_status': 0}).append(
        SurrogateData, with_outgoing='step', edge_filters=edge('surrogate'), project='id'
    )
    for step in sorted({row[1] for row in scalars(query)}, reverse=True):
        yield load_node(step)


def largest_pools(generations: Iterable[int]) -> list[PoolData]:
    """The pools of these generations that are not part of a later one, oldest first.

    A proposal that is given a pool adds to it: what went into the making of another pool need not be read.
    """
    identifiers = list(generations)
    query = QueryBuilder().append(WorkChainNode, filters=among(identifiers), tag='generation')
    query.append(
        PoolData,
        with_incoming='generation',
        edge_filters=edge('pool', 'return'),
        tag='pool',
        project=['ctime', 'uuid'],
    )
    found = {uuid: created for created, uuid in query.distinct().all()}
    earlier = set()
    # a job that was cut down is followed by `propose_attempt_2`; a screening makes a pool of the one it judged
    for step in ('propose%', SCREENING, f'{ANSWERS}%'):
        made = _called(identifiers, step).append(
            PoolData, with_incoming='step', edge_filters=edge(kind='create'), tag='pool', project=['ctime', 'uuid']
        )
        found |= {uuid: created for _, created, uuid in made.all()}
        # one that ended otherwise added to no pool
        taken = _called(identifiers, step, filters={'attributes.exit_status': 0}).append(
            PoolData, with_outgoing='step', edge_filters=edge('pool'), tag='earlier', project='uuid'
        )
        earlier |= {uuid for _, uuid in taken.all()}
    left = sorted((created, uuid) for uuid, created in found.items() if uuid not in earlier)
    return [
        QueryBuilder().append(PoolData, filters={'uuid': uuid}).one()[0]  # each is large: one by one
        for _, uuid in left
    ]


def last_references(generations: Iterable[int]) -> dict[str, float]:
    """Energies of the elemental references that the newest of these generations with any returned, eV/atom."""
    query = QueryBuilder().append(WorkChainNode, filters=among(generations), tag='generation')
    query.append(
        Dict,
        with_incoming='generation',
        edge_filters=edge('references', 'return'),
        tag='references',
        project='attributes',
    )
    return dict(query.order_by({'references': {'ctime': 'desc'}}).first(flat=True) or {})


def _input(campaign: int, kind: Any, port: str, project: Any = '*') -> list[Any] | None:
    """What is asked of an input of a campaign, or None if the graph does not hold it."""
    query = QueryBuilder().append(WorkChainNode, filters={'id': campaign}, tag='campaign')
    return query.append(kind, with_outgoing='campaign', edge_filters=edge(port), project=project).first()


def library_of(campaign: int) -> LibraryRecord | None:
    """The templates of a campaign, as their node describes them."""
    names = ['label', 'uuid', 'attributes.count', 'attributes.content_hash', 'attributes.sources']
    found = _input(campaign, (LibraryData, PointsData), 'library', names)
    if not found:
        return None
    label, uuid, count, content_hash, sources = found
    return LibraryRecord(label, uuid, count, content_hash, dict(sources or {}))


def model_of(campaign: int) -> dict[str, Any] | None:
    """Label, UUID and attributes of the proposal model of a campaign, or None."""
    found = _input(campaign, CspmlData, 'model', ['label', 'uuid', 'attributes'])
    return {'label': found[0], 'uuid': found[1], **found[2]} if found else None


def library_node(campaign: int, port: str) -> LibraryData | PointsData | None:
    """The library that a campaign was given as ``library`` or ``engine__data``, or None."""
    found = _input(campaign, (LibraryData, PointsData), port)
    return found[0] if found else None


def dict_of(campaign: int, port: str) -> dict[str, Any] | None:
    """The content of an input of a campaign that is a ``Dict``, or None if the graph does not hold it."""
    found = _input(campaign, Data, port, 'attributes')
    return dict(found[0]) if found else None


def find_codes(generations: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Label, computer, plugin and UUID of the code that each generation's engine uses, by the generation's PK."""
    identifiers = list(generations)
    query = QueryBuilder().append(WorkChainNode, filters=among(identifiers), tag='generation', project='id')
    query.append(
        AbstractCode,
        with_outgoing='generation',
        edge_filters=edge('engine__%'),
        tag='code',
        project=['label', 'uuid', 'attributes.input_plugin'],
    )
    query.append(Computer, with_node='code', project='label')
    return {
        identifier: {'label': f'{label}@{computer}', 'computer': computer, 'plugin': plugin or '', 'uuid': uuid}
        for identifier, label, uuid, plugin, computer in scalars(query)
    }
