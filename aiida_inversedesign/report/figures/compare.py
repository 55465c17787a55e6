"""Several campaigns side by side: key figures in a table, hits and best-so-far in one plot each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.properties import property_text, unit_text
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.figures.progress import Axis
from aiida_inversedesign.report.section import Plot, Section, html_table
from aiida_inversedesign.report.words import interval_text, number, plot_text

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
        style: dict[str, Any] = {'shape': 'hv', 'width': 2.5, 'dash': ('solid', 'dash', 'dot', 'dashdot')[index % 4]}
        colour = theme.CYCLE[index % len(theme.CYCLE)]
        drawn.add_trace(theme.line(spent, values, plot_text(_name(record)), colour, **style))
    return Plot(f'plot-compare-{what}', drawn, f'{title} of {len(campaigns)} campaigns.')


def _table(campaigns: Sequence[Audited]) -> Markup:
    rows: list[tuple[str, Callable[[CampaignRecord, dict[str, Any]], str]]] = [
        ('evaluations', lambda _, figures: number(figures['evaluations']['total'])),
        ('failed', lambda _, figures: number(figures['evaluations']['failed'])),
        ('distinct hits', lambda _, figures: number(figures['evaluations']['distinct_hits'])),
        ('hit rate', lambda _, figures: interval_text(figures['hit_rate'])),
        ('DFT calculations', lambda _, figures: number(figures['dft_calculations']['total'])),
        ('core-hours', lambda _, figures: number(figures.get('core_hours'), 3)),
        ('first hit at evaluation', lambda _, figures: number((figures.get('first_hit') or {}).get('evaluation'))),
        ('DFT calculations per distinct hit', lambda _, figures: number(figures.get('dft_per_hit'), 3)),
        ('best', _best),
        ('acquisition', lambda record, _: record.settings.select.acquisition),
        ('surrogate', lambda record, _: record.settings.learn.surrogate),
        ('proposal', lambda record, _: record.settings.propose.sources_in_words),
        ('ended', lambda record, _: record.stop_reason or record.exit_message or record.state),
    ]
    cells = ([name, *(text(record, figures) for record, figures in campaigns)] for name, text in rows)
    return html_table(['', *(_name(record) for record, _ in campaigns)], cells, names=0, wrap=True)


def _best(record: CampaignRecord, figures: dict[str, Any]) -> str:
    if not figures['best']:
        return '–'
    name = record.goal.objectives[0].property
    entry = figures['best'][0]
    value = entry['properties'][name]
    return (
        f'{entry["key"]}, {number(value, record.digits(name).of(value))} {unit_text(record.units.get(name))}'.rstrip()
    )
