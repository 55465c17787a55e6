"""What every import and merge of libraries ends with: progress, the list of what was skipped, storing."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from aiida_inversedesign.cli.common import as_json
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida_inversedesign.libraries.library import Library, Skipped
    from aiida_inversedesign.nodes.library_data import LibraryData

#: skipped entries that are shown on the terminal
SHOWN = 10
#: kind of a template that is in the library, but could not be given a fingerprint
NO_FINGERPRINT = 'no fingerprint'


@dataclass(frozen=True)
class Request:
    """What was asked of an import or a merge.

    :param wanted: options of :class:`~aiida_inversedesign.libraries.collect.Filter`.
    :param skipped: file for what was not taken; default: ``<label>-skipped.csv`` in the current folder.
    :param file: the file or folder that is read, if it is one.
    :param verbs: what was done to the templates that are in the library, and to the others.
    """

    label: str
    wanted: dict[str, Any]
    source: str = ''
    license: str = ''
    date: str = ''
    skipped: Path | None = None
    fingerprints: bool = True
    workers: int = 1
    output_format: str = 'table'
    file: Path | None = None
    verbs: tuple[str, str] = ('imported', 'skipped')


@dataclass(frozen=True)
class Bar:
    """What is shown while something takes long."""

    update: Callable[..., None]

    def count(self, number: int, fraction: float | None) -> None:
        """Show how many entries were read, and the fraction done if it is known."""
        total = None if fraction is None else 1.0
        self.update(completed=fraction or 0.0, total=total, number=f'{number}')

    def fraction(self, fraction: float) -> None:
        """Show the fraction done."""
        self.update(completed=fraction, total=1.0, number=f'{fraction:.0%}')


@contextmanager
def shown_bar(description: str) -> Iterator[Bar]:
    """A progress bar on the terminal's error stream; silent where that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console, words = Console(stderr=True), (TextColumn('{task.description}'), TextColumn('{task.fields[number]}'))
    columns = (SpinnerColumn(), words[0], BarColumn(bar_width=24), words[1], TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None, number='')
        yield Bar(partial(bar.update, task))


def import_from(
    read: Callable[..., tuple[Library, list[Skipped]]], request: Request, arguments: dict[str, Any]
) -> None:
    """Read a library from outside the database and store it."""
    from aiida_inversedesign.libraries.collect import count_remarks
    from aiida_inversedesign.nodes.library_data import LibraryData

    with shown_bar('reading') as bar:
        library, problems = read(
            **arguments,
            source=request.source,
            license=request.license,
            date=request.date,
            progress=bar.count,
            **request.wanted,
        )
    if not len(library):
        refuse_empty(problems, request)
    if request.fingerprints:
        from aiida_inversedesign.libraries.fingerprinted import with_fingerprints
        from aiida_inversedesign.libraries.prototype_labels import with_prototypes

        with shown_bar('fingerprints') as bar:
            library, failures = with_fingerprints(library, progress=bar.fraction, workers=request.workers)
        problems += [replace(item, kind=NO_FINGERPRINT) for item in failures]
        with shown_bar('prototypes') as bar:
            library = with_prototypes(library, bar.fraction)
    skipped = [item for item in problems if item.kind != NO_FINGERPRINT]
    node = LibraryData.from_library(library, label=request.label, skipped=skipped).store()
    report(node, problems, request, count_remarks(library))


def refuse_empty(problems: list[Skipped], request: Request) -> NoReturn:
    """Say why nothing is left, and end.

    :raises InverseDesignError: always.
    """
    written = _write(problems, request)
    _show(problems, written)
    raise InverseDesignError(
        f'{request.file or "the source"}: none of {len(_entries(problems))} entries could be used; nothing was imported'
    )


def report(node: LibraryData, problems: list[Skipped], request: Request, remarks: dict[str, int] | None = None) -> None:
    """Write the list of what was skipped, and say what was stored.

    :param remarks: number of entries that were taken with a remark of each kind.
    """
    from aiida_inversedesign.libraries.collect import count_kinds
    from aiida_inversedesign.libraries.entries import VALUE

    written = _write(problems, request)
    skipped = _entries(problems)
    values = Counter(item.column for item in problems if item.column is not None)
    if request.output_format == 'json':
        data = {
            'label': request.label,
            'pk': node.pk,
            'uuid': node.uuid,
            'templates': node.count,
            'fingerprints': request.fingerprints,
            'skipped': len(skipped),
            'kinds': count_kinds(problems),
            'unread_columns': dict(values),
            'remarks': remarks or {},
            'skipped_file': str(written) if written else None,
        }
        click.echo(as_json(data))
        return
    _show(problems, written)
    number = sum(item.kind == VALUE for item in problems)
    unread = f', {number} values not read' if number else ''
    click.echo(
        f'{request.verbs[0]} {node.count} templates, {request.verbs[1]} {len(skipped)}{unread}: '
        f'library {request.label!r}, LibraryData<{node.pk}>'
    )
    if remarks:
        counts = ', '.join(f'{kind}: {number}' for kind, number in remarks.items())
        click.echo(f'entries with remarks: {counts}; `library show {request.label} --entries` lists them')


def _entries(problems: list[Skipped]) -> list[Skipped]:
    """The entries that are not in the library: not those of which a value or the fingerprint is missing."""
    return [item for item in problems if item.kind != NO_FINGERPRINT and item.column is None]


def _show(problems: list[Skipped], written: Path | None) -> None:
    from rich.console import Console

    from aiida_inversedesign.libraries.collect import count_kinds
    from aiida_inversedesign.libraries.entries import ACCEPTABLE, VALUE

    console = Console(stderr=True, soft_wrap=True)
    for item in problems[:SHOWN]:
        console.print(f'{item.source}: {item.reason}', markup=False, highlight=False)
    if len(problems) > SHOWN:
        console.print(f'… and {len(problems) - SHOWN} more', highlight=False)
    if problems:
        kinds = ', '.join(f'{kind}: {number}' for kind, number in count_kinds(problems).items())
        columns = Counter(item.column for item in problems if item.column is not None and item.kind == VALUE)
        if columns:
            counted = ', '.join(f'{name} {number}' for name, number in columns.items())
            console.print(f'values that are not read, by column: {counted}', markup=False, highlight=False)
        console.print(f'{kinds}; all are listed in {written}', markup=False, highlight=False)
    if acceptable := [kind for kind in count_kinds(problems) if kind in ACCEPTABLE]:
        options = ' '.join(f'--accept {kind}' for kind in acceptable)
        console.print(f'to take such entries nevertheless, with a remark: {options}', markup=False, highlight=False)


def _write(problems: list[Skipped], request: Request) -> Path | None:
    """Write the list of what was not taken, where something was not, or the file was asked for."""
    if not problems and request.skipped is None:
        return None
    name = re.sub(r'[^\w.+-]+', '_', request.label) + '-skipped.csv'
    path = request.skipped or Path.cwd() / name
    rows = [('source', 'kind', 'reason'), *((item.source, item.kind, item.reason) for item in problems)]
    try:
        with path.open('w', newline='', encoding='utf-8', errors='replace') as handle:
            csv.writer(handle).writerows(rows)
    except OSError as error:
        raise InverseDesignError(
            f'the list of what was skipped cannot be written to {path} ({error.strerror}): name a file with --skipped'
        ) from error
    return path
