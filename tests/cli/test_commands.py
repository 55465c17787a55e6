"""The commands as a user calls them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from command_line import call

from aiida_inversedesign.cli import cli

WORKFLOWS = Path(__file__).parents[2] / 'workflows'


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands write into the current folder."""
    monkeypatch.chdir(tmp_path)


def structure(symbol: str, a: float, **properties: Any) -> dict[str, Any]:
    lattice = [[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]]
    return {'id': symbol, 'lattice': lattice, 'species': [symbol], 'frac_coords': [[0, 0, 0]], **properties}


def metals(path: Path) -> Path:
    """A data set with one broken and one partially occupied entry."""
    lines = [
        json.dumps(structure(symbol, a, stiffness=500 / a))
        for symbol, a in (('Cu', 3.61), ('Al', 4.05), ('Ni', 3.52), ('Pd', 3.89), ('Pt', 3.92), ('Ag', 4.09))
    ]
    lines.append(json.dumps({'id': 'no-lattice', 'species': ['Cu'], 'frac_coords': [[0, 0, 0]]}))
    lines.append('{not json')
    path.write_text('\n'.join(lines))
    return path


def rehearsal(path: Path, **budget: Any) -> Path:
    """A campaign on the data set ``metals``."""
    path.write_text(
        yaml.safe_dump(
            {
                'name': 'rehearsal',
                'goal': {'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': 130}]},
                'propose': {'library': 'metals', 'method': 'library'},
                'select': {'initial': 3, 'batch': 1},
                'evaluate': {'engine': 'table', 'data': 'metals', 'units': {'stiffness': 'GPa'}},
                'budget': {'evaluations': 4, **budget},
            }
        )
    )
    return path


def test_schema_is_a_json_schema_that_describes_the_sections() -> None:
    schema = json.loads(call('schema').output)
    assert set(schema['properties']) >= {'name', 'goal', 'space', 'evaluate', 'budget'}
    assert schema['additionalProperties'] is False


def test_check_prints_the_plan_with_units_and_limits() -> None:
    result = call('check', str(WORKFLOWS / 'superhard_light.yaml'), '--offline')
    assert result.exit_code == 0
    assert '≥ 350 GPa' in result.output
    assert 'DFT calculations each' in result.output


def test_check_says_what_ends_a_campaign_and_how_many_run_at_once() -> None:
    said = ' '.join(call('check', str(WORKFLOWS / 'lattice_match.yaml'), '--offline').output.split())
    assert 'hits 3, failure_rate 0.7 (after 5 evaluations)' in said
    assert 'failure_minimum' not in said
    assert 'chosen by auto, at most 2 at once' in said
    said = ' '.join(call('check', str(WORKFLOWS / 'rehearsal.yaml'), '--offline').output.split())
    # 15 pairs for 1:1, 30 for 3:1
    assert 'at most 45 formulas' in said


def test_a_list_of_names_alone_is_nothing_to_learn_from(tmp_path: Path) -> None:
    path = tmp_path / 'names.yaml'
    text = (WORKFLOWS / 'experiments.yaml').read_text()
    data = yaml.safe_load(text)
    shutil.copy(WORKFLOWS / 'experiments.csv', tmp_path)
    names = {'formula': {'choices': ['GaN', 'ZnO']}}
    for variables, expected in ((names, True), ({**names, 'mass': {'min': 1, 'max': 9}}, False)):
        path.write_text(yaml.safe_dump({**data, 'space': {'kind': 'parameters', 'variables': variables}}))
        said = ' '.join(call('check', str(path), '--offline').output.split())
        assert ('its choices have no order: nothing is learned' in said) is expected, said


def test_check_names_every_problem_and_exits_with_1(tmp_path: Path) -> None:
    text = (WORKFLOWS / 'superhard_light.yaml').read_text().replace('bulk_modulus', 'bulk_modulos')
    path = tmp_path / 'broken.yaml'
    path.write_text(text.replace('evaluations: 12', 'evaluations: none'))
    result = call('check', str(path), '--offline')
    assert result.exit_code == 1
    assert "did you mean 'bulk_modulus'?" in result.output
    assert 'budget.evaluations' in result.output
    assert 'Traceback' not in result.output


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    result = call('luanch')
    assert result.exit_code == 2
    assert "Did you mean 'launch'?" in result.output


