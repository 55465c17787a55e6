"""The audit of campaigns that have hardly begun, of other engines, and of what is not a campaign."""

from __future__ import annotations

import pytest
from made_record import counts

from aiida_inversedesign.audit.audit import AuditError, audit


def test_a_campaign_that_has_just_begun(graph):
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
    assert report['evaluations'] == counts(total=1, running=1)
    assert report['progress'][0]['key'] == 'BN'
    assert report['core_hours'] is None
    assert 'not recorded' in report['core_hours_reason']


def test_other_engines_are_no_dft(graph):
    campaign = graph.campaign()
    evaluation = graph.evaluation(graph.generation(campaign, 1), 'g001_c0001', value=5.0, harvested=False)
    graph.job(evaluation, 'job', plugin='inversedesign.ase', seconds=None)
    graph.job(evaluation, 'look_up', plugin='inversedesign.table', seconds=None)
    report = audit(campaign)
    assert report['dft_calculations']['total'] == 0
    assert report['dft_calculations']['by_kind'] == {'ase': 1, 'table': 1}


def test_not_a_campaign(graph):

    with pytest.raises(AuditError, match='is not a campaign'):
        audit(graph.settings)
    with pytest.raises(AuditError, match='is not a campaign'):
        audit(graph.generation(graph.campaign(), 1))


def test_reused_evaluations_and_those_killed_by_a_stop(graph):
    from aiida_inversedesign.audit.status import describe

    campaign = graph.campaign()
    generation = graph.generation(campaign, 1)
    reused = graph.evaluation(generation, 'g001_c0001', value=372.0)
    reused.base.attributes.set('process_label', 'ReusedEvaluateWorkChain')
    graph.evaluation(generation, 'g001_c0002', [[{}]], value=12.0)
    graph.evaluation(
        generation, 'g001_c0003', [[{'state': 'killed', 'seconds': None}]], state='killed', harvested=False
    )
    graph.harvest(generation)
    campaign.base.extras.set('inversedesign_stop', {'kill': True})
    report = audit(campaign)
    assert report['evaluations'] == counts(total=3, completed=2, stopped=1, hits=1, distinct_hits=1, reused=1)
    assert report['hit_rate']['n'] == 2
    assert report['spent_on']['by_outcome']['stopped_evaluations']['dft_calculations'] == 1
    assert report['spent_on']['by_outcome']['completed_evaluations']['dft_calculations'] == 1
    status = describe(campaign)
    assert (status['completed'], status['failed'], status['stopped']) == (2, 0, 1)
