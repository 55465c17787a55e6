"""``compare``: campaigns side by side, with intervals, and one figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, NEW_FILE, emit, load_campaign, load_profile
from aiida_inversedesign.cli.printing import draw, new_table, say, with_interval
from aiida_inversedesign.errors import InverseDesignError

#: Names of figures in the table; the others are their keys.
LABELS = {'distinct': 'distinct results', 'dft_calculations': 'DFT calculations', 'core_hours': 'core-hours'}

GROUP = click.option('--group', metavar='LABEL', help='The campaigns of a group, e.g. one that launch --seeds made.')


@click.command()
@click.argument('campaigns', nargs=-1, metavar='[PK|UUID]...')
@GROUP
@click.option('--plot', type=NEW_FILE, help='Write hits and best values as PNG.')
@FORMAT
def compare(campaigns: tuple[str, ...], group: str | None, plot: Path | None, output_format: str) -> None:
    """Compare campaigns (PKs or UUIDs): hits, costs, distinct results and acceleration, each and pooled.

    \b
    Examples:
      aiida-inversedesign compare 1234 1250 1302 --plot compare.png
      aiida-inversedesign compare --group "seeds 0-4 of rehearsal"
    """
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.pooled import compared

    load_profile()
    names = list(dict.fromkeys([*campaigns, *(members(group) if group else ())]))
    if len(names) < 2:
        raise InverseDesignError('name at least two campaigns (`aiida-inversedesign status` lists them), or --group')
    reports = [audit(load_campaign(name), 'none') for name in names]
    emit(compared(reports), output_format, show_compared)
    if plot is not None:
        from aiida_inversedesign.audit.plot import plot_compared

        write_plot(plot_compared, reports, plot)


def write_plot(draw: Callable[[Any, Path], Any], figures: Any, path: Path) -> None:
    """Draw figures into a file."""
    try:
        draw(figures, path)
    except (OSError, ValueError) as error:
        # matplotlib raises a ValueError for an ending it knows no format of
        raise InverseDesignError(f'the picture {path} cannot be written: {error}') from error


def members(label: str) -> list[str]:
    """UUIDs of the campaigns of a group, oldest first.

    :raises InverseDesignError: if there is no such group, or it has no campaigns.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_inversedesign.graph.campaigns import CAMPAIGN

    try:
        group = orm.Group.collection.get(label=label)
    except NotExistent as error:
        raise InverseDesignError(f'there is no group {label!r}: `verdi group list` lists them') from error
    nodes: Iterable[Any] = group.nodes
    found = sorted((node.pk, node.uuid) for node in nodes if node.process_type == CAMPAIGN)
    if not found:
        raise InverseDesignError(f'the group {label!r} has no campaigns')
    return [uuid for _, uuid in found]


def show_compared(found: dict[str, Any]) -> None:
    """Print campaigns side by side."""
    heads = [f'{column["name"]} ({column["uuid"][:8]})' for column in found['campaigns']]
    table = new_table('figure', *heads, 'mean of the campaigns')
    for name, mean in found['pooled'].items():
        cells = [with_interval(column[name], '.4g', '.3g') for column in found['campaigns']]
        table.add_row(LABELS.get(name, name.replace('_', ' ')), *cells, with_interval(mean, '.4g', '.3g'))
    draw(table)
    if not found['same_goal']:
        say('The campaigns have different goals: their hits, and the means of figures of hits, do not compare.')
