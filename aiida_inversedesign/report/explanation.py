"""What the model has learned, on the page: the pictures of ``explain``, its rules, and why the last were chosen."""

from __future__ import annotations

import base64
from typing import Any

from markupsafe import Markup

from aiida_inversedesign.audit.explanation_plot import captions, figures, png
from aiida_inversedesign.report.section import Section, html_table
from aiida_inversedesign.report.words import number, percent

TITLE = 'What it has learned'


def section(explained: dict[str, Any]) -> Section:
    """The section of an explanation, or why there is none."""
    if 'models' not in explained:
        return Section('learned', TITLE, reason=explained['reason'])
    titles, body = captions(explained), Markup()
    for name, figure in figures(explained).items():
        body += Markup(
            '<figure class="{2}"><img alt="{0}" src="data:image/png;base64,{1}"><figcaption>{0}</figcaption></figure>'
        ).format(titles[name], base64.b64encode(png(figure)).decode(), name.partition('_')[0])
    notes = [f'{name}: {reason}.' for name, reason in explained['not_explained'].items()]
    if not explained['rules']['rules']:
        notes.append(f'No rules: {explained["rules"]["reason"]}.')
    for name, model in explained['models'].items():
        limits = model['domain']
        near, far = limits['by_distance'][0], limits['by_distance'][-1]
        notes.append(
            f'Where not to believe it: {percent(limits["beyond"])} of the candidates lie farther from the evaluations '
            f'than 95 % of these from each other. Of {name} the mean absolute error of left-out rows is '
            f'{number(near["mae"], 3)} in the nearest third and {number(far["mae"], 3)} in the farthest.'
        )
    lead = (
        'The model fitted again without a fifth of the evaluations, ten times. Descriptors that go together count '
        'as one group.'
    )
    return Section('learned', TITLE, lead, body=body + _choices(explained), notes=tuple(notes))


def _choices(explained: dict[str, Any]) -> Markup:
    """A table of the last choices with what mean and uncertainty contributed."""
    rows = []
    for item in explained['choices']:
        parts, change = item.get('contributions'), item.get('change')
        near = '; '.join(
            f'{one["key"]} ({", ".join(number(value) for value in one["values"].values())})'
            for one in item.get('neighbours', [])
        )
        row = [
            f'{item["candidate"]} {item["key"]}',
            '; '.join(f'{number(mean)} ± {number(deviation, 2)}' for mean, deviation in item['predicted'].values()),
            *(number(parts[key], 3) if parts else '–' for key in ('score', 'mean', 'uncertainty')),
            near or '–',
            f'{change["next_key"]} ({change["next"]})' if change else '–',
        ]
        rows.append(row)
    heads = (
        'chosen',
        'predicted',
        'score',
        'by its mean',
        'by its uncertainty',
        'nearest evaluated',
        'next in the order',
    )
    return Markup('<h3>Why the last were chosen</h3>') + html_table(heads, rows, wrap=True) if rows else Markup()
