"""Parallel coordinates: each evaluated candidate as a line through its variables, coloured by the first objective.

Plotly's own ``parcoords`` compiles code in the browser, which the page's content security policy forbids. Plain lines
do without; the axes lie below each other, so that names and words fit on a phone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.contracts.space import Coordinate
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.campaign.text.digits import Digits
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import count, number, plot_text, quantity, shown_value

#: Variables and lines that are drawn; hits and the best are always among the lines.
MOST_VARIABLES, MOST_LINES = 24, 1000
#: Ticks of an axis of words, and letters of each.
MOST_TICKS, LONGEST = 6, 16


@dataclass(frozen=True)
class _Axis:
    """One axis: where each evaluation lies on it, from 0 to 1 (None: nowhere), and its ticks."""

    title: str
    indices: Sequence[float | None]
    ticks: Sequence[tuple[float, str]]


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section | None:
    """The variables of the space; none where it names no variables."""
    variables = record.coordinates(record.evaluations)
    if not variables:
        return None
    objective = record.goal.objectives[0]
    name, unit = objective.property, record.units.get(objective.property)
    values = [item.properties.get(name) for item in record.evaluations]
    axes = [_axis(variable) for variable in variables[:MOST_VARIABLES]]
    known = [value for value in values if value is not None]
    if known:
        bounds = min(known), max(known)
        axes.append(_numbers(property_text(name, unit), values, bounds, False))
    notes = []
    if len(variables) > MOST_VARIABLES:
        notes.append(f'The first {MOST_VARIABLES} of {len(variables)} variables are drawn; the table has all.')
    drawn = _drawn(record, axes, values, objective.kind == 'minimize')
    if len(values) > MOST_LINES:
        notes.append(f'About {MOST_LINES} of {number(len(values))} evaluations are drawn, the hits among them.')
    alt = f'Parallel coordinates of {count(len(values), "evaluation")} over {count(len(variables), "variable")}.'
    lead = (
        f'Each line is one evaluated {record.space.noun}, coloured by {property_text(name)}. Where lines of '
        'one colour meet on an axis, the variable matters.'
    )
    return Section('variables', 'Variables', lead, (Plot('plot-variables', drawn, alt),), notes=tuple(notes))


def _axis(variable: Coordinate) -> _Axis:
    title = property_text(variable.name, variable.unit)
    if not variable.choices:
        numbers = [float(value) for value in variable.values]
        bounds = variable.bounds or (min(numbers), max(numbers))
        return _numbers(title, numbers, bounds, variable.log)
    last = max(len(variable.choices) - 1, 1)
    index = {choice: position / last for position, choice in enumerate(variable.choices)}
    every = math.ceil(len(variable.choices) / MOST_TICKS)
    ticks = [(position, _short(str(choice))) for choice, position in list(index.items())[::every]]
    return _Axis(title, [index.get(str(value)) for value in variable.values], ticks)


def _numbers(title: str, values: Sequence[float | None], bounds: tuple[float, float], log: bool) -> _Axis:
    low, high = bounds
    log = log and low > 0
    if not low < high:
        return _Axis(title, [None if value is None else 0.5 for value in values], [(0.5, number(low))])

    def position(value: float) -> float:
        share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
        return min(max(share, 0.0), 1.0)

    found = {value for value in values if value is not None}
    shown = {low, high} | (found if len(found) <= MOST_TICKS else {math.sqrt(low * high) if log else (low + high) / 2})
    digits = Digits(shown)
    ticks = [(position(value), number(value, digits.of(value))) for value in sorted(shown)]
    return _Axis(title, [None if value is None else position(value) for value in values], ticks)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'


def _drawn(record: CampaignRecord, axes: Sequence[_Axis], values: Sequence[float | None], minimised: bool) -> Any:
    import plotly.graph_objects as go

    drawn = theme.figure('', '', height=70 + 84 * len(axes), margin={'l': 12, 'r': 12, 't': 30, 'b': 8})
    for group, label, line in _groups(record, values, minimised):
        x: list[float | None] = []
        y: list[float | None] = []
        data: list[list[str]] = []
        for index in group:
            x += [*theme.lean((axis.indices[index] for axis in axes), 4), None]
            y += [*(-float(row) for row in range(len(axes))), None]
            data += [_hover(record, index, values[index])] * (len(axes) + 1)
        drawn.add_trace(go.Scatter(x=x, y=y, customdata=data, mode='lines', line=line, name=plot_text(label), **_HOVER))
    hits = [index for index, item in enumerate(record.evaluations) if item.hit]
    if hits:
        marker = {'color': theme.GREEN, 'size': 11, 'symbol': 'star', 'line': {'width': 1, 'color': theme.TEXT}}
        indices = [(axis.indices[index], -row, index) for index in hits for row, axis in enumerate(axes)]
        across, up = theme.lean((position for position, _, _ in indices), 4), [row for _, row, _ in indices]
        names = [_hover(record, index, values[index]) for _, _, index in indices]
        drawn.add_trace(theme.points(across, up, 'hit', marker, names, _HOVER['hovertemplate']))
    for row, axis in enumerate(axes):
        drawn.add_shape(type='line', x0=0, x1=1, y0=-row, y1=-row, line={'color': theme.AXIS, 'width': 1})
        text = {'text': f'<b>{plot_text(axis.title)}</b>', 'x': 0, 'y': -row, 'xanchor': 'left', 'yshift': 16}
        drawn.add_annotation(**_TEXT, font={'size': 12}, **text)
        for position, label in axis.ticks:
            anchor = 'left' if position < 0.1 else 'right' if position > 0.9 else 'center'
            tick = {'text': plot_text(label), 'x': position, 'y': -row, 'xanchor': anchor, 'yshift': -12}
            drawn.add_annotation(**_TEXT, font={'size': 11, 'color': theme.MUTED}, **tick)
    drawn.update_xaxes(visible=False, range=[-0.02, 1.02], fixedrange=True)
    drawn.update_yaxes(visible=False, range=[0.4 - len(axes), 0.55], fixedrange=True)
    return drawn


_TEXT = {'showarrow': False, 'bgcolor': theme.BEHIND, 'borderpad': 1}
_HOVER = {'hovertemplate': '%{customdata[0]}<br>%{customdata[1]}<extra></extra>'}


def _hover(record: CampaignRecord, index: int, value: float | None) -> list[str]:
    item, name = record.evaluations[index], record.goal.objectives[0].property
    found = (
        item.status
        if value is None
        else shown_value(value, item.errors.get(name), record.units.get(name), record.digits(name).of(value))
    )
    return [plot_text(f'{item.key} ({item.candidate})'), plot_text(f'{property_text(name)}: {found}')]


def _groups(
    record: CampaignRecord, values: Sequence[float | None], minimised: bool
) -> Iterator[tuple[list[int], str, dict[str, Any]]]:
    """Lines of one colour with their name, the best last, so that they lie on top."""
    every = 1 + len(values) // MOST_LINES
    chosen = [index for index, item in enumerate(record.evaluations) if item.hit or index % every == 0]
    unknown = [index for index in chosen if values[index] is None]
    if unknown:
        yield unknown, 'no value', {'color': theme.GREY, 'width': 1, 'dash': 'dot'}
    order = sorted(((value, index) for index in chosen if (value := values[index]) is not None), reverse=minimised)
    if not order:
        return
    unit = record.units.get(record.goal.objectives[0].property)
    edges = [
        order[0][0] + (order[-1][0] - order[0][0]) * part / len(theme.SCALE) for part in range(len(theme.SCALE) + 1)
    ]
    begin = 0
    for position, colour in enumerate(theme.SCALE):
        inside = [
            item
            for item in order[begin:]
            if position == len(theme.SCALE) - 1 or _within(item[0], edges[position + 1], minimised)
        ]
        begin += len(inside)
        if inside:
            low, high = sorted((inside[0][0], inside[-1][0]))
            digits = record.digits(record.goal.objectives[0].property)
            upper = quantity(high, unit, digits.of(high))
            label = upper if low == high else f'{number(low, max(digits.of(low) - 1, 3))} to {upper}'
            yield [index for _, index in inside], label, {'color': colour, 'width': 1.2 + 0.25 * position}


def _within(value: float, edge: float, minimised: bool) -> bool:
    return value > edge if minimised else value < edge
