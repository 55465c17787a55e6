"""Questions about campaigns, generations and evaluations; with ``queries/`` the only module that uses QueryBuilder.

A campaign has a fixed shape: campaign → generation → evaluation → (relaxation → base →, or base →) calculation job.
Each question is therefore a chain of joins of known depth with scalar projections, which stays fast where a walk over
``called_descendants`` takes minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida.orm import Data, Dict, ProcessNode, QueryBuilder, Str, WorkChainNode

from aiida_inversedesign.graph.evaluation_account import Evaluation
from aiida_inversedesign.graph.job_record import Cost, JobRecord, cost_of
from aiida_inversedesign.graph.jobs import among, find_jobs, jobs_of_generation
from aiida_inversedesign.graph.scalars import edge, scalars
from aiida_inversedesign.nodes.table_data import TableData

#: Process type of a campaign.
CAMPAIGN = 'aiida.workflows:inversedesign.campaign'

#: Column of a process node → what the audit calls it.
_PROCESS = {
    'id': 'pk',
    'uuid': 'uuid',
    'attributes.process_state': 'state',
    'attributes.exit_status': 'exit_status',
    'attributes.exit_message': 'exit_message',
    'ctime': 'created',
    'mtime': 'changed',
}


def find_generations(campaigns: Iterable[int]) -> list[dict[str, Any]]:
    """Number, PK, UUID, state, exit code, times of the generations of these campaigns, oldest first."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(campaigns), tag='campaign')
    query.append(
        WorkChainNode,
        with_incoming='campaign',
        edge_filters=edge('generation_%', 'call_work'),
        edge_project='label',
        edge_tag='link',
        project=list(_PROCESS),
        tag='generation',
    )
    found = [
        {
            'number': int(label.rpartition('_')[2]),
            **dict(zip(_PROCESS.values(), values, strict=True)),
        }
        for *values, label in scalars(query)
    ]
    return sorted(found, key=lambda item: (item['created'], item['uuid']))


def campaign_facts(campaign: int) -> dict[str, Any]:
    """PK, UUID, state, exit code, times and recorded versions of a campaign."""
    query = QueryBuilder().append(WorkChainNode, filters={'id': campaign}, project=[*_PROCESS, 'attributes.version'])
    return dict(zip((*_PROCESS.values(), 'version'), query.one(), strict=True))


def stop_reason(campaign: int) -> str | None:
    """Why a campaign stopped, as it returned it, or None."""
    query = QueryBuilder().append(WorkChainNode, filters={'id': campaign}, tag='campaign')
    query.append(
        Str,
        with_incoming='campaign',
        edge_filters=edge('stop_reason', 'return'),
        project='attributes.value',
    )
    return query.first(flat=True)


def generation_ids(campaigns: Iterable[int]) -> list[int]:
    """PKs of the generations of these campaigns, oldest first."""
    return [item['pk'] for item in find_generations(campaigns)]


def chain_of(campaign: int) -> list[int]:
    """PKs of the campaigns that share this one's settings node, oldest first: itself and those it resumed.

    The order is that of their creation: an imported archive has new PKs.
    """
    query = QueryBuilder()
    query.append(WorkChainNode, filters={'id': campaign}, tag='campaign', project='ctime')
    query.append(Data, with_outgoing='campaign', edge_filters=edge('settings'), tag='settings')
    query.append(
        WorkChainNode,
        with_incoming='settings',
        edge_filters=edge('settings'),
        filters={'process_type': CAMPAIGN},
        project=['ctime', 'id'],
        tag='member',
    )
    return [identifier for own, created, identifier in sorted(query.distinct().all()) if created <= own]


def learned_from(campaign: int) -> list[int]:
    """PKs of the campaigns whose settings a campaign took to learn from them, with those that they resumed."""
    query = QueryBuilder().append(WorkChainNode, filters={'id': campaign}, tag='campaign')
    query.append(Data, with_outgoing='campaign', edge_filters=edge('campaigns__settings_%'), tag='settings')
    query.append(
        WorkChainNode,
        with_incoming='settings',
        edge_filters=edge('settings'),
        filters={'process_type': CAMPAIGN},
        project='id',
    )
    return sorted(set(query.all(flat=True)))


