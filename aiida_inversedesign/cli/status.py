"""``status``: where a campaign stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_campaign, load_profile


@click.command()
@click.argument('campaign', required=False)
@FORMAT
def status(campaign: str | None, output_format: str) -> None:
    """Show where a campaign (PK or UUID) stands; without one, list all campaigns.

    \b
    Example:
      aiida-inversedesign status 1234
    """
    load_profile()
    if campaign is None:
        from aiida_inversedesign.audit.query import list_campaigns

        rows = [{**row, 'created': row['created'].isoformat()} for row in list_campaigns()]
        emit(rows, output_format, _show_list)
        return
    emit(describe(load_campaign(campaign)), output_format, _show)


def describe(node: Any) -> dict[str, Any]:
    """Where a campaign stands, as plain data: state, budget used, best, what runs, what failed and why."""
    from aiida_inversedesign.audit.query import campaign_cost, chain_of, find_evaluations, generation_ids, last_table
    from aiida_inversedesign.campaign.spec import CampaignSettings

    spec = CampaignSettings.model_validate(node.inputs.settings.get_dict())
    budget = node.inputs.budget.get_dict()
    generations = generation_ids(chain_of(node.pk))
    table = last_table(generations) or (node.inputs.table if 'table' in node.inputs else None)
    counts = table.counts if table is not None else {'total': 0, 'completed': 0, 'failed': 0, 'hits': 0}
    cost = campaign_cost(node)
    now = datetime.now(UTC)
    failed = [row for row in table.get_rows() if row.status == 'failed'] if table is not None else []
    used = {
        'evaluations': counts['total'],
        'dft_calculations': cost.dft_calculations,
        'core_hours': cost.core_hours,
        'hits': counts['hits'],
        'generations': len(generations),
    }
    return {
        'schema': 'inversedesign/1',
        'pk': node.pk,
        'uuid': node.uuid,
        'name': spec.name,
        'state': node.process_state.value,
        'exit_status': node.exit_status,
        'exit_message': node.exit_message,
        'stop_reason': node.outputs.stop_reason.value if 'stop_reason' in node.outputs else None,
        'used': {name: {'value': value, 'limit': budget.get(name)} for name, value in used.items()},
        'completed': counts['completed'],
        'failed': counts['failed'],
        'best': table.best if table is not None else None,
        'units': {name: spec.unit(name) for name in spec.goal.properties},
        'running': [
            {
                'candidate': item.label,
                'pk': item.id,
                'what': item.description,
                'state': item.state,
                'seconds': (now - item.started).total_seconds(),
            }
            for item in find_evaluations(generations)
            if item.is_running
        ],
        'failures': [{'candidate': row.candidate, 'formula': row.formula, 'reason': row.reason} for row in failed],
    }


def _show_list(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        click.echo('There are no campaigns in this profile: launch one with `aiida-inversedesign launch FILE`.')
        return
    table = Table('PK', 'name', 'state', 'created')
    for row in rows:
        state = row['state'] if row['exit_status'] in (None, 0) else f'{row["state"]} [{row["exit_status"]}]'
        table.add_row(str(row['pk']), row['name'], state.replace('[', r'\['), row['created'][:16])
    Console().print(table)


def _show(data: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    ended = data['stop_reason'] or data['exit_message']
    console.print(
        f'campaign {data["pk"]} {escape(data["name"])}: {data["state"]}' + (f', {escape(ended)}' if ended else '')
    )
    table = Table('', 'used', 'limit', box=None, padding=(0, 2, 0, 0))
    for name, item in data['used'].items():
        value = 'not recorded' if item['value'] is None else f'{item["value"]:.3g}'
        table.add_row(name.replace('_', ' '), value, '–' if item['limit'] is None else f'{item["limit"]:g}')
    console.print(table)
    if data['best']:
        values = ', '.join(
            f'{name} {value:.4g} {data["units"][name]}'.strip()
            for name, value in data['best']['properties'].items()
            if name in data['units']
        )
        console.print(f'best so far: {data["best"]["formula"]} ({data["best"]["candidate"]}), {values}')
    for item in data['running']:
        console.print(f'running {item["seconds"] / 60:.0f} min: {escape(item["what"])}, PK {item["pk"]}')
    for item in data['failures']:
        console.print(f'failed: {item["candidate"]} {item["formula"]}: {escape(item["reason"])}')
