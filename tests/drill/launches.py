"""The table engine's own record of what it ran, against what the provenance says. Imports no aiida."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Launch:
    """One start of the engine's program.

    :param crystal: content hash of the structure.
    :param folder: where it ran, which belongs to one job.
    :param end: None if it never said that it ended.
    :param failed: whether it was told to fail.
    """

    crystal: str
    folder: str
    start: float
    end: float | None
    failed: bool


@dataclass(frozen=True)
class Row:
    """One row of the campaign's final table: the crystal, and whether it was completed."""

    candidate: str
    crystal: str
    completed: bool


def read_launches(file: Path) -> list[Launch]:
    """Every start in the order in which they happened, joined with its end."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    ends: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        if line['event'] == 'end':
            ends[line['folder']].append(line['time'])
    found = []
    for line in lines:
        if line['event'] == 'start':
            own = ends[line['folder']]
            found.append(
                Launch(line['crystal'], line['folder'], line['time'], own.pop(0) if own else None, line['failed'])
            )
    return found


def most_at_once(launches: Iterable[Launch]) -> int:
    """The largest number that ran at the same time; one without an end counts at its start alone."""
    events = []
    for item in launches:
        events += [(item.start, 1), (item.end if item.end is not None else item.start, -1)]
    running = most = 0
    for _, step in sorted(events, key=lambda event: (event[0], event[1])):
        running += step
        most = max(most, running)
    return most


def compare(
    launches: list[Launch], rows: list[Row], audit: Mapping[str, Any], budget: int, at_once: int
) -> dict[str, Any]:
    """Figures of a drill, and everything in which the record and the provenance differ.

    A program that was cut down has a start in the record and no end. It may be launched again; one that has come to its
    end may not, and one that never came to its end is lost.

    :param audit: what ``audit --format json`` says.
    :param budget: evaluations that the campaign was allowed.
    :param at_once: evaluations that it was allowed to run side by side.
    """
    by_crystal = defaultdict(list)
    for launch in launches:
        by_crystal[launch.crystal].append(launch)
    table = {row.crystal: row for row in rows}
    problems = []
    # only the last launch of a crystal may have come to its end
    twice = {crystal: found for crystal, found in by_crystal.items() if any(item.end for item in found[:-1])}
    for crystal, found in twice.items():
        problems.append(f'launched {len(found)} times: {crystal[:12]} in {", ".join(item.folder for item in found)}')
    ended = {crystal for crystal, found in by_crystal.items() if any(item.end for item in found)}
    lost = {crystal for crystal in by_crystal if crystal not in table}
    problems += [f'launched, but not in the table: {crystal[:12]}' for crystal in sorted(lost)]
    cut = sorted(crystal for crystal in table if crystal not in ended)
    problems += [f'{table[crystal].candidate} failed, but its program never came to its end' for crystal in cut]
    if len(table) != len(rows):
        problems.append(f'{len(rows) - len(table)} rows of the table repeat a crystal')
    for row in rows:
        done = [item for item in by_crystal.get(row.crystal, []) if item.end is not None and not item.failed]
        if row.completed != bool(done):
            wrong = (
                'completed, but its program did not end well' if row.completed else 'failed, but its program ended well'
            )
            problems.append(f'{row.candidate} is {wrong}')
    before_audit = len(problems)
    evaluations = audit['evaluations']
    expected = {
        'total': len(by_crystal),
        'completed': len({item.crystal for item in launches if item.end is not None and not item.failed}),
    }
    expected['failed'] = expected['total'] - expected['completed']
    for name, number in expected.items():
        if evaluations[name] != number:
            problems.append(f'audit: {name} {evaluations[name]}, the record says {number}')
    agrees = len(problems) == before_audit
    if len(by_crystal) > budget:
        problems.append(f'{len(by_crystal)} evaluations, the budget allows {budget}')
    if len(rows) < budget:
        problems.append(f'{len(rows)} rows, {budget} evaluations were to be made')
    if most_at_once(launches) > at_once:
        problems.append(f'{most_at_once(launches)} ran at once, allowed are {at_once}')
    return {
        'launches': len(launches),
        'rows': len(rows),
        'completed': sum(row.completed for row in rows),
        'evaluations': len(by_crystal),
        'lost': len(lost) + len(cut) + max(0, budget - len(rows)),
        'cut_short': sum(item.end is None for item in launches),
        'twice': len(twice),
        'over_budget': max(0, len(by_crystal) - budget),
        'most_at_once': most_at_once(launches),
        'audit': 'equal' if agrees else 'differs',
        'problems': problems,
    }
