"""What each DFT calculation was spent on: by what it computed, and by what became of the evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.campaign.contracts.job_kinds import job_words
from aiida_inversedesign.graph.job_record import JobRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import count, number, sentence

FATES = (
    ('hit', 'distinct hits', theme.GREEN),
    ('completed', 'completed, no hit', theme.BLUE),
    ('copy', 'copies of what had been evaluated', theme.ORANGE),
    ('failed', 'failed evaluations', theme.VERMILLION),
    ('reference', 'elemental references', theme.PURPLE),
    ('stopped', 'stopped with the campaign', theme.SKY),
    ('running', 'running or launched again', theme.GREY),
)


def kinds() -> dict[str, str]:
    """What each kind of job is called, in the order in which they are drawn."""
    return {**job_words(), 'reference': 'elemental reference', 'generator': 'generator', 'other': 'other'}


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Calculation jobs by kind and fate."""
    title = 'What the calculations were spent on'
    jobs = [job for job in record.jobs if not job.cached]
    cached = len(record.jobs) - len(jobs)
    if not jobs:
        why = 'every job is a copy from the cache' if cached else 'the engine made no calculation job'
        return Section('costs', title, reason=why)
    dft = [job for job in jobs if job.is_dft]
    counted = dft or jobs
    word = 'DFT calculation' if dft else 'calculation job'
    failed = sum(job.has_failed for job in counted)
    lead = (
        f'{count(len(counted), word)} in all: '
        f'{number(failed)} failed, {number(sum(job.has_residual for job in counted))} converged with a residual above '
        f'threshold, {number(sum(job.is_restart for job in counted))} restarts, '
        f'{number(sum(job.is_reference for job in counted))} for elemental references.'
    )
    if cached:
        lead += f' {count(cached, "copy", "copies")} from the cache cost nothing and are not counted.'
    notes = []
    hours = figures.get('core_hours')
    missing = figures.get('core_hours_not_recorded') or {}
    if hours is not None:
        text = f'Recorded: {number(hours)} core-hours'
        if missing.get('jobs'):
            text += f'; {number(missing["jobs"])} of {number(missing["of"])} jobs have no record of their wall time'
        notes.append(text + '.')
    elif figures.get('core_hours_reason'):
        notes.append(f'Core-hours: {figures["core_hours_reason"]}.')
    return Section('costs', title, lead, (_by_kind(counted, word), _by_fate(record, counted, word)), notes=tuple(notes))


def _by_kind(jobs: Sequence[JobRecord], word: str) -> Plot:
    words, made = kinds(), Counter(job.kind for job in jobs)
    shown = [kind for kind in words if made[kind]]
    groups: tuple[tuple[str, str, str, Callable[[JobRecord], bool]], ...] = (
        ('first attempt', theme.BLUE, '', lambda job: not (job.is_restart or job.has_failed or job.has_residual)),
        ('restart', theme.SKY, '/', lambda job: job.is_restart and not (job.has_failed or job.has_residual)),
        ('converged with a residual', theme.PURPLE, '.', lambda job: job.has_residual),
        ('failed', theme.VERMILLION, 'x', lambda job: job.has_failed),
    )
    drawn = theme.figure(f'{word}s', '', height=90 + 38 * len(shown), barmode='stack', bargap=0.35)
    numbers: dict[str, Counter[str]] = {}
    for name, colour, pattern, belongs in groups:
        numbers[name] = Counter(job.kind for job in jobs if belongs(job))
        _bar(drawn, [words[kind] for kind in shown], [numbers[name][kind] for kind in shown], name, colour, pattern)
    drawn.update_yaxes(autorange='reversed', showline=False, ticks='')
    alt = ', '.join(f'{words[kind]} {made[kind]}' for kind in shown)
    return Plot('plot-kinds', drawn, alt, sentence(f'{word}s by what they computed.'))


def _by_fate(record: CampaignRecord, jobs: Sequence[JobRecord], word: str) -> Plot:
    fates: dict[str, str] = {}
    for item in record.evaluations:
        fates[item.candidate] = 'copy' if item.copy_of else 'hit' if item.hit else item.status
    spent: Counter[str] = Counter()
    last = {item.candidate: item.pk for item in record.evaluations}
    for job in jobs:
        if job.is_reference:
            spent['reference'] += 1
        elif last.get(job.evaluation) not in (None, job.evaluation_id):
            spent['running'] += 1
        else:
            spent[fates.get(job.evaluation, 'running')] += 1
    shown = [fate for fate in FATES if spent[fate[0]]]
    drawn = theme.figure(f'{word}s', '', height=150, barmode='stack', showlegend=True)
    for key, name, colour in shown:
        _bar(drawn, [''], [spent[key]], f'{name}: {number(spent[key])}', colour, '')
    drawn.update_yaxes(showline=False, ticks='', showticklabels=False)
    alt = ', '.join(f'{name}: {spent[key]}' for key, name, _ in shown)
    return Plot('plot-fates', drawn, alt, 'The same by what became of the evaluation they were made for.')


def _bar(drawn: Any, names: list[str], values: list[int], name: str, colour: str, pattern: str) -> None:
    import plotly.graph_objects as go

    drawn.add_trace(
        go.Bar(
            x=values,
            y=names,
            orientation='h',
            name=name,
            marker={
                'color': colour,
                'pattern': {
                    'shape': pattern,
                    'size': 6,
                    'fillmode': 'overlay',
                    'fgcolor': '#ffffff',
                    'fgopacity': 0.55,
                },
            },
            text=[number(value) if value else '' for value in values],
            textposition='inside',
            insidetextanchor='middle',
            hovertemplate='%{y} %{x}<extra>' + name + '</extra>',
        )
    )
