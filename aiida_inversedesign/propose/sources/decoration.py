"""The source ``decoration``: structures of fewer elements or other ratios whose sites the formula's elements share.

Ratio labels hide that many structures order a simpler one: LiFeO2 is rock salt whose cations are ordered, Heusler
compounds and CsCl are body-centred cubic. Parents are found by merging elements of the formula (and empty sites) into
one; the sites of a merged element are shared out in every way that symmetry distinguishes, smallest cells first. Where
nothing is merged, the assignments of elements of equal count that a ranking of templates does not build remain.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, permutations
from types import MappingProxyType
from typing import ClassVar

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import SourceRequest
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table, unknown_elements
from aiida_inversedesign.chemistry.formulas import ratio_label
from aiida_inversedesign.chemistry.matching import same_candidate
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Template
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.orderings import MOST_SITES, VACANCY, Pattern, orderings
from aiida_inversedesign.propose.rankers.ranking import Counts, Templates
from aiida_inversedesign.propose.sources.formulas import (
    FormulaSource,
    crystals_of,
    for_each,
    rearranged_candidate,
    unbuilt,
)
from aiida_inversedesign.propose.volumes.of_composition import fitted, volume_per_atom

#: Most empty sites of a formula unit, and by how much each lowers the chances of a parent.
MOST_EMPTY, EMPTY = 2, 0.05
#: By how much each orbit of sites beyond the first of its element lowers the chances of an ordering.
ORBIT = 0.5
#: Elements of a formula beyond which parents are not sought: the ways to merge them grow too fast.
MOST_ELEMENTS = 5
#: Parents with the most similar elements whose prototypes are distinguished, and prototypes that are decorated.
SIMILAR, PARENTS = 300, 40
#: Probability that any ordering is right: about the share of stable compounds that no template has.
SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Parent:
    """A template whose sites are shared.

    :param pattern: elements of the formula on the sites of each element of the template.
    :param weight: how similar the elements are to those they replace, summed over templates of the same prototype.
    :param merging: which elements share sites, and which of the ways to place them in the template it is.
    """

    template: Template
    pattern: Pattern
    weight: float
    merging: tuple[object, ...]

    @property
    def assignment(self) -> dict[str, str]:
        """Element of the template → elements of the formula."""
        return {old: ', '.join(sorted(given)) for old, given in sorted(self.pattern.items())}


class Decoration(FormulaSource):
    """Orderings of the formula's elements on the sites of simpler structures."""

    name = 'decoration'
    in_auto = True
    needs = ('library', 'model')
    packages: ClassVar[Mapping[str, str]] = MappingProxyType({'icet': 'orderings'})
    words = 'symmetry-distinct orderings of the elements on the sites of simpler structures (icet)'
    citations = ('icet2019', 'orderings2008')

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """See :meth:`FormulaSource.for_formulas`."""
        templates = Templates(request.library, min(crystals_of(request.spec).max_sites, MOST_SITES), request.exclude)
        return for_each(request, 'orderings', formulas, lambda counts: self._crystals(request, counts, templates))

    def _crystals(self, request: SourceRequest, counts: dict[str, int], templates: Templates) -> list[Candidate]:
        spec = request.spec
        if missing := unknown_elements(counts):
            return [unbuilt(counts, self.name, parent=f'no element data for {", ".join(missing)}')]
        if len(counts) == 1 or len(counts) > MOST_ELEMENTS:
            return [unbuilt(counts, self.name, parent=f'only formulas of 2 to {MOST_ELEMENTS} elements are decorated')]
        found: list[Candidate] = []
        volume, close = volume_per_atom(counts, request.model), 0
        for parent, ordering, weight in _by_weight(parents(counts, templates), crystals_of(spec).max_sites):
            if len(found) == spec.propose.top_k:
                break
            crystal = fitted(ordering, volume, spec.propose.min_distance)
            if crystal is None:
                close += 1
                continue
            label = prototype_label(crystal)
            if any(label == item.proto_label and same_candidate(item.content, crystal) for item in found):
                continue
            rank = len(found) + 1
            found.append(
                rearranged_candidate(
                    crystal, self.name, SHARE * weight, rank, label, parent.template, parent.assignment
                )
            )
        if len(found) < spec.propose.top_k:
            why = f'; in {close} atoms are too close' if close else ''
            reason = f'{len(found)} of {spec.propose.top_k} orderings found in simpler structures of the library{why}'
            found.append(unbuilt(counts, self.name, parent=reason))
        return found


