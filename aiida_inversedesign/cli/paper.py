"""``paper``: everything that a publication of a campaign needs, in one folder."""

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
    required=True,
    metavar='DIR',
    help='Folder to write; it appears when everything in it is complete.',
)
@click.option('--force', is_flag=True, help='Replace an earlier paper folder.')
@click.option('--no-archive', is_flag=True, help='Leave the AiiDA archive out, e.g. while the campaign runs.')
@click.option('--author', 'authors', multiple=True, metavar='"NAME ORCID"', help='Named in the metadata; repeatable.')
@click.option('--license', 'licence', default='', metavar='SPDX', help='Licence of the folder, e.g. CC-BY-4.0.')
@STRUCTURES
@FORMAT
def paper(
    campaign: str | None,
    archive: Path | None,
    output: Path,
    force: bool,
    no_archive: bool,
    authors: tuple[str, ...],
    licence: str,
    structures: Any,
    output_format: str,
) -> None:
    """Write tables, figures, crystals, methods, references and the archive of a campaign into one folder.

    The archive is audited again before the folder appears: a reader gets the same figures from it.

    \b
    Examples:
      aiida-inversedesign paper 1234 -o paper --author "Ada Lovelace 0000-0002-1825-0097" --license CC-BY-4.0
      aiida-inversedesign paper --archive campaign.aiida -o paper
    """
    from aiida_inversedesign.paper import folder as paper_folder

    options = paper_folder.Options(archive=not no_archive, authors=authors, license=licence, structures=structures)
    with paper_folder.new_folder(output, force) as location:
        with opened_campaign(campaign, archive) as node:
            facts = paper_folder.write_contents(node, location, options)
        if options.archive:
            paper_folder.check_archive(facts.report, location / paper_folder.ARCHIVE, structures)
        paper_folder.write_description(facts, location, options)
        files = {
            path.relative_to(location).as_posix(): path.stat().st_size for path in location.rglob('*') if path.is_file()
        }
    result = {
        'schema': 'inversedesign/1',
        'campaign': facts.record.uuid,
        'folder': str(output),
        'archive_audited_again': options.archive,
        'files': dict(sorted(files.items())),
    }
    emit(result, output_format, _show)


def _show(result: dict[str, Any]) -> None:
    files = result['files']
    for name in sorted({path.partition('/')[0] for path in files}):
        own = {path: size for path, size in files.items() if path == name or path.startswith(f'{name}/')}
        number = f'  ({len(own)} files)' if name not in own else ''
        click.echo(f'{sum(own.values()) / 1000:10.1f} kB  {name}{number}')
    click.echo(f'written to {result["folder"]}')
    if result['archive_audited_again']:
        click.echo('the archive was audited again: the same figures')
