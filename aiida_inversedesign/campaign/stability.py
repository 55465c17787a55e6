"""The energies above the hull of all evaluations so far, computed again after each batch. Imports no aiida."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.row import KNOWN, EvaluationRow, is_hit
from aiida_inversedesign.chemistry.hull import Phase, convex_hull


def with_stability(
    rows: Sequence[EvaluationRow], references: Mapping[str, float], goal: Goal
) -> tuple[list[EvaluationRow], dict[str, dict[str, Any]]]:
    """Every row with its energy above the hull of all completed rows and the elements.

    A crystal found later can lie below an earlier one: the figures of earlier rows change with the hull, and with them
    whether a row is a hit. A row whose elements lack a reference, or that has no energy, has no such figure.

    :param rows: evaluations so far. Starting data stay as they are: their energies are of other settings.
    :param references: energy of each elemental crystal at the campaign's settings, eV/atom.
    :param goal: says what a hit is.
    :returns: the rows, and for each completed one what it was measured against: ``e_above_hull`` (eV/atom, or None),
        ``decomposition``, ``hull`` (names of the phases), ``considered``, ``reason``.
    """
    phases = [
        Phase(row.candidate, row.proposed.counts, row.properties['energy'])
        for row in rows
        if row.status == 'completed' and 'energy' in row.properties and row.arm != KNOWN
    ]
    stability = convex_hull(phases, references).stability
    found = []
    for row in rows:
        if row.status != 'completed' or row.arm == KNOWN:
            found.append(row)
            continue
        properties = {name: value for name, value in row.properties.items() if name != STABILITY}
        known = stability.get(row.candidate)
        if known is not None and known.e_above_hull is not None:
            properties[STABILITY] = known.e_above_hull
        found.append(replace(row, properties=properties, hit=is_hit(goal, properties)))
    return found, {name: item.to_dict() for name, item in stability.items()}
