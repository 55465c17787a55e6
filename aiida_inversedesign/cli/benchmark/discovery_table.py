"""Draws the figures of ``benchmark discovery``."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show_discovery(data: dict[str, Any]) -> None:
    """The figures of ``benchmark discovery``; 95 % intervals over the systems in brackets."""
    console = Console()
    plan, screen = data['plan'], data['screen']
    console.print(
        f'{data["n"]} systems with {data["truths"]} stable compounds, {data["stable_truths"]} of them stable at the '
        f'oracle {data["oracle"]["potential"]} (at most {plan["tolerance"]} eV/atom above its hull); '
        f'{plan["budget"]} evaluations each; {plan["top_k"]} templates a formula by {plan["method"]}'
        + (f'; screening by {screen["potential"]}' if screen else ''),
        highlight=False,
    )
    marks = list(next(iter(data['arms'].values()))['stable_at'])
    table = _table(f'Distinct stable crystals after so many evaluations: mean [95 %], n = {data["n"]}', *marks, 'known')
    for name, arm in data['arms'].items():
        table.add_row(name, *(_interval(arm['stable_at'][mark], 1) for mark in marks), _interval(arm['known'], 1))
    console.print(table)
    table = _table('Against random, and costs in CPU seconds a system', 'enrichment', 'accel.', 'area', 'arm', 'oracle')
    for name, arm in data['arms'].items():
        table.add_row(
            name,
            _interval(arm['enrichment'], 2, 'value'),
            _interval(arm['acceleration'], 2, 'value'),
            _interval(arm['area'], 3),
            _number(arm['cpu_seconds']['mean']),
            _number(arm['oracle_cpu_seconds']['mean']),
        )
    console.print(table)
    if data['paired']['against']:
        title = f'{data["paired"]["first"]} against each other arm, in how many systems'
        table = _table(title, 'difference', 'more', 'equal', 'fewer', 'p')
        for name, row in data['paired']['against'].items():
            counts = [str(row[key]) for key in ('more', 'equal', 'fewer')]
            table.add_row(name, _interval(row['difference'], 2), *counts, f'{row["p"]:.2g}')
        console.print(table)
    for note in data['notes']:
        console.print(note, markup=False, highlight=False)
    for item in data['systems']:
        if 'reason' in item:
            console.print(f'not searched: {item["reason"]}', markup=False, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify='left', box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column('arm', no_wrap=True)
    for name in columns:
        table.add_column(name, justify='right')
    return table


def _interval(figure: dict[str, Any], digits: int, key: str = 'mean') -> str:
    if figure[key] is None:
        return '–'
    value = f'{figure[key]:.{digits}f}'
    return value if figure['low'] is None else f'{value} [{figure["low"]:.{digits}f}–{figure["high"]:.{digits}f}]'


def _number(value: float | None) -> str:
    return '–' if value is None else f'{value:.3g}'
