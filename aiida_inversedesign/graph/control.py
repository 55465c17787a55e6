"""What the control of running campaigns asks: requests to stop, and how much the daemon has to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aiida.orm import CalcJobNode, ProcessNode, QueryBuilder, WorkChainNode

#: The extra of a campaign that holds a request to stop it.
STOP = 'inversedesign_stop'
#: The extra of a campaign that runs in the foreground: which process runs it.
FOREGROUND = 'inversedesign_foreground'
#: How AiiDA says that it paused a job, and not a person.
PAUSED_BY_FAILURE = 'Pausing after failed transport task'
#: The states of a process that has not ended.
_ACTIVE = {'attributes.process_state': {'in': ['created', 'waiting', 'running']}}


def count_active_processes() -> int:
    """How many processes of the profile have not ended: each holds a slot of the daemon, or waits for one.

    Work chains and jobs; functions run inside the step of a work chain, without a slot and a task of their own.
    """
    return len(active_processes())


def active_processes() -> list[int]:
    """PKs of the work chains and jobs of the profile that have not ended."""
    query = QueryBuilder().append((CalcJobNode, WorkChainNode), filters=_ACTIVE, project='id')
    return sorted(query.all(flat=True))


def count_unstarted(seconds: float) -> int:
    """How many work chains and jobs have been waiting for a worker to begin with them for so long."""
    before = datetime.now(UTC) - timedelta(seconds=seconds)
    filters = {
        'ctime': {'<': before},
        'attributes.process_state': 'created',
        'attributes': {'has_key': ProcessNode.CHECKPOINT_KEY},
    }
    return QueryBuilder().append((CalcJobNode, WorkChainNode), filters=filters).count()


def foreground_campaigns() -> list[dict[str, Any]]:
    """Of each campaign that was launched in the foreground and has not ended, which process runs or ran it."""
    filters = {**_ACTIVE, 'extras': {'has_key': FOREGROUND}}
    query = QueryBuilder().append(WorkChainNode, filters=filters, project=f'extras.{FOREGROUND}')
    return [item for item in query.all(flat=True) if isinstance(item, dict)]


def stop_request(campaign: int) -> dict[str, Any] | None:
    """The request to stop the campaign with this PK, as written, or None.

    Asked of the database and not of a loaded node, which would tell what it was when it was loaded.
    """
    query = QueryBuilder().append(WorkChainNode, filters={'id': campaign}, project=f'extras.{STOP}')
    request = query.first(flat=True)
    return request if isinstance(request, dict) else None


def paused_after_failures() -> list[int]:
    """PKs of the jobs that were paused when their transport or scheduler had failed several times."""
    filters = {
        **_ACTIVE,
        'attributes.paused': True,
        'attributes.process_status': {'like': f'{PAUSED_BY_FAILURE}%'},
    }
    return sorted(QueryBuilder().append(CalcJobNode, filters=filters, project='id').all(flat=True))


def quiet_jobs(seconds: float) -> list[int]:
    """PKs of the jobs that wait, paused by nobody, and have not changed for so long.

    Nearly all of them wait for their scheduler. But AiiDA 2.9 writes no checkpoint when a paused job is resumed:
    if its worker is killed then, the next one takes it up as paused, and the node does not say so.
    """
    filters = {
        'attributes.process_state': 'waiting',
        'mtime': {'<': datetime.now(UTC) - timedelta(seconds=seconds)},
    }
    query = QueryBuilder().append(CalcJobNode, filters=filters, project=['id', 'attributes.paused'])
    return sorted(identifier for identifier, paused in query.all() if not paused)
