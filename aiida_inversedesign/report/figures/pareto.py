"""Trade-offs: the Pareto front of several objectives, or the objective against its first constraint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.audit.record import CampaignRecord, EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal, Objective
from aiida_inversedesign.campaign.properties import property_text
from aiida_inversedesign.campaign.row import is_feasible
from aiida_inversedesign.report import theme
from aiida_inversedesign.report.section import Plot, Section
from aiida_inversedesign.report.words import NAMED, count, hover_names, plot_text

#: Most pairs of objectives that are drawn.
MOST_PAIRS = 3


def section(record: CampaignRecord, figures: dict[str, Any]) -> Section | None:
    """The front, or None where there is only one property to look at."""
    goal = record.goal
    names = goal.properties
    if len(names) < 2:
        return None
    several = len(goal.objectives) > 1
    title = 'Pareto front' if several else 'Objective and constraints'
    able = [
        item for item in record.evaluations if item.status == 'completed' and all(n in item.properties for n in names)
    ]
    if not able:
        return Section('pareto', title, reason='no completed evaluation has every property of the goal')
    kept = [item for item in able if is_feasible(goal, item.properties)]
    front = pareto_front(goal, kept)
    chosen = [objective.property for objective in goal.objectives] if several else names
    pairs = list(combinations(dict.fromkeys(chosen), 2))[:MOST_PAIRS]
    if not several:
        pairs = [(name, names[0]) for name in names[1:]][:MOST_PAIRS]
    plots = tuple(_pair(record, able, front, pair, index, several) for index, pair in enumerate(pairs))
    if several:
        lead = (
            f'{count(len(front), "evaluation")} of {len(able)} cannot be improved in one objective without losing in '
            'another, among those that keep every constraint.'
        )
        if len(goal.objectives) > 2:
            lead += ' The front is that of all objectives; each plot shows two of them.'
    else:
        lead = f'{count(len(kept), "completed evaluation")} of {len(able)} keep every constraint.'
    return Section('pareto', title, lead, plots)


def losses(objective: Objective, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far values, any shape, are from the optimum of an objective, in its unit: smaller is better."""
    if objective.kind == 'maximize':
        return -values
    if objective.kind == 'minimize':
        return values
    if objective.target is not None:
        return np.abs(values - objective.target)
    low, high = objective.hit_range or (-np.inf, np.inf)
    return np.maximum(np.maximum(low - values, values - high), 0.0)


def pareto_front(goal: Goal, items: Sequence[EvaluationRecord]) -> list[EvaluationRecord]:
    """Those that no other is at least as good as in every objective and better in one.

    :param items: with every objective's property.
    """
    if not items:
        return []
    points = np.column_stack(
        [-losses(one, np.array([item.properties[one.property] for item in items])) for one in goal.objectives]
    )
    return [item for item, kept in zip(items, front(points), strict=True) if kept]


def front(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other one dominates (more is better), shape (n,)."""
    mask = np.ones(len(points), dtype=bool)
    for index in np.argsort(-points.sum(axis=1), kind='stable'):
        if mask[index]:
            worse = (points <= points[index]).all(axis=1) & (points < points[index]).any(axis=1)
            mask &= ~worse
    return mask


def _pair(
    record: CampaignRecord,
    able: Sequence[EvaluationRecord],
    front: Sequence[EvaluationRecord],
    pair: tuple[str, str],
    index: int,
    several: bool,
) -> Plot:
    import plotly.graph_objects as go

    across, up = pair
    labels = [plot_text(property_text(name, record.units.get(name))) for name in pair]
    drawn = theme.figure(labels[0], labels[1], height=440)
    goal = record.goal
    groups: tuple[tuple[str, str, str, Callable[[EvaluationRecord], bool]], ...] = (
        ('breaks a constraint', theme.VERMILLION, 'x-thin-open', lambda item: not is_feasible(goal, item.properties)),
        ('evaluation', theme.GREY, 'circle', lambda item: is_feasible(goal, item.properties) and not item.hit),
        ('hit', theme.GREEN, 'star', lambda item: bool(item.hit)),
    )
    values = f'%{{x:.{record.digits(across).most}g}}, %{{y:.{record.digits(up).most}g}}'
    hover = f'{NAMED}<br>{values}<extra></extra>'
    for group, colour, symbol, belongs in groups:
        chosen = [item for item in able if belongs(item)]
        if chosen:
            x, y = ([item.properties[name] for item in chosen] for name in pair)
            marker = {'color': colour, 'symbol': symbol, 'size': 12 if symbol == 'star' else 8, 'opacity': 0.85}
            names = hover_names(record, ((item.key, item.candidate) for item in chosen))
            drawn.add_trace(theme.points(theme.lean(x), y, group, marker, names, hover))
    if several and front:
        ordered = sorted(front, key=lambda item: item.properties[across])
        drawn.add_trace(
            go.Scatter(
                x=theme.lean(item.properties[across] for item in ordered),
                y=theme.lean(item.properties[up] for item in ordered),
                mode='lines+markers' if len(goal.objectives) == 2 else 'markers',
                line={'color': theme.BLUE, 'width': 1.5, 'dash': 'dot'},
                marker={'color': theme.BLUE, 'symbol': 'circle-open', 'size': 14, 'line': {'width': 2}},
                name='Pareto front',
                hoverinfo='skip',
            )
        )
    for name, is_across in ((across, True), (up, False)):
        for bound in _bounds(goal, name):
            line = {'color': theme.MUTED, 'width': 1, 'dash': 'dash'}
            drawn.add_vline(bound, line=line) if is_across else drawn.add_hline(bound, line=line)
    alt = f'{labels[1]} against {labels[0]} of {count(len(able), "evaluation")}.'
    return Plot(f'plot-pareto-{index}', drawn, alt, 'Dashed: limits of hits and constraints.')


def _bounds(goal: Goal, name: str) -> list[float]:
    """The finite limits of a property."""
    limits: list[float | None] = []
    for objective in goal.objectives:
        if objective.property == name:
            limits += objective.hit_range or ()
    for constraint in goal.constraints:
        if constraint.property == name:
            limits += [constraint.min, constraint.max]
    return [limit for limit in limits if limit is not None and abs(limit) != float('inf')]
