"""``library import`` and ``library merge``: templates from files, servers and the profile's own structures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import (
    COUNT,
    EXCLUDE_FORMULAS,
    FORMAT,
    NEW_FILE,
    SentenceGroup,
    formulas_to_exclude,
    load_profile,
)
from aiida_inversedesign.cli.library.of_profile import import_from_group, merge_from_profile
from aiida_inversedesign.cli.library.storing import Request, import_from
from aiida_inversedesign.errors import InverseDesignError

Command = Callable[..., Any]


def _options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


_FILTER = _options(
    click.option(
        '--e-above-hull', type=click.FloatRange(min=0), help='Leave out entries further above the hull (eV/atom).'
    ),
    click.option('--max-sites', type=COUNT, help='Leave out primitive cells with more sites.'),
    EXCLUDE_FORMULAS,
)
_RESULT = _options(
    click.option('--label', required=True, help='Label to find the library by.'),
    click.option(
        '--skipped',
        type=NEW_FILE,
        help='CSV file for what was not taken and why; default: LABEL-skipped.csv in the current folder.',
    ),
    click.option('--fingerprints/--no-fingerprints', default=True, help='Whether structure fingerprints are computed.'),
    click.option('--workers', type=COUNT, default=1, show_default=True, help='Processes for fingerprints.'),
    FORMAT,
)
_ORIGIN = _options(
    click.option('--license', 'licence', default='', help='Licence of the data, kept with every entry.'),
    click.option('--source-name', default='', help='Where the data come from; default: the name of the source.'),
    click.option('--date', 'retrieved', help='Date of the retrieval, YYYY-MM-DD; default: today.'),
    click.option(
        '--largest-cell',
        type=COUNT,
        default=500,
        show_default=True,
        help='Refuse cells that have more sites as they are read.',
    ),
    click.option(
        '--accept',
        multiple=True,
        metavar='KIND',
        help='Take entries that contradict themselves in this way, e.g. formula_mismatch, and keep a remark; may be '
        'repeated. The kinds are printed with what was skipped.',
    ),
)
_CHEMISTRY = _options(
    click.option('--elements', default='', metavar='A,B', help='Only structures with all of these elements.'),
    click.option('--chemsys', default='', metavar='A-B', help='Only structures of exactly these elements.'),
    click.option('--limit', type=COUNT, help='Read at most so many entries.'),
)
_FILE = _options(click.argument('source', type=click.Path(path_type=Path)), _ORIGIN, _FILTER, _RESULT)


@click.group('import', cls=SentenceGroup)
def import_library() -> None:
    """Import a library. Entries that cannot be used are counted by kind and listed in a file.

    \b
    Examples:
      aiida-inversedesign library import jsonl structures.jsonl.gz --label mp --license "CC BY 4.0"
      aiida-inversedesign library import mp --chemsys Li-Si-O --e-above-hull 0.1 --label silicates
      aiida-inversedesign library import optimade https://oqmd.org/optimade --filter 'nelements=2' --label binaries
      aiida-inversedesign library import group relaxed --label mine
    """


@import_library.command('jsonl')
@_FILE
def import_jsonl(source: Path, **options: Any) -> None:
    """Import a file with one JSON object a line: lattice, species, frac_coords, id, numbers; .gz as well.

    Structures and computed entries of pymatgen, documents of the Materials Project and entries of OPTIMADE are read
    too, one a line or as one list. Deprecated ones are skipped.

    \b
    Example:
      aiida-inversedesign library import jsonl structures.jsonl.gz --label mine --license "CC BY 4.0" --e-above-hull 0.1
    """
    from aiida_inversedesign.libraries.importers import read_jsonl

    _import_file(read_jsonl, source, options)


@import_library.command('csv')
@_FILE
def import_csv(source: Path, **options: Any) -> None:
    """Import a CSV file with a column cif, or the JSON columns lattice, species and frac_coords; .gz as well.

    \b
    Example:
      aiida-inversedesign library import csv structures.csv --label mine --exclude-formulas SiC
    """
    from aiida_inversedesign.libraries.importers import read_csv

    _import_file(read_csv, source, options)


@import_library.command('cif')
@_FILE
def import_cif(source: Path, **options: Any) -> None:
    """Import a CIF file, or every .cif and .mcif of a folder, .gz as well; every structure of each.

    What a file states (formula, formula units, space group, volume, density, multiplicities) is compared with its
    sites; an entry that contradicts itself is skipped with the kind of the contradiction, unless --accept names it.

    \b
    Example:
      aiida-inversedesign library import cif crystals --label mine --accept formula_mismatch
    """
    from aiida_inversedesign.libraries.importers import read_cif

    if options['e_above_hull'] is not None:
        raise InverseDesignError('--e-above-hull needs energies, and CIF files have none: leave it out')
    _import_file(read_cif, source, options)


@import_library.command('mp')
@_CHEMISTRY
@_ORIGIN
@_FILTER
@_RESULT
def import_mp(elements: str, chemsys: str, limit: int | None, **options: Any) -> None:
    """Import from the Materials Project, with your key in the variable MP_API_KEY (extra "mp").

    \b
    Example:
      aiida-inversedesign library import mp --chemsys Li-Si-O --e-above-hull 0.1 --label silicates
    """
    from aiida_inversedesign.libraries.materials_project import read_materials_project

    import_from(
        read_materials_project,
        _request(options),
        {'elements': _symbols(elements, ','), 'chemsys': chemsys, 'limit': limit},
    )


@import_library.command('optimade')
@click.argument('url')
@click.option('--filter', 'query', default='', help='What to ask for, in the filter language of OPTIMADE.')
@click.option('--hull-field', default='', help="The provider's field with the energy above the hull (eV/atom).")
@_CHEMISTRY
@_ORIGIN
@_FILTER
@_RESULT
def import_optimade(
    url: str, query: str, hull_field: str, elements: str, chemsys: str, limit: int | None, **options: Any
) -> None:
    """Import from any OPTIMADE provider; URL is its base address.

    \b
    Example:
      aiida-inversedesign library import optimade https://oqmd.org/optimade --filter 'nelements=2' --label binaries
    """
    from aiida_inversedesign.libraries.optimade import read_optimade

    import_from(
        read_optimade,
        _request(options),
        {
            'url': url,
            'filter': query,
            'hull_field': hull_field,
            'elements': _symbols(elements, ','),
            'chemsys': '-'.join(_symbols(chemsys, '-')),
            'limit': limit,
        },
    )


@import_library.command('group')
@click.argument('group')
@_ORIGIN
@_FILTER
@_RESULT
def import_group(group: str, **options: Any) -> None:
    """Import the StructureData of an AiiDA group, with their provenance.

    Energies above the hull (eV/atom) are taken from the extra e_above_hull of the nodes.

    \b
    Example:
      aiida-inversedesign library import group relaxed --label mine
    """
    import_from_group(group, _request(options))


@click.command('merge')
@click.argument('labels', nargs=-1, required=True, metavar='A B …')
@_FILTER
@_RESULT
def merge_libraries(labels: tuple[str, ...], **options: Any) -> None:
    """Merge libraries; of structures that are the same, the one nearest to the hull stays.

    The same are templates of one formula that StructureMatcher (ltol 0.2, stol 0.3, 5°) finds equal.

    \b
    Example:
      aiida-inversedesign library merge mp mine --label both
    """
    if len(labels) < 2:
        raise InverseDesignError('name at least two libraries to merge; `library list` shows them')
    merge_from_profile(labels, replace(_request(options), verbs=('kept', 'dropped')))


def _import_file(read: Callable[..., Any], source: Path, options: dict[str, Any]) -> None:
    import_from(read, _request(options, source), {'path': source})


def _request(options: dict[str, Any], file: Path | None = None) -> Request:
    """What was asked for, checked; the profile is loaded, so that a long import does not fail at its end."""
    retrieved = options.get('retrieved') or date.today().isoformat()
    try:
        date.fromisoformat(retrieved)
    except ValueError as error:
        raise InverseDesignError(f'--date {retrieved!r} is not a date: write it as 2026-01-31') from error
    wanted: dict[str, Any] = {
        'exclude_formulas': formulas_to_exclude(options['exclude_formulas']),
        'max_sites': options['max_sites'],
        'max_e_above_hull': options['e_above_hull'],
    }
    if 'largest_cell' in options:
        wanted['largest_cell'] = options['largest_cell']
    if accepted := _kinds(options.get('accept', ())):
        wanted['accept'] = accepted
    load_profile()
    return Request(
        label=options['label'],
        wanted=wanted,
        source=options.get('source_name', ''),
        license=options.get('licence', ''),
        date=retrieved,
        skipped=options['skipped'],
        fingerprints=options['fingerprints'],
        workers=options['workers'],
        output_format=options['output_format'],
        file=file,
    )


def _kinds(names: tuple[str, ...]) -> list[str]:
    """The kinds of contradictions that are accepted, sorted."""
    from aiida_inversedesign.libraries.entries import ACCEPTABLE

    kinds = {name.strip().lower().replace('-', '_').replace(' ', '_') for name in names}
    if unknown := sorted(kinds - set(ACCEPTABLE)):
        listed = '\n'.join(f'  {kind}: {meaning}' for kind, meaning in ACCEPTABLE.items())
        raise InverseDesignError(f'--accept {unknown[0]}: not a kind that can be accepted. Those that can:\n{listed}')
    return sorted(kinds)


def _symbols(text: str, separator: str) -> list[str]:
    from aiida_inversedesign.chemistry.symbols import SYMBOLS

    symbols = [part.strip() for part in text.split(separator) if part.strip()]
    if unknown := [symbol for symbol in symbols if symbol not in SYMBOLS]:
        raise InverseDesignError(f'{unknown[0]!r} in {text!r} is not an element symbol')
    return symbols
