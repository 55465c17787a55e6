"""Campaigns side by side: pooled figures by hand, and the same campaign with two seeds as a group."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call

from aiida_inversedesign.audit.pooled import FIGURES, compared

CAMPAIGN = """
name: levels
seed: 5
goal: {objectives: [{property: y, maximize: true, hit: 10}]}
space: {kind: parameters, variables: {x: {min: 1, max: 12, step: 1}}}
propose: {method: library, library: levels.csv}
select: {initial: 4, batch: 2}
learn: {surrogate: gp}
evaluate: {engine: table, data: levels.csv, units: {y: J}, free_space_gb: 0}
budget: {evaluations: 6}
"""


def report(hits: int, acceleration: float | None) -> dict:
    """An audit with what is compared."""
    known = {'value': acceleration, 'low': 1.0, 'high': 9.0}
    return {
        'goal': {'objectives': [{'property': 'y', 'maximize': True}]},
        'campaign': {'uuid': f'{hits:08d}-0000', 'name': 'by hand'},
        'evaluations': {'total': 20, 'completed': 18, 'copies': 3, 'distinct_hits': hits},
        'first_hit': {'evaluation': 2} if hits else None,
        'hit_rate': {'value': hits / 20, 'low': 0.0, 'high': 1.0},
        'dft_calculations': {'total': 0},
        'core_hours': 1.5,
        'acceleration': known if acceleration else {'value': None, 'reason': 'no hit so far'},
        'enrichment': {'value': 2.0, 'low': 1.0, 'high': 3.0},
    }


def test_pooled_figures() -> None:
    found = compared([report(2, 3.0), report(4, 5.0), report(0, None)])
    assert [column['distinct_hits']['value'] for column in found['campaigns']] == [2, 4, 0]
    assert found['campaigns'][0]['distinct']['value'] == 15
    assert found['campaigns'][2]['acceleration']['reason'] == 'no hit so far'
    assert found['same_goal']
    assert not compared([report(2, 3.0), {**report(4, 5.0), 'goal': {'objectives': []}}])['same_goal']
    pooled = found['pooled']
    assert set(pooled) == set(FIGURES)
    # Student: 2 ± 4.303 · 2 / √3, cut at 0
    assert pooled['distinct_hits'] == pytest.approx({'value': 2, 'low': 0, 'high': 2 + 4.9683, 'n': 3}, abs=1e-3)
    assert pooled['acceleration']['value'] == 4
    # Student's interval of shares that far apart would end at 6.7
    assert compared([report(0, None), report(20, 9.0)])['pooled']['hit_rate']['high'] == 1
    assert pooled['acceleration']['n'] == pooled['first_hit']['n'] == 2


@pytest.mark.usefixtures('aiida_profile_clean')
def test_seeds_are_launched_as_a_group(tmp_path: Path) -> None:
    from aiida import orm

    (tmp_path / 'levels.csv').write_text('\n'.join(['x,y', *(f'{x},{x}' for x in range(1, 13))]))
    (tmp_path / 'campaign.yaml').write_text(CAMPAIGN)
    result = call('launch', str(tmp_path / 'campaign.yaml'), '--seeds', '2')
    assert result.exit_code == 0, result.output
    label = 'seeds 5-6 of levels'
    group = orm.Group.collection.get(label=label)
    assert sorted(node.inputs.settings['seed'] for node in group.nodes) == [5, 6]
    found = json.loads(call('audit', '--group', label, '--format', 'json').output)
    assert len(found['campaigns']) == found['pooled']['evaluations']['n'] == 2
    assert found['pooled']['evaluations']['value'] == 6
    picture = tmp_path / 'compare.png'
    names = [str(node.pk) for node in group.nodes]
    compared_ = json.loads(call('compare', *names, '--format', 'json', '--plot', str(picture)).output)
    assert compared_['pooled'] == found['pooled']
    assert picture.stat().st_size > 10_000
    shown = call('compare', '--group', label).output
    assert 'distinct results' in shown
    assert 'DFT calculations' in shown
    assert 'different goals' not in shown
    other = tmp_path / 'other.yaml'
    other.write_text(CAMPAIGN.replace('hit: 10', 'hit: 11'))
    newest = call('launch', str(other)).output.split(' ended:')[0].split()[-1]
    assert 'The campaigns have different goals' in call('compare', names[0], newest).output
    assert 'name at least two campaigns' in call('compare', names[0]).output
    assert "there is no group 'nothing'" in call('audit', '--group', 'nothing').output
