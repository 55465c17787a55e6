"""Draws the figures of ``benchmark discovery``."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.cli.printing import draw, number, ranking_table, say


def show_discovery(data: dict[str, Any]) -> None:
    """The figures of ``benchmark discovery``; 95 % intervals over the systems in brackets."""
    plan, screen = data['plan'], data['screen']
    say(
        f'{data["n"]} systems with {data["truths"]} stable compounds, {data["stable_truths"]} of them stable at the '
        f'oracle {data["oracle"]["potential"]} (at most {plan["tolerance"]} eV/atom above its hull); '
        f'{plan["budget"]} evaluations each; {plan["top_k"]} templates a formula by {plan["method"]}'
        + (f'; screening by {screen["potential"]}' if screen else '')
    )
    marks = list(next(iter(data['arms'].values()))['stable_at'])
    table = ranking_table(
        f'Distinct stable crystals after so many evaluations: mean [95 %], n = {data["n"]}', 'arm', *marks, 'known'
    )
    for name, arm in data['arms'].items():
        table.add_row(name, *(_interval(arm['stable_at'][mark], 1) for mark in marks), _interval(arm['known'], 1))
    draw(table)
    table = ranking_table(
        'Against random, and costs in CPU seconds a system', 'arm', 'enrichment', 'accel.', 'area', 'arm', 'oracle'
    )
    for name, arm in data['arms'].items():
        table.add_row(
            name,
            _interval(arm['enrichment'], 2, 'value'),
            _interval(arm['acceleration'], 2, 'value'),
            _interval(arm['area'], 3),
            number(arm['cpu_seconds']['mean']),
            number(arm['oracle_cpu_seconds']['mean']),
        )
    draw(table)
    if data['paired']['against']:
        title = f'{data["paired"]["first"]} against each other arm, in how many systems'
        table = ranking_table(title, 'arm', 'difference', 'more', 'equal', 'fewer', 'p')
        for name, row in data['paired']['against'].items():
            counts = [str(row[key]) for key in ('more', 'equal', 'fewer')]
            table.add_row(name, _interval(row['difference'], 2), *counts, f'{row["p"]:.2g}')
        draw(table)
    for note in data['notes']:
        say(note)
    for item in data['systems']:
        if 'reason' in item:
            say(f'not searched: {item["reason"]}')


def _interval(figure: dict[str, Any], digits: int, key: str = 'mean') -> str:
    if figure[key] is None:
        return '–'
    value = f'{figure[key]:.{digits}f}'
    return value if figure['low'] is None else f'{value} [{figure["low"]:.{digits}f}–{figure["high"]:.{digits}f}]'
