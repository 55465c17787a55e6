"""What came after each fault: how long until the campaign launched again, and who saw to it. Imports no aiida."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from launches import Launch


@dataclass(frozen=True)
class Strike:
    """One fault that happened.

    :param time: when, in seconds since 1970.
    :param fault: its name.
    :param hit: what was hit.
    """

    time: float
    fault: str
    hit: str


@dataclass(frozen=True)
class Action:
    """One thing that ``tend`` did."""

    time: float
    kind: str
    reason: str
    done: str


def read_actions(file: Path) -> list[Action]:
    """What ``tend --format json`` wrote; lines of another kind are skipped."""
    found = []
    for line in file.read_text().splitlines() if file.exists() else ():
        if line.startswith('{'):
            data = json.loads(line)
            found.append(Action(data['time'], data['action'], data['reason'], data['done']))
    return found


def recoveries(
    strikes: Sequence[Strike], launches: Iterable[Launch], actions: Iterable[Action]
) -> list[dict[str, Any]]:
    """One row for each strike.

    :returns: rows with ``fault``, ``hit``, ``running`` (evaluations at that moment), ``back_after`` (s until the next
        launch, None if none came) and ``actions`` (what ``tend`` did before that launch, or the next strike if
        that is later).
    """
    launches, actions = list(launches), list(actions)
    rows = []
    for index, strike in enumerate(strikes):
        later = [item.start for item in launches if item.start > strike.time]
        # what the next fault interrupts goes on afterwards
        end = max(strikes[index + 1].time, min(later, default=0.0)) if index + 1 < len(strikes) else float('inf')
        rows.append(
            {
                'time': strike.time,
                'fault': strike.fault,
                'hit': strike.hit,
                'running': sum(
                    item.start <= strike.time and (item.end is None or item.end > strike.time) for item in launches
                ),
                'back_after': min(later) - strike.time if later else None,
                'actions': [item.kind for item in actions if strike.time <= item.time < end],
            }
        )
    return rows


#: what the actions of ``tend`` are called in the table
WORDS = {'end': 'workers ended in time', 'restart': 'daemon restarted', 'play': 'paused jobs played', 'wait': 'waited'}


def by_fault(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each kind of fault: how often, how many evaluations ran, how soon it went on, and by whom."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row['fault'], []).append(row)
    found = []
    for fault, group in sorted(groups.items()):
        waits = [row['back_after'] for row in group if row['back_after'] is not None]
        kinds = [kind for kind in WORDS if any(kind in row['actions'] for row in group)]
        by_itself = sum(not row['actions'] for row in group)
        means = [f'{WORDS[kind]} ({sum(kind in row["actions"] for row in group)})' for kind in kinds]
        found.append(
            {
                'fault': fault,
                'times': len(group),
                'running': sum(row['running'] for row in group),
                'median_back_s': round(median(waits)) if waits else None,
                'most_back_s': round(max(waits)) if waits else None,
                'by': ', '.join([*([f'AiiDA alone ({by_itself})'] if by_itself else []), *means]),
            }
        )
    return found
