"""The example campaign over measured points, run for real: tables, report, paper and commands; and the how-to page."""

from __future__ import annotations

import csv
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_inversedesign.audit.load import load_record
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.load import parse_campaign, read_campaign
from aiida_inversedesign.cli import cli
from aiida_inversedesign.libraries.points import PointSet
from aiida_inversedesign.paper import citations
from aiida_inversedesign.verify.run import is_sound, verify
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

HERE = Path(__file__).parents[2]
EXAMPLE = HERE / 'workflows' / 'experiments.yaml'
PAGE = (HERE / 'docs' / 'howto_experiments.md').read_text(encoding='utf-8')


def call(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
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
    assert len(data.points(space)) == 40
    for item in finished.record.evaluations:
        found = data.measured_at(item.proposed)
        assert found is not None
        assert found.replicates == 2
        assert item.properties['strength'] == pytest.approx(found.values['strength'])
        assert item.errors['strength'] == pytest.approx(found.errors['strength'])


def test_commands_call_the_candidates_points(finished: SimpleNamespace) -> None:
    output = call('audit', finished.pk)
    assert re.search(r'candidate +┃ point +┃ strength \(MPa\)', output)
    assert 'template' not in output
    for text in (output, call('status', finished.pk), call('check', str(EXAMPLE))):
        assert 'speed' in text
        assert 'formula' not in text


def test_the_paper_has_variables_and_no_crystals(finished: SimpleNamespace, paper: Path) -> None:
    assert not (paper / 'crystals').exists()
    for name in ('README.md', 'methods.md', 'ro-crate-metadata.json'):
        text = (paper / name).read_text(encoding='utf-8').replace('inverse design of crystals', '')
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


@pytest.fixture
def reactor(entry_points: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The engine of the page, as if its package were installed."""
    (tmp_path / 'reactor.py').write_text(block('python'), encoding='utf-8')
    monkeypatch.syspath_prepend(tmp_path)
    points = re.findall(r'"(\S+)" = \{"(\S+)" = "(\S+)"\}', block('toml'))
    assert len(points) == 3
    for group, name, value in points:
        if group == 'aiida.workflows':
            entry_points.add(value, f'{group}:{name}')
        else:
            known = registry._points(group.partition('.')[2])
            monkeypatch.setitem(known, name, EntryPoint(name, value, group))


@pytest.mark.usefixtures('aiida_profile_clean', 'reactor')
def test_the_continuous_campaign_of_the_page_runs() -> None:
    node = run_campaign(build_campaign(parse_campaign(block('yaml', 2))))
    assert node.is_finished_ok, node.exit_message
    rows = node.outputs.table.get_rows()
    assert [row.status for row in rows] == ['completed'] * 12
    assert all(row.errors == {'reactor_yield': 0.01} for row in rows)
    # beyond the initial design the search climbs
    assert max(row.properties['reactor_yield'] for row in rows[6:]) > 0.8
    report = verify(node)
    assert is_sound(report), (report['findings'], report['different'])
    assert citations.of_source('sobol', load_record(node).space)[1] == ['sobol1967', 'owen1998']
