"""``explain`` of real campaigns over points and crystals: what it says, and that it changes nothing."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import call

from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

CAMPAIGN = """
name: barrels
seed: 3
goal:
  objectives: [{{property: toughness, maximize: true, hit: {hit}}}]
space:
  kind: parameters
  variables:
    n: {{min: 6, max: 12, step: 2}}
    theta: {{values: [0, 50, 100, 150, 200], unit: "°"}}
    shape: {{choices: [round, square]}}
propose: {{method: library, library: barrels.csv}}
select: {{initial: {initial}, batch: {batch}, control_fraction: 0.2}}
learn: {{surrogate: gp}}
evaluate: {{engine: table, data: barrels.csv, units: {{toughness: J}}, free_space_gb: 0}}
budget: {{evaluations: {evaluations}}}
"""


def campaign(
    folder: Path, evaluations: int, hit: float = 40, constant: bool = False, initial: int = 8, batch: int = 4
) -> Any:
    """A finished campaign over 40 designs, whose toughness is best at n = 10, 100° and round."""
    generator = random.Random(1)
    lines = ['n,theta,shape,toughness']
    for n, theta, shape in itertools.product((6, 8, 10, 12), (0, 50, 100, 150, 200), ('round', 'square')):
        value = 50 - (n - 10) ** 2 - (theta - 100) ** 2 / 500 - 8 * (shape == 'square') + generator.gauss(0, 0.5)
        lines.append(f'{n},{theta},{shape},{7.0 if constant else round(value, 3)}')
    (folder / 'barrels.csv').write_text('\n'.join(lines))
    (folder / 'campaign.yaml').write_text(
        CAMPAIGN.format(evaluations=evaluations, hit=hit, initial=initial, batch=batch)
    )
    return run_campaign(build_campaign(read_campaign(folder / 'campaign.yaml')))


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_campaign_over_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiida import orm

    from aiida_inversedesign.audit.explanation import explanation_or_reason

    node = campaign(tmp_path, 28)
    before = orm.QueryBuilder().append(orm.Node).count()
    result = call('explain', str(node.pk), '--format', 'json', '--last', '6', '--plots', str(tmp_path / 'plots'))
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    model = found['models']['toughness']
    # the temperature of the truth: theta matters most, and its curve is in degrees and highest in the middle
    assert {item['group'] for item in model['importances'][:3]} >= {'theta'}
    curve = next(curve for curve in model['dependences'] if curve['group'] == 'theta')
    assert curve['unit'] == '°'
    assert curve['grid'][0] >= 0 < curve['grid'][-1] <= 200
    assert max(curve['mean']) > curve['mean'][0]
    assert max(curve['mean']) > curve['mean'][-1]
    # a page leaves to the command what takes minutes
    assert 'models' in explanation_or_reason(node)
    with monkeypatch.context() as patch:
        patch.setattr('aiida_inversedesign.audit.explanation.MOST_ROWS', 27)
        assert explanation_or_reason(node)['reason'].startswith('28 evaluations take minutes to explain')
    chosen = [item for item in found['choices'] if item.get('contributions')]
    assert chosen
    for item in chosen:
        parts = item['contributions']
        assert parts['of_the_median'] + parts['mean'] + parts['uncertainty'] == pytest.approx(parts['score'])
        # what is explained is what was recorded
        assert parts['score'] == pytest.approx(item['value'], rel=1e-6, abs=1e-9)
        assert len(item['neighbours']) == 3
        if change := item['change']:
            assert change['margin'] >= 0
            assert 'below' not in change or change['below'] <= change['predicted']
    assert {item['arm'] for item in found['choices']} <= {'acquisition', 'control'}
    for rule in found['rules']['rules']:
        assert {item['descriptor'] for item in rule['conditions']} <= {'n', 'theta', 'shape=round', 'shape=square'}
    pictures = {path.name for path in (tmp_path / 'plots').iterdir()}
    assert pictures == {'learned_toughness.png', *(f'rule_{k + 1}.png' for k in range(len(found['rules']['rules'])))}
    # read only, and the same again
    assert orm.QueryBuilder().append(orm.Node).count() == before
    assert json.loads(call('explain', str(node.pk), '--format', 'json', '--last', '6').output) == found
    text = call('explain', str(node.pk)).output
    assert 'What predicts toughness' in text
    assert 'Where not to believe it' in text
    page = tmp_path / 'report.html'
    assert call('report', str(node.pk), '-o', str(page)).exit_code == 0
    assert 'What it has learned' in page.read_text()
    assert call('paper', str(node.pk), '-o', str(tmp_path / 'paper')).exit_code == 0
    assert (tmp_path / 'paper' / 'figures' / 'learned_toughness.pdf').is_file()
    told = json.loads((tmp_path / 'paper' / 'explanation.json').read_text())
    assert told['models'] == found['models']
    archived = call(
        'explain', '--archive', str(tmp_path / 'paper' / 'campaign.aiida'), '--format', 'json', '--last', '6'
    )
    assert json.loads(archived.output)['models'] == found['models']


@pytest.mark.usefixtures('aiida_profile_clean')
@pytest.mark.parametrize(
    ('evaluations', 'constant', 'words'),
    [(9, False, 'at least 10 are needed'), (14, True, 'its model is constant')],
)
def test_what_cannot_be_explained(tmp_path: Path, evaluations: int, constant: bool, words: str) -> None:
    node = campaign(tmp_path, evaluations, constant=constant)
    result = call('explain', str(node.pk))
    assert result.exit_code == 1
    assert words in ' '.join(result.output.split())
    page = tmp_path / 'report.html'
    assert call('report', str(node.pk), '-o', str(page)).exit_code == 0
    assert 'What it has learned' in page.read_text()


@pytest.mark.slow
@pytest.mark.usefixtures('aiida_profile_clean')
def test_rules_are_fed_back_as_a_screen(tmp_path: Path) -> None:
    """What one campaign found constrains the next, whose audit counts what each rule kept and rejected."""
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.verify.run import verify

    node, file = campaign(tmp_path, 24, hit=30, initial=16, batch=8), tmp_path / 'rules.yaml'
    result = call('explain', str(node.pk), '--last', '0', '--rules', str(file))
    assert result.exit_code == 0, result.output
    assert 'copy screen into a campaign file' in result.output
    written = yaml.safe_load(file.read_text())
    rules = written['screen']['rules']['any']
    assert rules
    assert node.uuid in file.read_text()

    again = {**yaml.safe_load((tmp_path / 'campaign.yaml').read_text()), **written, 'budget': {'evaluations': 10}}
    again['select'] = {'initial': 6, 'batch': 4}
    (tmp_path / 'again.yaml').write_text(yaml.safe_dump(again, sort_keys=False))
    second = run_campaign(build_campaign(read_campaign(tmp_path / 'again.yaml')))
    figures = audit(second)
    *kept, none = figures['rules']['rules']
    assert none['rule'] is None
    assert none['kept'] == none['evaluations']['total'] == 0
    assert none['rejected'] > 10
    assert sum(item['kept'] for item in kept) + none['rejected'] == figures['rules']['judged'] == 40
    assert sum(item['evaluations']['hits'] for item in kept) == figures['evaluations']['hits'] > 0
    assert figures['hit_rate']['value'] > audit(node)['hit_rate']['value']
    assert not verify(second)['findings']
    shown = call('audit', str(second.pk))
    assert f'{none["rejected"]} rejected' in ' '.join(shown.output.split()).replace('│ ', '')

    # the same rules, which only report
    again['screen']['rules']['reject'] = False
    (tmp_path / 'again.yaml').write_text(yaml.safe_dump(again, sort_keys=False))
    third = audit(run_campaign(build_campaign(read_campaign(tmp_path / 'again.yaml'))))['rules']
    assert third['rules'][-1]['rejected'] == 0
    assert third['rules'][-1]['kept'] == none['rejected']
    assert third['rules'][-1]['evaluations']['total'] > 0


@pytest.mark.usefixtures('aiida_profile_clean')
def test_no_rules_to_write(tmp_path: Path) -> None:
    node = campaign(tmp_path, 12, hit=1000)
    result = call('explain', str(node.pk), '--rules', str(tmp_path / 'rules.yaml'))
    assert result.exit_code != 0
    assert 'no rules to write: 0 of 12 evaluations are hits' in result.output
    assert not (tmp_path / 'rules.yaml').exists()
