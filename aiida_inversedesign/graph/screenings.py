"""What jobs with a potential found and what they have cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida.orm import CalcJobNode, Dict, List, QueryBuilder, WorkChainNode

from aiida_inversedesign.graph.jobs import among
from aiida_inversedesign.graph.records import ScreeningJob
from aiida_inversedesign.graph.scalars import edge
from aiida_inversedesign.screen.potentials.phases import is_phase
from aiida_inversedesign.screen.potentials.questions import is_question

#: Process type of the jobs.
POTENTIAL_JOB = 'aiida.calculations:inversedesign.potential'


def results_of(generations: Iterable[int]) -> list[Dict]:
    """The results of the jobs of these generations, oldest first; those that were cut down have some too."""
    # times that are equal are distinguished by UUIDs: an imported archive has new PKs
    query = QueryBuilder().append(WorkChainNode, filters=among(generations), tag='generation')
    query.append(
        CalcJobNode, with_incoming='generation', filters={'process_type': POTENTIAL_JOB}, tag='job', project='ctime'
    )
    query.append(Dict, with_incoming='job', edge_filters=edge('results', 'create'), project='*')
    return [node for _, node in sorted(query.all(), key=lambda row: (row[0], row[1].uuid))]


def jobs_of_potential(generations: Iterable[int]) -> list[ScreeningJob]:
    """What each job of these generations computed, with what, and how long it took."""
    found = []
    for node in results_of(generations):
        data = node.get_dict()
        # one that was cut down did not come to write how long it took: its candidates did
        seconds = data.get('wall_time_seconds') or sum(record.get('seconds', 0.0) for record in data['records'])
        hours = seconds * data['identity'].get('threads', 1) / 3600
        phases = [record for record in data['records'] if is_phase(record['id'])]
        failed = sum('failed' in record for record in phases)
        asked = sum(is_question(record['id']) for record in data['records'])
        candidates = len(data['records']) - len(phases) - asked
        found.append(ScreeningJob(candidates, hours, data['identity'], len(phases), failed, asked))
    return found


def running_jobs(generations: Iterable[int]) -> list[dict[str, Any]]:
    """The jobs of these generations that have not ended: label, PK, state, when made, and how many candidates."""
    query = QueryBuilder().append(WorkChainNode, filters=among(generations), tag='generation')
    query.append(
        CalcJobNode,
        with_incoming='generation',
        edge_project='label',
        filters={
            'process_type': POTENTIAL_JOB,
            'attributes.process_state': {'!in': ['finished', 'excepted', 'killed']},
        },
        tag='job',
        project=['id', 'attributes.process_state', 'ctime'],
    )
    query.append(List, with_outgoing='job', edge_filters=edge('candidates'), project='attributes.list')
    names = ('pk', 'state', 'started', 'candidates', 'label')
    found = [dict(zip(names, row, strict=True)) for row in query.all()]
    return sorted(({**item, 'candidates': len(item['candidates'])} for item in found), key=lambda item: item['pk'])