def groups(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every group of commands."""
    if isinstance(command, click.Group):
        yield path
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from groups(command.get_command(context, name), (*path, name))


def test_no_group_cuts_the_sentences_of_its_help() -> None:
    paths = list(groups(cli))
    assert {(), ('library',), ('library', 'import'), ('cspml',), ('benchmark',)} <= set(paths)
    for path in paths:
        text = call(*path, '--help').output
        assert 'Commands:' in text
        assert '...' not in text.split('Commands:')[1], text


@pytest.mark.usefixtures('aiida_profile_clean')
class TestWithProfile:
    """Commands that need a profile."""

    def test_check_names_what_is_missing_in_the_profile(self) -> None:
        result = call('check', str(WORKFLOWS / 'lattice_match.yaml'))
        assert result.exit_code == 1
        assert "there is no code 'pw@localhost'" in result.output
        assert "no pseudopotential family 'debian-pbe'" in result.output

    def test_a_library_that_does_not_exist_is_answered_with_those_that_do(self, tmp_path: Path) -> None:
        result = call('check', str(rehearsal(tmp_path / 'campaign.yaml')))
        assert result.exit_code == 1
        assert "propose.library, evaluate.data: there is no library 'metals'" in result.output
        assert result.output.count("no library 'metals'") == 1
        assert 'aflow' in result.output

    def test_import_launch_status_audit_and_resume(self, tmp_path: Path) -> None:
        skipped = tmp_path / 'skipped.csv'
        imported = call(
            'library', 'import', 'jsonl', str(metals(tmp_path / 'metals.jsonl')), '--label', 'metals',
            '--license', 'CC0', '--skipped', str(skipped),
        )  # fmt: skip
        assert 'imported 6 templates, skipped 2' in imported.output
        assert 'line 7' in skipped.read_text()
        shown = json.loads(call('library', 'show', 'metals', '--format', 'json').output)
        assert shown['templates'] == 6
        assert 'stiffness' in shown['properties']
        assert shown['sources'] == {'metals.jsonl': {'license': 'CC0', 'templates': 6}}

        path = rehearsal(tmp_path / 'campaign.yaml')
        launched = call('launch', str(path))
        assert launched.exit_code == 0, launched.output
        assert 'budget used up: 4 of 4 evaluations' in launched.output
        (listed,) = json.loads(call('status', '--format', 'json').output)
        pk = str(listed['pk'])
        status = json.loads(call('status', pk, '--format', 'json').output)
        assert status['used']['evaluations'] == {'value': 4, 'limit': 4}
        assert status['best']['key'] == 'Ni'
        assert 'Ni' in call('status', pk).output

        plot = tmp_path / 'best.png'
        audited = call('audit', pk, '--format', 'json', '--plot', str(plot))
        report = json.loads(audited.output)
        assert report['evaluations']['total'] == 4
        assert report['dft_calculations']['total'] == 0
        assert report['hit_rate']['n'] == 4
        assert plot.read_bytes().startswith(b'\x89PNG')
        assert 'hit rate' in call('audit', pk).output

        resumed = call('resume', pk, '--budget', 'evaluations=6')
        assert resumed.exit_code == 0, resumed.output
        newest = str(json.loads(call('status', '--format', 'json').output)[-1]['pk'])
        report = json.loads(call('audit', newest, '--format', 'json').output)
        assert report['evaluations']['total'] == 6

    def test_launch_to_a_daemon_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        call('library', 'import', 'jsonl', str(metals(tmp_path / 'metals.jsonl')), '--label', 'metals')
        result = call('launch', str(rehearsal(tmp_path / 'campaign.yaml')), '--daemon')
        assert result.exit_code == 1
        assert 'daemon' in result.output
        assert json.loads(call('status', '--format', 'json').output) == []

    def test_status_of_something_else_is_an_error(self) -> None:
        from aiida.orm import Int

        node = Int(1).store()
        result = call('status', str(node.pk))
        assert result.exit_code == 1
        assert 'not a campaign' in result.output
        assert 'there is no campaign 99999' in call('audit', '99999').output

    def test_doctor_says_how_to_mend_what_is_wrong(self) -> None:
        result = call('doctor', str(WORKFLOWS / 'superhard_light.yaml'), '--format', 'json')
        findings = json.loads(result.output)
        assert result.exit_code == 1
        by_subject = {item['subject']: item for item in findings}
        assert by_subject['profile']['state'] == 'ok'
        assert by_subject['campaign']['state'] == 'error'
        assert by_subject['pseudopotentials']['remedy'] == '`aiida-pseudo install pseudo-dojo -f upf`'

    def test_predict_writes_cifs_with_their_lineage(self, tmp_path: Path) -> None:
        from pymatgen.core import Structure

        result = call('cspml', 'predict', 'KBr', '--top', '3', '--output', str(tmp_path), '--format', 'json')
        rows = json.loads(result.output)
        accepted = [row for row in rows if row['accepted']]
        assert accepted
        text = Path(accepted[0]['cif']).read_text()
        assert text.startswith('# KBr, proposal 1')
        assert Structure.from_file(accepted[0]['cif']).composition.reduced_formula == 'KBr'

    @pytest.mark.parametrize(('formula', 'says'), [('Xx2O', 'Xx2O'), ('', 'empty'), ('K2O3Br7', 'ratio')])
    def test_predict_says_why_a_formula_has_no_prediction(self, formula: str, says: str) -> None:
        result = call('cspml', 'predict', formula)
        assert result.exit_code == 1
        assert says in result.output


def test_examples_are_listed_and_copied_without_overwriting(tmp_path: Path) -> None:
    listed = json.loads(call('examples', '--format', 'json').output)
    names = {path.name for path in WORKFLOWS.glob('*.yaml')}
    assert {item['file'] for item in listed['files']} == names
    assert all(item['question'].endswith('?') and len(item['question']) < 80 for item in listed['files'])
    assert call('examples', '--copy', 'workflows').exit_code == 0
    assert {path.name for path in (tmp_path / 'workflows').iterdir()} == names | {
        path.name for path in WORKFLOWS.glob('*.csv')
    }
    again = call('examples', '--copy', 'workflows')
    assert again.exit_code == 1
    assert 'workflows already has ' in again.output
    assert 'experiments.csv' in again.output
