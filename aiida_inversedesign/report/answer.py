"""The answer, first on the page: what was asked, why it ended, what it found, and the best candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from aiida_inversedesign.audit.frames import property_unit
from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.contracts.engine import find
from aiida_inversedesign.campaign.goal import Goal, Objective
from aiida_inversedesign.campaign.properties import property_text, unit_text
from aiida_inversedesign.campaign.text.digits import MOST
from aiida_inversedesign.chemistry.symmetry import symmetry_dataset
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.report.prototype_names import prototype_text
from aiida_inversedesign.report.structures import legend, picture
from aiida_inversedesign.report.words import (
    ARMS,
    count,
    duration,
    interval_text,
    key_html,
    number,
    quantity,
    shown_value,
)

#: Candidates that are shown one by one, crystals with a picture.
MOST_CARDS = 6

#: Prototype, space group and six properties.
MOST_VALUES = 8


@dataclass(frozen=True)
class Card:
    """One of the best candidates.

    :param first: what comes first: prototype, space group, properties of the goal, stability, doubts.
    :param values: the other properties, behind a fold where there are many.
    """

    candidate: str
    name: Markup
    hit: bool | None
    picture: Markup
    legend: list[tuple[str, str]]
    variables: list[tuple[str, str]]
    first: list[tuple[str, str]]
    values: list[tuple[str, str]]
    facts: list[tuple[str, str]]
    uuid: str

    @property
    def is_folded(self) -> bool:
        """Whether the other properties are behind a fold, so that no more than six are in sight."""
        return len(self.first) + len(self.values) > MOST_VALUES


@dataclass(frozen=True)
class Answer:
    """What stands at the top of the page.

    :param state: ``running``, ``ended`` or ``failed``: how the line about the end is marked.
    """

    headline: Markup
    ending: str
    state: str
    asked: list[str]
    key_figures: list[tuple[str, str, str]]
    cards: list[Card]
    no_cards: str
    remarks: list[str]


def answer(record: CampaignRecord, figures: dict[str, Any]) -> Answer:
    """The top of the page."""
    ending, state = _ending(record)
    cards = _cards(record, figures)
    return Answer(
        _headline(record, figures),
        ending,
        state,
        goal_words(record.goal, record.units),
        _key_figures(record, figures),
        cards,
        '' if cards else _no_cards(record, figures),
        figures['remarks'],
    )


def goal_words(goal: Goal, units: dict[str, str]) -> list[str]:
    """Every objective and constraint as a phrase."""
    words = [_objective(objective, units.get(objective.property)) for objective in goal.objectives]
    for limit in goal.constraints:
        unit = units.get(limit.property)
        words.append(f'{property_text(limit.property)} {_limits(limit.min, limit.max, unit)}')
    for rule in goal.composition:
        words.append(rule.label + (f' {_limits(rule.min, rule.max, None)}' if rule.forbidden is None else ''))
    return words


def _objective(objective: Objective, unit: str | None) -> str:
    name, unit = property_text(objective.property), unit_text(unit)
    if objective.kind in ('maximize', 'minimize'):
        words = f'{"largest" if objective.kind == "maximize" else "smallest"} {name}'
        if objective.hit is not None:
            side = 'from' if objective.kind == 'maximize' else 'up to'
            words += f', a hit {side} {number(objective.hit, MOST)} {unit}'.rstrip()
        return words
    if objective.target is not None:
        return f'{name} {number(objective.target, MOST)} ± {number(objective.tolerance, MOST)} {unit}'.rstrip()
    low, high = objective.hit_range or (None, None)
    return f'{name} {_limits(low, high, unit)}'


def _limits(low: float | None, high: float | None, unit: str | None) -> str:
    unit = f' {unit_text(unit)}' if unit else ''
    if low is not None and high is not None:
        return f'{number(low, MOST)} to {number(high, MOST)}{unit}'
    return f'at least {number(low, MOST)}{unit}' if low is not None else f'at most {number(high, MOST)}{unit}'


def _ending(record: CampaignRecord) -> tuple[str, str]:
    """Why it stopped, in words, and how that is marked."""
    if record.stop_reason:
        state = 'failed' if record.exit_status not in (0, None) else 'ended'
        return f'Stopped – {record.stop_reason}.', state
    if record.state in ('excepted', 'killed'):
        how = 'was killed' if record.state == 'killed' else 'broke off with an error'
        more = f': {record.exit_message}' if record.exit_message else ''
        return f'The campaign {how}{more}. What follows is what it had done until then.', 'failed'
    if record.has_ended:
        more = record.exit_message or 'it gives no reason of its own'
        return f'Ended with exit code {record.exit_status}: {more}', 'failed' if record.exit_status else 'ended'
    return 'The campaign is running: what follows is how far it has come.', 'running'


def _headline(record: CampaignRecord, figures: dict[str, Any]) -> Markup:
    counts = figures['evaluations']
    if not counts['total']:
        return Markup('Nothing has been evaluated yet.')
    best = figures['best']
    top = Markup()
    if best:
        name = record.goal.objectives[0].property
        found = best[0]['properties'][name]
        value = quantity(found, record.units.get(name), record.digits(name).of(found))
        top = Markup('{} with {} {}').format(key_html(record, best[0]['key']), property_text(name), value)
    if counts['distinct_hits']:
        distinct = counts['distinct_hits']
        verb = 'meets' if distinct == 1 else 'meet'
        found = Markup('{} {} the goal').format(count(distinct, record.space.noun, record.space.nouns), verb)
        again = counts['hits'] - distinct
        if again:
            found += f' (copies of them: {again})'
        return found + Markup('; the best is {}.').format(top) if best else found + '.'
    if not counts['completed']:
        running = f', {count(counts["running"], "is", "are")} running' if counts['running'] else ''
        if counts['failed']:
            return escape(f'No evaluation has completed: {counts["failed"]} failed{running}.')
        return escape(f'No evaluation has completed yet{running}.')
    if not best:
        return escape(f'None of {count(counts["completed"], "completed evaluation")} keeps the constraints.')
    if record.goal.defines_hits:
        return Markup('No {} meets the goal; the nearest is {}.').format(record.space.noun, top)
    return Markup('The best {} is {}.').format(record.space.noun, top)


def _key_figures(record: CampaignRecord, figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value and a remark of the figures that matter most."""
    counts, dft = figures['evaluations'], figures['dft_calculations']
    remark = ', '.join(f'{number(counts[key])} {key}' for key in ('completed', 'failed', 'running') if counts.get(key))
    shown = [('evaluations', number(counts['total']), remark)]
    if record.goal.defines_hits:
        rate = figures['hit_rate']
        remark = f'hit rate {interval_text(rate)}' if rate.get('value') is not None else ''
        if counts['copies']:
            spent = figures['spent_on']['copies']['dft_calculations']
            remark += f'; {count(counts["copies"], "evaluation", "evaluations")} ended in what had been evaluated'
            remark += f' ({number(spent)} DFT calculations)' if spent else ''
        shown.append(('distinct hits', number(counts['distinct_hits']), remark))
    engine = find(record.engine)
    if dft['total'] or engine is None or engine.makes_dft:
        remark = (
            f'{number(dft["failed"])} failed, {number(dft["residual"])} converged with a residual above threshold, '
        )
        remark += f'{number(dft["restarts"])} restarts'
        shown.append(('DFT calculations', number(dft['total']), remark))
    elif record.space.of_crystals:
        shown.append(('DFT calculations', 'none', f'the engine {record.engine} makes none'))
    hours = figures.get('core_hours')
    # looking up measured points takes no jobs
    if record.jobs or record.space.of_crystals:
        remark = '' if hours is not None else figures.get('core_hours_reason', '')
        shown.append(('core-hours', number(hours, 3), remark))
    first = figures.get('first_hit') or {}
    if first.get('evaluation') is not None:
        remark = f'{number(first["dft_calculations"])} DFT calculations' if dft['total'] else ''
        shown.append(('first hit at evaluation', number(first['evaluation']), remark))
    enrichment = figures.get('enrichment') or {}
    if enrichment.get('value') is not None:
        remark = 'hit rate / base rate'
        if enrichment.get('low') is not None:
            remark += f', 95 % {number(enrichment["low"], 2)} to {number(enrichment["high"], 2)}'
        elif enrichment.get('n_control'):
            remark += f', of {enrichment["n"]} chosen and {enrichment["n_control"]} random: no interval'
        shown.append(('enrichment', f'{number(enrichment["value"], 2)} ×', remark))
    # a campaign that waits for its children does not change itself
    last = max([record.changed, *(job.changed or job.created for job in record.jobs)])
    shown.append(('from first to last change', duration((last - record.created).total_seconds()), ''))
    return shown


