"""``library``: import, merge, list and show template libraries."""

from __future__ import annotations

from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, SentenceGroup, emit, load_profile
from aiida_inversedesign.cli.library.importing import import_library, merge_libraries
from aiida_inversedesign.cli.printing import draw, new_table, plain_table, say


@click.group(cls=SentenceGroup)
def library() -> None:
    """Import, merge, list and show template libraries.

    \b
    Example:
      aiida-inversedesign library import jsonl structures.jsonl.gz --label mp --license "CC BY 4.0"
      aiida-inversedesign library show mp
    """


library.add_command(import_library)
library.add_command(merge_libraries)


@library.command('list')
@FORMAT
def list_libraries(output_format: str) -> None:
    """List the libraries of this profile.

    \b
    Examples:
      aiida-inversedesign library list
      aiida-inversedesign library list --format json
    """
    load_profile()
    from aiida.orm import QueryBuilder

    from aiida_inversedesign.nodes.library_data import LibraryData

    names = ['label', 'id', 'uuid', 'attributes.count', 'attributes.content_hash', 'ctime']
    found = QueryBuilder().append(LibraryData, project=names).order_by({LibraryData: 'id'}).all()
    rows = [
        {'label': label, 'pk': pk, 'uuid': uuid, 'templates': count, 'hash': digest, 'created': str(created)}
        for label, pk, uuid, count, digest, created in found
    ]
    emit(rows, output_format, _show_list)


def _show_list(rows: list[dict[str, Any]]) -> None:
    table = new_table('label', 'PK', 'templates', 'hash', 'created')
    for row in rows:
        table.add_row(row['label'], str(row['pk']), str(row['templates']), row['hash'][:12], row['created'][:16])
    draw(table)
    if not any(row['label'] == 'aflow' for row in rows):
        click.echo('The library "aflow" comes with pymatgen and is stored at its first use.')


@library.command('show')
@click.argument('label')
@click.option('--entries', is_flag=True, help='List every entry with its source, licence, date and structure hash.')
@FORMAT
def show_library(label: str, entries: bool, output_format: str) -> None:
    """Show what a library holds.

    Of each entry, volume is in Å³ per atom and space_group the number found by spglib within 0.1 Å.

    \b
    Examples:
      aiida-inversedesign library show aflow
      aiida-inversedesign library show aflow --entries --format json
    """
    load_profile()
    from collections import Counter

    from aiida_inversedesign.chemistry.symmetry import space_group_number
    from aiida_inversedesign.libraries.collect import count_kinds, count_remarks
    from aiida_inversedesign.nodes.store import get_templates

    node = get_templates(label)
    content = node.get_library()
    templates = list(content)
    ratios = Counter(template.crystal.ratio_label for template in templates)
    data = {
        'label': label,
        'pk': node.pk,
        'uuid': node.uuid,
        'templates': len(templates),
        'formulas': len({template.crystal.formula for template in templates}),
        'sources': node.sources,
        'retrieved': sorted({template.date for template in templates if template.date}),
        'fingerprints': content.fingerprints is not None,
        'properties': node.property_names,
        'largest_cell': max(template.crystal.nsites for template in templates),
        'ratios': dict(ratios.most_common()),
        'hash': node.content_hash,
    }
    skipped = node.get_skipped()
    data['skipped_kinds'] = count_kinds(skipped)
    data['remarks'] = count_remarks(templates)
    if entries:
        data['skipped'] = [{'file': item.source, 'kind': item.kind, 'reason': item.reason} for item in skipped]
        data['entries'] = [
            {
                'id': template.id,
                'formula': template.crystal.formula,
                'sites': template.crystal.nsites,
                'volume': template.crystal.volume / template.crystal.nsites,
                'space_group': space_group_number(template.crystal),
                'e_above_hull': template.e_above_hull,
                'source': template.source,
                'license': template.license,
                'date': template.date or None,
                'hash': template.crystal.content_hash,
                'remarks': list(template.remarks),
            }
            for template in templates
        ]
    emit(data, output_format, _show_library)


def _show_library(data: dict[str, Any]) -> None:
    table = plain_table()
    for key in ('label', 'pk', 'templates', 'formulas', 'largest_cell', 'hash'):
        table.add_row(key.replace('_', ' '), str(data[key]))
    for source, entry in data['sources'].items():
        table.add_row('source', f'{source}: {entry["templates"]} templates, licence {entry["license"] or "not stated"}')
    table.add_row('retrieved', ' to '.join(dict.fromkeys((*data['retrieved'][:1], *data['retrieved'][-1:]))) or '–')
    table.add_row('fingerprints', 'yes' if data['fingerprints'] else 'no')
    table.add_row('properties', ', '.join(data['properties']) or '–')
    for name in ('skipped_kinds', 'remarks'):
        if data[name]:
            counts = ', '.join(f'{kind}: {number}' for kind, number in data[name].items())
            table.add_row(name.partition('_')[0], counts)
    table.add_row('ratios', ', '.join(f'{label} ({count})' for label, count in list(data['ratios'].items())[:15]))
    draw(table)
    if 'entries' in data:
        columns = list(data['entries'][0])
        entries = new_table(*columns)
        for entry in data['entries']:
            entry = {
                **entry,
                'hash': entry['hash'][:12],
                'volume': f'{entry["volume"]:.2f}',
                'remarks': '; '.join(entry['remarks']),
            }
            entries.add_row(*('–' if entry[name] in (None, '') else str(entry[name]) for name in columns))
        draw(entries)
        for item in data['skipped']:
            say(f'skipped ({item["kind"]}): {item["file"]}: {item["reason"]}', soft_wrap=True)
