"""``benchmark potential``: how good an interatomic potential is on crystals whose properties are known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FILE, FORMAT, NEW_FILE, OUTPUT, emit
from aiida_inversedesign.cli.printing import draw, new_table, say
from aiida_inversedesign.errors import InverseDesignError


@click.command()
@click.option('--potential', 'name', default='sevennet', show_default=True, help='An installed potential.')
@click.option('--structures', type=FILE, help='jsonl file with properties.')
@click.option(
    '--property',
    'properties',
    multiple=True,
    metavar='OURS=COLUMN',
    help='What to compare, e.g. bulk_modulus=K_VRH or shear_modulus=G_VRH; the volume always is.',
)
@click.option(
    '--acwf', type=click.Path(path_type=Path, exists=True, file_okay=False), help='All-electron equations of state.'
)
@click.option('--n', type=COUNT, help='So many crystals, drawn at random; default: all.')
@click.option('--seed', type=int, default=0, show_default=True, help='Of the draw.')
@click.option('--jobs', type=COUNT, default=1, show_default=True, help='Processes of one thread each.')
@click.option('--lines', type=NEW_FILE, help='Keeps each result; a later run continues from it.')
@click.option('--estimates', type=NEW_FILE, help='Write the estimates as CSV, for `search`.')
@OUTPUT
@FORMAT
def potential(
    name: str,
    structures: Path | None,
    properties: tuple[str, ...],
    acwf: Path | None,
    n: int | None,
    seed: int,
    jobs: int,
    lines: Path | None,
    estimates: Path | None,
    output: Path | None,
    output_format: str,
) -> None:
    """Relax crystals with a potential and compare their properties with what is known.

    \b
    Example:
      aiida-inversedesign benchmark potential --structures elastic.jsonl.gz --property bulk_modulus=K_VRH --n 50
    """
    from aiida_inversedesign.benchmarks.potentials import run
    from aiida_inversedesign.campaign.contracts.potential import potential as installed
    from aiida_inversedesign.cli.progress import shown_steps

    if (structures is None) == (acwf is None):
        raise InverseDesignError('name crystals: --structures FILE.jsonl, or --acwf FOLDER')
    pairs = dict(_pair(text) for text in properties)
    known = run.read_acwf(acwf) if acwf is not None else run.read_jsonl(structures or Path(), pairs)
    known = run.drawn(known, n, seed)
    with tempfile.TemporaryDirectory() as folder, shown_steps() as report:
        records = run.run(known, installed(name), lines or Path(folder) / 'lines.jsonl', jobs, report=report)
    data = {'potential': name, 'seed': seed, **run.compared(known, records)}
    if estimates is not None:
        _write(estimates, {item.id: run.estimates(records[item.id]) for item in known}, pairs)
    emit(data, output_format, _show, output)


def _pair(text: str) -> tuple[str, str]:
    ours, _, theirs = text.partition('=')
    if not theirs:
        raise InverseDesignError(f'--property {text}: write OURS=COLUMN, e.g. bulk_modulus=K_VRH')
    return ours, theirs


def _write(path: Path, found: dict[str, dict[str, float]], columns: dict[str, str]) -> None:
    """A CSV file: id, and each estimate under the name of the column that it estimates."""
    import csv

    with path.open('w', newline='') as handle:
        writer = csv.writer(handle)
        writer.writerow(['id', *columns.values()])
        for identifier, values in found.items():
            writer.writerow([identifier, *(values.get(name, '') for name in columns)])


def _show(data: dict[str, Any]) -> None:
    table = new_table('property', 'n', 'mean abs. error (95 %)', 'bias', 'median rel. error', 'rank correlation')
    for name, figure in data['properties'].items():
        if not figure['n']:
            table.add_row(name, '0', *['–'] * 4)
            continue
        low, high = figure['mae_interval'] or (float('nan'), float('nan'))
        ranks = '–' if figure['rank_correlation'] is None else f'{figure["rank_correlation"]:.3f}'
        table.add_row(
            name,
            str(figure['n']),
            f'{figure["mae"]:.3g} ({low:.3g} to {high:.3g})',
            f'{figure["bias"]:+.3g}',
            f'{100 * figure["median_relative_error"]:.2g} %',
            ranks,
        )
    draw(table)
    failed = ', '.join(f'{number} {words}' for words, number in data['failed'].items()) or 'none'
    seconds = data['cpu_seconds']['mean']
    say(
        f'{data["potential"]}: {data["n"]} crystals; failed: {failed}; not converged: {data["not_converged"]}; '
        + (f'{seconds:.2g} CPU seconds each' if seconds is not None else 'nothing was computed now')
    )
