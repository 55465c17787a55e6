"""``benchmark molecules``: what generators of molecules find in a region of properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FILE, FORMAT, OUTPUT, emit
from aiida_inversedesign.cli.printing import draw, new_table, say, with_interval


@click.command()
@click.argument('file', type=FILE)
@click.option(
    '--window', 'windows', multiple=True, required=True, metavar='PROPERTY:LOW,HIGH', help='Bounds of the region.'
)
@click.option('--start', default='Oc1ccccc1', show_default=True, help='SMILES from which searches begin.')
@click.option('--arms', default='language,iqspr,mutation,mcts', show_default=True, help='Generators joined by commas.')
@click.option('--seeds', type=COUNT, default=10, show_default=True, help='Searches of each arm.')
@click.option('--number', type=click.IntRange(min=2), default=100, show_default=True, help='Molecules of each search.')
@click.option(
    '--rows', type=click.IntRange(min=8), default=3000, show_default=True, help='Most molecules learned from.'
)
@click.option('--surrogate', default='gp', show_default=True, help='Regressions that lead the searches.')
@click.option(
    '--split',
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help='Seed of which molecules are learned from.',
)
@OUTPUT
@FORMAT
def molecules(
    file: Path,
    windows: tuple[str, ...],
    start: str,
    arms: str,
    surrogate: str,
    output: Path | None,
    output_format: str,
    **asked: int,
) -> None:
    """Measure which share of the proposed molecules is valid, distinct, new and in a region of properties.

    FILE is a CSV file with a column of SMILES and the properties. docs/molecules.md tells what each figure means.

    \b
    Example:
      aiida-inversedesign benchmark molecules molecules.csv.gz --window internal_energy:100,200 \\
          --window homo_lumo_gap:1,2 --seeds 10
    """
    from aiida_inversedesign.benchmarks.molecules.run import Plan, read_data, run_molecules
    from aiida_inversedesign.cli.progress import shown_steps
    from aiida_inversedesign.spaces.molecules.molecule import Molecule

    bounds = dict(_window(text) for text in windows)
    chosen = [part.strip() for part in arms.split(',') if part.strip()]
    plan = Plan(bounds, Molecule.of(start), chosen, kind=surrogate, **asked)
    with shown_steps() as report:
        figures = run_molecules(read_data(file, list(bounds)), plan, report)
    emit(figures, output_format, _show, output)


def _window(text: str) -> tuple[str, tuple[float, float]]:
    name, _, numbers = text.rpartition(':')
    try:
        low, high = map(float, numbers.split(','))
    except ValueError:
        raise click.BadParameter(f'{text!r}: write e.g. homo_lumo_gap:1,2', param_hint='--window') from None
    return name, (low, high)


def _show(data: dict[str, Any]) -> None:
    from rich import box

    words = ', '.join(f'{name} {low:g} to {high:g}' for name, (low, high) in data['region'].items())
    say(f'{data["molecules"]} molecules, {data["in_region"]} in the region ({words})')
    for name, item in data['regressions'].items():
        say(
            f'R² of {name} ({data["surrogate"]}): {item["ours"]:.3f}; random forest on other descriptors '
            f'{item["random_forest"]:.3f} '
            f'(learned from {data["learned_from"]}, n = {item["n"]})'
        )
        held = [
            f'{float(level):.0%} intervals hold {found["value"]:.1%} [{found["low"]:.1%}, {found["high"]:.1%}]'
            for level, found in item['coverage'].items()
        ]
        say('  ' + '; '.join(held))
    table = new_table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ('generator', 'valid', 'distinct', 'novel', 'in region', 'by the judge', 'n'):
        table.add_column(heading, justify='left' if heading == 'generator' else 'right')
    for name, arm in data['arms'].items():
        cells = [with_interval(item, '.3f', '.2f') for item in arm.values()]
        table.add_row(name, *cells, str(next(iter(arm.values()))['n']))
    draw(table)
