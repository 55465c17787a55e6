"""``doctor``: does this profile have what a campaign needs? Each finding says how to fix it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.checks.findings import CONNECT, Finding, show_findings
from aiida_inversedesign.cli.common import FORMAT, emit, load_profile
from aiida_inversedesign.errors import InverseDesignError


@click.command()
@click.argument('file', type=click.Path(path_type=Path), required=False)
@CONNECT
@FORMAT
def doctor(file: Path | None, connect: bool, output_format: str) -> None:
    """Check profile, daemon, slots, codes, pseudopotentials, library and disk; with FILE, what that campaign needs.

    With FILE its codes on this machine are started for a moment, otherwise the executables of all codes are looked for;
    with --connect also those of other computers.
    The exit code is 1 if something is wrong.

    \b
    Example:
      aiida-inversedesign doctor workflows/superhard_light.yaml
    """
    findings = list(examine(file, connect))
    emit([vars(finding) for finding in findings], output_format, show_findings)
    if any(finding.state == 'error' for finding in findings):
        raise SystemExit(1)


def examine(file: Path | None, connect: bool = False) -> Iterator[Finding]:
    """Every finding, in the order in which a campaign would meet it."""
    try:
        load_profile()
    except InverseDesignError as error:
        yield Finding('profile', 'error', str(error))
        return
    from aiida.manage import get_manager

    from aiida_inversedesign.cli.checks.daemon_check import examine_daemon
    from aiida_inversedesign.cli.checks.disk_check import examine_disk

    profile = get_manager().get_profile()
    yield Finding('profile', 'ok', f'{profile.name} ({profile.storage_backend})')
    spec = None
    if file is not None:
        from aiida_inversedesign.campaign.load import read_campaign

        try:
            spec = read_campaign(file)
        except InverseDesignError as error:
            yield Finding('campaign', 'error', str(error))
        else:
            yield from _campaign(spec, connect)
    yield from examine_daemon(spec, required=False)
    yield from _engines()
    if file is None:
        from aiida_inversedesign.cli.checks.code_check import examine_known
        from aiida_inversedesign.workchains.build import known_codes

        yield from examine_known(known_codes(), connect)
    yield _libraries()
    yield from examine_disk(spec)


def _campaign(spec: Any, connect: bool) -> Iterator[Finding]:
    from aiida_inversedesign.cli.checks.code_check import examine_codes
    from aiida_inversedesign.workchains.build import SetupError, build_campaign

    try:
        builder = build_campaign(spec)
    except SetupError as error:
        for problem in error.problems:
            yield Finding('campaign', 'error', problem)
    else:
        yield Finding('campaign', 'ok', f'{spec.name}: everything it needs is here')
        yield from examine_codes(spec, builder, connect)


def _engines() -> Iterator[Finding]:
    """The installed engines, and what each of them looks for in a profile."""
    from aiida_inversedesign.campaign.contracts import registry
    from aiida_inversedesign.campaign.contracts.engine import installed, missing
    from aiida_inversedesign.workchains.build import known_codes

    engines = installed()
    yield Finding('engines', 'ok', ', '.join(engines))
    for name in registry.names('engines'):
        if name not in engines:
            yield Finding('engines', 'warning', missing(name))
    for engine in engines.values():
        for what, labels, remedy in registry.load(engine.examine)(known_codes()) if engine.examine else ():
            if labels:
                yield Finding(what, 'ok', ', '.join(labels))
            else:
                yield Finding(what, 'warning', f'no {what} in this profile', remedy)


def _libraries() -> Finding:
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.nodes.store import AFLOW, list_labels

    labels = sorted({AFLOW, *list_labels(LibraryData)})
    return Finding('libraries', 'ok', ', '.join(labels))
