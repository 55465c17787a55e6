"""``verify``: takes every decision of a campaign again and compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FORMAT, campaign_argument, emit, load_profile, opened_campaign
from aiida_inversedesign.cli.printing import draw, new_table, say

#: Lines of a list that a table shows; JSON has all.
_SHOWN = 20


@click.command()
@campaign_argument
@click.option('--sample', type=COUNT, help='Run no more than this many of each kind again, drawn at random.')
@click.option('--seed', type=int, default=0, show_default=True, help='Of the sample.')
@click.option('--jobs', type=COUNT, default=1, show_default=True, help='Processes to use.')
@FORMAT
def verify(
    campaign: str | None, archive: Path | None, sample: int | None, seed: int, jobs: int, output_format: str
) -> None:
    """Run every decision of a campaign (PK or UUID) again from its stored inputs, and compare; nothing is stored.

    The posterior of a physical model (a calculation infer_model) is sampled again.

    Exit code 1 when something differs or is found that is not as it should be.

    \b
    Examples:
      aiida-inversedesign verify 1234
      aiida-inversedesign verify --archive campaign.aiida --jobs 4
      aiida-inversedesign verify 1234 --sample 50 --seed 7 --format json
    """
    from aiida_inversedesign.verify import verify as run
    from aiida_inversedesign.verify.replay import run_alone
    from aiida_inversedesign.verify.run import is_sound

    if archive is None and campaign is not None:
        load_profile()
        if (alone := run_alone(campaign)) is not None:
            emit(asdict(alone), output_format, _show_alone)
            raise SystemExit(alone.status == 'different')

    with opened_campaign(campaign, archive) as node, _progress() as progress:
        report = run(node, sample=sample, jobs=jobs, seed=seed, progress=progress)
    emit(report, output_format, show)
    if not is_sound(report):
        raise SystemExit(1)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on the error output, so that what is printed can be read by another program."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn('{task.description}'), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task('', total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


def _show_alone(replay: dict[str, Any]) -> None:
    """Print what came of running one calculation again."""
    text = f'{replay["function"]} <{replay["pk"]}> run again: {replay["status"].replace("_", " ")}'
    click.echo(f'{text} ({replay["seconds"]:.1f} s)' + (f': {replay["message"]}' if replay['message'] else ''))


def show(report: dict[str, Any]) -> None:
    """Print a verification."""
    table = new_table('', 'run again', 'identical', 'within tolerance', 'different', 'not repeatable')
    rows = [(kind, counts['decisions'], counts) for kind, counts in report['by_kind'].items()]
    evaluations = report['evaluations']
    rows.append(('evaluations', evaluations['calculations'], evaluations))
    for name, number, counts in rows:
        figures = (counts[key] for key in ('identical', 'within_tolerance', 'different', 'not_repeatable'))
        table.add_row(name, str(number), *(str(len(item) if isinstance(item, list) else item) for item in figures))
    draw(table)
    _list('different', [*report['different'], *evaluations['different']], ('function', 'of', 'message'))
    repeatable = [*report['not_repeatable'], *evaluations['not_repeatable']]
    _list('not repeatable here', repeatable, ('function', 'of', 'message'))
    _list('findings', report['findings'], ('kind', 'node', 'message'))
    say(_verdict(report), soft_wrap=True)


def _list(title: str, entries: list[dict[str, Any]], keys: tuple[str, ...]) -> None:
    """A table of entries; those that differ only in where they were found share a line."""
    from rich.markup import escape

    if not entries:
        return
    first, index, message = keys
    lines: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        lines.setdefault((str(entry[first]), str(entry[message])), []).append(str(entry[index]))
    table = new_table(title=f'{title}: {len(entries)}')
    table.add_column(first)
    table.add_column(index, overflow='fold')
    table.add_column(message, overflow='fold')
    for (name, text), indices in list(lines.items())[:_SHOWN]:
        more = f' and {len(indices) - 1} more' if len(indices) > 1 else ''
        table.add_row(*(escape(cell) for cell in (name, f'{indices[0]}{more}', text)))
    draw(table)
    if len(lines) > _SHOWN:
        say(f'and {len(lines) - _SHOWN} more (--format json shows all)')


def _verdict(report: dict[str, Any]) -> str:
    from aiida_inversedesign.report.words import count

    nodes, sample = report['nodes'], report['sample']
    parts = [f'{report["identical"]} of {report["decisions"]} decisions are identical']
    deviation = max(report['largest_deviation'], report['evaluations']['largest_deviation'])
    if deviation:
        parts.append(f'the largest deviation is {deviation:.1e}')
    number = len(report['not_repeatable']) + len(report['evaluations']['not_repeatable'])
    if number:
        parts.append(f'{number} cannot be repeated here, so that nothing is said of them')
    if sample:
        parts.append(f'a sample of {sample["size"]} of each kind (seed {sample["seed"]})')
    parts.append(f'{nodes["checked"]} nodes checked')
    if nodes['without_hash']:
        parts.append(f'{nodes["without_hash"]} of them have no recorded hash')
    number = len(report['findings'])
    parts.append(count(number, 'finding') if number else 'nothing else found')
    return f'{"; ".join(parts)} ({report["seconds"]:.1f} s)'
