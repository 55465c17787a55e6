"""Several campaigns side by side and pooled, from their audits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import mean_interval, unknown

SCHEMA = 'inversedesign/1'


def _value(report: dict[str, Any], name: str) -> float | None:
    item = report[name]
    return item.get('value') if isinstance(item, dict) else item


#: Figures that are compared: one number of each campaign, or None where it is not known.
FIGURES: dict[str, Callable[[dict[str, Any]], float | None]] = {
    'evaluations': lambda report: report['evaluations']['total'],
    'distinct_hits': lambda report: report['evaluations']['distinct_hits'],
    # what completed without ending in what had been evaluated
    'distinct': lambda report: report['evaluations']['completed'] - report['evaluations']['copies'],
    'first_hit': lambda report: (report['first_hit'] or {}).get('evaluation'),
    'hit_rate': lambda report: _value(report, 'hit_rate'),
    'dft_calculations': lambda report: report['dft_calculations']['total'],
    'core_hours': lambda report: report['core_hours'],
    'acceleration': lambda report: _value(report, 'acceleration'),
    'enrichment': lambda report: _value(report, 'enrichment'),
}
#: Those that a campaign's own audit gives an interval.
_WITH_INTERVAL = ('hit_rate', 'acceleration', 'enrichment')


def compared(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Campaigns side by side (``campaigns``), and the mean of each figure over them (``pooled``).

    :param reports: what :func:`aiida_inversedesign.audit.audit.audit` returns for each.
    :returns: ``same_goal``: whether hits of the campaigns mean the same; ``pooled``: for each figure ``value``,
        Student's 95 % interval of the mean over the campaigns, and ``n``, the campaigns of which it is known; it is
        about the mean of campaigns like these, e.g. with other seeds.
    """
    columns = []
    for report in reports:
        column = {'uuid': report['campaign']['uuid'], 'name': report['campaign']['name']}
        for name, figure in FIGURES.items():
            own = report[name] if name in _WITH_INTERVAL else {}
            column[name] = {'value': figure(report), 'low': own.get('low'), 'high': own.get('high')}
            if own.get('reason'):
                column[name]['reason'] = own['reason']
        columns.append(column)
    return {
        'schema': SCHEMA,
        'campaigns': columns,
        'same_goal': all(report['goal'] == reports[0]['goal'] for report in reports),
        'pooled': {name: _mean(name, [column[name]['value'] for column in columns]) for name in FIGURES},
    }


def _mean(name: str, values: Sequence[float | None]) -> dict[str, Any]:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return unknown('it is not known of any of the campaigns', low=None, high=None, n=0)
    # none of the figures can be negative
    low, high = mean_interval(known, 0.0) or (None, None)
    if high is not None and name == 'hit_rate':
        high = min(high, 1.0)
    return {'value': float(known.mean()), 'low': low, 'high': high, 'n': len(known)}
