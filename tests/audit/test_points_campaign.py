"""The example campaign over measured points, run for real: tables, report, paper and commands; and the how-to page."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import command_line
import pytest

from aiida_inversedesign.audit.load import load_record
from aiida_inversedesign.campaign.load import parse_campaign, read_campaign
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

HERE = Path(__file__).parents[2]
EXAMPLE = HERE / 'workflows' / 'experiments.yaml'
PAGE = (HERE / 'docs' / 'howto_experiments.md').read_text(encoding='utf-8')


def call(*arguments: str) -> str:
    result = command_line.call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def block(language: str, number: int = 0) -> str:
    """A block of code of the how-to page."""
    return re.findall(rf'```{language}\n(.*?)```', PAGE, flags=re.DOTALL)[number]


@pytest.fixture(scope='module')
def finished(aiida_profile: Any) -> SimpleNamespace:
    """The example, run to its end."""
    aiida_profile.reset_storage()
    node = run_campaign(build_campaign(read_campaign(EXAMPLE)))
    assert node.is_finished_ok, node.exit_message
    return SimpleNamespace(pk=str(node.pk), record=load_record(node))


@pytest.fixture(scope='module')
def paper(finished: SimpleNamespace, tmp_path_factory: Any) -> Path:
    """Its paper folder, without the archive, which is the same for every space."""
    path: Path = tmp_path_factory.mktemp('paper') / 'paper'
    call('paper', finished.pk, '-o', str(path), '--no-archive')
    return path


def test_the_example_is_that_of_the_page_and_is_accepted_without_a_profile() -> None:
    spec = read_campaign(EXAMPLE)
    shown = parse_campaign(block('yaml'))
    assert shown.model_dump(exclude={'propose', 'evaluate'}) == spec.model_dump(exclude={'propose', 'evaluate'})
    output = call('check', '--offline', str(EXAMPLE))
    plan = [line for line in block('console').splitlines() if line.startswith(('variable', 'objective', 'space'))]
    assert len(plan) == 5
    assert all(line.rstrip() in output for line in plan)
    assert block('text') == ''.join((HERE / 'workflows' / 'experiments.csv').read_text().splitlines(True)[:4])


def test_values_and_errors_are_those_of_the_replicates(finished: SimpleNamespace) -> None:
    space = finished.record.settings.space
    data = PointSet.from_bytes((HERE / 'workflows' / 'experiments.csv').read_bytes())
    assert len(data.contents(space)) == 40
    for item in finished.record.evaluations:
        found = data.measured_at(item.proposed)
        assert found is not None
        assert found.replicates == 2
        assert item.properties['strength'] == pytest.approx(found.values['strength'])
        assert item.errors['strength'] == pytest.approx(found.errors['strength'])


def test_commands_call_the_candidates_points(finished: SimpleNamespace) -> None:
    output = call('audit', finished.pk)
    assert re.search(r'strength *\n *candidate +point +\(MPa\)', output)
    assert 'template' not in output
    for text in (output, call('status', finished.pk), call('check', str(EXAMPLE))):
        assert 'speed' in text
        assert 'formula' not in text


def test_the_paper_has_variables_and_no_crystals(finished: SimpleNamespace, paper: Path) -> None:
    assert not (paper / 'crystals').exists()
    for name in ('README.md', 'methods.md', 'ro-crate-metadata.json'):
        text = (paper / name).read_text(encoding='utf-8')
        assert 'crystal' not in text.lower(), name
    tex = (paper / 'tables' / 'evaluations.tex').read_text(encoding='utf-8')
    assert r'candidate & speed (mm/s) & temperature (°C) & pattern & gen.' in tex
    assert tex.count(r'$\pm$') == len(finished.record.evaluations)
    rows = list(csv.DictReader((paper / 'tables' / 'evaluations.csv').read_text(encoding='utf-8').splitlines()))
    for row, item in zip(rows, finished.record.evaluations, strict=True):
        assert float(row['speed (mm/s)']) == item.proposed.values['speed']
        assert float(row['strength_error (MPa)']) == pytest.approx(item.errors['strength'])


def test_the_methods_are_those_of_space_and_source(paper: Path) -> None:
    text = (paper / 'methods.md').read_text(encoding='utf-8')
    assert text.splitlines()[2].startswith('Points with the largest strength (a hit: ≥ 45 MPa)')
    assert 'The variables were speed (20 … 80 mm/s in steps of 20), temperature (' in text
    assert "The candidates were the points of the data set 'experiments' (80 rows;" in text
    assert 'spglib' not in text
    bibliography = (paper / 'references.bib').read_text(encoding='utf-8')
    assert set(re.findall(r'@([a-z]+\d{4})', text)) <= set(re.findall(r'\{(\w+),', bibliography))
    assert 'sobol1967' not in bibliography


@pytest.mark.slow
def test_the_continuous_campaign_of_the_page_runs(tmp_path: Path) -> None:
    """In processes that see the package of the page: the campaign file is made of what is installed."""
    (tmp_path / 'reactor.py').write_text(block('python'), encoding='utf-8')
    (tmp_path / 'campaign.yaml').write_text(block('yaml', 2), encoding='utf-8')
    info = tmp_path / 'reactor-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: reactor\nVersion: 1.0\n')
    points = re.findall(r'"(\S+)" = \{"(\S+)" = "(\S+)"\}', block('toml'))
    assert len(points) == 3
    (info / 'entry_points.txt').write_text(''.join(f'[{group}]\n{name} = {value}\n' for group, name, value in points))
    settings = {**os.environ, 'PYTHONPATH': str(tmp_path), 'AIIDA_PATH': str(tmp_path)}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, '-m', *command], capture_output=True, text=True, check=False, env=settings, cwd=tmp_path
        )
        assert done.returncode == 0, f'{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}'
        return done.stdout

    run('aiida', 'presto', '-n', '-p', 'own', '--use-zeromq')
    ours = ('aiida_inversedesign.cli', '-p', 'own')
    run(*ours, 'launch', 'campaign.yaml')
    listed = json.loads(run(*ours, 'status', '--format', 'json'))
    pk = str((listed['campaigns'] if isinstance(listed, dict) else listed)[0]['pk'])
    figures = json.loads(run(*ours, 'audit', pk, '--format', 'json'))
    assert figures['evaluations']['completed'] == 12
    # beyond the initial design the search climbs
    assert max(step['value'] for step in figures['progress'][6:]) > 0.8
    run(*ours, 'verify', pk)
    run(*ours, 'paper', pk, '-o', 'paper', '--no-archive')
    text = (tmp_path / 'paper' / 'methods.md').read_text(encoding='utf-8')
    assert 'Points were proposed by scrambled Sobol sequences, refined where the acquisition was highest [@so' in text
    assert '[@sobol1967; @owen1998]' in text
    assert '0.01' in (tmp_path / 'paper' / 'tables' / 'evaluations.csv').read_text(encoding='utf-8')
