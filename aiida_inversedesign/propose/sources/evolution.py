"""The source ``evolution``: crystals that descend from those of earlier generations, led by their energies.

Parents are what stands of a formula after the screening of earlier generations, each taken with exp(-E/kT), where E is
the potential's energy above the formula's lowest and kT is ``screen.softness``. Where no potential was asked, evaluated
crystals with an energy are parents. A formula without any takes those of other formulas of its ratio, with its own
elements.

It proposes further crystals of formulas that earlier generations proposed (:meth:`Evolution.again`), none equal to one
of the pool, and crystals of new formulas.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import SourceRequest
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label, reduced_formula
from aiida_inversedesign.chemistry.matching import same_candidate
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.propose.build import assignments
from aiida_inversedesign.propose.generators.request import NotReadyError
from aiida_inversedesign.propose.generators.score import formula_score
from aiida_inversedesign.propose.offspring import Child, Parent, child_of, primitive
from aiida_inversedesign.propose.rankers.ranking import reduced
from aiida_inversedesign.propose.sources.formulas import (
    FormulaSource,
    crystal_candidate,
    crystals_of,
    for_each,
    rng_of,
    unbuilt,
)
from aiida_inversedesign.propose.volumes.element_volumes import volume_sum
from aiida_inversedesign.propose.volumes.of_composition import VOLUME_ERROR, volume_per_atom
from aiida_inversedesign.spaces.crystals.formula_space import Counts

#: Draws for each crystal that is wanted. One in which all atoms stay too close takes a second or two.
DRAWS = 5
#: Most parents of a formula, those of the largest shares: with kT = 0.1 eV/atom the others are hardly ever drawn.
PARENTS = 20
#: What a formula's evolved crystals are worth together, as those of ``symmetric``.
SHARE = 0.1
#: Properties that tell which evaluated crystal of a formula is lower, all in eV/atom, best first.
ENERGIES = ('energy', 'formation_energy', 'e_above_hull')


class Evolution(FormulaSource):
    """Cut and splice, permutation, strain and rattling of the crystals of earlier generations (ase_ga)."""

    name = 'evolution'
    builds_on_earlier = True
    same_ratio = True
    needs = ('model',)
    packages: ClassVar[Mapping[str, str]] = MappingProxyType({'ase_ga': 'evolution'})
    words = 'an evolutionary algorithm from the crystals of lowest energy of earlier generations (ase_ga)'
    citations = ('uspex2006', 'cryspy2021', 'ase2017')

    def again(self, request: SourceRequest) -> list[Counts]:
        """Formulas with parents, at most ``propose.renew``.

        Those come first whose last evolved crystals did not all fail, of these the ones that the surrogate on
        compositions values most, as for new formulas.
        """
        families = _families(request)
        fruitless = {key: _fruitless(key, request.earlier) for key in families}
        keys = list(families)
        try:
            score = formula_score(
                request.rows, request.spec.goal, request.spec.seed + request.generation, request.spec.select.acquisition
            )
            values = dict(zip(keys, score([parse_formula(key) for key in keys]).tolist(), strict=True)) if keys else {}
        except NotReadyError:
            values = dict.fromkeys(keys, 0.0)
        # sorting is stable: otherwise in the order of the pool
        keys.sort(key=lambda key: (fruitless[key], -values[key]))
        return [parse_formula(key) for key in keys[: request.spec.propose.renewed]]

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """See :meth:`FormulaSource.for_formulas`; draws without a crystal are counted in a verdict."""
        families = _families(request)

        def crystals(counts: dict[str, int]) -> list[Candidate]:
            own = families.get(reduced_formula(counts))
            return self._crystals(request, counts, own or _relatives(counts, families), own is not None)

        return for_each(request, 'evolution', formulas, crystals)

    def _crystals(
        self, request: SourceRequest, counts: dict[str, int], parents: Sequence[Parent], own: bool
    ) -> list[Candidate]:
        spec, key = request.spec, reduced_formula(counts)
        if missing := unknown_elements(counts):
            return [unbuilt(counts, self.name, parent=f'no element data for {", ".join(missing)}')]
        if not parents:
            reason = 'no crystal of this formula or ratio has an energy from an earlier generation'
            return [unbuilt(counts, self.name, parent=reason)]
        wanted, found, failed = spec.propose.top_k, list[Candidate](), Counter[str]()
        parents = [primitive(parent) for parent in parents]
        rng = rng_of(request, counts, request.generation)
        volume = None if own else volume_per_atom(counts, request.model)
        known = [item.content for item in request.earlier if item.key == key and item.content is not None]
        for _ in range(DRAWS * wanted):
            if len(found) == wanted:
                break
            child = child_of(parents, crystals_of(spec).max_sites, spec.propose.min_distance, rng, volume)
            if isinstance(child, str):
                failed[child] += 1
            elif any(same_candidate(other, child.crystal) for other in known):
                failed[f'{child.operator}: equal to a crystal of the pool'] += 1
            else:
                known.append(child.crystal)
                found.append(self._candidate(child, len(found) + 1))
        if len(found) < wanted:
            reasons = ', '.join(f'{why} ({times})' for why, times in sorted(failed.items()))
            reason = f'{len(found)} of {wanted} crystals found in {DRAWS * wanted} draws: {reasons}'
            found.append(unbuilt(counts, self.name, parent=reason))
        return found

    def _candidate(self, child: Child, rank: int) -> Candidate:
        return crystal_candidate(
            child.crystal,
            self.name,
            SHARE * float(np.mean([parent.share for parent in child.parents])) / rank,
            rank,
            source=f'{child.operator} of {" and ".join(parent.name for parent in child.parents)}',
            volume_error=VOLUME_ERROR,
            packing=child.crystal.volume / volume_sum(child.crystal.counts),
        )


def _families(request: SourceRequest) -> dict[str, list[Parent]]:
    """The parents of each formula, in the order of the pool, largest share first."""
    screened: dict[str, list[tuple[str, Crystal, float]]] = defaultdict(list)
    for item in request.earlier:
        if item.accepted and item.screening is not None and 'energy' in item.screening:
            screened[item.key].append((item.id, item.content, item.screening['energy']))
    computed: dict[str, list[tuple[str, Crystal, float]]] = defaultdict(list)
    for row in request.rows:
        # one formula's rows are of one engine and have the same properties
        if row.key not in screened and (energy := _energy(row)) is not None and not row.copy_of:
            computed[row.key].append((row.candidate, row.result, energy))
    temperature, found = request.spec.screen.softness, {}
    for key, items in {**screened, **computed}.items():
        lowest = min(energy for _, _, energy in items)
        weights = [float(np.exp((lowest - energy) / temperature)) for _, _, energy in items]
        parents = [
            Parent(name, crystal, weight / sum(weights))
            for (name, crystal, _), weight in zip(items, weights, strict=True)
        ]
        found[key] = sorted(parents, key=lambda parent: -parent.share)[:PARENTS]
    return found


def _energy(row: EvaluationRow) -> float | None:
    """The energy of an evaluated crystal in eV/atom, comparable within its formula; None if it is not known."""
    if row.status != 'completed':
        return None
    values = (row.properties.get(name) for name in ENERGIES)
    return next((float(value) for value in values if value is not None and np.isfinite(value)), None)


def _relatives(counts: Counts, families: Mapping[str, Sequence[Parent]]) -> list[Parent]:
    """Parents of other formulas of the same ratio with the formula's elements, those of similar elements preferred."""
    label, found = ratio_label(counts), dict[str, Parent]()
    for key, parents in families.items():
        own = reduced(parse_formula(key))
        if ratio_label(own) != label:
            continue
        mapping, dissimilarity = next(assignments(counts, own))
        for parent in parents:
            crystal = parent.crystal.with_species(mapping)
            weight = parent.share / (1 + dissimilarity**2)
            # the same arrangement of several formulas is one parent
            name = prototype_label(crystal) or parent.name
            if name not in found or found[name].share < weight:
                found[name] = Parent(parent.name, crystal, weight)
    best = sorted(found.values(), key=lambda parent: -parent.share)[:PARENTS]
    total = sum(parent.share for parent in best)
    return [Parent(parent.name, parent.crystal, parent.share / total) for parent in best]


def _fruitless(key: str, earlier: Sequence[Candidate]) -> int:
    """In how many generations up to the last one all evolved crystals of a formula were rejected."""
    passed: dict[str, bool] = {}
    for item in earlier:
        if item.key == key and item.proposer == Evolution.name:
            generation = item.id.partition('_')[0]
            passed[generation] = passed.get(generation, False) or item.accepted
    number = 0
    for name in sorted(passed, reverse=True):
        if passed[name]:
            break
        number += 1
    return number
