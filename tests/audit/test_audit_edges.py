"""The audit of campaigns that have hardly begun, of other engines, and of what is no campaign."""

from __future__ import annotations

import pytest


def test_a_campaign_that_has_just_begun(graph):
    from aiida_inversedesign.audit.audit import audit

    campaign = graph.campaign(state='running')
    report = audit(campaign)
    assert report['evaluations']['total'] == 0
    assert report['dft_calculations']['total'] == 0
    assert report['core_hours'] == 0
    assert report['hit_rate']['value'] is None
    assert report['first_hit']['evaluation'] is None
    assert report['first_hit']['reason'] == 'no hit so far'
    assert report['stop_reason_reason'] == 'the campaign has not ended'
    generation = graph.generation(campaign, 1)
    graph.evaluation(
        generation, 'g001_c0001', [[{'state': 'running', 'seconds': None}]], state='running', harvested=False
    )
    report = audit(campaign)
    assert report['evaluations'] == {'total': 1, 'completed': 0, 'failed': 0, 'running': 1, 'hits': 0}
    assert report['progress'][0]['formula'] == 'BN'
    assert report['core_hours'] is None
    assert 'not recorded' in report['core_hours_reason']


def test_other_engines_are_no_dft(graph):
    from aiida_inversedesign.audit.audit import audit

    campaign = graph.campaign()
    evaluation = graph.evaluation(graph.generation(campaign, 1), 'g001_c0001', value=5.0, harvested=False)
    graph.job(evaluation, 'job', plugin='inversedesign.ase', seconds=None)
    graph.job(evaluation, 'look_up', plugin='inversedesign.table', seconds=None)
    report = audit(campaign)
    assert report['dft_calculations']['total'] == 0
    assert report['dft_calculations']['by_kind'] == {'ase': 1, 'table': 1}


def test_not_a_campaign(graph):
    from aiida_inversedesign.audit.audit import AuditError, audit

    with pytest.raises(AuditError, match='is no campaign'):
        audit(graph.settings)
    with pytest.raises(AuditError, match='is no campaign'):
        audit(graph.generation(graph.campaign(), 1))
