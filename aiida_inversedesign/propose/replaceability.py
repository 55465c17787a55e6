"""How probable it is that one element takes another's place in a structure.

Two estimates of P(new | old). Between ions: Hautier, Fischer, Ehrlacher, Jain and Ceder, Inorg. Chem. 50, 656 (2011),
as pymatgen ships it, for compounds that have a neutral assignment of oxidation states. Otherwise what a library says,
after Glawe, Sanna, Gross and Marques, New J. Phys. 18, 093011 (2016) and Wang, Botti and Marques, npj Comput. Mater. 7,
12 (2021): how often two elements occur in the same place of the same prototype, everything else being equal. Pairs that
the library does not have are filled in by the dissimilarity of the elements.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.oxidation import usual_states
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.of_library import once_per_library
from aiida_inversedesign.propose.rankers.ranking import Counts, reduced
from aiida_inversedesign.propose.volumes.volume import POWER
from aiida_inversedesign.propose.wyckoff.statistics import usable

#: The dissimilarity of elements counts as much as so many observed replacements.
PRIOR = 10.0
#: Of ions that pymatgen's table does not know.
UNKNOWN = 1e-6


@dataclass(frozen=True, eq=False)
class Replaceability:
    """What is learned from a library.

    :param logs: logarithm of P(new | old), rows old, columns new, in the order of the element table.
    """

    logs: NDArray[np.float64]

    def table(self, old: Counts, new: Counts) -> tuple[dict[tuple[str, str], float], bool]:
        """The logarithm of P for each pair of an element of a template and one of a formula; whether it is of ions."""
        before, after = _states(old), _states(new)
        if before is not None and after is not None:
            return {(x, y): _ionic(x, before[x], y, after[y]) for x in old for y in new}, True
        rows = element_table().index
        return {(x, y): float(self.logs[rows[x], rows[y]]) for x in old for y in new}, False


@once_per_library
def learned(library: Library, excluded: frozenset[str]) -> Replaceability:
    """The replaceability of a library's entries, kept in memory.

    :param excluded: reduced formulas whose entries are not looked at.
    """
    table = element_table()
    # elements that fill the same hole: prototype, the other elements, and the count of the missing one
    holes: dict[Any, set[int]] = defaultdict(set)
    for template in usable(library, excluded):
        label, counts = label_of(template), reduced(template.crystal.counts)
        for symbol in counts if label else ():
            others = frozenset((other, count) for other, count in counts.items() if other != symbol)
            holes[label, others, counts[symbol]].add(table.index[symbol])
    seen = np.zeros((len(table.symbols), len(table.symbols)))
    for members in holes.values():
        if len(members) > 1:
            rows = sorted(members)
            # an element that can be replaced stays itself as often as it is replaced by each of the others
            seen[np.ix_(rows, rows)] += 1.0 / (len(rows) - 1)
    similar = (1 + table.dissimilarity**2) ** -POWER
    similar /= similar.sum(axis=1, keepdims=True)
    found = seen + PRIOR * similar
    return Replaceability(np.log(found / found.sum(axis=1, keepdims=True)))


def _states(counts: Counts) -> dict[str, int] | None:
    return usual_states(tuple(sorted(counts.items())))


@functools.cache
def _probabilities() -> Any:
    """pymatgen's table, which takes a second to read."""
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    return SubstitutionProbability()


@functools.lru_cache(maxsize=65536)
def _ionic(old: str, before: int, new: str, after: int) -> float:
    """Logarithm of the probability that an ion of a structure is replaced by another one."""
    from pymatgen.core import Species

    try:
        found = float(_probabilities().cond_prob(Species(new, after), Species(old, before)))
    except (KeyError, ValueError, ZeroDivisionError):
        found = UNKNOWN
    return float(np.log(max(found, UNKNOWN)))


def best_mapping(
    old: Mapping[str, int], new: Mapping[str, int], logs: Mapping[tuple[str, str], float]
) -> tuple[dict[str, str], float]:
    """The assignment of elements of equal count with the largest sum of logarithms, and that sum.

    :param old: reduced element counts of a template.
    :param new: reduced element counts of a formula of the same ratio label.
    """
    from scipy.optimize import linear_sum_assignment

    mapping: dict[str, str] = {}
    for count in sorted(set(new.values())):
        olds = sorted(symbol for symbol in old if old[symbol] == count)
        news = sorted(symbol for symbol in new if new[symbol] == count)
        if len(olds) == 1:
            mapping[olds[0]] = news[0]
            continue
        rows, columns = linear_sum_assignment([[-logs[x, y] for y in news] for x in olds])
        mapping |= {olds[row]: news[column] for row, column in zip(rows, columns, strict=True)}
    return mapping, sum(logs[pair] for pair in mapping.items())