def parents(counts: Counts, templates: Templates) -> list[Parent]:
    """The templates that a formula can decorate, those of the most similar elements first; weights add up to 1."""
    found = []
    for empty in range(MOST_EMPTY + 1):
        whole = {**counts, VACANCY: empty} if empty else dict(counts)
        for merged in _mergings(sorted(whole)):
            totals = [sum(whole[symbol] for symbol in members) for members in merged]
            group = templates.group(ratio_label({f'{position}': total for position, total in enumerate(totals)}))
            if group is None or any(members == (VACANCY,) for members in merged):
                continue
            for position, own in enumerate(group.counts):
                template = templates.library[int(group.indices[position])]
                found += [
                    Parent(template, pattern, EMPTY**empty * _similarity(pattern, counts), (merged, empty, number))
                    for number, pattern in enumerate(_patterns(merged, totals, whole, own))
                ]
    for number, pattern, template in _others(counts, templates):
        found.append(Parent(template, pattern, _similarity(pattern, counts) / (1 + number), (number,)))
    found.sort(key=lambda item: (-item.weight, item.template.crystal.nsites, item.template.id))
    # of one prototype the template with the most similar elements stands for all
    alike: dict[tuple[object, ...], list[Parent]] = defaultdict(list)
    for item in found[:SIMILAR]:
        alike[label_of(item.template) or item.template.id, *item.merging].append(item)
    summed = [replace(items[0], weight=sum(item.weight for item in items)) for items in alike.values()]
    summed = sorted(summed, key=lambda item: -item.weight)[:PARENTS]
    total = sum(item.weight for item in summed)
    return [replace(item, weight=item.weight / total) for item in summed]


def _mergings(symbols: Sequence[str]) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Every way to put the symbols into fewer groups."""

    def partitions(items: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
        if not items:
            yield []
            return
        first, others = items[0], items[1:]
        for number in range(len(others) + 1):
            for members in combinations(others, number):
                for rest in partitions([item for item in others if item not in members]):
                    yield [(first, *members), *rest]

    yield from (tuple(found) for found in partitions(symbols) if len(found) < len(symbols))


def _patterns(
    merged: Sequence[tuple[str, ...]], totals: Sequence[int], whole: Counts, own: Counts
) -> Iterator[dict[str, dict[str, int]]]:
    """Every way in which the groups replace a template's elements."""
    unit = sum(totals) // sum(own.values())
    for order in permutations(sorted(own)):
        if all(own[old] * unit == total for old, total in zip(order, totals, strict=True)):
            yield {
                old: {symbol: whole[symbol] for symbol in members} for old, members in zip(order, merged, strict=True)
            }


def _others(counts: Counts, templates: Templates) -> Iterator[tuple[int, dict[str, dict[str, int]], Template]]:
    """Templates of the formula's own ratio with all but the most similar assignment of its elements."""
    from aiida_inversedesign.propose.build import assignments

    group = templates.group(ratio_label(counts))
    if group is None or len(set(counts.values())) == len(counts):
        return
    for position, own in enumerate(group.counts):
        template = templates.library[int(group.indices[position])]
        for number, (mapping, _) in enumerate(islice(assignments(counts, own, 3), 1, 3), 1):
            yield number, {old: {new: counts[new]} for old, new in mapping.items()}, template


def _similarity(pattern: Pattern, counts: Counts) -> float:
    """By the dissimilarity of the elements to those they replace, weighted by their numbers.

    Less steep than for templates: what is ordered on simple lattices depends little on which elements they are known
    of.
    """
    table = element_table()
    total = sum(
        number * table.dissimilarity[table.index[old], table.index[new]]
        for old, given in pattern.items()
        for new, number in given.items()
        if new != VACANCY
    )
    return float(1 / (1 + (total / sum(counts.values())) ** 2))


def _by_weight(found: Sequence[Parent], most_sites: int) -> Iterator[tuple[Parent, Crystal, float]]:
    """Orderings of all parents by falling weight.

    That is the weight of the parent over the number of the ordering, and less for each orbit of sites beyond one for
    each element. A parent is decorated when its turn comes, so that few are if little is wanted.
    """
    heap: list[tuple[float, int, int]] = [(-parent.weight, position, 0) for position, parent in enumerate(found)]
    heapq.heapify(heap)
    decorated: dict[int, list[tuple[Crystal, int]]] = {}
    while heap:
        weight, position, number = heapq.heappop(heap)
        parent = found[position]
        if position in decorated:
            yield parent, decorated[position][number][0], -weight
            continue
        decorated[position] = orderings(parent.template.crystal, parent.pattern, most_sites)
        for number, (crystal, orbits) in enumerate(decorated[position]):
            own = parent.weight / (number + 1) * ORBIT ** (orbits - len(crystal.counts))
            heapq.heappush(heap, (-own, position, number))
