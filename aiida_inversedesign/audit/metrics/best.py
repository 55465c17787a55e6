"""The best things that were found: copies merged, each with its symmetry and how stable it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.row import is_feasible, loss

#: The property that distinguishes polymorphs of one formula, eV/atom.
_ENERGY = 'energy'


def things(outcomes: Sequence[EvaluationRecord]) -> dict[str, list[EvaluationRecord]]:
    """The completed evaluations by what they ended in: those of one list are copies of its first, whose id is the key.

    :param outcomes: in the order of the launches.
    """
    first: dict[str, str] = {}
    found: dict[str, list[EvaluationRecord]] = {}
    for outcome in outcomes:
        if outcome.status == 'completed':
            root = first[outcome.candidate] = first.get(outcome.copy_of, outcome.copy_of) or outcome.candidate
            found.setdefault(root, []).append(outcome)
    return found


def best(
    outcomes: Sequence[EvaluationRecord],
    goal: Goal,
    number: int = 5,
    e_above_hull: Mapping[str, float] | None = None,
    same_settings: bool = True,
) -> list[dict[str, Any]]:
    """The things with the least loss among those that keep the constraints, each by its best evaluation.

    ``copies`` names the other evaluations that ended in the same thing, ``templates`` the different templates that led
    there. ``e_above_polymorph`` is the energy above the lowest polymorph of the formula that was evaluated, eV/atom,
    ``polymorphs`` how many were.

    :param number: at most so many.
    :param e_above_hull: energy above the hull by candidate, eV/atom, where it is known.
    :param same_settings: whether energies were computed by the campaign itself and may be compared.
    """
    lowest = lowest_polymorphs(outcomes) if same_settings else {}
    found = best_of_each(outcomes, goal)[:number]
    return [described(item, group, lowest, e_above_hull or {}) for item, group in found]


def known(points: Sequence[EvaluationRecord], goal: Goal, file: str) -> dict[str, Any] | None:
    """The starting data: where they are from, how many there are, the best of them, and the first objective's values.

    None of it is in any other figure.
    """
    if not points:
        return None
    ranked, name = best_of_each(points, goal), goal.objectives[0].property
    return {
        'file': file,
        'points': len(points),
        'failed': sum(item.status == 'failed' for item in points),
        'best': {key: getattr(ranked[0][0], key) for key in ('candidate', 'key', 'properties')} if ranked else None,
        'values': [item.properties[name] for item in points if name in item.properties],
    }


def described(
    item: EvaluationRecord,
    group: Sequence[EvaluationRecord],
    lowest: Mapping[str, tuple[float, int]],
    e_above_hull: Mapping[str, float],
) -> dict[str, Any]:
    """One of the best, as :func:`best` lists it; determining its symmetry takes milliseconds.

    :param group: all evaluations that ended in the same thing.
    :param lowest: as :func:`lowest_polymorphs` gives it.
    """
    keys = ('candidate', 'key', 'template', 'generation', 'arm', 'properties', 'hit')
    return {
        **{key: getattr(item, key) for key in keys},
        'copies': [other.candidate for other in group if other is not item],
        'templates': sorted({other.template for other in group if other.template}),
        **symmetry_of(item),
        **_stability(item, group, lowest, e_above_hull),
    }


def best_of_each(
    outcomes: Sequence[EvaluationRecord], goal: Goal
) -> list[tuple[EvaluationRecord, list[EvaluationRecord]]]:
    """The evaluation with the least loss of each thing, if it keeps the constraints, with all evaluations of the thing.

    :return: the least loss first.
    """
    name = goal.objectives[0].property
    found = []
    for group in things(outcomes).values():
        able = [item for item in group if name in item.properties and is_feasible(goal, item.properties)]
        if able:
            found.append((_over_repeats(min(able, key=lambda item: loss(goal, item.properties)), group), group))
    return sorted(found, key=lambda pair: loss(goal, pair[0].properties))


def _over_repeats(item: EvaluationRecord, group: Sequence[EvaluationRecord]) -> EvaluationRecord:
    """The best of a group with means of what was measured again: the largest of several measurements is too large."""
    if not any(other.arm == 'replicate' for other in group):
        return item
    names = {name: [other.properties[name] for other in group if name in other.properties] for name in item.properties}
    return replace(item, properties={name: math.fsum(values) / len(values) for name, values in names.items()})


def symmetry_of(item: EvaluationRecord) -> dict[str, Any]:
    """Space group and prototype of the crystal that an evaluation ended in; empty where it is not a crystal."""
    if not item.is_crystal:
        return {}
    from aiida_inversedesign.chemistry.symmetry import symmetry_dataset

    found = symmetry_dataset(item.result)
    return {
        'space_group': None if found is None else {'symbol': found.international, 'number': int(found.number)},
        'prototype': item.result_prototype,
    }


def lowest_polymorphs(outcomes: Sequence[EvaluationRecord]) -> dict[str, tuple[float, int]]:
    """The lowest energy of each formula among the completed evaluations (eV/atom), and of how many polymorphs."""
    energies: dict[str, list[float]] = {}
    for group in things(outcomes).values():
        own = [item.properties[_ENERGY] for item in group if _ENERGY in item.properties]
        if own:
            energies.setdefault(group[0].key, []).append(min(own))
    return {key: (min(values), len(values)) for key, values in energies.items()}


def _stability(
    item: EvaluationRecord,
    group: Sequence[EvaluationRecord],
    lowest: Mapping[str, tuple[float, int]],
    e_above_hull: Mapping[str, float],
) -> dict[str, Any]:
    """How stable an evaluated crystal is, as far as that is known; of its copies the lowest energy counts."""
    found: dict[str, Any] = {}
    energies = [other.properties[_ENERGY] for other in group if _ENERGY in other.properties]
    if item.is_crystal and item.key in lowest and energies:
        energy, polymorphs = lowest[item.key]
        found = {'e_above_polymorph': min(energies) - energy, 'polymorphs': polymorphs}
    above = e_above_hull.get(item.candidate, item.properties.get(STABILITY))
    return found if above is None else {**found, STABILITY: above}
