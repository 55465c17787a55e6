"""From proposals to hits: how many candidates are left after each step, and what each filter said."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import interval_text, number, percent


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Proposed → valid → novel → evaluated → completed → hit."""
    title = 'From proposals to hits'
    counts = figures['evaluations']
    steps: list[tuple[str, int]] = []
    notes = []
    if record.candidates:
        steps.append(('proposed', len(record.candidates)))
        steps.append(('valid', sum(candidate.accepted for candidate in record.candidates)))
    else:
        notes.append('Proposals are not drawn: no pool of candidates is recorded.')
    novelty = figures.get('novelty') or {}
    novel = round(novelty['value'] * novelty['n']) if novelty.get('value') is not None else None
    of_all = novelty.get('of') == 'all'
    if novel is not None:
        if of_all:
            steps.append(('novel', novel))
        notes.append(f'Novel, not in the library by structure and space group: {interval_text(novelty)}.')
    elif record.candidates and record.space.of_crystals:
        notes.append(f'Novelty is not drawn: {novelty.get("reason", "it is not recorded")}.')
    uniqueness = figures.get('uniqueness') or {}
    if uniqueness.get('value') is not None:
        notes.append(f'Unique, not equal to an earlier proposal: {interval_text(uniqueness)}.')
    steps.append(('evaluated', counts['total']))
    if novel is not None and not of_all:
        steps.append(('evaluated and novel', novel))
    steps.append(('completed', counts['completed']))
    if record.goal.defines_hits:
        steps.append(('hits', counts['hits']))
    else:
        notes.append('Hits are not drawn: no hit threshold is set.')
    if not any(value for _, value in steps):
        return Section('funnel', title, reason='nothing has been proposed or evaluated', notes=tuple(notes))
    lead = 'How many candidates passed each step; valid means accepted by every filter.'
    if novel is not None:
        lead += ' Novelty is no condition: what is evaluated, completed or a hit need not be novel.'
    return Section(
        'funnel', title, lead, (_funnel(steps),), _filters(figures.get('validity') or {}), notes=tuple(notes)
    )


def _funnel(steps: list[tuple[str, int]]) -> Plot:
    import plotly.graph_objects as go

    drawn = theme.figure('candidates', '', height=70 + 40 * len(steps), bargap=0.3)
    largest = max(value for _, value in steps)
    labels = []
    for place, (_, value) in enumerate(steps):
        before = steps[place - 1][1] if place else 0
        # ends that do not follow from each other have no share
        follows = place > 0 and 'novel' not in steps[place - 1][0] and 0 < value <= before
        share = f'  ({percent(value / before)} of {steps[place - 1][0]})' if follows else ''
        labels.append(number(value) + share)
    inside = [value > 0.6 * largest for _, value in steps]
    drawn.add_trace(
        go.Bar(
            x=[value for _, value in steps],
            y=[name for name, _ in steps],
            orientation='h',
            marker={'color': [theme.GREEN if name == 'hits' else theme.BLUE for name, _ in steps]},
            text=labels,
            textposition=['inside' if is_inside else 'outside' for is_inside in inside],
            insidetextanchor='start',
            insidetextfont={'color': theme.ON_BAR},
            cliponaxis=False,
            hovertemplate='%{y}: %{x}<extra></extra>',
        )
    )
    drawn.update_yaxes(autorange='reversed', showline=False, ticks='', title={'text': ''})
    drawn.update_xaxes(rangemode='tozero', **theme.whole_numbers(largest))
    return Plot('plot-funnel', drawn, ', '.join(f'{name} {value}' for name, value in steps))


def _filters(validity: dict[str, Any]) -> Markup:
    """What each filter let pass."""
    filters = validity.get('filters') or []
    if not filters:
        return Markup()
    rows = ''.join(
        f'<tr><th scope="row">{escape(str(entry["filter"]).replace("_", " "))}</th>'
        f'<td class="n">{number(entry["considered"])}</td><td class="n">{number(entry["passed"])}</td>'
        f'<td class="n">{percent(entry["share"])}</td></tr>'
        for entry in filters
    )
    return Markup(  # noqa: S704 (names were escaped above)
        '<div class="scroll"><table class="plain"><caption>Filters, in the order they were applied</caption><thead><tr>'
        '<th>filter</th><th class="n">considered</th><th class="n">passed</th><th class="n">share</th></tr></thead>'
        f'<tbody>{rows}</tbody></table></div>'
    )
