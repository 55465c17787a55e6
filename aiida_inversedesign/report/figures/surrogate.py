"""The surrogate at the moment of choice: what it predicted, what was found, and how honest its errors were."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aiida_inversedesign.audit.metrics import transfer_in_words
from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import (
    ARMS,
    count,
    key_plain,
    number,
    percent,
    plot_text,
    sentence,
)

#: Fewest predictions of which a calibration curve says something.
LEAST_CURVE = 5


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Parity of each predicted property, and the coverage of the predictions."""
    title = 'The surrogate when it chose'
    pairs = {name: _predicted(record, name) for name in record.goal.properties}
    pairs = {name: found for name, found in pairs.items() if found}
    if not pairs:
        return Section(
            'surrogate',
            title,
            reason='no completed evaluation was chosen with a prediction (the initial design has none)',
        )
    plots = [_parity(record, name, found, index) for index, (name, found) in enumerate(pairs.items())]
    curves = {name: found for name, found in pairs.items() if len(found) >= LEAST_CURVE}
    notes = []
    if curves:
        plots.append(_calibration(record, curves, figures))
    else:
        notes.append(f'Calibration is not drawn: fewer than {LEAST_CURVE} predictions have been tested.')
    for name in pairs:
        words = _words(record, name, figures.get('calibration', {}).get(name, {}))
        if words:
            notes.append(words)
    if figures.get('transfer'):
        notes += [f'{sentence(text)}.' for text in transfer_in_words(figures['transfer'], record.units)]
    lead = (
        'Each evaluation against what the surrogate predicted for it when it was chosen, before its own result '
        'was known. Predictions of later surrogates are not used.'
    )
    return Section('surrogate', title, lead, tuple(plots), notes=tuple(notes))


def _predicted(record: CampaignRecord, name: str) -> list[EvaluationRecord]:
    return [
        item
        for item in record.evaluations
        if item.status == 'completed' and name in item.properties and name in item.predicted
    ]


def _parity(record: CampaignRecord, name: str, items: Sequence[EvaluationRecord], index: int) -> Plot:
    import plotly.graph_objects as go

    unit = record.units.get(name)
    label = plot_text(property_text(name, unit))
    drawn = theme.figure(f'predicted {label}', f'found {label}', height=420)
    values = [item.properties[name] for item in items] + [item.predicted[name][0] for item in items]
    low, high, digits = min(values), max(values), record.digits(name).most
    room = 0.05 * (high - low) or 1.0
    ends = theme.lean([low - room, high + room])
    drawn.add_trace(theme.line(ends, ends, 'perfect', theme.MUTED, '', width=1, dash='dash'))
    bars = len(items) <= 400
    arms = [arm for arm in ARMS if any(item.arm == arm for item in items)]
    for number_, arm in enumerate(arms):
        chosen = [item for item in items if item.arm == arm]
        colour = theme.CYCLE[number_]
        drawn.add_trace(
            go.Scatter(
                x=theme.lean(item.predicted[name][0] for item in chosen),
                y=theme.lean(item.properties[name] for item in chosen),
                customdata=[
                    [plot_text(key_plain(record, item.key)), item.generation, number(item.predicted[name][1], 3)]
                    for item in chosen
                ],
                error_x={
                    'type': 'data',
                    'array': theme.lean((item.predicted[name][1] for item in chosen), 4),
                    'thickness': 1,
                    'width': 0,
                    'color': colour,
                }
                if bars
                else None,
                mode='markers',
                marker={'color': colour, 'symbol': theme.SYMBOLS[number_], 'size': 8, 'opacity': 0.85},
                name=ARMS[arm],
                hovertemplate='%{customdata[0]}, generation %{customdata[1]}'
                f'<br>predicted %{{x:.{digits}g}} ± %{{customdata[2]}}<br>found %{{y:.{digits}g}}<extra></extra>',
            )
        )
    drawn.update_yaxes(scaleanchor='x', scaleratio=1)
    caption = f'{count(len(items), "evaluation")}.' + (' Bars: one predicted standard deviation.' if bars else '')
    alt = f'{count(len(items), "prediction")} of {name} against the values found.'
    return Plot(f'plot-parity-{index}', drawn, alt, caption)


def _calibration(
    record: CampaignRecord, curves: Mapping[str, Sequence[EvaluationRecord]], figures: dict[str, Any]
) -> Plot:
    """Share of the values inside the central predicted interval, for every level."""
    import plotly.graph_objects as go

    drawn = theme.figure('predicted interval holds', 'values inside it', height=400)
    drawn.add_trace(theme.line([0, 1], [0, 1], 'calibrated', theme.MUTED, '', width=1, dash='dash'))
    for index, (name, items) in enumerate(curves.items()):
        colour = theme.CYCLE[index % len(theme.CYCLE)]
        title = plot_text(property_text(name))
        # the narrowest central interval of a normal prediction that holds the value
        levels = sorted(
            math.erf(
                abs(item.properties[name] - item.predicted[name][0]) / max(item.predicted[name][1], 1e-12) / 2**0.5
            )
            for item in items
        )
        hover = '%{x:.0%} interval: %{y:.0%} inside<extra>' + title + '</extra>'
        shares = [0.0, *((rank + 1) / len(levels) for rank in range(len(levels))), 1.0]
        drawn.add_trace(theme.line(theme.lean([0.0, *levels, 1.0], 4), shares, title, colour, hover, 4, shape='hv'))
        coverage = (figures.get('calibration', {}).get(name) or {}).get('coverage') or {}
        known = {float(level): rate for level, rate in coverage.items() if rate.get('value') is not None}
        if known:
            drawn.add_trace(
                go.Scatter(
                    x=list(known),
                    y=theme.lean(rate['value'] for rate in known.values()),
                    error_y=theme.error_bars(list(known.values()), colour),
                    mode='markers',
                    marker={'color': colour, 'symbol': theme.SYMBOLS[index % len(theme.SYMBOLS)], 'size': 9},
                    showlegend=False,
                    hovertemplate=hover,
                )
            )
    drawn.update_xaxes(range=[0, 1.01], tickformat='.0%')
    drawn.update_yaxes(range=[0, 1.03], tickformat='.0%')
    caption = (
        'Below the dashed line the surrogate was too sure of itself, above it too careful. '
        'Points: 50, 80 and 95 % with Wilson 95 % intervals.'
    )
    return Plot('plot-calibration', drawn, 'Coverage of the predicted intervals.', caption)


def _words(record: CampaignRecord, name: str, figure: dict[str, Any]) -> str:
    """Error and spread of one property in a sentence."""
    if figure.get('mae') is None:
        return ''
    unit = property_text('', record.units.get(name)).strip(' ()')
    text = f'{sentence(property_text(name))}: mean absolute error {number(figure["mae"], 3)} {unit}'.rstrip()
    if figure.get('z_spread') is not None:
        text += f'; spread of the standardised errors {number(figure["z_spread"], 3)} (1 is honest)'
    inside = (figure.get('coverage') or {}).get('0.95', {})
    if inside.get('value') is not None:
        text += f'; {percent(inside["value"])} of {inside["n"]} inside the 95 % interval'
    return text + '.'
