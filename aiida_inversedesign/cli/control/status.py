"""``status``: where a campaign stands, once or live."""

from __future__ import annotations

from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_campaign, load_profile
from aiida_inversedesign.cli.printing import draw, new_table
from aiida_inversedesign.errors import InverseDesignError


@click.command()
@click.argument('campaign', required=False)
@click.option('--watch', 'live', is_flag=True, help='Keep showing it until the campaign ends; Ctrl-C stops looking.')
@click.option(
    '--interval',
    type=click.FloatRange(min=0.1, max=86400),
    default=2.0,
    show_default=True,
    metavar='SECONDS',
    help='With --watch: seconds between two looks.',
)
@FORMAT
def status(campaign: str | None, live: bool, interval: float, output_format: str) -> None:
    """Show where a campaign (PK or UUID) stands; without one, list all campaigns.

    With --watch in a terminal the view renews itself; elsewhere each change is printed once (with --format json as one
    line of JSON). It ends by itself when the campaign does.

    \b
    Examples:
      aiida-inversedesign status 1234
      aiida-inversedesign status 1234 --watch --interval 10
    """
    if live and campaign is None:
        raise InverseDesignError('--watch needs a campaign: `aiida-inversedesign status` lists them with their PKs')
    load_profile()
    if campaign is None:
        from aiida_inversedesign.graph.campaigns import list_campaigns

        rows = [{**row, 'created': row['created'].isoformat()} for row in list_campaigns()]
        emit(rows, output_format, _show_list)
        return
    node = load_campaign(campaign)
    if live:
        from aiida_inversedesign.cli.control.watch import watch

        if not watch(node, interval, output_format):
            click.echo(f'the campaign continues: `aiida-inversedesign status {node.pk} --watch` looks again', err=True)
            click.get_current_context().exit(130)
        return
    from aiida_inversedesign.audit.status import describe

    emit(describe(node), output_format, _show)


def _show_list(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo('There are no campaigns in this profile: launch one with `aiida-inversedesign launch FILE`.')
        return
    table = new_table('PK', 'name', 'state', 'created')
    for row in rows:
        state = row['state'] if row['exit_status'] in (None, 0) else f'{row["state"]} [{row["exit_status"]}]'
        table.add_row(str(row['pk']), row['name'], state.replace('[', r'\['), row['created'][:16])
    draw(table)


def _show(data: dict[str, Any]) -> None:
    from aiida_inversedesign.cli.control.status_view import console, view

    console().print(view(data))
