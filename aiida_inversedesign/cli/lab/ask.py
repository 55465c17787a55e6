"""``ask``: what a campaign with the engine ``external`` waits for."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FOLDER, emit, load_campaign, load_profile


@click.command()
@click.argument('campaign')
@click.option(
    '--format',
    'output_format',
    type=click.Choice(['table', 'json', 'csv']),
    default='table',
    show_default=True,
    help='How to print it; csv can be filled in and given to `tell --file`.',
)
@click.option('--cif', 'folder', type=FOLDER, help='Write crystals there as CIFs.')
@click.option('--answers', is_flag=True, help='List every answer instead, replicates and corrections too.')
def ask(campaign: str, output_format: str, folder: Path | None, answers: bool) -> None:
    """List what a campaign (PK or UUID) waits for: candidates to be measured, and since when.

    \b
    Examples:
      aiida-inversedesign ask 1234
      aiida-inversedesign ask 1234 --format csv > results.csv
      aiida-inversedesign ask 1234 --answers
    """
    load_profile()
    from aiida_inversedesign.engines.external.questions import Questions

    questions = Questions(load_campaign(campaign))
    if answers:
        emit_table({'schema': 'inversedesign/1', 'answers': questions.answers()}, 'answers', output_format, _row)
        return
    found = [{**item, **_content(questions, item['candidate'], folder)} for item in questions.open()]
    if output_format == 'csv':
        from aiida_inversedesign.engines.external.reading import sheet_of

        columns = list(dict.fromkeys(name for item in found for name in item['settings']))
        csv.writer(sys.stdout, lineterminator='\n').writerows(sheet_of(found, columns, questions.units))
        return
    data = {'schema': 'inversedesign/1', 'pk': questions.campaign.pk, 'units': questions.units, 'open': found}
    emit(data, output_format, _show)


def _content(questions: Any, name: str, folder: Path | None) -> dict[str, Any]:
    """What a candidate is: its settings, and the CIF of a crystal."""
    from aiida_inversedesign.nodes.contents import content_of

    space = questions.settings.space
    content = content_of(space.kind, questions.node(name))
    settings = {item.name: item.values[0] for item in space.coordinates([content])}
    found: dict[str, Any] = {'settings': settings or {space.key_name: content.key}}
    if space.of_crystals:
        from aiida_inversedesign.report.cif import symmetrized_cif

        found['cif'] = symmetrized_cif(content, name)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f'{name}.cif').write_text(found['cif'], encoding='utf-8')
    return found


def _show(data: dict[str, Any]) -> None:
    from rich.table import Table

    from aiida_inversedesign.campaign.properties import unit_text
    from aiida_inversedesign.cli.control.status_view import console
    from aiida_inversedesign.report.words import duration

    if not data['open']:
        click.echo(f'Campaign {data["pk"]} waits for nothing now; `aiida-inversedesign status {data["pk"]}` says more.')
        return
    columns = list(dict.fromkeys(name for item in data['open'] for name in item['settings']))
    until = ['until'] if any(item['until'] for item in data['open']) else []
    table = Table('candidate', *columns, 'wanted', 'open for', *until)
    for item in data['open']:
        units = data['units']
        missing = ', '.join(f'{name} ({unit_text(units[name])})' if units[name] else name for name in item['missing'])
        end = [item['until'][:16].replace('T', ' ')] if until else []
        settings = [_text(item['settings'].get(name, '')) for name in columns]
        table.add_row(item['candidate'], *settings, missing, duration(item['days'] * 86400), *end)
    console().print(table)
    name, item = next(iter(data['units'])), data['open'][0]
    unit = data['units'][name]
    click.echo(f"aiida-inversedesign tell {data['pk']} {item['candidate']} '{name}=… ± … {unit}".rstrip() + "'")


def _text(value: Any) -> str:
    return f'{value:g}' if isinstance(value, float) else str(value)


def emit_table(data: dict[str, Any], key: str, output_format: str, row: Any) -> None:
    """Print a list of flat records as a table, CSV or JSON."""
    if output_format == 'csv':
        rows = [row(item) for item in data[key]]
        writer = csv.DictWriter(sys.stdout, list(rows[0]) if rows else ['candidate'], lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)
        return
    emit(data, output_format, lambda found: _show_answers([row(item) for item in found[key]]))


def _row(item: dict[str, Any]) -> dict[str, str]:
    values = ', '.join(
        f'{name} {entry["value"]:g}' + (f' ± {entry["error"]:g}' if 'error' in entry else '') + f' {entry["unit"]}'
        for name, entry in item['values'].items()
    )
    return {
        'candidate': item['candidate'],
        'kind': item['kind'],
        'answer': f'failed: {item["failed"]}' if item['failed'] else values,
        'counts': 'yes' if item['counts'] else 'no, corrected',
        'at': item['at'][:16].replace('T', ' '),
        'by': item['about'].get('by', ''),
        'with': item['about'].get('instrument', ''),
        'files': item['about'].get('files', ''),
    }


def _show_answers(rows: list[dict[str, str]]) -> None:
    from rich.table import Table

    from aiida_inversedesign.cli.control.status_view import console

    if not rows:
        click.echo('There are no answers yet.')
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*row.values())
    console().print(table)