def _pk(node: WorkChainNode) -> int:
    """The PK of a stored node."""
    if node.pk is None:
        raise ValueError(f'{node.process_label or "the work chain"} is not stored: only stored nodes can be queried')
    return node.pk


def campaign_cost(campaign: WorkChainNode) -> Cost:
    """What a campaign has cost so far, those that it resumed included."""
    return cost_of(find_jobs(chain_of(_pk(campaign))))


def evaluation_costs(generation: WorkChainNode, evaluations: Iterable[int] | None = None) -> dict[str, Cost]:
    """The cost of each evaluation of a generation, references included, by call link label.

    :param evaluations: PKs of those that alone are looked at; by default all.
    """
    jobs: dict[str, list[JobRecord]] = {}
    for job in jobs_of_generation(_pk(generation), evaluations):
        jobs.setdefault(job.evaluation, []).append(job)
    return {label: cost_of(found) for label, found in jobs.items()}


def find_evaluations(generations: Iterable[int]) -> list[Evaluation]:
    """Every evaluation launched by the generations with these PKs, elemental references included, oldest first."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(generations), tag='generation', project='id')
    query.append(
        WorkChainNode,
        with_incoming='generation',
        edge_filters=edge(kind='call_work'),
        edge_project='label',
        edge_tag='link',
        tag='evaluation',
        project=[
            'id',
            'uuid',
            'label',
            {'attributes.process_state': {'cast': 't'}},
            {'attributes.exit_status': {'cast': 'i'}},
            {'attributes.exit_message': {'cast': 't'}},
            {'attributes.exception': {'cast': 't'}},
            {'attributes.process_label': {'cast': 't'}},
            'ctime',
            'mtime',
        ],
    )
    names = (
        *('id', 'uuid', 'description', 'state', 'exit_status', 'exit_message', 'exception', 'process_label'),
        *('started', 'changed'),
    )
    found = [
        Evaluation(generation=generation, label=label, **dict(zip(names, values, strict=True)))
        for generation, *values, label in scalars(query)
    ]
    return sorted(found, key=lambda item: (item.started, item.uuid))


def list_campaigns() -> list[dict[str, Any]]:
    """PK, label, state and creation time of every campaign in the profile, oldest first."""
    query = QueryBuilder().append(
        WorkChainNode,
        filters={'process_type': CAMPAIGN},
        project=['id', 'uuid', 'label', 'attributes.process_state', 'attributes.exit_status', 'ctime'],
    )
    names = ('pk', 'uuid', 'name', 'state', 'exit_status', 'created')
    return [dict(zip(names, row, strict=True)) for row in sorted(query.all())]


def newest_table(generations: Iterable[int]) -> TableData | None:
    """The newest table that a harvest of these generations made, or None."""
    return _newest_of(generations, 'harvest')


def known_table(generations: Iterable[int]) -> TableData | None:
    """The table of the starting data that these generations began with, or None."""
    return _newest_of(generations, 'known')


def _newest_of(generations: Iterable[int], step: str) -> TableData | None:
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(generations), tag='generation')
    query.append(ProcessNode, with_incoming='generation', edge_filters=edge(step, 'call_calc'), tag='step')
    query.append(TableData, with_incoming='step', edge_filters=edge(kind='create'), tag='table')
    return query.order_by({'table': {'ctime': 'desc'}}).first(flat=True)


def returned_properties(generations: Iterable[int]) -> dict[int, dict[str, float]]:
    """Value of each property that the evaluations of these generations returned, by the evaluation's PK."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(generations), tag='generation')
    query.append(
        WorkChainNode, with_incoming='generation', edge_filters=edge(kind='call_work'), tag='evaluation', project='id'
    )
    query.append(Dict, with_incoming='evaluation', edge_filters=edge('properties', 'return'), project='attributes')
    return {
        identifier: {name: float(entry['value']) for name, entry in properties.items()}
        for identifier, properties in scalars(query)
    }


def evaluated_candidates(evaluations: Iterable[int]) -> dict[int, Data]:
    """The candidates that were given to the evaluations with these PKs."""
    query = QueryBuilder()
    query.append(WorkChainNode, filters=among(evaluations), tag='evaluation', project='id')
    query.append(Data, with_outgoing='evaluation', edge_filters=edge('candidate'), project='*')
    return dict(query.all())
