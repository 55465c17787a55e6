"""Best value so far and hits, against what they have cost, compared with a random search."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.random_search import random_best, random_hits
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import NAMED, count, hover_names, number, percent, plot_text

#: Points that are not hits beyond this number are thinned out evenly, so that the page stays quick.
MOST_POINTS = 3000


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Best so far and hits against DFT calculations, or evaluations where the engine makes none."""
    steps = figures['progress']
    title = 'Progress of the search'
    if not steps:
        return Section('progress', title, reason='no evaluation has been launched')
    axis = Axis.of(steps)
    plots = [_best(record, steps, axis)]
    notes = []
    hits = random_hits(record, len(steps))
    if record.goal.defines_hits:
        plots.append(_hits(record, steps, axis, hits))
        if isinstance(hits, str):
            notes.append(f'Random search is not drawn: {hits}.')
        else:
            notes.append(f'Base rate of a random choice: {percent(hits.rate)}; {hits.how}.')
    else:
        notes.append('Hits are not drawn: no hit threshold is set.')
    if record.known:
        notes.append(
            f'The campaign began with {count(len(record.known), "point")} of {record.settings.known}: drawn at the '
            'left, without cost, and in no curve, rate or number of hits.'
        )
    if axis.name == 'evaluation':
        notes.append('The horizontal axis counts evaluations: this campaign made no DFT calculation.')
    lead = (
        'What had been found at each point of the cost: every DFT calculation counts, failures, restarts and elemental '
        'references included.'
        if axis.name == 'dft_calculations'
        else 'What had been found after each evaluation, failed ones included.'
    )
    return Section('progress', title, lead, tuple(plots), notes=tuple(notes))


class Axis:
    """The horizontal axis: DFT calculations spent, or evaluations.

    :param name: key of a step. :param spent: its value at each evaluation, oldest first.
    """

    def __init__(self, name: str, spent: list[float]) -> None:
        self.name, self.spent = name, spent
        self.title = 'DFT calculations spent' if name == 'dft_calculations' else 'evaluations'

    @classmethod
    def of(cls, steps: list[dict[str, Any]]) -> Axis:
        """DFT calculations if there are any."""
        name = 'dft_calculations' if steps and steps[-1]['dft_calculations'] else 'evaluation'
        return cls(name, [step[name] for step in steps])

    def at(self, evaluations: int) -> float:
        """What so many evaluations had cost."""
        return self.spent[min(evaluations, len(self.spent)) - 1] if evaluations else 0.0


