"""``benchmark explain``: whether rules hold on held-out rows, and importances rank what is known to matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import COUNT, FOLDER, FORMAT, emit
from aiida_inversedesign.cli.printing import draw, new_table, say, with_interval


@click.command()
@click.option(
    '--pool',
    'file',
    required=True,
    type=click.Path(path_type=Path),
    help='Structures with properties (.jsonl, .jsonl.gz), or a CSV file of numbers and words.',
)
@click.option('--property', 'name', required=True, help='The property whose best values are the hits, e.g. K_VRH.')
@click.option(
    '--top', type=click.FloatRange(0, 0.5, min_open=True), default=0.05, show_default=True, help='Share of hits.'
)
@click.option('--minimize', is_flag=True, help='The lowest values are the hits.')
@click.option('--splits', type=COUNT, default=20, show_default=True, help='Random halves.')
@click.option('--surrogate', default='gp', show_default=True, help='The model that is explained.')
@click.option('--seed', type=click.IntRange(min=0), default=0, show_default=True, help='Of the halves.')
@click.option('--cache', type=FOLDER, help='Folder that keeps the descriptors.')
@FORMAT
def explain(file: Path, name: str, cache: Path | None, output_format: str, **asked: Any) -> None:
    """Measure explanations in a pool with known answers: rules on held-out halves, and planted descriptors.

    \b
    Example:
      aiida-inversedesign benchmark explain --pool elastic_structures.jsonl.gz --property K_VRH
    """
    from aiida_inversedesign.benchmarks.explain.run import Plan, measure
    from aiida_inversedesign.benchmarks.search.pool import read_pool
    from aiida_inversedesign.cli.progress import shown_steps

    with shown_steps() as report:
        pool = read_pool(file, [name], cache=cache, report=report)
        found = measure(pool, Plan(name, **asked), report)
    emit(found, output_format, _show)


def _show(found: dict[str, Any]) -> None:
    side = f'{found["base_rate"]:.1%} of {found["pool"]["candidates"]} candidates are hits'
    side += f' ({found["threshold"]:.4g} or better)'
    table = new_table(
        'rule',
        'precision on the held-out half',
        '× base rate',
        'least',
        'splits with 5 × or more',
        title=f'{found["property"]}: {side}; {found["surrogate"]}, {found["splits"]} halves',
    )
    for title, item in [
        *((str(rank), item) for rank, item in enumerate(found['ranks'], 1)),
        ('all', found['best_three']),
    ]:
        if item['n']:
            table.add_row(
                title,
                *(with_interval(item[key], '.2f') for key in ('precision', 'ratio')),
                f'{item["ratio"]["least"]:.1f}',
                f'{round(item["five_times"]["value"] * item["n"])} of {item["n"]}',
            )
    draw(table)
    for rank, item in enumerate(found['ranks'], 1):
        if item['rules']:
            say(f'{rank}, first half: {" and ".join(item["rules"][0]["words"])}')
    for name, item in found['importances'].items():
        say(
            f'importance of a {name} descriptor: rank {item["rank"]} of {item["of"]} by the mean of '
            f'{item["importance"]["n"]} halves ({with_interval(item["importance"], ".2f")}); first in '
            f'{item["first"]["value"]:.0%}, last in {item["last"]["value"]:.0%} of the single halves'
        )
