"""``schema`` and ``check``: what a campaign file may say, and what one would do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.cli.checks.findings import CONNECT, refuse_errors
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
    remarks = []
    if not offline:
        load_profile()
        from aiida_inversedesign.cli.checks.code_check import examine_codes
        from aiida_inversedesign.workchains.build import build_campaign

        builder = build_campaign(spec)
        remarks = _points_left_out(spec, builder)
        findings = list(examine_codes(spec, builder, connect))
        refuse_errors(findings, 'the campaign cannot run')
        remarks += [
            f'{item.subject}: {item.text}' for item in findings if item.state == 'warning' or 'not tried' in item.text
        ]
    emit(plan(spec, not offline, remarks), output_format, show_plan)


def _points_left_out(spec: CampaignSpec, builder: Any) -> list[str]:
    """How many measured points do not lie in the space, and an example."""
    from aiida_inversedesign.libraries.points import PointSet

    node = builder.get('library')
    data = None if node is None else node.get_library()
    if not isinstance(data, PointSet):
        return []
    space: Any = spec.space
    outside, example = data.outside(space)
    if not outside:
        return []
    number = len(data.points(space))
    where = f'{outside} of {number} points of {spec.propose.library!r}'
    return [f'{where} lie outside of the space and are left out: {example}']


def plan(spec: CampaignSpec, checked_profile: bool, remarks: Sequence[str] = ()) -> dict[str, Any]:
    """What a campaign would do and may cost at most, as plain data.

    :param remarks: what may not be as the user expects, beside what the file alone shows.
    """
    from aiida_inversedesign.campaign.budget import evaluations_at_most
    from aiida_inversedesign.campaign.contracts.registry import part
    from aiida_inversedesign.campaign.demands import jobs_needed

    budget = spec.budget
    remarks = list(remarks)
    if budget.dft_calculations is not None and not jobs_needed(spec):
        remarks.append(
            f'budget.dft_calculations has no effect: the engine {spec.evaluate.engine} makes no DFT calculations'
        )
    return {
        'schema': 'inversedesign/1',
        'name': spec.name,
        'goal': [_describe(item, spec) for item in spec.goal.objectives],
        'constraints': [_describe(item, spec) for item in spec.goal.constraints],
        'space': spec.space.model_dump(mode='json'),
        'space_in_words': [list(pair) for pair in spec.space.plan()],
        'propose': spec.propose.model_dump(mode='json'),
        'needs_library': 'library' in part('sources', spec.propose.method).needs,
        'select': spec.select.model_dump(mode='json'),
        'engine': spec.evaluate.engine,
        'dft_calculations_per_evaluation': jobs_needed(spec),
        'evaluations_at_most': evaluations_at_most(spec, budget),
        'budget': budget.model_dump(mode='json', exclude_none=True),
        'remarks': remarks,
        'profile_checked': checked_profile,
    }


def _describe(item: Any, spec: CampaignSpec) -> str:
    """An objective or constraint in words, with its unit."""
    unit = spec.unit(item.property)
    unit = f' {unit}' if unit else ''
    kind = getattr(item, 'kind', None)
    if kind == 'target':
        return f'{item.property} {item.target:g} ± {item.tolerance:g}{unit}'
    if kind == 'window':
        return f'{item.property} from {item.window[0]:g} to {item.window[1]:g}{unit}'
    if kind in ('maximize', 'minimize'):
        sign = '≥' if kind == 'maximize' else '≤'
        threshold = f'a hit has {sign} {item.hit:g}{unit}' if item.hit is not None else 'no hit threshold is set'
        return f'{kind} {item.property}; {threshold}'
    bounds = [f'≥ {item.min:g}' if item.min is not None else '', f'≤ {item.max:g}' if item.max is not None else '']
    return f'{item.property} {" and ".join(filter(None, bounds))}{unit}'


def show_plan(data: dict[str, Any]) -> None:
    """Print a plan for people."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    select, budget = data['select'], data['budget']
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))

    def row(name: str, text: str) -> None:
        # words of the file are no markup
        table.add_row(name, Text(text))

    row('campaign', data['name'])
    for text in data['goal']:
        row('objective', text)
    for text in data['constraints']:
        row('constraint', text)
    for name, text in data['space_in_words']:
        row(name, text)
    row('source', data['propose']['method'] + (f' from {data["propose"]["library"]}' if data['needs_library'] else ''))
    row('batches', f'{select["initial"]} at first, then {select["batch"]}, chosen by {select["acquisition"]}')
    needed = data['dft_calculations_per_evaluation']
    row('engine', f'{data["engine"]}, {f"at least {needed}" if needed else "no"} DFT calculations each')
    row('stops at', ', '.join(f'{name} {value}' for name, value in budget.items()))
    row('evaluations', f'at most {data["evaluations_at_most"]} within this budget')
    for text in data['remarks']:
        row('remark', text)
    console = Console()
    console.print(table)
    if data['profile_checked']:
        console.print('Everything it needs is in this profile. Nothing was launched.')
    else:
        console.print('The file is valid. The profile (codes, libraries, data sets) was not checked (--offline).')
