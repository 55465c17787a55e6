"""``benchmark functions``: how well each surrogate predicts whole curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FORMAT, OUTPUT, emit
from aiida_inversedesign.cli.printing import draw, new_table, say, with_interval


@click.command()
@click.option(
    '--pool',
    'pool_file',
    required=True,
    metavar='FILE',
    help='Rows with a curve each (.jsonl[.gz]); "artificial": a sin(bt+c) + dt + e.',
)
@click.option('--property', 'name', help='Column that holds the curves.')
@click.option('--axis', metavar='NAME [UNIT]:FIRST:LAST', help='Axis of curves that come without one, evenly spaced.')
@click.option(
    '--arms',
    default='krfd,linear,pointwise,fpca,auto',
    show_default=True,
    help='Names joined by commas; NAME/root learns the square root of a density.',
)
@click.option('--folds', type=click.IntRange(min=2), default=5, show_default=True, help='Of the cross-validation.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Of the folds and the choices.')
@click.option('--n', type=click.IntRange(min=4), default=1250, show_default=True, help='Curves of the artificial pool.')
@click.option('--jobs', type=COUNT, default=1, show_default=True, help='Processes for descriptors.')
@OUTPUT
@FORMAT
def functions(
    pool_file: str,
    name: str | None,
    axis: str | None,
    arms: str,
    folds: int,
    seed: int,
    n: int,
    jobs: int,
    output: Path | None,
    output_format: str,
) -> None:
    """Measure how well each surrogate predicts properties that are functions of an axis.

    Every curve is predicted by models that have not seen it. docs/functions.md tells what each figure means.

    \b
    Examples:
      aiida-inversedesign benchmark functions --pool phonon_dos.jsonl.gz --property phonon_dos \\
          --axis 'frequency [cm^-1]:-300:1000' --folds 5 --format json
      aiida-inversedesign benchmark functions --pool artificial --arms krfd,linear,pointwise
    """
    from aiida_inversedesign.benchmarks.functions.pool import ARTIFICIAL, artificial_pool, read_curve_pool
    from aiida_inversedesign.benchmarks.functions.run import parse_curve_arms, run_functions
    from aiida_inversedesign.cli.progress import shown_steps

    chosen = parse_curve_arms(arms)
    if pool_file != ARTIFICIAL and name is None:
        raise click.UsageError('--property is needed: the column that holds the curves')
    with shown_steps() as report:
        if pool_file == ARTIFICIAL:
            pool = artificial_pool(n, seed)
        else:
            pool = read_curve_pool(Path(pool_file), str(name), axis, jobs, report)
        figures = run_functions(pool, chosen, folds, seed, report)
    emit(figures, output_format, _show, output)


def _show(data: dict[str, Any]) -> None:
    """The figures as a table; 95 % intervals over the candidates in brackets."""
    from rich import box

    pool, axis = data['pool'], data['axis']
    lost = ', '.join(f'{number} {reason}' for reason, number in pool['left_out'].items())
    say(
        f'{pool["file"]}: {pool["n"]} curves of {data["property"]} at {pool["points"]} points of {axis["name"]} '
        f'{axis["grid"][0]:g} to {axis["grid"][-1]:g} {axis["unit"]}{f" (left out: {lost})" if lost else ""}, '
        f'{pool["inputs"]} inputs; {data["folds"]} folds'
    )
    table = new_table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column('arm', no_wrap=True)
    for name in ('MAE [95 %]', 'RMSE', 'R²', '50 %', '80 %', '95 %', 's/fold'):
        table.add_column(name, justify='right', min_width=0 if 'MAE' in name else 5, no_wrap=True)
    base = data['mean_curve']
    table.add_row('mean curve', _number(base['mae']), _number(base['rmse']), _number(base['r2']), *[''] * 4)
    for name, arm in data['arms'].items():
        if arm['mae'] is None:
            continue
        cover = [f'{arm["coverage"][level]["value"]:.3f}' for level in ('50', '80', '95')]
        figures = [f'{arm["mae"]["value"]:.3g} [{arm["mae"]["low"]:.2g}–{arm["mae"]["high"]:.2g}]']
        figures += [_number(arm['rmse']), _number(arm['r2']), *cover, f'{arm["seconds_per_fold"]:.1f}']
        table.add_row(name, *figures)
    draw(table)
    for name, arm in data['arms'].items():
        if arm['mae'] is None:
            say(f'{name}: {arm["reason"]}')
        elif list(arm['chosen']) != [name]:
            say(f'{name} chose {", ".join(arm["chosen"])}')
    for name, more in data['paired'].get('mae_more', {}).items():
        say(f'{name} misses {with_interval(more, ".3g")} more than {data["paired"]["best"]}, paired')


def _number(figure: dict[str, Any]) -> str:
    return f'{figure["value"]:.3g}'
