"""From proposals to hits: how many candidates are left after each step, and what each filter said."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section, html_table
from aiida_inversedesign.report.words import interval_text, number, percent


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Proposed → valid → evaluated → completed → distinct → distinct hit, each a part of the one before."""
    title = 'From proposals to hits'
    counts = figures['evaluations']
    steps: list[tuple[str, int]] = []
    notes = []
    if record.candidates:
        steps.append(('proposed', len(record.candidates)))
        steps.append(('valid', sum(candidate.accepted for candidate in record.candidates)))
    else:
        notes.append('Proposals are not drawn: no pool of candidates is recorded.')
    steps += [('evaluated', counts['total']), ('completed', counts['completed'])]
    if record.space.of_crystals:
        steps.append(('distinct', counts['completed'] - counts['copies']))
        notes += _compared(figures)
    if record.goal.defines_hits:
        steps.append(('distinct hits', counts['distinct_hits']))
    else:
        notes.append('Hits are not drawn: no hit threshold is set.')
    if not any(value for _, value in steps):
        return Section('funnel', title, reason='nothing has been proposed or evaluated', notes=tuple(notes))
    lead = f'How many candidates passed each step, in per cent of those {steps[0][0]}; valid: accepted by every filter'
    lead += (
        '; distinct: the evaluation ended in a crystal that none before it had.' if record.space.of_crystals else '.'
    )
    return Section(
        'funnel', title, lead, (_funnel(steps),), _filters(figures.get('validity') or {}), notes=tuple(notes)
    )


def _compared(figures: dict[str, Any]) -> list[str]:
    """How many of the evaluated crystals are unique and novel, and of the proposals, or why that is not known."""
    notes = []
    for name, words in (
        ('uniqueness', 'Unique, equal to no earlier one'),
        ('novelty', 'Novel, not among the {library} entries of the template library'),
    ):
        figure, proposals = figures.get(name) or {}, figures.get(f'{name}_of_proposals') or {}
        if figure.get('value') is None:
            notes.append(f'{name.capitalize()} is not known: {figure.get("reason", "it is not recorded")}.')
            continue
        text = f'{words.format_map(figure)}: {interval_text(figure)} of the evaluated crystals'
        if proposals.get('value') is not None:
            text += f'; as proposed {percent(proposals["value"])}'
        if figure.get('prototype'):
            text += f'; a prototype that no entry has: {percent(figure["prototype"]["value"])}'
        notes.append(f'{text}.')
    return notes


def _funnel(steps: list[tuple[str, int]]) -> Plot:
    import plotly.graph_objects as go

    drawn = theme.figure('candidates', '', height=70 + 40 * len(steps), bargap=0.3)
    largest = max(value for _, value in steps)
    labels = []
    whole = steps[0][1]
    for index, (_, value) in enumerate(steps):
        # what was evaluated before a pool was recorded is not part of the pool
        share = f'  ({percent(value / whole)})' if index and whole and value <= whole else ''
        labels.append(number(value) + share)
    inside = [value > 0.6 * largest for _, value in steps]
    drawn.add_trace(
        go.Bar(
            x=[value for _, value in steps],
            y=[name for name, _ in steps],
            orientation='h',
            marker={'color': [theme.GREEN if name == 'distinct hits' else theme.BLUE for name, _ in steps]},
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
    rows = [
        [
            str(entry['filter']).replace('_', ' '),
            *(number(entry['considered']), number(entry['passed']), percent(entry['share'])),
        ]
        for entry in filters
    ]
    heads = ('filter', 'considered', 'passed', 'share')
    return html_table(heads, rows, 'Filters, in the order they were applied', numbers=range(1, 4), names=0)
