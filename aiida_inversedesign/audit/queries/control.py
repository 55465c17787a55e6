"""What the control of running campaigns asks: requests to stop, and how much the daemon has to do."""

from __future__ import annotations

from typing import Any

from aiida.orm import ProcessNode, QueryBuilder, WorkChainNode

#: The extra of a campaign that holds a request to stop it.
STOP = 'inversedesign_stop'


def count_active_processes() -> int:
    """How many processes of the profile have not ended: each holds a slot of the daemon, or waits for one."""
    states = {'attributes.process_state': {'in': ['created', 'waiting', 'running']}}
    return QueryBuilder().append(ProcessNode, filters=states).count()


def stop_request(campaign: int) -> dict[str, Any] | None:
    """The request to stop the campaign with this PK, as written, or None.

    Asked of the database and not of a loaded node, which would tell what it was when it was loaded.
    """
    query = QueryBuilder().append(WorkChainNode, filters={'id': campaign}, project=f'extras.{STOP}')
    request = query.first(flat=True)
    return request if isinstance(request, dict) else None
