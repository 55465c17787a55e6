"""``launch`` and ``resume``: run a campaign here with progress, or hand it to the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.common import COUNT, load_campaign, load_profile
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

    from aiida_inversedesign.campaign.spec import CampaignSpec

DAEMON = click.option('--daemon', is_flag=True, help='Submit the campaign to the daemon and return at once.')


@click.command()
@click.argument('file', type=click.Path(path_type=Path))
@click.option(
    '--known',
    type=click.Path(path_type=Path),
    metavar='FILE',
    help='Points that were measured or computed before, instead of those that the file names: learned from, charged '
    'nothing, not proposed again.',
)
@click.option('--seeds', type=COUNT, help='Launch it so many times, with the seed of FILE and those that follow.')
@DAEMON
def launch(file: Path, known: Path | None, seeds: int | None, daemon: bool) -> None:
    """Launch the campaign of FILE: here with progress, or through the daemon.

    Ctrl-C stops a campaign that runs here; finished work is kept, and `resume` continues it. With --seeds the
    campaigns form a group: `audit --group` and `compare --group` pool them.

    \b
    Examples:
      aiida-inversedesign launch workflows/superhard_light.yaml
      aiida-inversedesign launch workflows/rehearsal.yaml --seeds 5
      aiida-inversedesign launch workflows/superhard_light.yaml --daemon
      aiida-inversedesign launch workflows/lab_composition.yaml --known earlier.csv --daemon
    """
    from aiida_inversedesign.campaign.load import read_campaign

    spec = read_campaign(file)
    if known is not None:
        spec = spec.model_copy(update={'known': str(known)})
    load_profile()
    from aiida_inversedesign.cli.earlier import with_imported
    from aiida_inversedesign.workchains.build import build_campaign

    spec = with_imported(spec)
    if spec.known is not None:
        from aiida_inversedesign.libraries.known import known_file

        found = known_file(spec.known, spec)
        click.echo('\n'.join([f'starting data: {found.words}', *found.remarks]))
    if seeds is None:
        start(build_campaign(spec), spec, daemon)
        return
    group = _new_group(f'seeds {spec.seed}-{spec.seed + seeds - 1} of {spec.name}')
    for seed in range(spec.seed, spec.seed + seeds):
        own = spec.model_copy(update={'seed': seed})
        start(build_campaign(own), own, daemon, group)
    click.echo(f'{seeds} campaigns in the group: aiida-inversedesign audit --group "{group.label}"')


def _new_group(label: str) -> Any:
    """A stored group of this label, with a number behind it where there is one already."""
    from aiida import orm

    names = [label, *(f'{label} ({number})' for number in range(2, 10_000))]
    free = next(name for name in names if not orm.QueryBuilder().append(orm.Group, filters={'label': name}).count())
    return orm.Group(label=free, description='The same campaign with several seeds').store()


@click.command()
@click.argument('campaign')
@click.option(
    '--budget',
    multiple=True,
    metavar='KEY=VALUE',
    help='Change a limit, e.g. --budget evaluations=40; may be repeated.',
)
@click.option('--gone', is_flag=True, help='The process that ran it has died, though it seems to run (power cut).')
@DAEMON
def resume(campaign: str, budget: tuple[str, ...], gone: bool, daemon: bool) -> None:
    """Continue a campaign (PK or UUID) from what it has found, with another budget if wanted.

    Evaluations that had finished when the campaign was interrupted are kept; those that were running start again.
    It needs a campaign that has ended: `stop` ends one cleanly.

    \b
    Example:
      aiida-inversedesign resume 1234 --budget evaluations=40 --budget hits=5
    """
    load_profile()
    node = load_campaign(campaign)
    from aiida_inversedesign.workchains.resume import resume_campaign

    builder, spec = resume_campaign(node, _changes(budget), gone)
    _refuse_if_nothing_left(builder, spec, node)
    start(builder, spec, daemon)


def _refuse_if_nothing_left(builder: Any, spec: CampaignSpec, node: WorkChainNode) -> None:
    """Refuse to resume a campaign that would stop at once; what had finished is harvested whatever is left."""
    from aiida_inversedesign.campaign.costs.budget import Spent, next_allowance
    from aiida_inversedesign.graph.campaigns import campaign_cost

    if builder.get('table') is None or builder.interrupted.get('outcomes') is not None:
        return
    generations = max((row.generation for row in builder.table.get_rows()), default=0)
    spent = Spent.of(builder.table.counts, generations, *campaign_cost(node).charged)
    if isinstance(reason := next_allowance(spec, spec.budget, spent), str):
        raise InverseDesignError(
            f'campaign {node.pk} has nothing left to do ({reason}): allow more with --budget KEY=VALUE, '
            'e.g. --budget evaluations=40'
        )


def _changes(items: tuple[str, ...]) -> dict[str, Any]:
    from aiida_inversedesign.campaign.text.yaml_text import YamlTextError, read_yaml

    changes = {}
    for item in items:
        key, equals, value = item.partition('=')
        if not equals:
            raise InverseDesignError(f'--budget {item}: write KEY=VALUE, e.g. evaluations=40')
        try:
            # as in a campaign file
            changes[key] = read_yaml(f'{key}: {value}').data[key]
        except (YamlTextError, LookupError, TypeError) as error:
            reason = error.problem.expected if isinstance(error, YamlTextError) else f'{value!r} is not a value'
            raise InverseDesignError(f'--budget {item}: {reason}; write e.g. evaluations=40') from error
    return changes


def start(builder: Any, spec: CampaignSpec, daemon: bool, group: Any = None) -> WorkChainNode:
    """Submit a campaign, or run it here and say how it ended.

    :param group: that it joins.
    :raises NotReadyError: if the daemon, its slots or the disks do not allow it.
    """
    from aiida_inversedesign.cli.checks.daemon_check import examine_daemon
    from aiida_inversedesign.cli.checks.disk_check import examine_disk
    from aiida_inversedesign.cli.checks.findings import refuse_errors

    findings = [*(examine_daemon(spec, required=True) if daemon else ()), *examine_disk(spec)]
    refuse_errors(findings)
    if daemon:
        from aiida.engine import submit

        node = submit(builder)
        if group is not None:
            group.add_nodes(node)
        click.echo(f'submitted campaign {node.pk}: follow it with `aiida-inversedesign status {node.pk}`')
        return node
    from aiida_inversedesign.cli.progress import CampaignProgress
    from aiida_inversedesign.workchains.foreground import run_campaign

    click.echo(f'campaign {spec.name!r}: Ctrl-C stops it; finished work is kept')
    table = builder.get('table')
    with CampaignProgress(spec, done=0 if table is None else table.counts['total']):
        node = run_campaign(builder)
    if group is not None:
        group.add_nodes(node)
    if node.is_finished_ok:
        click.echo(f'campaign {node.pk} ended: {node.outputs.stop_reason.value}')
        click.echo(f'See `aiida-inversedesign audit {node.pk}`')
        return node
    if node.is_finished:
        raise InverseDesignError(f'campaign {node.pk} ended with exit code {node.exit_status}: {node.exit_message}')
    if node.is_killed:
        raise InverseDesignError(
            f'campaign {node.pk} was interrupted; finished work is kept: `aiida-inversedesign resume {node.pk}`'
        )
    raise InverseDesignError(f'campaign {node.pk} stopped with an internal error; see `verdi process report {node.pk}`')
