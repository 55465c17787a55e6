"""Every state a campaign can be in, and values nobody expects: a report of what can be said, on plain records."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from made_record import made_record

from aiida_inversedesign.audit.audit import audit
from aiida_inversedesign.audit.metrics import diversity, reproducibility, stability
from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.recorded import SettingsError, read_settings


def as_printed(record: CampaignRecord, **options: Any) -> dict[str, Any]:
    """The audit, after a trip through JSON that allows no NaN."""
    return json.loads(json.dumps(audit(record, 'none', **options), allow_nan=False))


def test_empty() -> None:
    report = as_printed(made_record(evaluations=0))
    assert report['evaluations']['total'] == 0
    assert report['best'] == report['progress'] == report['by_generation'] == []
    for name in ('hit_rate', 'acceleration', 'enrichment', 'validity', 'stability'):
        assert report[name]['value'] is None, name
        assert report[name]['reason'], name
    assert report['dft_per_hit'] is None
    assert report['dft_per_hit_reason'] == 'no hit so far'


def test_every_evaluation_failed() -> None:
    report = as_printed(made_record(evaluations=6, fail=1.0))
    assert report['evaluations']['failed'] == report['hit_rate']['n'] == 6
    assert report['hit_rate']['value'] == 0
    assert 0.3 < report['hit_rate']['high'] < 0.5
    assert report['best'] == []
    assert report['calibration']['bulk_modulus']['value'] is None
    spent = report['spent_on']['by_outcome']
    assert spent['failed_evaluations']['dft_calculations'] == report['dft_calculations']['total'] > 0


def test_without_hits() -> None:
    record = made_record(evaluations=8)
    record = replace(record, evaluations=tuple(replace(item, hit=False) for item in record.evaluations))
    report = as_printed(record)
    assert report['hit_rate']['value'] == 0
    assert report['first_hit']['evaluation'] is None
    assert report['first_hit']['reason'] == report['core_hours_per_hit_reason'] == 'no hit so far'
    assert len(report['best']) == 5


def test_running_and_interrupted() -> None:
    running = as_printed(made_record(evaluations=8, running=3, state='waiting', stop_reason=None))
    assert running['evaluations']['running'] == 3
    assert running['hit_rate']['n'] == 5
    assert running['stop_reason_reason'] == 'the campaign has not ended'
    killed = as_printed(made_record(evaluations=8, state='killed', stop_reason=None, exit_status=None))
    assert killed['stop_reason'] is None
    assert killed['stop_reason_reason'] == 'it ended as killed without a reason of its own'


def test_another_version() -> None:
    settings = made_record(evaluations=2).settings.model_dump(mode='json')
    goal = {'objectives': [{'property': 'bulk_modulus', 'entangle': True}]}
    with pytest.raises(SettingsError, match=r'written by aiida-inversedesign 99\.0, and goal\.objectives\.0\.entangle'):
        read_settings({**settings, 'goal': goal}, 'campaign 1', '99.0')
    with pytest.raises(SettingsError, match=r'campaign 1 .* of unknown version, and goal cannot be read'):
        read_settings({'name': 'nothing'}, 'campaign 1')


def test_stopped_with_the_campaign_is_no_failure() -> None:
    record = made_record(evaluations=8)
    last = replace(record.evaluations[-1], status='stopped', hit=None, properties={})
    record = replace(record, evaluations=(*record.evaluations[:-1], last))
    report = as_printed(record)
    counts = report['evaluations']
    assert counts['stopped'] == 1
    assert counts['total'] == sum(counts[name] for name in ('completed', 'failed', 'running', 'stopped')) == 8
    assert report['hit_rate']['n'] == 7
    spent = report['spent_on']['by_outcome']
    assert spent['stopped_evaluations']['dft_calculations'] > 0
    assert sum(part['dft_calculations'] for part in spent.values()) == report['dft_calculations']['total']


def test_formulas_that_are_none() -> None:
    outcomes = [
        EvaluationRecord('a', 'BN', 1, 'completed', properties={'energy': -1.0}),
        EvaluationRecord('b', 'nonsense!', 1, 'completed', properties={'energy': -1.0}),
    ]
    figure = diversity(outcomes, fingerprints=False, reason='none')['evaluations']
    assert figure['chemical_systems'] == 1
    assert figure['chemical_systems_reason'] == "1 formulas cannot be read, the first is 'nonsense!'"
    assert stability(outcomes, {'B': -1.0, 'N': -1.0})['unreadable_formulas'] == 1
    assert 'cannot be read' in stability(outcomes[1:], {'B': -1.0})['reason']


def test_energies_above_the_hull_are_those_of_the_last_harvest() -> None:
    record = made_record(evaluations=600, jobs=False, references={'B': -1.0})
    known = [
        replace(item, properties={**item.properties, 'e_above_hull': 0.0 if place % 2 else 0.05})
        for place, item in enumerate(record.evaluations)
    ]
    figure = audit(replace(record, evaluations=tuple(known)), 'none')['stability']
    completed = [place for place, item in enumerate(known) if item.status == 'completed']
    assert figure['value'] == sum(place % 2 for place in completed) / len(completed)
    assert figure['phases_reason'].startswith('as the last harvest found them')
    assert 'when asked for' in audit(record, 'none')['stability']['reason']


def test_reproducibility_of_each_kind() -> None:
    counts = {'decisions': 4, 'identical': 2, 'within_tolerance': 1, 'different': 1, 'not_repeatable': 0}
    verified = {**counts, 'different': [{}], 'not_repeatable': [], 'by_kind': {'fit': counts}}
    figure = reproducibility([], verified)
    assert figure['value'] == figure['by_kind']['fit']['value'] == 0.75
    assert figure['by_kind']['fit']['n'] == 4


def test_each_figure_has_a_version_and_each_unknown_a_reason() -> None:
    def check(item: Any, place: str) -> None:
        if isinstance(item, dict):
            for name, value in item.items():
                here = f'{place}.{name}'
                if name == 'value' and value is None and not place.startswith('report.progress'):
                    assert item.get('reason'), here
                elif name in ('low', 'high') and value is None:
                    assert item.get('reason') or item.get('interval_reason'), here
                check(value, here)
        elif isinstance(item, list):
            for value in item:
                check(value, place)

    for options in (
        {'evaluations': 0},
        {'evaluations': 3},
        {'evaluations': 40, 'answers': True},
        {'jobs': False},
        {'fail': 1.0},
    ):
        report = as_printed(made_record(**options))
        check(report, 'report')
        for name in ('core_hours', 'dft_per_hit', 'core_hours_per_hit', 'stop_reason'):
            assert report[name] is not None or report[f'{name}_reason'], name
        for name in ('hit_rate', 'enrichment', 'acceleration', 'validity', 'uniqueness', 'novelty', 'stability'):
            assert report[name]['definition'] == f'{name}/{report["definitions"][name]["version"]}'


def test_what_killed_launches_have_cost_belongs_to_their_own_candidates(graph):
    from aiida_inversedesign.audit.load import load_record

    first = graph.campaign(state='killed')
    one = graph.generation(first, 1, state='killed')
    graph.evaluation(one, 'reference_B', [[{}]], value=-5.0)
    graph.evaluation(one, 'g001_c0001', [[{}, {}]], state='killed', harvested=False)
    graph.evaluation(one, 'g001_c0002', [[{}, {}, {}]], state='killed', harvested=False)
    second = graph.campaign()
    two = graph.generation(second, 1)
    graph.evaluation(two, 'g001_c0002', [[{}]], value=350.0)
    graph.evaluation(two, 'g001_c0001', [[{}]], value=360.0)
    graph.harvest(two)
    record = load_record(second)
    assert {item.candidate: item.dft_calculations for item in record.evaluations} == {'g001_c0002': 5, 'g001_c0001': 3}
