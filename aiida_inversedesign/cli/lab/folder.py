"""A folder that a robot fills with CSV files: each is read once, and moved to where its outcome says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

#: Seconds without a change after which a file counts as written.
QUIET = 2.0
#: Where files go that were read, and those with rows that could not be recorded, each with a text that says why.
DONE, REFUSED = 'done', 'refused'


def watch_folder(node: WorkChainNode, folder: Path, kind: Any, about: dict[str, str], interval: float) -> None:
    """Take every CSV file of a folder until the campaign has ended; Ctrl-C stops looking and loses nothing."""
    if not folder.is_dir():
        raise InverseDesignError(f'{folder} is not a folder: make it, then the robot can write there')
    from aiida_inversedesign.processes.timed_wait import end_read_transaction

    click.echo(f'looking into {folder} every {interval:g} s; Ctrl-C stops')
    try:
        while not node.is_terminated:
            take_files(node, folder, kind, about)
            time.sleep(interval)
            end_read_transaction()
    except KeyboardInterrupt:
        click.echo('stopped looking; the campaign goes on')
        return
    click.echo(f'campaign {node.pk} has ended; files that come now stay where they are')


def take_files(node: WorkChainNode, folder: Path, kind: Any, about: dict[str, str]) -> list[dict[str, Any]]:
    """Record every file that is complete, and move it; what came of each."""
    from aiida_inversedesign.engines.external.questions import Questions
    from aiida_inversedesign.engines.external.reading import AnswerError
    from aiida_inversedesign.engines.external.recording import record_file

    outcomes = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != '.csv' or not path.is_file() or time.time() - path.stat().st_mtime < QUIET:
            continue
        try:
            found = record_file(Questions(node), path, kind, about)
        except AnswerError as error:
            found = {'recorded': [], 'known': [], 'problems': [str(error)]}
        target = _move(path, folder / (REFUSED if found['problems'] else DONE))
        if found['problems']:
            target.with_name(target.name + '.txt').write_text('\n'.join(found['problems']) + '\n', encoding='utf-8')
        for problem in found['problems']:
            click.echo(f'not recorded: {problem}', err=True)
        click.echo(f'{path.name}: {len(found["recorded"])} recorded, {len(found["known"])} known; moved to {target}')
        outcomes.append(found)
    return outcomes


def _move(path: Path, folder: Path) -> Path:
    """Move a file; one of the same name that is there stays."""
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f'{path.stem}_{number}{path.suffix}'
    path.rename(target)
    return target
