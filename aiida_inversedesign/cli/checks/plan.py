"""``schema`` and ``check``: what a campaign file may say, and what one would do."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_inversedesign.campaign.text.digits import plain
from aiida_inversedesign.cli.checks.findings import CONNECT, refuse_errors
from aiida_inversedesign.cli.common import FORMAT, emit, load_profile
from aiida_inversedesign.cli.printing import draw, plain_table, say

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.engine import Settled
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


@dataclass(frozen=True)
class Profile:
    """What only a profile can tell of a campaign.

    :param elements: those that it can lead to. :param settled: what the profile decides for its engine.
    :param remarks: what may not be as the user expects.
    """

    elements: Collection[str]
    settled: Settled | None = None
    remarks: Sequence[str] = ()


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


def plan(spec: CampaignSpec, checked_profile: bool, profile: Profile | None = None) -> dict[str, Any]:
    """What a campaign would do and may cost at most, as plain data.

    :param profile: what the profile adds to the file, as far as it was asked.
    """
    from aiida_inversedesign.campaign.contracts.engine import engine_named
    from aiida_inversedesign.campaign.contracts.registry import part
    from aiida_inversedesign.campaign.costs.budget import evaluations_at_most
    from aiida_inversedesign.campaign.demands import core_hours_needed, fewest_jobs, jobs_needed, references_wanted
    from aiida_inversedesign.learn.curves.rows import in_words
    from aiida_inversedesign.libraries.known import known_file

    budget, engine = spec.budget, engine_named(spec.evaluate.engine)
    elements = spec.space.elements_used if profile is None else profile.elements
    known = None if spec.known is None else known_file(spec.known, spec)
    learned = in_words(spec.goal.functionals, spec.learn.surrogate, spec.learn.curves)
    remarks = [
        *(profile.remarks if profile else ()),
        *(known.remarks if known else ()),
        *learned,
        *_without_effect(spec),
        *_nothing_to_learn(spec),
    ]
    said = engine.remarks(spec.evaluate, spec.goal.properties, elements)
    remarks += ['; '.join(filter(None, pair)) for pair in said]
    references = None
    if references_wanted(spec):
        each = jobs_needed(spec, ['energy'])
        references = {'elements': sorted(elements), 'dft_calculations_each': each}
        remarks += _references_take_most(spec, len(elements) * each)
    settled = profile.settled if profile else None
    return {
        'schema': 'inversedesign/1',
        'name': spec.name,
        'goal': [_describe(item, spec) for item in spec.goal.objectives],
        'constraints': [_describe(item, spec) for item in spec.goal.constraints],
        'space': spec.space.model_dump(mode='json'),
        'space_in_words': [list(pair) for pair in spec.space.plan()],
        'propose': spec.propose.model_dump(mode='json'),
        'sources': {
            name: {'share': share, 'slots': spec.propose.slots[name]} for name, share in spec.propose.shares.items()
        },
        'needs_library': any('library' in part('sources', name).needs for name in spec.propose.shares),
        'known': None if known is None else f'{known.words} from {spec.known}',
        'earlier': [item.campaign + (f' ({item.property})' if item.property else '') for item in spec.learn.earlier],
        'screen': spec.screen.model_dump(mode='json'),
        'generator': _generator(spec),
        'select': spec.select.model_dump(mode='json'),
        'engine': spec.evaluate.engine,
        'dft_calculations_per_evaluation': jobs_needed(spec),
        'dft_calculations_per_evaluation_at_least': fewest_jobs(spec),
        'core_hours_per_evaluation_at_least': core_hours_needed(spec),
        'references': references,
        'settled': None if settled is None else {**settled.values, 'words': settled.words},
        'evaluations_at_most': evaluations_at_most(spec, budget),
        'budget': budget.model_dump(mode='json', exclude_none=True),
        'remarks': remarks,
        'profile_checked': checked_profile,
    }


def _generator(spec: CampaignSpec) -> dict[str, Any] | None:
    """The program that generates crystals, and what each of its runs costs at most; None without one."""
    if spec.propose.external is None:
        return None
    from aiida_inversedesign.engines.common.options import processes, wall_seconds

    section = spec.propose.external.model_dump(mode='json')
    return {'code': section['code'], 'core_hours_at_most': processes(section) * wall_seconds(section) / 3600}


def _without_effect(spec: CampaignSpec) -> Iterator[str]:
    """Budgets that limit nothing, because the engine spends nothing of the kind, and sources without a slot."""
    from aiida_inversedesign.campaign.demands import core_hours_needed, jobs_needed

    if spec.budget.dft_calculations is not None and not jobs_needed(spec):
        yield (
            f'budget.dft_calculations has no effect: the engine {spec.evaluate.engine} makes no DFT calculations; '
            'limit evaluations' + (' or core_hours' if core_hours_needed(spec) else '')
        )
    idle = [name for name, number in spec.propose.slots.items() if not number]
    if idle:
        yield (
            f'propose.sources: {" and ".join(idle)} propose only what the others leave: top_k is {spec.propose.top_k}; '
            f'set it to at least {len(spec.propose.shares)}'
        )
    if spec.budget.core_hours is not None and not core_hours_needed(spec) and spec.propose.external is None:
        yield (
            f'budget.core_hours has no effect: the engine {spec.evaluate.engine} runs no jobs with these settings; '
            'limit evaluations'
        )


def _nothing_to_learn(spec: CampaignSpec) -> Iterator[str]:
    """That words without an order, alone, tell nothing of the points that were not evaluated."""
    variables = getattr(spec.space, 'variables', {})
    if len(variables) == 1 and next(iter(variables.values())).choices:
        yield (
            f'{next(iter(variables))} is the only variable, and its choices have no order: nothing is learned of those '
            'that were not evaluated, and the search is random; add variables that describe them, e.g. columns with '
            'numbers'
        )


def _references_take_most(spec: CampaignSpec, needed: int) -> Iterator[str]:
    """That the energies of all elements of a space leave little of the DFT calculations."""
    from aiida_inversedesign.campaign.demands import jobs_needed

    limit = spec.budget.dft_calculations
    if limit is not None and needed and needed + spec.select.initial * jobs_needed(spec) > limit:
        yield (
            f'the energies of all elements of the space, which formation energies refer to, take up to {needed} of the '
            f'{limit} DFT calculations of the budget: not all of the first {spec.select.initial} evaluations may fit'
        )


def _describe(item: Any, spec: CampaignSpec) -> str:
    """An objective or constraint in words, with its unit."""
    unit = spec.unit(item.property)
    unit = f' {unit}' if unit else ''
    kind = getattr(item, 'kind', None)
    if kind == 'target':
        return f'{item.property} {plain(item.target)} ± {plain(item.tolerance)}{unit}'
    if kind == 'window':
        return f'{item.property} from {plain(item.window[0])} to {plain(item.window[1])}{unit}'
    if kind in ('maximize', 'minimize'):
        sign = '≥' if kind == 'maximize' else '≤'
        threshold = f'a hit has {sign} {plain(item.hit)}{unit}' if item.hit is not None else 'no hit threshold is set'
        return f'{kind} {item.property}; {threshold}'
    bounds = [
        f'≥ {plain(item.min)}' if item.min is not None else '',
        f'≤ {plain(item.max)}' if item.max is not None else '',
    ]
    return f'{item.property} {" and ".join(filter(None, bounds))}{unit}'


def _stops(budget: dict[str, Any]) -> str:
    """What ends a campaign: keys of the budget with their values; others say how it runs."""
    said = {name: f'{name} {value}' for name, value in budget.items() if name not in ('failure_minimum', 'at_once')}
    if 'failure_rate' in said:
        said['failure_rate'] += f' (after {budget["failure_minimum"]} evaluations)'
    return ', '.join(said.values())


def show_plan(data: dict[str, Any]) -> None:
    """Print a plan for people."""
    from rich.text import Text

    from aiida_inversedesign.campaign.properties import unit_text
    from aiida_inversedesign.report.words import count

    select, budget = data['select'], data['budget']
    table = plain_table()

    def row(name: str, text: str) -> None:
        # words of the file are not markup
        table.add_row(name, Text(text))

    row('campaign', data['name'])
    for text in data['goal']:
        row('objective', unit_text(text))
    for text in data['constraints']:
        row('constraint', unit_text(text))
    for name, text in data['space_in_words']:
        row(name, text)
    origin = f' from {data["propose"]["library"]}' if data['needs_library'] else ''
    if len(data['sources']) == 1:
        row('source', next(iter(data['sources'])) + origin)
    else:
        mixed = ', '.join(
            f'{name} {plain(100 * item["share"])} % ({item["slots"]})' for name, item in data['sources'].items()
        )
        first = 'at first ' if isinstance(data['propose']['sources'], list) else ''
        row('sources', f'{first}{mixed} of {data["propose"]["top_k"]} crystals a formula{origin}')
    if data['generator']:
        hours = data['generator']['core_hours_at_most']
        row('generator', f'{data["generator"]["code"]}, at most {hours:.2g} core-hours a run, which the budget counts')
    if data['known']:
        row('starting data', data['known'])
    if data['earlier']:
        row('earlier campaigns', ', '.join(data['earlier']))
    if data['screen']['potential']:
        hull = data['screen']['hull']
        phases = '' if hull is None else f', with the phases of its own hull: at most {hull:g} eV/atom above it'
        row('screen', f'every candidate relaxed with {data["screen"]["potential"]} ({data["screen"]["code"]}){phases}')
    at_once = f', at most {budget["at_once"]} at once' if 'at_once' in budget else ''
    row('batches', f'{select["initial"]} at first, then {select["batch"]}, chosen by {select["acquisition"]}{at_once}')
    needed = data['dft_calculations_per_evaluation']
    least = data['dft_calculations_per_evaluation_at_least']
    each = f'at least {count(needed, "DFT calculation")}' if needed else count(0, 'DFT calculation')
    if least < needed:
        each = f'at least {least} to {needed} (by the symmetry of the crystal; {needed} are reserved) DFT calculations'
    row('engine', f'{data["engine"]}, {each} each')
    if data['references'] is not None:
        number, each = len(data['references']['elements']), data['references']['dft_calculations_each']
        what = f'{number} elements' if number else 'the elements of each crystal'
        cost = f', {count(each, "DFT calculation")} each' if each else ''
        row('references', f'energies of {what}{cost}')
    if data['settled'] is not None:
        row('settings', data['settled']['words'])
    row('stops at', _stops(budget))
    if 'core_hours' in budget and data['core_hours_per_evaluation_at_least']:
        needed = data['core_hours_per_evaluation_at_least']
        row('reserve', f'less than {needed:.2g} core-hours launch nothing: an evaluation needs at least as many')
    row('evaluations', f'at most {data["evaluations_at_most"]} within this budget')
    for text in data['remarks']:
        row('remark', text)
    draw(table)
    if data['profile_checked']:
        say('Everything it needs is in this profile. Nothing was launched.')
    else:
        say('The file is valid. The profile (codes, libraries, data sets) was not checked (--offline).')
