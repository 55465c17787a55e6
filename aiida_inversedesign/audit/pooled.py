"""Several campaigns side by side and pooled, from their audits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import mean_interval, unknown

SCHEMA = 'inversedesign/1'


@dataclass(frozen=True)
class Figure:
    """A figure that is compared; none can be negative.

    :param of: its value in the audit of a campaign, or None where it is not known.
    :param most: it cannot be larger. :param own: whether the audit gives it an interval of its own.
    """

    of: Callable[[dict[str, Any]], float | None]
    most: float = math.inf
    own: bool = False


def _with_interval(name: str, most: float = math.inf) -> Figure:
    return Figure(lambda report: report[name].get('value'), most, own=True)


FIGURES: dict[str, Figure] = {
    'evaluations': Figure(lambda report: report['evaluations']['total']),
    'distinct_hits': Figure(lambda report: report['evaluations']['distinct_hits']),
    # what completed without ending in what had been evaluated
    'distinct': Figure(lambda report: report['evaluations']['completed'] - report['evaluations']['copies']),
    'first_hit': Figure(lambda report: (report['first_hit'] or {}).get('evaluation')),
    'hit_rate': _with_interval('hit_rate', most=1.0),
    'dft_calculations': Figure(lambda report: report['dft_calculations']['total']),
    'core_hours': Figure(lambda report: report['core_hours']),
    'acceleration': _with_interval('acceleration'),
    'enrichment': _with_interval('enrichment'),
}


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
            own = report[name] if figure.own else {}
            column[name] = {'value': figure.of(report), 'low': own.get('low'), 'high': own.get('high')}
            if own.get('reason'):
                column[name]['reason'] = own['reason']
        columns.append(column)
    values = {name: [column[name]['value'] for column in columns] for name in FIGURES}
    return {
        'schema': SCHEMA,
        'campaigns': columns,
        'same_goal': all(report['goal'] == reports[0]['goal'] for report in reports),
        'pooled': {name: _mean(figure, values[name]) for name, figure in FIGURES.items()},
    }


def _mean(figure: Figure, values: Sequence[float | None]) -> dict[str, Any]:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return unknown('it is not known of any of the campaigns', low=None, high=None, n=0)
    low, high = mean_interval(known, 0.0, figure.most) or (None, None)
    return {'value': float(known.mean()), 'low': low, 'high': high, 'n': len(known)}
