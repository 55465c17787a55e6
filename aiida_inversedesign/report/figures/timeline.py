"""When what ran: calculation jobs on a time axis, or the evaluations where the engine makes no jobs."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida_inversedesign.audit.frames import job_end
from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.figures.costs import kinds
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import count, duration, key_plain, moment, plot_text

#: Jobs beyond which evaluations are drawn instead, and evaluations beyond which generations are.
MOST = 4000


@dataclass(frozen=True)
class Span:
    """Something that ran from ``start`` to ``end``."""

    start: datetime
    end: datetime
    group: str
    label: str
    failed: bool


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Spans in as many rows as there were at once."""
    title = 'Timeline'
    spans, what = _spans(record)
    if not spans:
        return Section('timeline', title, reason='nothing has been launched, or no times are recorded')
    rows = lanes(spans)
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    lead = (
        f'{count(len(spans), what)} from {moment(first)} to {moment(last)} '
        f'({duration((last - first).total_seconds())}), at most {max(rows) + 1} at once. '
        'A job counts from its creation, waiting in queues included.'
    )
    return Section('timeline', title, lead, (_plot(spans, rows, what),))


def _spans(record: CampaignRecord) -> tuple[list[Span], str]:
    now = record.changed
    keys = {item.candidate: item.key for item in record.evaluations}
    words = kinds()
    ends = {item.pk: item.ended for item in record.evaluations}
    jobs = [
        Span(
            job.created,
            max(job_end(job, ends) or now, job.created),
            words.get(job.kind, job.kind) + (' (cached)' if job.cached else ''),
            f'{key_plain(record, keys.get(job.evaluation, ""))} {job.evaluation}'.strip(),
            job.has_failed,
        )
        for job in record.jobs
    ]
    if jobs and len(jobs) <= MOST:
        return jobs, 'calculation job'
    evaluations = [
        Span(
            item.started,
            max(item.ended or now, item.started),
            item.status,
            f'{key_plain(record, item.key)} {item.candidate}',
            item.status == 'failed',
        )
        for item in record.evaluations
        if item.started is not None
    ]
    if len(evaluations) <= MOST:
        return evaluations, 'evaluation'
    return [
        Span(item.created, max(item.changed, item.created), 'generation', f'generation {item.number}', False)
        for item in record.generations
    ], 'generation'


def lanes(spans: Sequence[Span]) -> list[int]:
    """A row for each span, so that spans of one row do not overlap and rows are as few as possible."""
    rows = [0] * len(spans)
    free: list[int] = []
    busy: list[tuple[datetime, int]] = []
    used = 0
    for position in sorted(range(len(spans)), key=lambda index: spans[index].start):
        while busy and busy[0][0] <= spans[position].start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            rows[position] = heapq.heappop(free)
        else:
            rows[position], used = used, used + 1
        heapq.heappush(busy, (spans[position].end, rows[position]))
    return rows


def _plot(spans: Sequence[Span], rows: Sequence[int], what: str) -> Plot:
    import plotly.graph_objects as go

    height = 130 + min(14 * (max(rows) + 1), 420)
    drawn = theme.figure('', 'at once', height=height)
    width = max(2, min(9, 420 // (max(rows) + 1)))
    groups = list(dict.fromkeys(span.group for span in sorted(spans, key=lambda span: span.start)))
    for number, group in enumerate(groups):
        x: list[str | None] = []
        y: list[int | None] = []
        text: list[str | None] = []
        for span, row in zip(spans, rows, strict=True):
            if span.group == group:
                words = f'{plot_text(span.label)}<br>{duration((span.end - span.start).total_seconds())}'
                words += ', failed' if span.failed else ''
                x += [_time(span.start), _time(span.end), None]
                y += [row + 1, row + 1, None]
                text += [words, words, None]
        drawn.add_trace(
            go.Scatter(
                x=x,
                y=y,
                text=text,
                mode='lines',
                line={'color': theme.CYCLE[number % len(theme.CYCLE)], 'width': width},
                name=plot_text(group),
                hovertemplate='%{text}<extra>%{fullData.name}</extra>',
            )
        )
    failed = [(span, row) for span, row in zip(spans, rows, strict=True) if span.failed]
    if failed:
        drawn.add_trace(
            go.Scatter(
                x=[_time(span.end) for span, _ in failed],
                y=[row + 1 for _, row in failed],
                mode='markers',
                marker={'symbol': 'x', 'size': 7, 'color': theme.VERMILLION, 'line': {'width': 1, 'color': theme.TEXT}},
                name='failed',
                showlegend='failed' not in groups,
                hoverinfo='skip',
            )
        )
    drawn.update_yaxes(**theme.whole_numbers(max(rows) + 1), range=[0.3, max(rows) + 1.7], showgrid=False)
    drawn.update_xaxes(type='date')
    return Plot('plot-timeline', drawn, f'{len(spans)} {what}s, at most {max(rows) + 1} at once.')


def _time(time: datetime) -> str:
    """To a tenth of a second, without the zone, which plotly does not know."""
    return time.strftime('%Y-%m-%d %H:%M:%S.') + f'{time.microsecond // 100000}'