def _cards(record: CampaignRecord, figures: dict[str, Any]) -> list[Card]:
    found = {item.candidate: item for item in record.evaluations}
    chosen = [entry for entry in figures['best'] if entry['candidate'] in found]
    return [_card(record, found[entry['candidate']], entry, index) for index, entry in enumerate(chosen[:MOST_CARDS])]


def _card(record: CampaignRecord, item: EvaluationRecord, entry: dict[str, Any], index: int) -> Card:
    """The card of an evaluation.

    :param entry: what the audit says of it among the best.
    """
    space = record.space
    crystal = item.result
    drawn, colours, symmetry, prototype = Markup(), [], '', item.prototype
    if space.of_crystals and crystal is not None:
        try:
            drawn, colours = (
                picture(crystal, f'crystal-{index}', f'Crystal structure of {item.key}'),
                legend(crystal),
            )
            # of the crystal that is shown: relaxing may have changed that of the proposal
            symmetry, prototype = space_group(crystal), item.result_prototype or item.prototype
        except InverseDesignError as error:
            drawn = Markup('<p class="none">no picture: {}</p>').format(str(error))
    elif crystal is not None:
        drawn = Markup(space.picture(crystal))  # noqa: S704 (made by the part, of numbers and colours)
    asked = [name for name in record.goal.properties if name in item.properties]
    values = _values(record, item, [name for name in item.properties if name not in asked])
    variables: list[tuple[str, str]] = []
    for one in record.coordinates([item]):
        setting = one.values[0]
        variables.append(
            (property_text(one.name), setting if isinstance(setting, str) else quantity(setting, one.unit, 9))
        )
    first = []
    if space.of_crystals:
        first.append(('prototype', prototype_text(prototype) if prototype else 'not determined'))
    if symmetry:
        first.append(('space group', symmetry))
    first += [*_values(record, item, asked), *stability_words(entry)]
    if item.doubts:
        first.append(('doubtful', '; '.join(item.doubts)))
    facts = []
    if entry['copies']:
        templates = len(entry['templates'])
        by = f' from {templates} templates' if templates > 1 else ''
        facts.append(('reached', f'{len(entry["copies"]) + 1} times{by}'))
    facts.append(('found', f'generation {item.generation}, {ARMS.get(item.arm, item.arm)}'))
    if item.template:
        facts.append(('template', item.template))
    if not variables:
        facts.append(('candidate', item.candidate))
    # the values of the variables say what the key says
    shown = escape(item.candidate) if variables else key_html(record, item.key)
    return Card(item.candidate, shown, item.hit, drawn, colours, variables, first, values, facts, item.uuid)


