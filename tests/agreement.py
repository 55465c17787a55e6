"""That ``status`` and ``audit`` say the same of a campaign's evaluations."""

from __future__ import annotations

from typing import Any

import independent_counts

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.load import load_record
from aiida_inversedesign.audit.status import describe


def check_counts(record: Any, report: dict[str, Any]) -> None:
    """Compare the counts of hits with those that pymatgen alone gives from the nodes."""
    if record.has_ended and 'e_above_hull' not in record.goal.properties:
        from aiida import orm

        chain = [orm.load_node(uuid) for uuid in (*record.resumed, record.uuid)]
        if all(item.process_label for item in chain):
            found = independent_counts.count(chain)
            assert found == {name: report['evaluations'][name] for name in found}


def check_agreement(campaign: Any) -> dict[str, Any]:
    """Compare counts, hits, the best and the reasons of failures, and return the status."""
    status, record = describe(campaign), load_record(campaign)
    report = audit(record, 'none')
    counts = report['evaluations']
    assert {name: status[name] for name in ('completed', 'failed', 'stopped')} == {
        name: counts[name] for name in ('completed', 'failed', 'stopped')
    }
    assert status['used']['hits']['value'] == counts['distinct_hits'] == len(status['hits'])
    assert status['used']['evaluations']['value'] == counts['total'] - counts['stopped']
    assert status['used']['dft_calculations']['value'] == report['dft_calculations']['total']
    by_name = {item.candidate: item for item in record.evaluations}
    for shown in status['hits']:
        assert by_name[shown['candidate']].is_distinct_hit
        assert by_name[shown['candidate']].properties == shown['properties']
    assert {item['candidate']: item['reason'] for item in status['failures']} == {
        item.candidate: item.reason for item in record.evaluations if item.status == 'failed'
    }
    check_counts(record, report)
    best = report['best'][0] if report['best'] else None
    assert (status['best'] or {}).get('candidate') == (best and best['candidate'])
    assert (status['best'] or {}).get('properties') == (best and best['properties'])
    return status
