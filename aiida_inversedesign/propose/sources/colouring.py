"""The source ``colouring``: known structures of any ratio whose sites the formula's elements share in another way.

Which element takes which sites is the colouring problem (Miller, Eur. J. Inorg. Chem. 1998, 523). TlSe is TlInSe2 with
thallium on the sites of indium too, CaGe2 is ErCuGe with germanium on those of copper: structures with several kinds
of sites for one element are often known from compounds of other ratios. Equivalent sites of the known structure stay
equivalent here; the source ``decoration`` divides them.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import SourceRequest
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table, unknown_elements
from aiida_inversedesign.chemistry.matching import same_candidate
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.chemistry.symmetry import SYMPREC, equivalent_sites, smaller_cell
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.propose.of_library import known_entries, once_per_library
from aiida_inversedesign.propose.rankers.ranking import Counts
from aiida_inversedesign.propose.sources.formulas import (
    FormulaSource,
    crystals_of,
    for_each,
    rearranged_candidate,
    unbuilt,
)
from aiida_inversedesign.propose.volumes.of_composition import fitted, volume_per_atom

#: Templates whose kinds of sites are determined for a formula, 4 ms each: those with the most similar elements.
SIMILAR = 500
#: Kinds of sites beyond which a template is not coloured, and most colourings of a formula.
MOST_KINDS, MOST_COLOURINGS = 8, 300
#: By how much a colouring is less probable for each pair of elements beyond those that it needs.
EXCHANGED = 0.5
#: By how much a crystal is less probable for each more probable one of its prototype.
ALIKE = 0.5
#: Sum of the probabilities of all colourings. About four of them are one crystal, or crystals of one prototype (median
#: of 24 formulas 4.3), so that crystals add up to a tenth: about the share of stable compounds that no template has.
SHARE = 0.4


@dataclass(frozen=True, eq=False)
class Nets:
    """The templates of a library that may be coloured.

    :param sites: of the primitive cell of each, shape (n,).
    :param shares: of each element of the element table among its atoms, shape (n, elements).
    """

    templates: Sequence[Template]
    sites: NDArray[np.int64]
    shares: NDArray[np.float64]


class Kinds(NamedTuple):
    """Kinds of equivalent sites.

    :param elements: of each kind.
    :param sizes: number of sites of each kind.
    :param of_sites: kind of each site.
    """

    elements: tuple[str, ...]
    sizes: tuple[int, ...]
    of_sites: tuple[int, ...]


@dataclass(frozen=True)
class Coloured:
    """Elements of a formula on each kind of sites of a template; the larger ``weight``, the more probable."""

    template: Template
    elements: tuple[str, ...]
    weight: float

    @property
    def crystal(self) -> Crystal:
        """Its primitive cell, at the volume of the template."""
        parent = self.template.crystal
        species = tuple(self.elements[kind] for kind in _kinds(parent).of_sites)
        crystal = Crystal(parent.lattice, species, parent.frac_coords)
        return smaller_cell(crystal) or crystal

    @property
    def assignment(self) -> dict[str, str]:
        """Element of the template → elements of the formula."""
        given: dict[str, set[str]] = {}
        for old, new in zip(_kinds(self.template.crystal).elements, self.elements, strict=True):
            given.setdefault(old, set()).add(new)
        return {old: ', '.join(sorted(new)) for old, new in sorted(given.items())}


class Colouring(FormulaSource):
    """Known structures of any ratio whose kinds of sites the formula's elements share in another way."""

    name = 'colouring'
    in_auto = True
    needs = ('library', 'model')
    words = 'other distributions of the elements over the equivalent sites of known structures of any ratio'
    citations = ('colouring1998',)

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """See :meth:`FormulaSource.for_formulas`."""
        nets = nets_of(request.library, request.exclude)
        return for_each(request, 'colourings', formulas, lambda counts: self._crystals(request, counts, nets))

    def _crystals(self, request: SourceRequest, counts: dict[str, int], nets: Nets) -> list[Candidate]:
        propose = request.spec.propose
        if missing := unknown_elements(counts):
            return [unbuilt(counts, self.name, parent=f'no element data for {", ".join(missing)}')]
        found = colourings(counts, nets, crystals_of(request.spec).max_sites)
        volume, total = volume_per_atom(counts, request.model), sum(item.weight for item in found)
        distinct = islice(_distinct(found, volume, propose.min_distance), propose.top_k)
        out = [
            rearranged_candidate(
                crystal, self.name, SHARE * weight / total, rank, label, item.template, item.assignment
            )
            for rank, (weight, item, crystal, label) in enumerate(distinct, 1)
        ]
        if len(out) < propose.top_k:
            reason = f'{len(out)} of {propose.top_k} colourings found in which atoms are not too close'
            out.append(unbuilt(counts, self.name, parent=reason))
        return out


