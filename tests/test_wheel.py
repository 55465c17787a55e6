"""The package as users have it: a built wheel in a fresh environment, started from an empty folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fresh_environment import FreshEnvironment

ROOT = Path(__file__).parents[1]

#: keeps the input that it was started with; a pw.x that answers would take ten minutes
PW = """#!/bin/sh
echo "     Program PWSCF v.7.2"
[ ! -f aiida.in ] || { cp aiida.in "$PW_INPUT"; exit 1; }
"""


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``python -m build`` makes, by way of the source distribution."""
    folder = tmp_path_factory.mktemp('dist')
    built = subprocess.run(
        [sys.executable, '-m', 'build', '--outdir', folder, ROOT], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-3000:]
    assert len(list(folder.glob('*.tar.gz'))) == 1
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='module')
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> FreshEnvironment:
    """A fresh environment with the wheel and what it requires."""
    environment = FreshEnvironment(tmp_path_factory.mktemp('user'))
    environment.install(wheel)
    return environment


@pytest.mark.slow
def test_every_data_file_of_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    tracked = subprocess.run(
        ['git', 'ls-files', 'aiida_inversedesign', 'workflows'], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip('not a checkout of git')
    expected = {name.replace('workflows/', 'aiida_inversedesign/workflows/', 1)
                if name.startswith('workflows/') else name for name in tracked.stdout.split()}  # fmt: skip
    assert expected <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_campaign_runs_from_an_empty_folder(installed: FreshEnvironment) -> None:
    """The measured designs that come with the package: check, launch, audit, verify, report and paper."""
    run = installed.run
    found = Path(run('python', '-c', 'import aiida_inversedesign as package; print(package.__file__)').strip())
    assert found.is_relative_to(installed.programs.parent)
    assert 'aiida-inversedesign demo' in run('aiida-inversedesign', '--help')
    run('verdi', 'presto', '-p', 'user', '--use-zeromq', '-n')
    campaign = found.parent / 'workflows' / 'experiments.yaml'
    said = run('aiida-inversedesign', '-p', 'user', 'launch', campaign)
    pk = re.findall(r'campaign (\d+) ended', said)[0]
    figures = json.loads(run('aiida-inversedesign', '-p', 'user', 'audit', pk, '--format', 'json'))
    assert figures['evaluations']['hits'] > 0
    verified = json.loads(run('aiida-inversedesign', '-p', 'user', 'verify', pk, '--format', 'json'))
    assert verified['identical'] == verified['decisions'] > 0
    run('aiida-inversedesign', '-p', 'user', 'report', pk, '-o', 'report.html')
    assert 'plotly' in (installed.folder / 'report.html').read_text()
    run('aiida-inversedesign', '-p', 'user', 'paper', pk, '-o', 'paper')
    assert (installed.folder / 'paper' / 'methods.md').is_file()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_starts_pw_from_an_empty_folder(installed: FreshEnvironment) -> None:
    """Profile, code, pseudopotentials, library, proposals: all that comes before the first calculation."""
    folder = installed.folder / 'empty'
    folder.mkdir()
    pw, started = installed.programs / 'pw.x', installed.folder / 'input'
    pw.write_text(PW)
    pw.chmod(0o755)
    installed.settings['PW_INPUT'] = str(started)
    said = installed.run('aiida-inversedesign', 'demo', folder=folder)
    assert f'pw.x: {pw}' in said
    assert 'too many failures' in said
    assert '&CONTROL' in started.read_text()
    assert [path.name for path in folder.iterdir()] == ['demo-campaign']
    assert list((folder / 'demo-campaign').glob('campaign-*-report.html'))
