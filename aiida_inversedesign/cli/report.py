"""``report``: a campaign as one page to read, to send and to print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, STRUCTURES, campaign_argument, emit, opened_campaign


@click.command()
@campaign_argument
@click.option(
    '-o',
    '--output',
    type=click.Path(path_type=Path),
    help='File to write; default: campaign-UUID-report.html in this folder, with the beginning of the UUID.',
)
@click.option('--compare', multiple=True, metavar='PK|UUID', help='Another campaign to compare with; may be repeated.')
@STRUCTURES
@click.option('--open', 'show', is_flag=True, help='Open the page in the browser.')
@FORMAT
def report(
    campaign: str | None,
    archive: Path | None,
    output: Path | None,
    compare: tuple[str, ...],
    structures: str,
    show: bool,
    output_format: str,
) -> None:
    """Write one self-contained HTML page of a campaign: the answer, pictures, plots, and a table of all evaluations.

    It needs no network and no AiiDA to be read; running, empty and failed campaigns have one too. Nothing is changed in
    the profile.

    \b
    Examples:
      aiida-inversedesign report 1234 -o report.html --open
      aiida-inversedesign report 1234 --compare 1250
      aiida-inversedesign report --archive campaign.aiida -o report.html
    """
    from aiida_inversedesign.audit.explanation import explanation_or_reason
    from aiida_inversedesign.report.html import write_report

    with opened_campaign(campaign, archive) as node:
        found = audited(node, structures)
        explained = explanation_or_reason(node)
    others = []
    for name in compare:
        with opened_campaign(name, archive) as node:
            others.append(audited(node, structures))
    path = write_report(output or Path(f'campaign-{found[0].uuid[:8]}-report.html'), *found, others, explained)
    data = {
        'schema': 'inversedesign/1',
        'report': str(path.resolve()),
        'bytes': path.stat().st_size,
        'campaign': found[0].uuid,
        'evaluations': len(found[0].evaluations),
        'compared': [record.uuid for record, _ in others],
    }
    emit(data, output_format, _show)
    if show:
        click.launch(path.resolve().as_uri())


def write_page(campaign: Any, path: Path) -> Path:
    """Write the page of one campaign (node, PK or UUID)."""
    from aiida_inversedesign.audit.explanation import explanation_or_reason
    from aiida_inversedesign.report.html import write_report

    return write_report(path, *audited(campaign), (), explanation_or_reason(campaign))


def audited(campaign: Any, structures: Any = 'auto') -> tuple[Any, dict[str, Any]]:
    """The record of a campaign and its audit."""
    from aiida_inversedesign.audit.audit import audit
    from aiida_inversedesign.audit.load import load_record

    record = load_record(campaign)
    return record, audit(record, structures)


def _show(data: dict[str, Any]) -> None:
    click.echo(
        f'{data["report"]} ({data["bytes"] / 1e6:.1f} MB, {data["evaluations"]} evaluations): open it in a browser'
    )
