"""Wrong input to each command: a plain sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from command_line import call

from aiida_inversedesign.cli import cli

WORKFLOWS = Path(__file__).parents[2] / 'workflows'


def refused(result: Result) -> str:
    """The message of a command that refused its input plainly."""
    text = result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    assert 'Traceback' not in text
    assert len(text.strip()) > 10
    return ' '.join(text.split())


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command below a group."""
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += leaves(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


#: those of `library` are shown together, in the help of their group
COMMANDS = [path for path in leaves(cli) if path[0] != 'library']


@pytest.mark.parametrize('path', [*COMMANDS, ('library',)], ids=' '.join)
def test_help_of_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    result = call(*path, '--help')
    assert result.exit_code == 0
    assert 'Example' in result.output
    assert f'aiida-inversedesign {" ".join(path)}' in ' '.join(result.output.split('Example', 1)[1].split())


MISSING = [
    ('check', 'none.yaml'),
    ('launch', 'none.yaml'),
    ('library', 'import', 'jsonl', 'none.jsonl', '--label', 'x'),
    ('library', 'import', 'cif', 'none.cif', '--label', 'x'),
]


@pytest.mark.usefixtures('aiida_profile_clean')
class TestWithProfile:
    """Wrong input where there is a profile."""

    @pytest.mark.parametrize('arguments', MISSING, ids=' '.join)
    def test_a_file_that_is_not_there(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        full = [str(tmp_path / item) if item.startswith('none') else item for item in arguments]
        assert 'none' in refused(call(*full))

    def test_doctor_reports_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert 'none.yaml' in refused(call('doctor', str(tmp_path / 'none.yaml'), '--format', 'json'))

    def test_a_folder_and_an_empty_file_are_no_campaign_files(self, tmp_path: Path) -> None:
        (tmp_path / 'empty.yaml').write_text('')
        (tmp_path / 'bytes.yaml').write_bytes(bytes(range(256)))
        for path in (tmp_path, tmp_path / 'empty.yaml', tmp_path / 'bytes.yaml'):
            for command in ('check', 'launch'):
                refused(call(command, str(path)))

    @pytest.mark.parametrize('command', ['check', 'launch'])
    def test_everything_that_is_wrong_with_a_campaign_file(self, command: str, tmp_path: Path) -> None:
        text = (WORKFLOWS / 'superhard_light.yaml').read_text().replace('surrogate: auto', 'surrogate: multitask')
        (tmp_path / 'wrong.yaml').write_text(f'{text}\nselct: {{}}\n')
        message = refused(call(command, str(tmp_path / 'wrong.yaml')))
        assert 'wrong.yaml: 2 problems learn.surrogate' in message
        assert 'selct = {}: unknown key' in message

    @pytest.mark.parametrize('command', ['resume', 'status', 'audit'])
    def test_a_node_that_is_no_campaign(self, command: str) -> None:
        from aiida.orm import CalcFunctionNode, Int, WorkChainNode

        number, other = Int(1).store(), WorkChainNode(process_type='aiida.workflows:core.arithmetic.add_multiply')
        nodes = (number, other.store(), CalcFunctionNode().store())
        for node in nodes:
            assert 'not a campaign' in refused(call(command, str(node.pk)))
            assert 'not a campaign' in refused(call(command, node.uuid))
        for identifier in ('99999', '00000000-0000-0000-0000-000000000000', 'nonsense', '0', ' '):
            assert 'there is no campaign' in refused(call(command, identifier))

    @pytest.mark.parametrize(
        'budget', ['evaluations', 'evaluations=', 'evaluations=many', 'evaluatoins=9', 'evaluations=[', '=3']
    )
    def test_a_budget_that_cannot_be_read(self, budget: str, campaign: Any) -> None:
        from aiida_inversedesign.workchains.foreground import run_campaign

        builder, _ = campaign(budget={'evaluations': 1}, select={'initial': 1})
        text = refused(call('resume', str(run_campaign(builder).pk), '--budget', budget))
        assert 'budget' in text

    def test_a_library_that_is_not_there(self) -> None:
        text = refused(call('library', 'show', 'aflov'))
        assert "did you mean 'aflow'?" in text
        refused(call('cspml', 'predict', 'SiC', '--library', 'none'))
        assert "there is no proposal model 'none'" in refused(call('cspml', 'predict', 'SiC', '--model', 'none'))

    @pytest.mark.parametrize('formula', ['Xx2O', '', 'Si-1C', 'SiC)', '2', 'K2O3Br7'])
    def test_a_formula_that_cannot_be_predicted(self, formula: str) -> None:
        assert refused(call('cspml', 'predict', '--', formula)).startswith('Error: ')

    def test_a_plot_that_cannot_be_written(self, campaign: Any, tmp_path: Path) -> None:
        from aiida_inversedesign.workchains.foreground import run_campaign

        builder, _ = campaign(budget={'evaluations': 1}, select={'initial': 1})
        pk = str(run_campaign(builder).pk)
        assert 'none' in refused(call('audit', pk, '--plot', str(tmp_path / 'none' / 'best.png')))
        assert 'best.xyz' in refused(call('audit', pk, '--plot', str(tmp_path / 'best.xyz')))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in an interpreter of its own whose AiiDA folder has no profile."""
    return subprocess.run(
        [sys.executable, '-m', 'aiida_inversedesign.cli', *arguments],
        env={**os.environ, 'AIIDA_PATH': str(folder), 'NO_COLOR': '1'},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.mark.parametrize(
    'arguments',
    [
        ('doctor',),
        ('check', str(WORKFLOWS / 'superhard_light.yaml')),
        ('launch', str(WORKFLOWS / 'superhard_light.yaml')),
        ('resume', '1'),
        ('status',),
        ('audit', '1'),
        ('library', 'list'),
        ('library', 'show', 'aflow'),
        ('cspml', 'predict', 'SiC'),
        ('-p', 'other', 'status'),
    ],
    ids=' '.join,
)
def test_without_a_profile(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = run(tmp_path, *arguments)
    text = result.stdout + result.stderr
    assert result.returncode == 1
    assert 'profile' in text
    assert 'verdi presto' in text
    assert 'Traceback' not in text


def test_schema_needs_no_profile(tmp_path: Path) -> None:
    assert run(tmp_path, 'schema').returncode == 0


def test_demo_in_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    result = run(tmp_path, 'demo', '--folder', str(tmp_path / 'file' / 'demo'))
    assert result.returncode in (1, 2)
    assert 'Traceback' not in result.stderr
    assert 'file/demo' in result.stderr


def test_demo_with_a_campaign_file_that_is_not_there(tmp_path: Path) -> None:
    result = run(tmp_path, 'demo', '--folder', str(tmp_path / 'demo'), '--file', str(tmp_path / 'none.yaml'))
    assert result.returncode in (1, 2)
    assert 'Traceback' not in result.stderr
    assert 'none.yaml' in result.stderr
    # nothing was made before the file was looked for
    assert not (tmp_path / 'demo').exists()
