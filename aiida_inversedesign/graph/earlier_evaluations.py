"""Earlier evaluations that spare a new one all or part of its work."""

from __future__ import annotations

from aiida.orm import Data, Dict, QueryBuilder, StructureData, WorkChainNode, load_node

from aiida_inversedesign.graph.jobs import among
from aiida_inversedesign.graph.scalars import edge, scalars

#: Newest evaluations of one crystal that are looked at.
_MOST = 20


def completed_evaluations(candidate: Data, process_type: str) -> list[WorkChainNode]:
    """Evaluations of candidates of equal content by this engine that ended well, of any campaign, newest first."""
    query = QueryBuilder().append(
        Data, filters={'extras._aiida_hash': candidate.base.extras.get('_aiida_hash', '')}, tag='candidate'
    )
    query.append(
        WorkChainNode,
        with_incoming='candidate',
        edge_filters={'label': 'candidate'},
        filters={'process_type': process_type, 'attributes.exit_status': 0},
        tag='evaluation',
        project=['*', 'ctime'],
    )
    found = query.order_by({'evaluation': {'ctime': 'desc'}}).limit(_MOST).all()
    return [node for node, _ in found]


def known_equations_of_state(generations: list[int], formula: str) -> dict[str, tuple[StructureData, Dict]]:
    """Relaxed crystal and equation of state of the completed evaluations of a formula, by candidate.

    Each equation of state once, with the crystal that it was computed for.

    :param generations: PKs of those of the campaign and of the campaigns that it resumed.
    """
    query = QueryBuilder().append(WorkChainNode, filters=among(generations), tag='generation')
    query.append(
        WorkChainNode,
        with_incoming='generation',
        edge_filters=edge(kind='call_work'),
        edge_project='label',
        filters={'label': {'like': f'% {formula}'}, 'attributes.exit_status': 0},
        project='id',
    )
    found: dict[str, tuple[StructureData, Dict]] = {}
    for pk, label in sorted(scalars(query)):
        outputs = load_node(pk).outputs
        if 'equation_of_state' in outputs and 'relaxed' in outputs:
            state = outputs.equation_of_state
            if all(known.uuid != state.uuid for _, known in found.values()):
                found[label] = (outputs.relaxed, state)
    return found
