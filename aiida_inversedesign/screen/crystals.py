"""Screens of crystals: composition, charge, number of sites, volume and contacts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import cast

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.screen import Screen, ScreenRequest
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.chemistry.oxidation import charge_score, oxidation_score
from aiida_inversedesign.chemistry.validity import charge_neutral, closest_contact
from aiida_inversedesign.screen.composition import composition_verdicts
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

#: A template that fills more space than this, in sums of element volumes, is molecular or a framework with guests
#: left out; 99 % of the Materials Project crystals have less than 1.6.
MAX_PACKING = 2.0

Verdicts = list[Verdict | None]


class OfCrystals(Screen):
    """A screen that gives one verdict at a time."""

    spaces = ('crystals',)

    def judge(self, candidates: Sequence[Candidate], request: ScreenRequest) -> Verdicts:
        """One verdict after the other; what depends on the formula alone is found once for each formula."""
        if not self.by_key:
            return [self.verdict(candidate, request) for candidate in candidates]
        found: dict[str, Verdict | None] = {}
        for candidate in candidates:
            if candidate.key not in found:
                found[candidate.key] = self.verdict(candidate, request)
        return [found[candidate.key] for candidate in candidates]

    @staticmethod
    def space(request: ScreenRequest) -> CrystalSpace:
        """The section ``space``."""
        return cast(CrystalSpace, request.spec.space)

    @abstractmethod
    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict | None:
        """The verdict on one candidate."""


class Composition(OfCrystals):
    """Whether a formula keeps the constraints of ``goal.composition``: value is that of the first it breaks."""

    name = 'composition'
    by_key = True

    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict | None:
        """No verdict without constraints."""
        constraints = request.spec.goal.composition
        if not constraints:
            return None
        for found in composition_verdicts(parse_formula(candidate.key), constraints):
            if not found.passed:
                return Verdict(False, found.value, f'{found.label}: {found.reason}')
        return Verdict(True)


class Charge(OfCrystals):
    """Whether the formula can be neutral: value is the soft score of the charge balance, 0 to 1.

    ``require`` rejects what common oxidation states do not balance, ``prefer`` only reports it, ``off`` is not looked
    at. As a hard filter the rule would reject a quarter of the known stable compounds
    (:mod:`aiida_inversedesign.chemistry.oxidation`).
    """

    name = 'charge'
    by_key = True

    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict | None:
        """By the mode of ``space.charge_neutral``; entries of a library are taken as they are."""
        mode = self.space(request).charge_neutral
        if mode == 'off' or candidate.proposer == 'library':
            return None
        counts = parse_formula(candidate.key)
        neutral = charge_neutral(counts)
        reason = '' if neutral else 'common oxidation states do not balance'
        return Verdict(neutral or mode == 'prefer', charge_score(counts), reason)


class Oxidation(OfCrystals):
    """How usual the best oxidation states are: value 0 to 1; never a reason to reject."""

    name = 'oxidation'

    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict | None:
        """Beside the verdict on the charge."""
        if self.space(request).charge_neutral == 'off' or candidate.proposer == 'library':
            return None
        return Verdict(True, oxidation_score(parse_formula(candidate.key)))


class Sites(OfCrystals):
    """Whether the cell has at most ``space.max_sites`` sites: value is their number."""

    name = 'sites'

    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict:
        """By the number of sites."""
        number, most = candidate.content.nsites, self.space(request).max_sites
        return Verdict(number <= most, float(number), '' if number <= most else f'{number} sites are more than {most}')


class Volume(OfCrystals):
    """Whether the predicted volume is that of a crystal: value is its expected relative error."""

    name = 'volume'

    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict | None:
        """No verdict where the volume was not predicted."""
        if candidate.packing is None:
            return None
        if candidate.packing > MAX_PACKING:
            reason = f'an open template: {candidate.packing:.1f} times the sum of its element volumes'
            return Verdict(False, candidate.volume_error, reason)
        return Verdict(True, candidate.volume_error)


class Distance(OfCrystals):
    """Whether all contacts, periodic images included, are at least ``propose.min_distance`` sums of covalent radii.

    Elements that are closer in known compounds have lower limits (:mod:`aiida_inversedesign.chemistry.contacts`).
    Value is the contact that comes nearest to its limit, in these sums.
    """

    name = 'distance'

    def verdict(self, candidate: Candidate, request: ScreenRequest) -> Verdict | None:
        """Entries of a library are taken as they are."""
        if candidate.proposer == 'library':
            return None
        contact = closest_contact(candidate.content, request.spec.propose.min_distance)
        if contact.ratio >= contact.limit:
            return Verdict(True, contact.ratio)
        first, second = contact.elements
        return Verdict(
            False,
            contact.ratio,
            f'{first}–{second} are {contact.distance:.2f} Å apart, {contact.ratio:.2f} of their covalent radii '
            f'(at least {contact.limit:.2f})',
        )
