"""Best value so far and hits, against what they have cost, compared with a random search."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.random_search import random_best, random_hits
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import key_plain, number, percent, plot_text, property_text

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
            f'The campaign began with {len(record.known)} points of {record.settings.known}: they are drawn at the '
            'left, cost nothing, and are in no curve, rate or number of hits.'
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
    import plotly.graph_objects as go

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
    unit_word = plot_text(unit or '')
    if record.known:
        given = [item for item in record.known if objective.property in item.properties]
        drawn.add_trace(
            go.Scatter(
                x=[0] * len(given),
                y=theme.lean(item.properties[objective.property] for item in given),
                customdata=[[plot_text(key_plain(record, item.key)), plot_text(item.candidate)] for item in given],
                mode='markers',
                marker={'color': theme.GREY, 'size': 8, 'symbol': 'diamond-open'},
                name='starting data',
                hovertemplate='%{customdata[0]} (%{customdata[1]})<br>'
                f'%{{y:.{digits}g}} {unit_word}<extra></extra>',
            )
        )
    for chosen, name, marker in (
        (known, 'evaluation', {'color': theme.GREY, 'size': 7, 'symbol': 'circle', 'opacity': 0.75}),
        (hits, 'hit', {'color': theme.GREEN, 'size': 13, 'symbol': 'star', 'line': {'width': 1, 'color': theme.TEXT}}),
    ):
        if chosen:
            drawn.add_trace(
                go.Scatter(
                    x=[step[axis.name] for step in chosen],
                    y=theme.lean(step['value'] for step in chosen),
                    customdata=[
                        [plot_text(key_plain(record, step['key'])), plot_text(step['candidate'])] for step in chosen
                    ],
                    mode='markers',
                    marker=marker,
                    name=name,
                    hovertemplate='%{customdata[0]} (%{customdata[1]})<br>'
                    f'%{{y:.{digits}g}} {unit_word}<extra></extra>',
                )
            )
    best = [step for step in steps if step['best'] is not None]
    if best:
        indices, values = _changes([step[axis.name] for step in best], [step['best'] for step in best])
        drawn.add_trace(
            go.Scatter(
                x=indices,
                y=theme.lean(values),
                mode='lines',
                line={'shape': 'hv', 'color': theme.BLUE, 'width': 2.5},
                name='best so far',
                hovertemplate=f'best so far %{{y:.{digits}g}} {unit_word}<extra></extra>',
            )
        )
    failed = [step for step in steps if step['status'] == 'failed']
    if failed:
        drawn.add_trace(
            go.Scatter(
                x=[step[axis.name] for step in failed],
                y=[0.015] * len(failed),
                yaxis='y2',
                customdata=[
                    [plot_text(key_plain(record, step['key'])), plot_text(step['candidate'])] for step in failed
                ],
                mode='markers',
                marker={
                    'color': theme.VERMILLION,
                    'symbol': 'x-thin',
                    'size': 7,
                    'line': {'width': 1.6, 'color': theme.VERMILLION},
                },
                name='failed',
                hovertemplate='%{customdata[0]} (%{customdata[1]}) failed<extra></extra>',
            )
        )
        drawn.update_layout(yaxis2={'overlaying': 'y', 'range': [0, 1], 'visible': False, 'fixedrange': True})
    if not best and not known and not hits:
        drawn.update_yaxes(range=[0, 1], selector={'overlaying': None})
    found = best[-1]['best'] if best else 0.0
    shown = number(found, record.digits(objective.property).of(found))
    alt = (
        f'Best {objective.property} so far: {shown} {unit or ""} after {len(steps)} evaluations.'
        if best
        else f'None of {len(steps)} evaluations has a value that keeps the constraints.'
    )
    return Plot('plot-best', drawn, alt, 'Best value so far that keeps the constraints. Dashed: where a hit begins.')


def _draw_random_best(drawn: Any, record: CampaignRecord, steps: list[dict[str, Any]], axis: Axis) -> None:
    import plotly.graph_objects as go

    random = random_best(record, len(steps))
    if random is None:
        return
    name = record.goal.objectives[0].property
    indices = [axis.at(draws) for draws in random.draws]
    reached = [index for index, value in enumerate(random.low) if value is not None]
    band = [indices[index] for index in reached]
    drawn.add_trace(
        go.Scatter(
            x=band + band[::-1],
            y=theme.lean([random.high[index] for index in reached] + [random.low[index] for index in reached[::-1]]),
            fill='toself',
            fillcolor=theme.GREY_BAND,
            line={'width': 0, 'color': theme.GREY},
            mode='lines',
            name='random: 95 %',
            hoverinfo='skip',
        )
    )
    drawn.add_trace(
        go.Scatter(
            x=indices,
            y=theme.lean(random.median),
            mode='lines',
            line={'color': theme.GREY, 'dash': 'dot', 'width': 2},
            name='random: median',
            hovertemplate=f'random search %{{y:.{record.digits(name).most}g}}<extra></extra>',
        )
    )


def _changes(indices: list[float], values: list[Any]) -> tuple[list[float], list[Any]]:
    """The points at which a staircase changes, with its first and last."""
    kept = [
        index for index in range(len(values)) if index in (0, len(values) - 1) or values[index] != values[index - 1]
    ]
    return [indices[index] for index in kept], [values[index] for index in kept]


def _hits(record: CampaignRecord, steps: list[dict[str, Any]], axis: Axis, random: Any) -> Plot:
    import plotly.graph_objects as go

    drawn = theme.figure(axis.title, 'distinct hits', height=320)
    if not isinstance(random, str):
        wanted = range(0, len(steps) + 1, 1 + len(steps) // 400)
        indices = [axis.at(evaluations) for evaluations in wanted]
        low, high = ([side[evaluations] for evaluations in wanted] for side in (random.low, random.high))
        drawn.add_trace(
            go.Scatter(
                x=indices + indices[::-1],
                y=theme.lean([*high, *low[::-1]]),
                fill='toself',
                fillcolor=theme.GREY_BAND,
                line={'width': 0, 'color': theme.GREY},
                mode='lines',
                name='random: 95 %',
                hoverinfo='skip',
            )
        )
        drawn.add_trace(
            go.Scatter(
                x=indices,
                y=theme.lean(random.expected[evaluations] for evaluations in wanted),
                mode='lines',
                line={'color': theme.GREY, 'dash': 'dot', 'width': 2},
                name='random: expected',
                hovertemplate='random search %{y:.2f} hits<extra></extra>',
            )
        )
    found = list(accumulate(int(step['hit'] is True and not step['copy_of']) for step in steps))
    indices, values = _changes([0.0, *axis.spent], [0, *found])
    drawn.add_trace(
        go.Scatter(
            x=indices,
            y=values,
            mode='lines',
            line={'shape': 'hv', 'color': theme.GREEN, 'width': 2.5},
            name='this campaign',
            hovertemplate='%{y} hits<extra></extra>',
        )
    )
    largest = max(found[-1], 1)
    drawn.update_yaxes(rangemode='tozero', **theme.whole_numbers(largest))
    return Plot(
        'plot-hits', drawn, f'{found[-1]} distinct hits after {len(steps)} evaluations.', 'Distinct hits so far.'
    )
