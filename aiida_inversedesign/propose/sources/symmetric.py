"""The source ``symmetric``: random crystals whose space groups and Wyckoff positions are as frequent as in the library.

Nothing is taken from a template: what no template has can be found. Free coordinates and the shape of the cell are
random, the volume is that of the volume model for the composition, and of several placements the one is kept whose
closest contact is widest. Numbers of tries are bounded, not times, so that a replay has the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import SourceRequest
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import ratio_label
from aiida_inversedesign.propose.rankers.ranking import Counts
from aiida_inversedesign.propose.sources.formulas import (
    FormulaSource,
    crystal_candidate,
    crystals_of,
    for_each,
    rng_of,
    unbuilt,
)
from aiida_inversedesign.propose.volumes.element_volumes import volume_sum
from aiida_inversedesign.propose.volumes.of_composition import (
    VOLUME_ERROR,
    WIDENED,
    volume_per_atom,
    widened_by,
    widening,
)
from aiida_inversedesign.propose.wyckoff.combinations import Combination, draw_combination
from aiida_inversedesign.propose.wyckoff.positions import space_group
from aiida_inversedesign.propose.wyckoff.statistics import SiteStatistics, learned

#: Draws for each crystal that is wanted, and placements of atoms of which each draw keeps the best.
DRAWS, PLACEMENTS = 12, 12
#: What a formula's arrangement is worth before its probability of being drawn: about the share of stable compounds
#: that no template has; and by how much each free parameter, which must be right too, lowers it.
SHARE, FREEDOM = 0.1, 0.7


class Symmetric(FormulaSource):
    """Random crystals by space group and Wyckoff positions (PyXtal)."""

    name = 'symmetric'
    in_auto = True
    needs = ('library', 'model')
    packages: ClassVar[Mapping[str, str]] = MappingProxyType({'pyxtal': 'symmetry'})
    words = (
        'random crystals on Wyckoff positions of space groups, both drawn by their frequencies in the library (PyXtal)'
    )
    citations = ('pyxtal2021', 'shotguncsp2024')

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """See :meth:`FormulaSource.for_formulas`; what was drawn in vain is counted in a verdict."""
        statistics = learned(request.library, request.exclude)
        return for_each(
            request, 'random crystals', formulas, lambda counts: self._crystals(request, counts, statistics)
        )

    def _crystals(self, request: SourceRequest, counts: dict[str, int], statistics: SiteStatistics) -> list[Candidate]:
        spec, atoms = request.spec, sum(counts.values())
        most = crystals_of(spec).max_sites
        if missing := unknown_elements(counts):
            return [unbuilt(counts, self.name, wyckoff=f'no element data for {", ".join(missing)}')]
        if atoms > most:
            return [unbuilt(counts, self.name, wyckoff=f'{atoms} atoms are more than space.max_sites allows ({most})')]
        rng, volume = rng_of(request, counts), volume_per_atom(counts, request.model)
        weights = statistics.weights(counts, ratio_label(counts))
        units = statistics.of_units(weights, atoms, most)
        groups = {unit: statistics.of_groups(weights, unit * atoms) for unit in units}
        found: list[Candidate] = []
        drawn: Counter[tuple[object, ...]] = Counter()
        failed: Counter[str] = Counter()
        repeated = False
        for _ in range(DRAWS * spec.propose.top_k):
            if len(found) == spec.propose.top_k:
                break
            unit = _choice(units, rng)
            # what the library suggests was drawn before: look elsewhere
            number = int(rng.choice(list(groups[unit]))) if repeated else _choice(groups[unit], rng)
            repeated = False
            cell = {symbol: unit * count for symbol, count in counts.items()}
            combination = draw_combination(space_group(number), cell, statistics, rng)
            if combination is None:
                failed['no combination of Wyckoff positions'] += 1
                # this space group is not drawn again; the one without any condition, 1, always remains
                groups[unit].pop(number)
                continue
            name = (unit, *combination.name)
            if drawn[name] > combination.freedom:
                repeated = True
                continue
            drawn[name] += 1
            crystal = _placed(combination, volume * unit * atoms, spec.propose.min_distance, rng)
            if crystal is None:
                failed['atoms too close in every placement'] += 1
                continue
            chance = SHARE * (units[unit] * groups[unit][number] * combination.probability)
            found.append(
                crystal_candidate(
                    crystal,
                    self.name,
                    chance * FREEDOM**combination.freedom,
                    len(found) + 1,
                    volume_error=VOLUME_ERROR,
                    packing=crystal.volume / volume_sum(crystal.counts),
                )
            )
        if len(found) < spec.propose.top_k:
            reasons = ', '.join(f'{why} ({times})' for why, times in sorted(failed.items()))
            tried = DRAWS * spec.propose.top_k
            reason = f'{len(found)} of {spec.propose.top_k} crystals found in {tried} draws: {reasons or "all alike"}'
            found.append(unbuilt(counts, self.name, wyckoff=reason))
        return found


def _placed(combination: Combination, volume: float, least: float, rng: np.random.Generator) -> Crystal | None:
    """The placement that needs the least widening until every contact keeps its limit; None if all need too much."""
    group = space_group(combination.group)
    best, factor = None, WIDENED
    for _ in range(PLACEMENTS if combination.freedom else 1):
        crystal = group.crystal(combination.orbits, volume, rng)
        if crystal is None:
            continue
        if (needed := widening(crystal, least)) < factor:
            best, factor = crystal, needed
    return None if best is None else widened_by(best, factor)


def _choice(chances: Mapping[int, float], rng: np.random.Generator) -> int:
    shares = np.array(list(chances.values()))
    return int(rng.choice(list(chances), p=shares / shares.sum()))