def _distinct(found: Sequence[Coloured], volume: float, least: float) -> Iterator[tuple[float, Coloured, Crystal, str]]:
    """Different crystals by falling weight, each with that weight, its colouring and its prototype.

    A crystal is built when its turn comes, so that few are if little is wanted. It then has less weight for each more
    probable one of its prototype, and waits for its turn again.

    :param found: by falling weight.
    :param volume: of an atom, Å³.
    :param least: least contact in sums of covalent radii.
    """
    heap: list[tuple[float, int, tuple[Crystal, str] | None]] = [
        (-item.weight, number, None) for number, item in enumerate(found)
    ]
    known: dict[str, list[Crystal]] = defaultdict(list)
    while heap:
        weight, number, built = heapq.heappop(heap)
        item = found[number]
        if built is not None:
            yield -weight, item, *built
            continue
        crystal = fitted(item.crystal, volume, least)
        if crystal is None:
            continue
        label = prototype_label(crystal)
        if any(same_candidate(other, crystal) for other in known[label]):
            continue
        heapq.heappush(heap, (-item.weight * ALIKE ** len(known[label]), number, (crystal, label)))
        known[label].append(crystal)


def colourings(counts: Counts, nets: Nets, most_sites: int) -> list[Coloured]:
    """The most probable colourings, at most :data:`MOST_COLOURINGS`, by falling weight.

    Weights follow from the dissimilarity of the elements to those on the same sites of the template. Where each element
    replaces one other the template has the formula's own ratio, which is left to other sources.

    :param most_sites: of the template's primitive cell.
    """
    table, atoms = element_table(), sum(counts.values())
    fitting = np.flatnonzero((nets.sites <= most_sites) & (nets.sites % atoms == 0))
    # no colouring is more similar than if each element of the template had the most similar one of the formula
    least = nets.shares[fitting] @ table.dissimilarity[:, table.rows(list(counts))].min(axis=1)
    found = []
    for index in fitting[np.argsort(least, kind='stable')[:SIMILAR]].tolist():
        template = nets.templates[index]
        kinds = _kinds(template.crystal)
        if len(kinds.sizes) > MOST_KINDS:
            continue
        old, units = len(set(kinds.elements)), template.crystal.nsites // atoms
        for elements in _shared_out(kinds.sizes, {symbol: units * number for symbol, number in counts.items()}):
            pairs = len(set(zip(kinds.elements, elements, strict=True)))
            if pairs == old == len(counts):
                continue
            distance = sum(
                size * float(table.dissimilarity[table.index[one], table.index[other]])
                for size, one, other in zip(kinds.sizes, kinds.elements, elements, strict=True)
            )
            similarity = 1 / (1 + (distance / template.crystal.nsites) ** 2)
            found.append(Coloured(template, elements, similarity * EXCHANGED ** (pairs - max(old, len(counts)))))
    return heapq.nsmallest(MOST_COLOURINGS, found, key=lambda item: (-item.weight, item.template.id, item.elements))


def _shared_out(sizes: Sequence[int], wanted: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Every way to give each kind of sites one element such that all elements have their numbers."""
    if not sizes:
        yield ()
        return
    for symbol, number in wanted.items():
        if number >= sizes[0]:
            for others in _shared_out(sizes[1:], {**wanted, symbol: number - sizes[0]}):
                yield symbol, *others


@lru_cache(maxsize=100_000)
def _kinds(crystal: Crystal) -> Kinds:
    first, of_sites = np.unique(equivalent_sites(crystal, SYMPREC), return_inverse=True)
    elements = tuple(crystal.species[int(index)] for index in first)
    return Kinds(elements, tuple(np.bincount(of_sites).tolist()), tuple(of_sites.tolist()))


@once_per_library
def nets_of(library: Library, excluded: frozenset[str]) -> Nets:
    """The templates of a library, kept in memory.

    :param excluded: reduced formulas whose entries are not used.
    """
    table = element_table()
    items = known_entries(library, excluded)
    shares = np.zeros((len(items), len(table.index)))
    for row, item in enumerate(items):
        for symbol, number in item.crystal.counts.items():
            shares[row, table.index[symbol]] = number / item.crystal.nsites
    return Nets(items, np.array([item.crystal.nsites for item in items], dtype=np.int64), shares)
