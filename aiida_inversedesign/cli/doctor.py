"""``doctor``: does this profile have what a campaign needs? Each finding says how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_profile
from aiida_inversedesign.errors import InverseDesignError

#: Processes of one evaluation that hold a daemon slot while they wait: evaluation, relaxation, base, calculation job.
SLOTS_PER_EVALUATION = 4

#: Slots that the campaign itself and its generation hold.
SLOTS_OF_CAMPAIGN = 2

#: Less free disk space than this is worth a warning, in GB.
LEAST_DISK = 5


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    state: Literal['ok', 'warning', 'error']
    text: str
    remedy: str = ''


@click.command()
@click.argument('file', type=click.Path(path_type=Path), required=False)
@FORMAT
def doctor(file: Path | None, output_format: str) -> None:
    """Check profile, daemon, slots, codes, pseudopotentials, library and disk; with FILE, what that campaign needs.

    The exit code is 1 if something is wrong.

    \b
    Example:
      aiida-inversedesign doctor workflows/superhard_light.yaml
    """
    findings = list(examine(file))
    emit([vars(finding) for finding in findings], output_format, _show)
    if any(finding.state == 'error' for finding in findings):
        raise SystemExit(1)


def examine(file: Path | None) -> Iterator[Finding]:
    """Every finding, in the order in which a campaign would meet it."""
    try:
        load_profile()
    except InverseDesignError as error:
        yield Finding('profile', 'error', str(error))
        return
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    yield Finding('profile', 'ok', f'{profile.name} ({profile.storage_backend})')
    at_once = 1
    if file is not None:
        from aiida_inversedesign.campaign.load import read_campaign

        try:
            spec = read_campaign(file)
        except InverseDesignError as error:
            yield Finding('campaign', 'error', str(error))
        else:
            at_once = spec.budget.at_once or max(spec.select.initial, spec.select.batch)
            yield from _campaign(spec)
    yield from _daemon(profile, at_once)
    for check in (_codes, _families, _libraries):
        yield check()
    yield _disk(profile)


def _campaign(spec: Any) -> Iterator[Finding]:
    from aiida_inversedesign.workchains.build import SetupError, build_campaign

    try:
        build_campaign(spec)
    except SetupError as error:
        for problem in error.problems:
            yield Finding('campaign', 'error', problem)
    else:
        yield Finding('campaign', 'ok', f'{spec.name}: everything it needs is here')


def _daemon(profile: Any, at_once: int) -> Iterator[Finding]:
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage import get_config_option

    if profile.process_control_backend is None:
        text = 'this profile has no broker: campaigns run in the foreground only'
        yield Finding('daemon', 'warning', text, 'for a daemon: verdi presto --use-zeromq')
        return
    client = get_daemon_client()
    if not client.is_daemon_running:
        text = 'not running: only campaigns in the foreground will move'
        yield Finding('daemon', 'warning', text, 'verdi daemon start')
        return
    workers = client.get_numprocesses()['numprocesses']
    slots = workers * get_config_option('daemon.worker_process_slots')
    needed = SLOTS_OF_CAMPAIGN + SLOTS_PER_EVALUATION * at_once
    yield Finding('daemon', 'ok', f'{workers} worker(s), {slots} process slots')
    if slots < needed:
        # parents wait in their slots: with too few of them nothing can run any more
        text = f'{at_once} evaluations at once hold {needed} slots, there are {slots}'
        yield Finding('slots', 'error', text, 'verdi daemon incr, or verdi config set daemon.worker_process_slots 200')
    else:
        yield Finding('slots', 'ok', f'{at_once} evaluation(s) at once hold {needed} of {slots}')


def _codes() -> Finding:
    from aiida.orm import InstalledCode, QueryBuilder

    codes = QueryBuilder().append(InstalledCode).all(flat=True)
    names = [code.full_label for code in codes if code.default_calc_job_plugin == 'quantumespresso.pw']
    if names:
        return Finding('pw.x', 'ok', ', '.join(names))
    return Finding('pw.x', 'warning', 'no code for pw.x', 'verdi code create core.code.installed')


def _families() -> Finding:
    from aiida.orm import QueryBuilder
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    families = [family.label for family in QueryBuilder().append(PseudoPotentialFamily).all(flat=True)]
    if families:
        return Finding('pseudopotentials', 'ok', ', '.join(families))
    return Finding('pseudopotentials', 'warning', 'no family installed', 'aiida-pseudo install pseudo-dojo')


def _libraries() -> Finding:
    from aiida_inversedesign.data.library import LibraryData
    from aiida_inversedesign.data.store import AFLOW, list_labels

    labels = sorted({AFLOW, *list_labels(LibraryData)})
    return Finding('libraries', 'ok', ', '.join(labels))


def _disk(profile: Any) -> Finding:
    folder = Path(profile.storage_config.get('filepath', Path.home()))
    free = shutil.disk_usage(folder if folder.exists() else Path.home()).free / 1e9
    text = f'{free:.0f} GB free at {folder}'
    if free < LEAST_DISK:
        return Finding('disk', 'warning', text, 'verdi storage maintain, or clean remote folders')
    return Finding('disk', 'ok', text)


def _show(findings: list[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    colours = {'ok': 'green', 'warning': 'yellow', 'error': 'red'}
    table = Table('', 'what', 'finding', 'how to mend it', box=None, padding=(0, 2, 0, 0))
    for item in findings:
        state = Text(item['state'], style=colours[item['state']])
        table.add_row(state, item['subject'], escape(item['text']), escape(item['remedy']))
    Console().print(table)
