"""Campaigns over points: a data set of experiments from a CSV file, and a continuous space."""

from __future__ import annotations

import csv
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from agreement import check_agreement
from click.testing import CliRunner

from aiida_inversedesign.campaign.load import read_campaign
from aiida_inversedesign.workchains.build import SetupError, build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

CAMPAIGN = """
name: barrels
seed: 3
goal:
  objectives: [{property: toughness, maximize: true, hit: 45}]
space:
  kind: parameters
  variables:
    n: {min: 6, max: 12, step: 2}
    theta: {values: [0, 50, 100, 150, 200], unit: "°"}
    shape: {choices: [round, square]}
propose: {method: library, library: barrels.csv}
select: {initial: 5, batch: 3}
evaluate: {engine: table, data: barrels.csv, units: {toughness: J}, free_space_gb: 0}
budget: {evaluations: 14}
"""


def write(folder: Path, text: str = CAMPAIGN) -> Path:
    """A campaign file beside the data of 40 designs with three replicates each."""
    generator = random.Random(1)
    with (folder / 'barrels.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['n', 'theta', 'shape', 'toughness'])
        for n, theta, shape in itertools.product((6, 8, 10, 12), (0, 50, 100, 150, 200), ('round', 'square')):
            best = 50 - (n - 10) ** 2 - (theta - 100) ** 2 / 500 - 8 * (shape == 'square')
            writer.writerows([n, theta, shape, round(best + generator.gauss(0, 2), 3)] for _ in range(3))
    path = folder / 'campaign.yaml'
    path.write_text(text)
    return path


@pytest.mark.usefixtures('aiida_profile_clean')
def test_experiments_from_a_file(tmp_path: Path) -> None:
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record
    from aiida_inversedesign.audit.status import describe
    from aiida_inversedesign.verify.run import is_sound, verify

    node = run_campaign(build_campaign(read_campaign(write(tmp_path))))
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    rows = node.outputs.table.get_rows()
    assert len(rows) == 14
    assert len({row.key for row in rows}) == 14
    assert rows[0].proposed.values.keys() == {'n', 'theta', 'shape'}
    # three replicates with a deviation of 2: their mean has an error of about 1.2
    assert all(0.05 < row.errors['toughness'] < 4 for row in rows)
    assert max(row.properties['toughness'] for row in rows) > 46
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])
    assert report['decisions'] >= 12
    figures = audit(load_record(node))
    assert figures['evaluations']['total'] == 14
    assert figures['uniqueness']['value'] is None
    assert 'points' in figures['uniqueness']['reason']
    assert figures['enrichment']['base_rate']['n'] == 40
    status = describe(node)
    assert status['best']['key'].startswith('n=')
    assert len(status['hits']) == figures['evaluations']['hits']


PUBLISHED = """
name: blends
seed: 3
goal: {objectives: [{property: "Conductivity (measured) (S/cm)", maximize: true, hit: 5}]}
space:
  kind: parameters
  variables:
    "P3HT content (%)": {min: 0, max: 100}
    "D1 content (%)": {min: 0, max: 100}
    "Q<seed> & D2, in %": {min: 0, max: 100}
  mixtures: [{variables: ["P3HT content (%)", "D1 content (%)", "Q<seed> & D2, in %"], total: 100, tolerance: 0.05}]
propose: {method: library, library: blends.csv}
select: {initial: 4, batch: 2}
evaluate: {engine: table, data: blends.csv, units: {"Conductivity (measured) (S/cm)": S/cm}, free_space_gb: 0}
budget: {evaluations: 8}
"""


