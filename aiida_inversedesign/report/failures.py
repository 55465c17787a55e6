"""Failures in plain words: each reason with how often it occurred, and the jobs behind it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from markupsafe import Markup, escape

from aiida_inversedesign.audit.record import CampaignRecord
from aiida_inversedesign.graph.evaluation_account import ENDED
from aiida_inversedesign.report.section import Section, html_table
from aiida_inversedesign.report.words import count, key_html, number, percent, sentence

#: Examples named for each reason.
EXAMPLES = 6


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section:
    """Reasons of failed evaluations, then of failed jobs."""
    title = 'Failures'
    ended = [item for item in record.evaluations if item.status in ENDED]
    failed = [item for item in ended if item.status == 'failed']
    jobs = [job for job in record.jobs if job.has_failed and not job.cached]
    if not failed and not jobs:
        return Section('failures', title, reason='nothing has failed' if ended else 'no evaluation has ended')
    lead = f'{sentence(count(len(failed), "evaluation"))} of {number(len(ended))} failed'
    lead += f' ({percent(len(failed) / len(ended))}).' if ended else '.'
    lead += ' Failed evaluations count as cost and stay in every hit rate.'
    body = Markup()
    if failed:
        reasons: dict[str, list[Markup]] = defaultdict(list)
        for item in failed:
            words = item.reason or (
                f'exit code {item.exit_status}, without a reason' if item.exit_status else 'no reason is recorded'
            )
            reasons[words].append(Markup('{} ({})').format(key_html(record, item.key), item.candidate))
        body += _table('Failed evaluations', 'evaluations', reasons)
    if jobs:
        causes: dict[str, list[Markup]] = defaultdict(list)
        for job in jobs:
            causes[job.failure or 'no reason is recorded'].append(escape(job.evaluation))
        body += _table('Failed calculation jobs, restarted ones included', 'jobs', causes)
    return Section('failures', title, lead, body=body)


def _table(caption: str, word: str, reasons: dict[str, list[Markup]]) -> Markup:
    rows = []
    for reason, examples in sorted(reasons.items(), key=lambda entry: -len(entry[1])):
        distinct = list(dict.fromkeys(examples))
        more = f' and {len(distinct) - EXAMPLES} more' if len(distinct) > EXAMPLES else ''
        rows.append([number(len(examples)), reason, Markup(', ').join(distinct[:EXAMPLES]) + more])
    return html_table((word, 'why', 'where'), rows, caption, numbers=(0,), wrap=True)