def _best(record: CampaignRecord, steps: list[dict[str, Any]], axis: Axis) -> Plot:
    objective = record.goal.objectives[0]
    unit = record.units.get(objective.property)
    label = plot_text(property_text(objective.property, unit))
    digits = record.digits(objective.property).most
    drawn = theme.figure(axis.title, label, height=400)
    if objective.kind in ('maximize', 'minimize'):
        _draw_random_best(drawn, record, steps, axis)
    hit_range = objective.hit_range
    if hit_range is not None:
        for bound in hit_range:
            if abs(bound) != float('inf'):
                drawn.add_hline(bound, line={'color': theme.MUTED, 'width': 1, 'dash': 'dash'})
    known = [step for step in steps if step['value'] is not None and not step['hit']]
    known = known[:: 1 + len(known) // MOST_POINTS]
    hits = [step for step in steps if step['value'] is not None and step['hit']]
    in_unit = f'%{{y:.{digits}g}} {plot_text(unit or "")}<extra></extra>'
    if record.known:
        given = [item for item in record.known if objective.property in item.properties]
        values = [item.properties[objective.property] for item in given]
        marker = {'color': theme.GREY, 'size': 8, 'symbol': 'diamond-open'}
        names = hover_names(record, ((item.key, item.candidate) for item in given))
        drawn.add_trace(theme.points([0] * len(given), values, 'starting data', marker, names, f'{NAMED}<br>{in_unit}'))
    for chosen, name, marker in (
        (known, 'evaluation', {'color': theme.GREY, 'size': 7, 'symbol': 'circle', 'opacity': 0.75}),
        (hits, 'hit', {'color': theme.GREEN, 'size': 13, 'symbol': 'star', 'line': {'width': 1, 'color': theme.TEXT}}),
    ):
        if chosen:
            across, up = [step[axis.name] for step in chosen], [step['value'] for step in chosen]
            drawn.add_trace(theme.points(across, up, name, marker, _names(record, chosen), f'{NAMED}<br>{in_unit}'))
    best = [step for step in steps if step['best'] is not None]
    if best:
        across, up = _changes([step[axis.name] for step in best], [step['best'] for step in best])
        drawn.add_trace(
            theme.line(across, up, 'best so far', theme.BLUE, f'best so far {in_unit}', shape='hv', width=2.5)
        )
    failed = [step for step in steps if step['status'] == 'failed']
    if failed:
        across, edge = [step[axis.name] for step in failed], {'width': 1.6, 'color': theme.VERMILLION}
        marker = {'color': theme.VERMILLION, 'symbol': 'x-thin', 'size': 7, 'line': edge}
        hover, heights = f'{NAMED} failed<extra></extra>', [0.015] * len(failed)
        drawn.add_trace(theme.points(across, heights, 'failed', marker, _names(record, failed), hover, yaxis='y2'))
        drawn.update_layout(yaxis2={'overlaying': 'y', 'range': [0, 1], 'visible': False, 'fixedrange': True})
    if not best and not known and not hits:
        drawn.update_yaxes(range=[0, 1], selector={'overlaying': None})
    found = best[-1]['best'] if best else 0.0
    shown = number(found, record.digits(objective.property).of(found))
    alt = (
        f'Best {objective.property} so far: {shown} {unit or ""} after {count(len(steps), "evaluation")}.'
        if best
        else f'None of {count(len(steps), "evaluation")} has a value that keeps the constraints.'
    )
    return Plot('plot-best', drawn, alt, 'Best value so far that keeps the constraints. Dashed: where a hit begins.')


def _names(record: CampaignRecord, steps: list[dict[str, Any]]) -> list[list[str]]:
    return hover_names(record, ((step['key'], step['candidate']) for step in steps))


def _draw_random_best(drawn: Any, record: CampaignRecord, steps: list[dict[str, Any]], axis: Axis) -> None:
    random = random_best(record, len(steps))
    if random is None:
        return
    digits = record.digits(record.goal.objectives[0].property).most
    indices = [axis.at(draws) for draws in random.draws]
    reached = [index for index, value in enumerate(random.low) if value is not None]
    inside = [indices[index] for index in reached]
    low, high = ([side[index] for index in reached] for side in (random.low, random.high))
    drawn.add_trace(theme.band(inside, low, high, 'random: 95 %', theme.GREY_BAND))
    hover = f'random search %{{y:.{digits}g}}<extra></extra>'
    drawn.add_trace(theme.line(indices, random.median, 'random: median', theme.GREY, hover, dash='dot'))


def _changes(indices: list[float], values: list[Any]) -> tuple[list[float], list[Any]]:
    """The points at which a staircase changes, with its first and last."""
    kept = [
        index for index in range(len(values)) if index in (0, len(values) - 1) or values[index] != values[index - 1]
    ]
    return [indices[index] for index in kept], [values[index] for index in kept]


def _hits(record: CampaignRecord, steps: list[dict[str, Any]], axis: Axis, random: Any) -> Plot:
    drawn = theme.figure(axis.title, 'distinct hits', height=320)
    if not isinstance(random, str):
        wanted = range(0, len(steps) + 1, 1 + len(steps) // 400)
        indices = [axis.at(evaluations) for evaluations in wanted]
        low, high, mean = (
            [side[evaluations] for evaluations in wanted] for side in (random.low, random.high, random.expected)
        )
        drawn.add_trace(theme.band(indices, low, high, 'random: 95 %', theme.GREY_BAND))
        hover = 'random search %{y:.2f} hits<extra></extra>'
        drawn.add_trace(theme.line(indices, mean, 'random: expected', theme.GREY, hover, dash='dot'))
    found = list(accumulate(int(step['hit'] is True and not step['copy_of']) for step in steps))
    across, up = _changes([0.0, *axis.spent], [0, *found])
    hover = '%{y} hits<extra></extra>'
    drawn.add_trace(theme.line(across, up, 'this campaign', theme.GREEN, hover, shape='hv', width=2.5))
    largest = max(found[-1], 1)
    drawn.update_yaxes(rangemode='tozero', **theme.whole_numbers(largest))
    alt = f'{count(found[-1], "distinct hit")} after {count(len(steps), "evaluation")}.'
    return Plot('plot-hits', drawn, alt, 'Distinct hits so far.')
