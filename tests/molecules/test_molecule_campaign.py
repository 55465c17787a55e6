"""A campaign over molecules of a CSV file, run for real: audit, verify, report and paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from some_smiles import SMILES

from aiida_inversedesign.cli import cli


def call(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope='module')
def folder(tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp('molecules')
    rows = [f'{text},{len(text) / 2}' for text in SMILES[:10]]
    (path / 'm.csv').write_text('\n'.join(['smiles,gap', *rows, 'C1CC,1', '']))
    (path / 'm.yaml').write_text(
        'name: m\n'
        'goal: {objectives: [{property: gap, minimize: true, hit: 2}]}\n'
        'space: {kind: molecules}\n'
        'propose: {library: m.csv}\n'
        'select: {initial: 4, batch: 2}\n'
        'evaluate: {engine: table, data: m.csv, units: {gap: eV}}\n'
        'budget: {evaluations: 6}\n'
    )
    return path


@pytest.fixture(scope='module')
def finished(aiida_profile: Any, folder: Path) -> str:
    from aiida_inversedesign.campaign.load import read_campaign
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.foreground import run_campaign

    aiida_profile.reset_storage()
    node = run_campaign(build_campaign(read_campaign(folder / 'm.yaml')))
    assert node.is_finished_ok, node.exit_message
    return str(node.pk)


def test_check_says_what_is_left_out(finished: str, folder: Path) -> None:
    text = ' '.join(call('check', str(folder / 'm.yaml')).split())
    assert "(not SMILES): 1, e.g. line 12: 'C1CC' is not a SMILES" in text
    assert 'uncharged, closed-shell' in text


def test_audit_and_verify_of_the_campaign(finished: str) -> None:
    assert '6 total, 6 completed, 0 failed' in ' '.join(call('audit', finished).split())
    assert 'nothing else found' in call('verify', finished)


def test_report_and_paper_draw_the_molecules(finished: str, tmp_path: Path) -> None:
    call('report', finished, '-o', str(tmp_path / 'report.html'))
    page = (tmp_path / 'report.html').read_text()
    assert page.count('<svg class="molecule"') == 5
    call('paper', finished, '-o', str(tmp_path / 'paper'), '--no-archive')
    assert len(list((tmp_path / 'paper' / 'pictures').glob('*.svg'))) >= 5
    assert 'Molecules of H B C N' in (tmp_path / 'paper' / 'methods.md').read_text()
