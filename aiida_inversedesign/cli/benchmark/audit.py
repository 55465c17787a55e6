"""``benchmark audit``: how long the audit of a large campaign takes."""

from __future__ import annotations

from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FORMAT, emit
from aiida_inversedesign.cli.printing import draw, new_table, say


@click.command()
@click.option('--evaluations', type=COUNT, default=10000, show_default=True, help='Of the campaign.')
@click.option(
    '--backend',
    type=click.Choice(['sqlite', 'postgresql']),
    default='sqlite',
    show_default=True,
    help='Storage of the temporary profile; postgresql needs its programs on the PATH.',
)
@click.option('--seed', type=int, default=0, show_default=True, help='Of the synthetic campaign.')
@click.option('--walk/--no-walk', default=True, show_default=True, help='Time a walk over called_descendants too.')
@FORMAT
def audit(evaluations: int, backend: str, seed: int, walk: bool, output_format: str) -> None:
    """Time the audit of a synthetic campaign with three jobs an evaluation, in a temporary profile.

    \b
    Example:
      aiida-inversedesign benchmark audit --evaluations 10000 --format json
    """
    from aiida_inversedesign.benchmarks.audit.run import benchmark_audit

    emit(benchmark_audit(evaluations, backend, seed, walk), output_format, _show)


def _show(result: dict[str, Any]) -> None:
    table = new_table('figure', 'value')
    for name, value in result.items():
        if name != 'walk':
            text = '–' if value is None else f'{value:.3g}' if isinstance(value, float) else str(value)
            table.add_row(name.replace('_', ' '), text)
    draw(table)
    if walked := result.get('walk'):
        say(f'the walk was timed on {walked["evaluations"]} evaluations and extrapolated')
