"""Single steps of a running work chain, found without loading its other children."""

from __future__ import annotations

from aiida.orm import CalcFunctionNode, QueryBuilder, WorkChainNode


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
