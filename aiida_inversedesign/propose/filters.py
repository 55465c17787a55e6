"""The filters a candidate passes, each giving a verdict that is kept with the candidate."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from aiida_inversedesign.campaign.candidate import Verdict
from aiida_inversedesign.campaign.composition import composition_verdicts
from aiida_inversedesign.campaign.goal import CompositionConstraint
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.oxidation import charge_score, oxidation_score
from aiida_inversedesign.chemistry.validity import charge_neutral, closest_contact
from aiida_inversedesign.propose.build import Built
from aiida_inversedesign.propose.volumes.volume import VolumeEstimate

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

#: A template that fills more space than this, in sums of element volumes, is molecular or a framework with guests
#: left out; 99 % of the Materials Project crystals have less than 1.6.
MAX_PACKING = 2.0
#: a cell is widened for a short contact by at most this many expected errors of its volume
WIDENING = 2.0


def charge_verdict(counts: Mapping[str, int], mode: Literal['off', 'prefer', 'require']) -> Verdict | None:
    """Whether the formula can be neutral: value is the soft score of the charge balance, 0 to 1.

    ``require`` rejects what common oxidation states do not balance, ``prefer`` only reports it, ``off`` is not looked
    at (None). As a hard filter the rule would reject a quarter of the known stable compounds
    (:mod:`aiida_inversedesign.chemistry.oxidation`).
    """
    if mode == 'off':
        return None
    neutral = charge_neutral(counts)
    reason = '' if neutral else 'common oxidation states do not balance'
    return Verdict(neutral or mode == 'prefer', charge_score(counts), reason)


def composition_verdict(counts: Mapping[str, int], constraints: Sequence[CompositionConstraint]) -> Verdict:
    """Whether a formula keeps the composition constraints: value is that of the first it breaks."""
    for found in composition_verdicts(counts, constraints):
        if not found.passed:
            return Verdict(False, found.value, f'{found.label}: {found.reason}')
    return Verdict(True)


def oxidation_verdict(counts: Mapping[str, int]) -> Verdict:
    """How usual the best oxidation states are: value 0 to 1; never a reason to reject."""
    return Verdict(True, oxidation_score(counts))


def sites_verdict(crystal: Crystal, most: int) -> Verdict:
    """Whether the cell has at most ``most`` sites: value is their number."""
    passed = crystal.nsites <= most
    return Verdict(passed, float(crystal.nsites), '' if passed else f'{crystal.nsites} sites are more than {most}')


def volume_verdict(estimate: VolumeEstimate) -> Verdict:
    """Whether the predicted volume is that of a crystal: value is its expected relative error."""
    if estimate.packing > MAX_PACKING:
        reason = f'an open template: {estimate.packing:.1f} times the sum of its element volumes'
        return Verdict(False, estimate.error, reason)
    return Verdict(True, estimate.error)


def distance_verdict(crystal: Crystal, least: float) -> Verdict:
    """Whether all contacts, periodic images included, are at least ``least`` sums of covalent radii.

    Pairs that bind shorter in known compounds have limits of their own (:mod:`aiida_inversedesign.chemistry.contacts`).
    Value is the contact that comes nearest to its limit, in these sums.
    """
    contact = closest_contact(crystal, least)
    if contact.ratio >= contact.limit:
        return Verdict(True, contact.ratio)
    first, second = contact.elements
    return Verdict(
        False,
        contact.ratio,
        f'{first}–{second} are {contact.distance:.2f} Å apart, {contact.ratio:.2f} of their covalent radii '
        f'(at least {contact.limit:.2f})',
    )


def widened(built: Built, least: float) -> Built:
    """The crystal with its cell widened until every contact keeps its limit, if the volume's error allows that much.

    :returns: the same crystal if no contact is too short, or if widening would need more than twice the volume's error.
    """
    contact = closest_contact(built.crystal, least)
    if contact.ratio >= contact.limit:
        return built
    # a little more than needed, so that rounding does not undo it
    factor = (contact.limit / contact.ratio) ** 3 * (1 + 1e-9)
    if factor - 1 > WIDENING * built.estimate.error:
        return built
    volume = built.estimate.volume * factor
    estimate = dataclasses.replace(built.estimate, volume=volume, scale=built.estimate.scale * factor)
    return dataclasses.replace(built, crystal=built.crystal.scaled_to(volume), estimate=estimate)


class Duplicates:
    """Finds crystals that equal an earlier one: StructureMatcher (ltol 0.2, stol 0.3, angle 5°) within a formula.

    :param evaluated: crystals evaluated before, to which new ones are compared as well.
    """

    def __init__(self, evaluated: Iterable[Crystal] = ()) -> None:
        self._seen: dict[str, list[tuple[str, Structure]]] = defaultdict(list)
        for crystal in evaluated:
            # a relaxation may have led to a smaller primitive cell
            structure = crystal.to_pymatgen().get_primitive_structure()
            structure = structure.get_reduced_structure('niggli')
            self._seen[crystal.formula].append(('an evaluated crystal', structure))

    @cached_property
    def _matcher(self) -> StructureMatcher:
        from pymatgen.analysis.structure_matcher import StructureMatcher

        return StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5, primitive_cell=False)

    def verdict(self, name: str, crystal: Crystal) -> Verdict:
        """Whether no earlier crystal is the same; if so, it is remembered under ``name``."""
        # reduced once here, where the matcher would reduce both structures in every comparison
        structure = crystal.to_pymatgen().get_reduced_structure('niggli')
        for earlier, other in self._seen[crystal.formula]:
            # both are primitive, so different numbers of sites cannot match
            if len(other) == len(structure) and self._matcher.fit(other, structure, skip_structure_reduction=True):
                return Verdict(False, None, f'the same structure as {earlier}')
        self._seen[crystal.formula].append((name, structure))
        return Verdict(True)
