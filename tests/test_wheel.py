"""The package as users have it: a built wheel in a fresh environment, started from an empty folder."""

from __future__ import annotations

import json
import re
import shutil
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
def test_the_demo_starts_pw_from_an_empty_folder(installed: FreshEnvironment, wheel: Path) -> None:
    """Profile, code, pseudopotentials, library, proposals: all that comes before the first calculation."""
    folder, lacking = installed.folder / 'empty', installed.folder / 'lacking'
    folder.mkdir()
    lacking.mkdir()
    pw, started = installed.programs / 'pw.x', installed.folder / 'input'
    pw.write_text(PW)
    pw.chmod(0o755)
    installed.settings['PW_INPUT'] = str(started)
    with pytest.raises(AssertionError, match=r'the demo cannot run[\s\S]*the package sevenn is not installed'):
        installed.run('aiida-inversedesign', 'demo', folder=lacking)
    installed.install(f'{wheel}[potentials]')
    said = installed.run('aiida-inversedesign', 'demo', folder=folder)
    assert f'pw.x: {pw}' in said
    assert 'too many failures' in said
    assert '&CONTROL' in started.read_text()
    assert [path.name for path in folder.iterdir()] == ['demo-campaign']
    assert list((folder / 'demo-campaign').glob('campaign-*-report.html'))


#: Installs what `aiida-pseudo install` would download, from a folder and its table of cutoffs (Ry).
FAMILY = """
import json, sys
from pathlib import Path
from aiida_pseudo.data.pseudo import UpfData
from aiida_pseudo.groups.family import CutoffsPseudoPotentialFamily
folder, table = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
for path in folder.iterdir():
    if path.name not in {f'{element}.upf' for element in ('C', 'Si')}:
        path.unlink()
label = 'PseudoDojo/0.4/PBE/SR/standard/upf'
family = CutoffsPseudoPotentialFamily.create_from_folder(folder, label, pseudo_type=UpfData)
cutoffs = {element: {'cutoff_wfc': table[element]['cutoff_wfc'], 'cutoff_rho': table[element]['cutoff_rho']}
           for element in ('C', 'Si')}
family.set_cutoffs(cutoffs, 'normal', unit='Ry')
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """The console blocks of a page of the documentation with the output printed below each, in their order."""
    text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
    found = re.findall(r'^```console\n(.*?)^```(?:\n\n(?:(?!```|#)[^\n]+\n+)*```text\n(.*?)^```)?', text, re.S | re.M)
    return [(commands, expected) for commands, expected in found if not commands.startswith('pip install')]


def run_page(page: str, environment: FreshEnvironment, folder: Path, instead: dict[str, str]) -> str:
    """Paste the console blocks of a page into a shell, in an empty folder, and look for the output that it promises.

    Numbers may differ from machine to machine: of each line of the output what stands before its first digit is found.
    As the page asks, 1234 becomes the PK that `launch` printed last.

    :param instead: what is run for a line that begins so.
    :returns: the PK of the last campaign that it launched.
    """
    folder.mkdir()
    pk, commands = '1234', blocks(page)
    assert commands
    for block, expected in commands:
        lines = [
            next((new for old, new in instead.items() if line.startswith(old)), line) for line in block.splitlines()
        ]
        ran = subprocess.run(
            ['bash', '-e', '-o', 'pipefail', '-c', '\n'.join(lines).replace('1234', pk)],
            env=environment.settings, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f'{block}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}'
        for line in expected.splitlines():
            assert re.split(r'\d|…', line)[0].strip() in ran.stdout, f'{line}\nis not in\n{ran.stdout}'
        if started := re.findall(r'campaign (\d+)(?: ended|: follow)', ran.stdout):
            pk = started[-1]
    return pk


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tutorial_runs_as_printed(installed: FreshEnvironment) -> None:
    folder = installed.folder / 'tutorial'
    run_page('tutorial.md', installed, folder, {})
    assert 'plotly' in (folder / 'report.html').read_text()


@pytest.mark.slow
@pytest.mark.pw
@pytest.mark.timeout(1800)
def test_the_page_of_the_laptop_runs_as_printed(installed: FreshEnvironment, shared: Path, tmp_path: Path) -> None:
    """With the pseudopotentials of the shared data which are those of the internet."""
    if shutil.which('pw.x') is None:
        pytest.skip('no pw.x on the PATH')
    archive = next((shared / 'data' / 'pseudos').glob('dojo.*.tar.xz'))
    shutil.unpack_archive(archive, tmp_path, filter='data')
    script = tmp_path / 'family.py'
    script.write_text(FAMILY)
    family = (
        f'verdi -p laptop run {script} {next(tmp_path.glob("dojo.*"))} {archive.with_suffix("").with_suffix("")}.json'
    )
    try:
        campaign = run_page('howto_laptop.md', installed, installed.folder / 'laptop', {'aiida-pseudo': family})
        # stopped by the page and resumed through the daemon
        status = json.loads(
            installed.run('aiida-inversedesign', '-p', 'laptop', 'status', campaign, '--format', 'json')
        )
        assert (status['name'], status['failed']) == ('first-dft', 0)
    finally:
        installed.run('verdi', '-p', 'laptop', 'config', 'set', 'daemon.timeout', '60')
        installed.run('verdi', '-p', 'laptop', 'daemon', 'stop')