@pytest.mark.usefixtures('aiida_profile_clean')
def test_a_table_as_it_is_published(tmp_path: Path) -> None:
    """Headings with units and signs, a byte order mark, shares that are rounded."""
    from aiida_inversedesign.cli.checks.plan import plan
    from aiida_inversedesign.cli.root import cli
    from aiida_inversedesign.verify.run import is_sound, verify

    lines = ['\ufeffP3HT content (%),D1 content (%),"Q<seed> & D2, in %",Conductivity (measured) (S/cm)']
    shares = [(a, b) for a in range(0, 100, 20) for b in range(0, 100 - a, 20)]
    lines += [f'{a},{b}.02,{100 - a - b},{1 + a * b / 200}' for a, b in shares]
    lines.append('50,50,50,9')
    (tmp_path / 'blends.csv').write_text('\n'.join(lines), encoding='utf-8')
    (tmp_path / 'campaign.yaml').write_text(PUBLISHED)
    result = CliRunner().invoke(cli, ['check', str(tmp_path / 'campaign.yaml'), '--format', 'json'])
    assert result.exit_code == 0, result.output
    (remark,) = json.loads(result.output)['remarks']
    assert remark.startswith(f'1 of {len(shares) + 1} points of ')
    assert 'lie outside of the space and are left out: ' in remark
    assert remark.endswith(' = 150, not 100 ± 0.05')
    spec = read_campaign(tmp_path / 'campaign.yaml')
    assert plan(spec, checked_profile=False)['remarks'] == []
    node = run_campaign(build_campaign(spec))
    check_agreement(node)
    assert node.is_finished_ok, node.exit_message
    assert len(node.outputs.table.get_rows()) == 8
    assert is_sound(verify(node))
    for command in (
        ['report', str(node.pk), '-o', str(tmp_path / 'r.html')],
        ['paper', str(node.pk), '-o', str(tmp_path / 'p')],
    ):
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 0, result.output
    page = (tmp_path / 'r.html').read_text(encoding='utf-8')
    assert 'Q&lt;seed&gt; &amp; D2, in %' in page
    assert 'Q<seed>' not in page
    assert r'P3HT content (\%)' in (tmp_path / 'p/tables/best.tex').read_text()


@pytest.mark.usefixtures('aiida_profile_clean')
def test_what_does_not_fit_the_data_is_said_at_once(tmp_path: Path) -> None:
    def problems(text: str) -> str:
        with pytest.raises(SetupError) as caught:
            build_campaign(read_campaign(write(tmp_path, text)))
        return str(caught.value)

    assert "no column 'm'" in problems(CAMPAIGN.replace('    n: {', '    m: {'))
    assert 'none of the 40 points' in problems(CAMPAIGN.replace('min: 6, max: 12', 'min: 20, max: 26'))
    assert "property 'hardness'" in problems(
        CAMPAIGN.replace('toughness,', 'hardness,').replace('toughness: J', 'hardness: J')
    )
    with (tmp_path / 'barrels.csv').open('a') as file:
        file.write('6,nan,round,3\n')
    with pytest.raises(SetupError, match='line 122: theta = nan'):
        build_campaign(read_campaign(tmp_path / 'campaign.yaml'))


def test_points_of_a_continuous_space_are_drawn_again_and_refined() -> None:
    from aiida_inversedesign.campaign.row import EvaluationRow
    from aiida_inversedesign.campaign.spec import CampaignSettings
    from aiida_inversedesign.learn.next_fit import fit_next
    from aiida_inversedesign.propose.next_candidates import propose_next
    from aiida_inversedesign.select.acquisition import make_acquisition
    from aiida_inversedesign.select.observed import Observed

    settings: dict[str, Any] = {
        'name': 'curve',
        'seed': 5,
        'goal': {'objectives': [{'property': 'y', 'maximize': True}]},
        'space': {
            'kind': 'parameters',
            'variables': {'a': {'min': 0, 'max': 1}, 'b': {'min': 0, 'max': 1}},
            'samples': 64,
        },
        'evaluate': {'engine': 'table', 'data': 'none', 'units': {'y': ''}},
    }
    spec = CampaignSettings.model_validate(settings)
    assert spec.propose.method == 'sobol'
    assert spec.renewed == 64
    first = propose_next(spec, None, None, 1)
    assert len(first) == 64
    assert all(candidate.accepted for candidate in first)

    def value(point: Any) -> float:
        return -((point.values['a'] - 0.313) ** 2) - (point.values['b'] - 0.707) ** 2

    rows = [
        EvaluationRow(item.id, 1, 'initial', item.key, 'completed', item.content, properties={'y': value(item.content)})
        for item in first[:16]
    ]
    surrogate = fit_next(spec, rows, None)
    second = propose_next(spec, None, None, 2, rows, first, surrogate)
    assert second[:64] == first
    new = second[64:]
    refined = [item for item in new if item.generator == 'refinement']
    assert refined
    # refinement climbs the acquisition: its best point beats every sampled one
    observed = Observed.from_rows(rows, surrogate, ['y'], spec.space)
    acquisition = make_acquisition('ucb', spec.goal, surrogate, observed, 0)
    contents = [[item.content for item in group] for group in (refined, [i for i in new if i.generator == 'sobol'])]
    inputs = [surrogate.inputs(spec.space, group, [None] * len(group)) for group in contents]
    best, sampled = (acquisition.score(group, inputs[0][:0]).max() for group in inputs)
    assert best > sampled
    again = propose_next(spec, None, None, 2, rows, first, surrogate)
    assert [item.to_dict() for item in again] == [item.to_dict() for item in second]
