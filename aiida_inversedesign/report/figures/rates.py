"""Hit rates: per generation with their intervals, and by what found, predicted or chose the evaluations."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.random_search import random_hits
from aiida_inversedesign.report.section import Plot, Section, html_table
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
        drawn.add_trace(theme.line([None], [None], 'base rate of a random choice', theme.GREY, dash='dot'))
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
        bars, marker = theme.error_bars(rates, theme.BLUE), {'color': theme.BLUE, 'size': 9}
        drawn.add_trace(go.Scatter(mode='markers', marker=marker, error_y=bars, showlegend=False, **shown))
    else:
        low, high = ([rate[end] for rate in rates] for end in ('low', 'high'))
        drawn.add_trace(theme.band(numbers, low, high, '95 % interval', theme.BLUE_BAND))
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
        title = heading.format(key=space.key_name, content=content)
        for entry in figures.get(key) or []:
            counts, group = entry.get('evaluations', {}), str(entry.get(name, ''))
            numbers = [number(counts.get(kind)) for kind in ('total', 'failed', 'distinct_hits')]
            label = ARMS.get(group, group) or 'not recorded'
            rows.append([title, label, *numbers, interval_text(entry.get('hit_rate', {}))])
    heads = ('grouped by', 'group', 'evaluations', 'failed', 'hits', 'hit rate')
    caption = 'Hit rates of groups of evaluations'
    return html_table(heads, rows, caption, numbers=range(2, 5), names=1) if rows else Markup()
