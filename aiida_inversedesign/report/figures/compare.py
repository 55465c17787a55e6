"""Several campaigns side by side: key figures in a table, hits and best-so-far in one plot each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.properties import unit_text
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.figures.progress import Axis
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import interval_text, number, plot_text, property_text

Audited = tuple[CampaignRecord, dict[str, Any]]


def section(campaigns: Sequence[Audited]) -> Section:
    """The comparison; best values are drawn only where all campaigns have the same first objective."""
    objectives = {str(record.goal.objectives[0].model_dump(exclude_none=True)) for record, _ in campaigns}
    axis = 'dft_calculations' if all(figures['dft_calculations']['total'] for _, figures in campaigns) else 'evaluation'
    plots, notes = [], []
    if len(objectives) == 1:
        plots.append(_plot(campaigns, axis, 'best'))
    else:
        notes.append('Best values are not drawn together: the campaigns have different objectives.')
    if all(record.goal.defines_hits for record, _ in campaigns):
        plots.append(_plot(campaigns, axis, 'hits'))
    lead = 'This campaign, the first column, compared with others. All later sections are about this campaign alone.'
    return Section('comparison', 'Comparison', lead, tuple(plots), _table(campaigns), notes=tuple(notes))


def _name(record: CampaignRecord) -> str:
    return f'{record.name} ({record.pk})'


def _plot(campaigns: Sequence[Audited], axis: str, what: str) -> Plot:
    import plotly.graph_objects as go

    record = campaigns[0][0]
    name = record.goal.objectives[0].property
    title = plot_text(property_text(name, record.units.get(name))) if what == 'best' else 'distinct hits'
    across = 'DFT calculations spent' if axis == 'dft_calculations' else 'evaluations'
    drawn = theme.figure(across, title, height=340)
    for index, (record, figures) in enumerate(campaigns):
        steps = figures['progress']
        spent = Axis(axis, [step[axis] for step in steps]).spent
        if what == 'best':
            values = [step['best'] for step in steps]
        else:
            spent = [0.0, *spent]
            values = [0, *accumulate(int(step['hit'] is True and not step['copy_of']) for step in steps)]
        drawn.add_trace(
            go.Scatter(
                x=spent,
                y=theme.lean(values),
                mode='lines',
                line={
                    'shape': 'hv',
                    'width': 2.5,
                    'color': theme.CYCLE[index % len(theme.CYCLE)],
                    'dash': ('solid', 'dash', 'dot', 'dashdot')[index % 4],
                },
                name=plot_text(_name(record)),
            )
        )
    return Plot(f'plot-compare-{what}', drawn, f'{title} of {len(campaigns)} campaigns.')


def _table(campaigns: Sequence[Audited]) -> Markup:
    rows: list[tuple[str, list[str]]] = [
        ('evaluations', [number(figures['evaluations']['total']) for _, figures in campaigns]),
        ('failed', [number(figures['evaluations']['failed']) for _, figures in campaigns]),
        ('distinct hits', [number(figures['evaluations']['distinct_hits']) for _, figures in campaigns]),
        ('hit rate', [interval_text(figures['hit_rate']) for _, figures in campaigns]),
        ('DFT calculations', [number(figures['dft_calculations']['total']) for _, figures in campaigns]),
        ('core-hours', [number(figures.get('core_hours'), 3) for _, figures in campaigns]),
        (
            'first hit at evaluation',
            [number((figures.get('first_hit') or {}).get('evaluation')) for _, figures in campaigns],
        ),
        ('DFT calculations per distinct hit', [number(figures.get('dft_per_hit'), 3) for _, figures in campaigns]),
        ('best', [_best(record, figures) for record, figures in campaigns]),
        ('acquisition', [record.settings.select.acquisition for record, _ in campaigns]),
        ('surrogate', [record.settings.learn.surrogate for record, _ in campaigns]),
        ('proposal', [record.settings.propose.sources_in_words for record, _ in campaigns]),
        ('ended', [record.stop_reason or record.exit_message or record.state for record, _ in campaigns]),
    ]
    heads = Markup().join(Markup('<th>{}</th>').format(_name(record)) for record, _ in campaigns)
    body = Markup().join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            name, Markup().join(Markup('<td>{}</td>').format(value) for value in values)
        )
        for name, values in rows
    )
    return Markup(
        '<div class="scroll"><table class="plain wrap"><thead><tr><th></th>{}</tr></thead><tbody>{}</tbody></table>'
        '</div>'
    ).format(heads, body)


def _best(record: CampaignRecord, figures: dict[str, Any]) -> str:
    if not figures['best']:
        return '–'
    name = record.goal.objectives[0].property
    entry = figures['best'][0]
    value = entry['properties'][name]
    return (
        f'{entry["key"]}, {number(value, record.digits(name).of(value))} {unit_text(record.units.get(name))}'.rstrip()
    )
