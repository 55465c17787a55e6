"""``clean``: remove the folders that a campaign's jobs left on their computers."""

from __future__ import annotations

from typing import Any

import click

from aiida_inversedesign.cli.common import FORMAT, emit, load_campaign, load_profile


@click.command()
@click.argument('campaign')
@click.option('--failed', is_flag=True, help='Also those of failed evaluations, which show what went wrong.')
@click.option('--dry-run', is_flag=True, help='Only say what would be removed.')
@FORMAT
def clean(campaign: str, failed: bool, dry_run: bool, output_format: str) -> None:
    """Remove the folders of a campaign's ended evaluations on the computers that ran them.

    What was retrieved stays in the provenance, wave functions and charge densities go. With `evaluate.clean_workdir:
    completed` a campaign does so by itself.

    \b
    Example:
      aiida-inversedesign clean 1234 --dry-run
    """
    load_profile()
    from aiida.orm import load_node

    from aiida_inversedesign.engines.common.cleaning import remote_folders, remove_folders
    from aiida_inversedesign.graph.campaigns import chain_of, find_evaluations, generation_ids
    from aiida_inversedesign.graph.jobs import find_jobs

    chain = chain_of(load_campaign(campaign).pk)
    ended = {
        item.id
        for item in find_evaluations(generation_ids(chain))
        if not item.is_running and (failed or (item.state == 'finished' and item.exit_status == 0))
    }
    folders = remote_folders(load_node(job.id) for job in find_jobs(chain) if job.evaluation_id in ended)
    removed, problems = (0, []) if dry_run else remove_folders(folders)
    data = {
        'schema': 'inversedesign/1',
        'evaluations': len(ended),
        'folders': len(folders),
        'removed': removed,
        'dry_run': dry_run,
        'paths': sorted(f'{folder.computer.label}:{folder.get_remote_path()}' for folder in folders),
        'problems': problems,
        'computers': sorted({folder.computer.label for folder in folders}),
    }
    emit(data, output_format, _show)
    if problems:
        raise SystemExit(1)


def _show(data: dict[str, Any]) -> None:
    where = f' on {", ".join(data["computers"])}' if data['computers'] else ''
    done = 'would be removed' if data['dry_run'] else f'{data["removed"]} removed'
    click.echo(f'{data["folders"]} folders of {data["evaluations"]} ended evaluations{where}: {done}')
    for path in data['paths'] if data['dry_run'] else ():
        click.echo(f'  {path}')
    for problem in data['problems']:
        click.echo(f'  {problem}')
