"""Evaluations of the profile that an equal one could be spared by."""

from __future__ import annotations

from aiida.orm import Data, QueryBuilder, WorkChainNode

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
