"""From a formula and its templates to crystals: elements assigned, replaced, and the cell scaled to its volume."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import ratio_label, reduced_formula
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.assign import assign_elements
from aiida_inversedesign.propose.rankers.ranking import Counts, Group, reduced
from aiida_inversedesign.propose.volumes.volume import VolumeEstimate, Volumes

#: more assignments than this are not listed: only the best one is built
LISTED = 720
#: up to this many are compared one by one, which is quicker than solving the assignment
FEW = 6
#: Largest volume, as a multiple of the predicted one, that a cell is widened to for a short contact. Of 5 537 crystals
#: with the right prototype (1 200 held-out compounds, ranks 1 to 12) 3.1 % have a contact below its limit; of these
#: 56 % keep it when widened by 1.15, 72 % by 1.3 and 76 % by 1.4, of the wrong ones 35, 54 and 61 %
#: (``tests/benchmark/contact_limits.py``). The relaxation heals the contact, and the wider cell lets it begin.
WIDEST = 1.3


@dataclass(frozen=True, eq=False)
class Built:
    """A formula in the structure of a template.

    :param index: of the template in the library.
    :param crystal: the structure, in the template's cell, scaled.
    :param mapping: element of the template → element of the formula.
    :param dissimilarity: element dissimilarity per atom of the mapping.
    """

    index: int
    crystal: Crystal
    mapping: dict[str, str]
    dissimilarity: float
    estimate: VolumeEstimate


def build(
    counts: Counts,
    indices: Sequence[int] | NDArray[np.int64],
    templates: Group | Library,
    volumes: Volumes,
    alternatives: int = 1,
) -> list[Built]:
    """The formula in each of these templates, in their order.

    :param counts: reduced element counts of the formula.
    :param indices: templates of the formula's ratio label, by their index in the library; shape (k,).
    :param templates: the group of that ratio label, which keeps what was computed for it; or the whole library, for
        a few formulas.
    :param alternatives: most assignments of the elements built for a template, by rising dissimilarity. More than one
        helps where elements of equal count may be exchanged (spinel and inverse spinel).
    :raises AssignmentError: if a template has another ratio label.
    """
    formula, label, atoms = reduced_formula(counts), ratio_label(counts), sum(counts.values())
    if isinstance(templates, Library):
        templates = Group(templates, label, np.array(templates.by_ratio(label), dtype=np.int64))
    out = []
    mappings = [
        list(
            islice(
                assignments(counts, reduced(templates.library[int(index)].crystal.counts), alternatives), alternatives
            )
        )
        for index in indices
    ]
    estimates = volumes.estimate(counts, templates, indices)
    for index, choices, estimate in zip(indices, mappings, estimates, strict=True):
        template = templates.library[int(index)].crystal
        lattice = template.lattice * estimate.scale ** (1 / 3)
        for mapping, dissimilarity in choices:
            crystal = Crystal(lattice, tuple(mapping[symbol] for symbol in template.species), template.frac_coords)
            # known already: counting and reducing again would cost as much as building
            factor = template.nsites // atoms
            cell = {symbol: counts[symbol] * factor for symbol in mapping.values()}
            vars(crystal).update(formula=formula, ratio_label=label, counts=cell)
            out.append(Built(int(index), crystal, mapping, dissimilarity, estimate))
    return out


def widened(built: Built, least: float) -> Built:
    """The crystal with its cell widened until every contact keeps its limit, at most to :data:`WIDEST`.

    What it is widened by is added to the expected error of its volume.

    :param least: least contact in sums of covalent radii.
    :returns: the same crystal if no contact is too short, or if the cell would have to be wider.
    """
    contact = closest_contact(built.crystal, least)
    if contact.ratio >= contact.limit or contact.limit > contact.ratio * WIDEST ** (1 / 3):
        return built
    # a little more than needed, so that rounding does not undo it
    factor = (contact.limit / contact.ratio) ** 3 * (1 + 1e-9)
    old = built.estimate
    estimate = VolumeEstimate(old.volume * factor, old.scale * factor, old.packing * factor, old.error + factor - 1)
    return dataclasses.replace(built, crystal=built.crystal.scaled_to(estimate.volume), estimate=estimate)


def assignments(
    query: Mapping[str, int], template: Mapping[str, int], number: int = 1
) -> Iterator[tuple[dict[str, str], float]]:
    """Assignments of the elements, by rising dissimilarity per atom.

    :param query: reduced element counts of the formula.
    :param template: reduced element counts of the template.
    :param number: how many are wanted; with one, only the first is sure to be given.
    :raises AssignmentError: if the ratio labels differ.
    """
    wanted: dict[int, list[str]] = defaultdict(list)
    given: dict[int, list[str]] = defaultdict(list)
    for symbol, count in query.items():
        wanted[count].append(symbol)
    for symbol, count in template.items():
        given[count].append(symbol)
    ways = math.prod(math.factorial(len(symbols)) for symbols in wanted.values())
    same = {count: len(symbols) for count, symbols in wanted.items()} == {
        count: len(symbols) for count, symbols in given.items()
    }
    if not same or ways > (FEW if number <= 1 else LISTED):
        yield assign_elements(query, template)
        return
    table = element_table()
    found = []
    for orders in product(*(permutations(wanted[count]) for count in given)):
        pairs = [
            pair for olds, news in zip(given.values(), orders, strict=True) for pair in zip(olds, news, strict=True)
        ]
        total = sum(template[old] * table.dissimilarity[table.index[old], table.index[new]] for old, new in pairs)
        found.append((float(total) / sum(query.values()), dict(pairs)))
    found.sort(key=lambda item: item[0])
    yield from ((mapping, dissimilarity) for dissimilarity, mapping in found)
