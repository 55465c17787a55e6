"""Energies above the convex hull of the campaign's own calculations and references."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiida_inversedesign.audit.metrics.intervals import share, unknown
from aiida_inversedesign.audit.record import EvaluationRecord
from aiida_inversedesign.chemistry.formula_spelling import FormulaError
from aiida_inversedesign.chemistry.formulas import parse_formula

#: What counts as near the hull, eV/atom.
NEAR = 0.1
#: Rounding of energies above the hull, eV/atom.
ON = 1e-6


def stability(outcomes: Sequence[EvaluationRecord], references: Mapping[str, float]) -> dict[str, Any]:
    """Share of completed evaluations on the convex hull of this snapshot, and within 0.1 eV/atom of it.

    The hull is made of the completed evaluations and the elemental references, all at the campaign's own settings;
    the phases on it are named. Where the campaign looked ``e_above_hull`` up in a data set, that is what counts.

    :param references: energy of each elemental crystal, eV/atom.
    """
    from aiida_inversedesign.chemistry.hull import HullError, Phase, convex_hull

    completed = [outcome for outcome in outcomes if outcome.status == 'completed']
    if not references:
        known = {
            item.candidate: item.properties['e_above_hull'] for item in completed if 'e_above_hull' in item.properties
        }
        if not known:
            return unknown('no elemental references and no energies above a hull are recorded', n=0)
        return {**_shares(known), 'phases': None, 'phases_reason': 'the values are those of the data set'}
    phases, unread = [], []
    for outcome in completed:
        if 'energy' in outcome.properties:
            try:
                phases.append(Phase(outcome.candidate, parse_formula(outcome.key), outcome.properties['energy']))
            except FormulaError:
                unread.append(outcome.candidate)
    if unread and not phases:
        return unknown(f'the formulas of {len(unread)} evaluations cannot be read', n=0)
    if not phases:
        return unknown('no completed evaluation has an energy', n=0)
    try:
        hull = convex_hull(phases, references)
    except HullError as error:
        return unknown(str(error), n=0)
    found = {name: item.e_above_hull for name, item in hull.stability.items() if item.e_above_hull is not None}
    if not found:
        return unknown('every evaluation has an element without a reference energy', n=0)
    named = sorted({name for item in hull.stability.values() for name in item.hull})
    return {
        **_shares(found),
        'without_reference': len(phases) - len(found),
        'unreadable_formulas': len(unread),
        'phases': {'hull': named, 'considered': len(phases), 'references': dict(sorted(references.items()))},
    }


def stable_unique_novel(
    completed: Sequence[EvaluationRecord], e_above_hull: Mapping[str, float], new: Collection[str] | None
) -> dict[str, Any]:
    """Share of completed evaluations that are stable, unique and novel, as benchmarks of generative models report it.

    Stable is at most 0.1 eV/atom above the hull of this campaign; unique is not a copy of an earlier evaluation; novel
    matches no entry of the template library (the threshold of C. Zeni et al., Nature 639, 624 (2025)).

    :param e_above_hull: eV/atom by candidate. :param new: candidates that are novel; None if that is not known.
    """
    if not e_above_hull:
        return unknown('no energies above a hull are known', n=0)
    if new is None:
        return unknown('whether crystals are novel is not known', n=0)
    found = [
        item
        for item in completed
        if e_above_hull.get(item.candidate, NEAR + 1) <= NEAR and not item.copy_of and item.candidate in new
    ]
    return {**share(len(found), len(completed)), 'within_eV_per_atom': NEAR}


def _shares(found: Mapping[str, float]) -> dict[str, Any]:
    return {
        **share(sum(value <= ON for value in found.values()), len(found)),
        'near': {**share(sum(value <= NEAR for value in found.values()), len(found)), 'within_eV_per_atom': NEAR},
        'e_above_hull': {name: max(value, 0.0) for name, value in sorted(found.items())},
    }
