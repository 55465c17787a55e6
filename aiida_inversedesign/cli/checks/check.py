"""``schema`` and ``check``: what a campaign file may say, and what one would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.checks.findings import CONNECT, refuse_errors
from aiida_inversedesign.cli.checks.plan import Profile, plan
from aiida_inversedesign.cli.checks.plan_table import show_plan
from aiida_inversedesign.cli.common import FORMAT, emit, load_profile

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.spec import CampaignSpec


@click.command()
def schema() -> None:
    """Print the JSON schema of the campaign file.

    \b
    Example:
      aiida-inversedesign schema > campaign.schema.json
    """
    from aiida_inversedesign.campaign.spec import CampaignSpec

    click.echo(json.dumps(CampaignSpec.model_json_schema(), indent=2))


@click.command()
@click.argument('file', type=click.Path(path_type=Path))
@click.option('--offline', is_flag=True, help='Check the file alone, without a profile and its codes.')
@CONNECT
@FORMAT
def check(file: Path, offline: bool, connect: bool, output_format: str) -> None:
    """Check a campaign file and print its plan and cost limits; launch nothing.

    Codes on this machine are started for a moment; with --connect also those of other computers.

    \b
    Example:
      aiida-inversedesign check workflows/superhard_light.yaml
    """
    from aiida_inversedesign.campaign.load import read_campaign

    spec = read_campaign(file)
    if offline:
        emit(plan(spec, checked_profile=False), output_format, show_plan)
        return
    load_profile()
    from aiida_inversedesign.cli.checks.code_check import examine_codes
    from aiida_inversedesign.cli.earlier import with_imported
    from aiida_inversedesign.workchains.build import build_campaign, elements_of, settled

    spec = with_imported(spec)
    builder = build_campaign(spec)
    library = builder.get('library')
    findings = list(examine_codes(spec, builder, connect))
    refuse_errors(findings, 'the campaign cannot run')
    untried = [
        f'{item.subject}: {item.text}' for item in findings if item.state == 'warning' or 'not tried' in item.text
    ]
    found = Profile(
        elements_of(spec, library),
        settled(spec, library),
        [*_rows_left_out(spec, builder), *_values_not_read(spec, builder), *untried],
    )
    emit(plan(spec, checked_profile=True, profile=found), output_format, show_plan)


def _rows_left_out(spec: CampaignSpec, builder: Any) -> list[str]:
    """How many rows of a data set are not candidates of the space, by reason, with an example of each."""
    from aiida_inversedesign.libraries.points import PointSet

    node = builder.get('library')
    data = None if node is None else node.get_library()
    if not isinstance(data, PointSet) or spec.space.reader is None:
        return []
    name, said = repr(spec.propose.library), []
    if unread := node.base.attributes.get('unread', None):
        said.append(
            f'lines of {name} that cannot be read and are left out: {unread["lines"]}, e.g. {unread["examples"][0]}'
        )
    examples: dict[str, list[str]] = {}
    for line, kind, reason in data.listed(spec.space.reader).left_out:
        examples.setdefault(kind, []).append(f'line {line}: {reason}')
    said += [f'rows of {name} left out ({kind}): {len(found)}, e.g. {found[0]}' for kind, found in examples.items()]
    outside, example = data.outside(spec.space)
    if outside:
        where = f'{outside} of {len(data.contents(spec.space))} {spec.space.nouns} of {name}'
        said.append(f'{where} lie outside of the space and are left out: {example}')
    return said


def _values_not_read(spec: CampaignSpec, builder: Any) -> list[str]:
    """Values of the goal's properties that are not numbers, and variables that copy one of them."""
    from aiida_inversedesign.libraries.points import PointSet

    nodes = [builder.get('library'), builder.get('engine', {}).get('data')]
    for node in nodes:
        data = None if node is None else node.get_library()
        if isinstance(data, PointSet):
            asked = [name for name in spec.goal.properties if name in data.columns]
            variables = [name for name in getattr(spec.space, 'variables', {}) if name in data.columns]
            return data.unreadable(asked) + [
                f'{name} copies {other}, which is searched for: a surrogate that sees it has nothing to learn'
                for name, other in data.copied(variables, asked)
            ]
    return []
