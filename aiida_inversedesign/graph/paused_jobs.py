"""Jobs that AiiDA paused by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiida.orm import CalcJobNode, QueryBuilder

#: How AiiDA says that it paused a job, and not a person.
PAUSED_BY_FAILURE = 'Pausing after failed transport task'


def paused_after_failures() -> list[int]:
    """PKs of the jobs that were paused when their transport or scheduler had failed several times."""
    filters = {
        'attributes.paused': True,
        'attributes.process_state': {'in': ['created', 'waiting', 'running']},
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
