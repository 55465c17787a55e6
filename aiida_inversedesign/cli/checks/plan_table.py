"""A plan as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiida_inversedesign.campaign.text.digits import plain
from aiida_inversedesign.cli.printing import draw, plain_table, say
from aiida_inversedesign.report.words import count

#: Name and text of a row.
Row = tuple[str, str]


def show_plan(data: dict[str, Any]) -> None:
    """Print a plan (:func:`~aiida_inversedesign.cli.checks.plan.plan`)."""
    from rich.text import Text

    table = plain_table()
    for rows in (_wanted, _candidates, _evaluations, _limits):
        for name, text in rows(data):
            # words of the file are not markup
            table.add_row(name, Text(text))
    draw(table)
    if data['profile_checked']:
        say('Everything it needs is in this profile. Nothing was launched.')
    else:
        say('The file is valid. The profile (codes, libraries, data sets) was not checked (--offline).')


def _wanted(data: dict[str, Any]) -> Iterator[Row]:
    """What is searched for, and where."""
    from aiida_inversedesign.campaign.properties import unit_text

    yield 'campaign', data['name']
    for text in data['goal']:
        yield 'objective', unit_text(text)
    for text in data['constraints']:
        yield 'constraint', unit_text(text)
    for name, text in data['space_in_words']:
        yield name, text


def _candidates(data: dict[str, Any]) -> Iterator[Row]:
    """Where candidates come from, what is known before, and what looks at them first."""
    origin = f' from {data["propose"]["library"]}' if data['needs_library'] else ''
    if len(data['sources']) == 1:
        yield 'source', next(iter(data['sources'])) + origin
    else:
        mixed = ', '.join(
            f'{name} {plain(100 * item["share"])} % ({item["slots"]})' for name, item in data['sources'].items()
        )
        first = 'at first ' if isinstance(data['propose']['sources'], list) else ''
        yield 'sources', f'{first}{mixed} of {data["propose"]["top_k"]} crystals a formula{origin}'
    if data['generator']:
        hours = data['generator']['core_hours_at_most']
        yield 'generator', f'{data["generator"]["code"]}, at most {hours:.2g} core-hours a run, which the budget counts'
    if data['known']:
        yield 'starting data', data['known']
    if data['earlier']:
        yield 'earlier campaigns', ', '.join(data['earlier'])
    if data['screen']['potential']:
        hull = data['screen']['hull']
        phases = '' if hull is None else f', with the phases of its own hull: at most {hull:g} eV/atom above it'
        relaxed = f'every candidate relaxed with {data["screen"]["potential"]} ({data["screen"]["code"]})'
        yield 'screen', relaxed + phases


def _evaluations(data: dict[str, Any]) -> Iterator[Row]:
    """How candidates are chosen, and what evaluates them."""
    select, budget = data['select'], data['budget']
    at_once = f', at most {budget["at_once"]} at once' if 'at_once' in budget else ''
    yield (
        'batches',
        f'{select["initial"]} at first, then {select["batch"]}, chosen by {select["acquisition"]}{at_once}',
    )
    needed = data['dft_calculations_per_evaluation']
    least = data['dft_calculations_per_evaluation_at_least']
    each = f'at least {count(needed, "DFT calculation")}' if needed else count(0, 'DFT calculation')
    if least < needed:
        each = f'at least {least} to {needed} (by the symmetry of the crystal; {needed} are reserved) DFT calculations'
    yield 'engine', f'{data["engine"]}, {each} each'
    if data['references'] is not None:
        number, of_each = len(data['references']['elements']), data['references']['dft_calculations_each']
        what = f'{number} elements' if number else 'the elements of each crystal'
        cost = f', {count(of_each, "DFT calculation")} each' if of_each else ''
        yield 'references', f'energies of {what}{cost}'
    if data['settled'] is not None:
        yield 'settings', data['settled']['words']


def _limits(data: dict[str, Any]) -> Iterator[Row]:
    """What ends it, and what may not be as the user expects."""
    budget = data['budget']
    yield 'stops at', _stops(budget)
    if 'core_hours' in budget and data['core_hours_per_evaluation_at_least']:
        needed = data['core_hours_per_evaluation_at_least']
        yield 'reserve', f'less than {needed:.2g} core-hours launch nothing: an evaluation needs at least as many'
    yield 'evaluations', f'at most {data["evaluations_at_most"]} within this budget'
    for text in data['remarks']:
        yield 'remark', text


def _stops(budget: dict[str, Any]) -> str:
    """What ends a campaign: keys of the budget with their values; others say how it runs."""
    said = {name: f'{name} {value}' for name, value in budget.items() if name not in ('failure_minimum', 'at_once')}
    if 'failure_rate' in said:
        said['failure_rate'] += f' (after {budget["failure_minimum"]} evaluations)'
    return ', '.join(said.values())
