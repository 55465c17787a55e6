"""``demo``: a real campaign on this machine, in a profile of its own that nothing else knows of."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from aiida_inversedesign.cli.common import FOLDER, write_json
from aiida_inversedesign.cli.examples import workflow_file
from aiida_inversedesign.cli.setup_local import make_profile
from aiida_inversedesign.errors import InverseDesignError

PROFILE = 'demo'


@click.command()
@click.option(
    '--folder',
    type=FOLDER,
    default=Path('demo-campaign'),
    show_default=True,
    help='Everything the demo makes goes here; delete it to remove everything.',
)
@click.option('--file', type=click.Path(path_type=Path), help='Another campaign file; default: superhard_light.yaml.')
def demo(folder: Path, file: Path | None) -> None:
    """Run a real campaign on this machine, in a profile of its own, and show its audit.

    It asks for light crystals as stiff as diamond and computes the answer with pw.x in about ten minutes. The profile
    (SQLite, ZeroMQ broker, no services) lives in the folder; ~/.aiida is not touched. Without pw.x a serial one is
    installed from PyPI (qepy) into the folder.

    \b
    Example:
      aiida-inversedesign demo
    """
    from aiida_inversedesign.campaign.load import read_campaign

    # before anything is made
    spec = read_campaign(file or workflow_file('superhard_light.yaml'))
    folder = folder.resolve()
    home = folder / 'aiida'
    if os.environ.get('AIIDA_PATH') != str(home):
        _restart_in(folder, home, file)
    _make_profile(home)
    from aiida import load_profile

    load_profile(PROFILE)
    _set_up(folder)
    from aiida_inversedesign.audit.plot import plot_best_so_far
    from aiida_inversedesign.cli.audit import report_of, show_reports
    from aiida_inversedesign.cli.checks.code_check import examine_codes
    from aiida_inversedesign.cli.checks.findings import refuse_errors
    from aiida_inversedesign.cli.checks.plan import plan
    from aiida_inversedesign.cli.checks.plan_table import show_plan
    from aiida_inversedesign.cli.compare import write_plot
    from aiida_inversedesign.cli.launch import start
    from aiida_inversedesign.cli.report import write_page
    from aiida_inversedesign.workchains.build import build_campaign

    builder = build_campaign(spec)
    # SevenNet is an extra, and pw.x may not start
    refuse_errors(examine_codes(spec, builder, connect=False), 'the demo cannot run')
    show_plan(plan(spec, checked_profile=True))
    node = start(builder, spec, daemon=False)
    report = report_of(str(node.pk))
    show_reports(report)
    page = write_page(node, folder / f'campaign-{node.pk}-report.html')
    plot, figures = folder / f'campaign-{node.pk}-best.png', folder / f'campaign-{node.pk}-audit.json'
    write_plot(plot_best_so_far, report, plot)
    write_json(report, figures)
    click.echo(f'\nthe report, open it in a browser:      {page}')
    click.echo(f'best so far against DFT calculations: {plot}')
    click.echo(f'all figures of the audit:             {figures}')
    click.echo(f'the provenance:  AIIDA_PATH={home} verdi -p {PROFILE} process show {node.pk}')


def _restart_in(folder: Path, home: Path, file: Path | None) -> None:
    """Start again with AiiDA's home in the demo's folder: AiiDA reads it once, when it is first imported."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InverseDesignError(
            f'the folder {home} cannot be made ({error.strerror}): choose another --folder'
        ) from error
    command = [sys.executable, '-m', 'aiida_inversedesign.cli', 'demo', '--folder', str(folder)]
    if file is not None:
        command += ['--file', str(file.resolve())]
    os.execve(sys.executable, command, {**os.environ, 'AIIDA_PATH': str(home)})  # noqa: S606


def _make_profile(home: Path) -> None:
    """Make the demo's profile unless it is there."""
    configuration = home / '.aiida' / 'config.json'
    if configuration.is_file() and PROFILE in json.loads(configuration.read_text())['profiles']:
        return
    click.echo(f'making the profile {PROFILE!r} in {home}')
    make_profile(PROFILE)


def _set_up(folder: Path) -> None:
    """Register this machine, pw.x and Debian's PBE pseudopotentials."""
    from aiida_inversedesign.cli import setup_local

    pw = setup_local.find_pw()
    if pw is None:
        click.echo("no pw.x on this machine: installing the serial one of PyPI's qepy")
        pw = setup_local.install_qepy(folder / 'qepy')
    computer = setup_local.make_localhost_computer(folder / 'scratch')
    code = setup_local.make_pw_code(pw, computer)
    setup_local.make_density_codes(computer)
    python = setup_local.make_python_code(computer)
    family = setup_local.install_debian_pbe_family(folder / 'pseudopotentials')
    click.echo(f'pw.x: {pw} as {code.full_label}; potential: {python.full_label}')
    click.echo(f'pseudopotentials: {family.label} ({len(family.elements)} elements)')
