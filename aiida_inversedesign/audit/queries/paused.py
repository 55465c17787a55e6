"""Jobs that AiiDA paused by itself."""

from __future__ import annotations

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
