"""``library``: import, list and show template libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_profile
from aiida_inversedesign.errors import InverseDesignError


@click.group()
def library() -> None:
    """Import, list and show template libraries.

    \b
    Example:
      aiida-inversedesign library import jsonl structures.jsonl.gz --label mp --license "CC BY 4.0"
      aiida-inversedesign library show mp
    """


@library.command('import')
@click.argument('kind', type=click.Choice(['jsonl', 'cif', 'csv']))
@click.argument('source', type=click.Path(path_type=Path))
@click.option('--label', required=True, help='Label to find the library by.')
@click.option('--license', 'licence', default='', help='Licence of the data, kept with every entry.')
@click.option('--source-name', default='', help='Where the data come from; default: the name of the file.')
@click.option('--max-sites', type=click.IntRange(min=1), help='Leave out larger cells.')
@click.option('--e-above-hull', type=float, help='Leave out entries further above the hull (eV/atom).')
@click.option('--exclude-formulas', multiple=True, metavar='FORMULA', help='Leave out a formula; may be repeated.')
@click.option('--skipped', type=click.Path(path_type=Path), help='Write what could not be read to this CSV file.')
def import_library(
    kind: str,
    source: Path,
    label: str,
    licence: str,
    source_name: str,
    max_sites: int | None,
    e_above_hull: float | None,
    exclude_formulas: tuple[str, ...],
    skipped: Path | None,
) -> None:
    """Import a library from a jsonl or CSV file, a CIF file or a folder of them.

    A structure that cannot be read is skipped and listed with its reason.
    """
    from rich.console import Console

    from aiida_inversedesign.propose import importers

    read = {'jsonl': importers.read_jsonl, 'cif': importers.read_cif, 'csv': importers.read_csv}[kind]
    if kind == 'cif' and e_above_hull is not None:
        raise InverseDesignError('--e-above-hull needs energies, and CIF files have none: leave it out')
    energies = {} if kind == 'cif' else {'max_e_above_hull': e_above_hull}
    found, problems = read(
        source,
        source=source_name or source.name,
        license=licence,
        max_sites=max_sites,
        exclude_formulas=set(exclude_formulas),
        **energies,
    )
    console = Console(stderr=True)
    for item in problems[:10]:
        console.print(f'skipped {item.source}: {item.reason}', markup=False, highlight=False)
    if len(problems) > 10:
        console.print(f'… and {len(problems) - 10} more')
    if skipped is not None:
        import csv

        with skipped.open('w', newline='', encoding='utf-8') as handle:
            writer = csv.writer(handle)
            writer.writerows([('source', 'reason'), *((item.source, item.reason) for item in problems)])
    if not len(found):
        raise InverseDesignError(f'{source}: none of {len(problems)} entries could be used; nothing was imported')
    load_profile()
    from aiida_inversedesign.data.library import LibraryData

    node = LibraryData.from_library(found, label=label).store()
    click.echo(f'imported {len(found)} templates, skipped {len(problems)}: library {label!r}, LibraryData<{node.pk}>')


@library.command('list')
@FORMAT
def list_libraries(output_format: str) -> None:
    """List the libraries of this profile."""
    load_profile()
    from aiida.orm import QueryBuilder

    from aiida_inversedesign.data.library import LibraryData

    names = ['label', 'id', 'uuid', 'attributes.count', 'attributes.content_hash', 'ctime']
    found = QueryBuilder().append(LibraryData, project=names).order_by({LibraryData: 'id'}).all()
    rows = [
        {'label': label, 'pk': pk, 'uuid': uuid, 'templates': count, 'hash': digest, 'created': str(created)}
        for label, pk, uuid, count, digest, created in found
    ]
    emit(rows, output_format, _show_list)


def _show_list(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table('label', 'PK', 'templates', 'hash', 'created')
    for row in rows:
        table.add_row(row['label'], str(row['pk']), str(row['templates']), row['hash'][:12], row['created'][:16])
    Console().print(table)
    if not any(row['label'] == 'aflow' for row in rows):
        click.echo('The library "aflow" comes with pymatgen and is stored at its first use.')


@library.command('show')
@click.argument('label')
@FORMAT
def show_library(label: str, output_format: str) -> None:
    """Show what a library holds."""
    load_profile()
    from collections import Counter

    from aiida_inversedesign.data.store import get_library

    node = get_library(label)
    templates = list(node.get_library())
    ratios = Counter(template.crystal.ratio_label for template in templates)
    data = {
        'label': label,
        'pk': node.pk,
        'uuid': node.uuid,
        'templates': len(templates),
        'formulas': len({template.crystal.formula for template in templates}),
        'sources': node.sources,
        'properties': node.property_names,
        'largest_cell': max(template.crystal.nsites for template in templates),
        'ratios': dict(ratios.most_common()),
        'hash': node.content_hash,
    }
    emit(data, output_format, _show_library)


def _show_library(data: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for key in ('label', 'pk', 'templates', 'formulas', 'largest_cell', 'hash'):
        table.add_row(key.replace('_', ' '), str(data[key]))
    for source, entry in data['sources'].items():
        table.add_row('source', f'{source}: {entry["templates"]} templates, licence {entry["license"] or "not stated"}')
    table.add_row('properties', ', '.join(data['properties']) or '–')
    table.add_row('ratios', ', '.join(f'{label} ({count})' for label, count in list(data['ratios'].items())[:15]))
    Console().print(table)
