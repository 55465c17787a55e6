"""Hit rates: per generation with their intervals, and by what found, predicted or chose the evaluations."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.random_search import random_hits
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import ARMS, interval_text, number

#: Generations beyond which intervals are drawn as a band, not as bars.
MOST_BARS = 60


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Hit rate of each generation, and of each group of evaluations."""
    title = 'Hit rate by generation'
    if not record.goal.defines_hits:
        return Section('rates', title, reason='no hit threshold is set')
    known = [entry for entry in figures['by_generation'] if entry['hit_rate'].get('value') is not None]
    if not known:
        return Section('rates', title, reason='no evaluation has ended')
    lead = (
        'Hits among all evaluations that have ended, failed ones included, with Wilson 95 % intervals. '
        f'Overall: {interval_text(figures["hit_rate"])}.'
    )
    return Section('rates', title, lead, (_by_generation(record, known),), _groups(record, figures))


def _by_generation(record: CampaignRecord, known: list[dict[str, Any]]) -> Plot:
    import plotly.graph_objects as go

    drawn = theme.figure('generation', 'hit rate', height=320)
    numbers = [entry['generation'] for entry in known]
    rates = [entry['hit_rate'] for entry in known]
    values = [rate['value'] for rate in rates]
    random = random_hits(record, 1)
    if not isinstance(random, str):
        drawn.add_hline(random.rate, line={'color': theme.GREY, 'width': 2, 'dash': 'dot'})
        # a line of a layout is not in the legend
        drawn.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode='lines',
                line={'color': theme.GREY, 'width': 2, 'dash': 'dot'},
                name='base rate of a random choice',
            )
        )
    shown = {
        'x': numbers,
        'y': theme.lean(values),
        'customdata': [
            [round(rate['value'] * rate['n']), rate['n'], f'{rate["low"]:.0%}', f'{rate["high"]:.0%}'] for rate in rates
        ],
        'name': 'hit rate',
        'hovertemplate': 'generation %{x}: %{customdata[0]} of %{customdata[1]}'
        '<br>95 %: %{customdata[2]} to %{customdata[3]}<extra></extra>',
    }
    if len(known) <= MOST_BARS:
        bars = {
            'type': 'data',
            'symmetric': False,
            'array': theme.lean(rate['high'] - rate['value'] for rate in rates),
            'arrayminus': theme.lean(rate['value'] - rate['low'] for rate in rates),
            'color': theme.BLUE,
            'thickness': 1.2,
            'width': 4,
        }
        drawn.add_trace(
            go.Scatter(mode='markers', marker={'color': theme.BLUE, 'size': 9}, error_y=bars, showlegend=False, **shown)
        )
    else:
        band = theme.lean([rate['high'] for rate in rates] + [rate['low'] for rate in rates[::-1]])
        drawn.add_trace(
            go.Scatter(
                x=numbers + numbers[::-1],
                y=band,
                fill='toself',
                fillcolor=theme.BLUE_BAND,
                line={'width': 0, 'color': theme.BLUE},
                mode='lines',
                name='95 % interval',
                hoverinfo='skip',
            )
        )
        drawn.add_trace(go.Scatter(mode='lines', line={'color': theme.BLUE, 'width': 2}, **shown))
    drawn.update_yaxes(range=[-0.02, 1.04], tickformat='.0%')
    drawn.update_xaxes(**theme.whole_numbers(len(known)))
    alt = '; '.join(f'generation {entry["generation"]}: {interval_text(entry["hit_rate"])}' for entry in known[:10])
    return Plot('plot-rates', drawn, alt)


#: Groups of evaluations: key of the audit, key of the group's name, and the column's heading.
GROUPS = (
    ('by_arm', 'arm', 'chosen as'),
    ('by_generator', 'generator', '{key} found by'),
    ('by_proposer', 'proposer', '{content} proposed by'),
    ('by_surrogate', 'surrogate', 'surrogate'),
    ('by_acquisition', 'acquisition', 'acquisition'),
)


def _groups(record: CampaignRecord, figures: dict[str, Any]) -> Markup:
    """One table of the hit rates of groups."""
    space = record.space
    content = 'structure' if space.of_crystals else space.noun
    rows = []
    for key, name, heading in GROUPS:
        title = escape(heading.format(key=space.key_name, content=content))
        for entry in figures.get(key) or []:
            rate = entry.get('hit_rate', {})
            counts = entry.get('evaluations', {})
            group = str(entry.get(name, ''))
            rows.append(
                f'<tr><td>{title}</td><th scope="row">{escape(ARMS.get(group, group) or "not recorded")}</th>'
                f'<td class="n">{number(counts.get("total"))}</td><td class="n">{number(counts.get("failed"))}</td>'
                f'<td class="n">{number(counts.get("distinct_hits"))}</td><td>{escape(interval_text(rate))}</td></tr>'
            )
    if not rows:
        return Markup()
    return Markup(  # noqa: S704 (every text was escaped above)
        '<div class="scroll"><table class="plain"><caption>Hit rates of groups of evaluations</caption><thead><tr>'
        '<th>grouped by</th><th>group</th><th class="n">evaluations</th><th class="n">failed</th>'
        f'<th class="n">hits</th><th>hit rate</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