def _values(record: CampaignRecord, item: EvaluationRecord, names: list[str]) -> list[tuple[str, str]]:
    """Properties of an evaluation in pairs of a name and a value with error and unit."""
    shown = []
    for name in names:
        value, unit = item.properties[name], property_unit(record, name)
        text = shown_value(value, item.errors.get(name), unit, record.digits(name).of(value))
        shown.append((property_text(name), text))
    return shown


def stability_words(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """How stable a crystal is, as far as that is known, in pairs of a name and a text."""
    words = []
    if 'e_above_polymorph' in entry:
        if entry['polymorphs'] == 1:
            words.append(('against polymorphs', 'no other one was evaluated'))
        else:
            above = quantity(entry['e_above_polymorph'], 'eV/atom')
            words.append(('above the lowest polymorph', f'{above} ({entry["polymorphs"]} were evaluated)'))
    if 'e_above_hull' in entry and 'e_above_hull' not in entry['properties']:
        words.append(('above the convex hull', quantity(entry['e_above_hull'], 'eV/atom')))
    return words


def space_group(crystal: Any) -> str:
    """Symbol and number of the space group (spglib, symprec 0.1 Å); empty if it is not found."""
    found = symmetry_dataset(crystal)
    return f'{found.international} (no. {found.number})' if found is not None else ''


def _no_cards(record: CampaignRecord, figures: dict[str, Any]) -> str:
    """Why there is no best candidate."""
    counts = figures['evaluations']
    if not counts['total']:
        why = 'no evaluation has been launched.'
    elif not counts['completed']:
        why = 'no evaluation has completed. The section on failures says why.'
    else:
        why = 'no completed evaluation keeps every constraint of the goal.'
    return f'There is no {record.space.noun} to show: {why}'
