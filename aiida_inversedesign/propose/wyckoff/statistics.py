"""How often a library has each number of formula units, space group and Wyckoff position.

Frequencies over the entries of the formula's own ratio, which count by how similar their elements are, smoothed to
those of all ratios. The precedent is the Wyckoff-based generator of ShotgunCSP (Kusaba, Hayashi, Liu, Wakiuchi and
Yoshida, npj Comput. Mater. 10, 298 (2024)), which learns the space group with a random forest; frequencies need no
training, and a library of a few hundred entries has them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.assign import dissimilarities, element_rows
from aiida_inversedesign.propose.of_library import known_entries, once_per_library
from aiida_inversedesign.propose.rankers.ranking import Counts, reduced
from aiida_inversedesign.propose.volumes.volume import POWER

#: Entries of all ratios count as much as this many that are as similar as the most similar ones.
SMOOTHING = 4.0
#: Entries of another number of atoms count by exp(-ln(n/m)²/2s²), with this s.
SPREAD = 0.4
#: Share of the draws in which every space group is as probable as any other.
ANY = 0.05
#: Most entries whose prototypes are determined where the library does not have them, 4 ms each.
MOST_DETERMINED = 3000
_LETTERS = re.compile(r'(\d*)([A-Za-z])')


@dataclass(frozen=True, eq=False)
class SiteStatistics:
    """What is learned from a library.

    :param groups: space group of each entry, shape (n,).
    :param atoms: number of atoms in its primitive cell, shape (n,).
    :param units: number of formula units in it, shape (n,).
    :param ratios: rows of the entries of each ratio label.
    :param counts: reduced element counts of each entry.
    :param letters: occurrences of each Wyckoff letter in the entries of a space group.
    """

    groups: NDArray[np.int64]
    atoms: NDArray[np.int64]
    units: NDArray[np.int64]
    ratios: Mapping[str, NDArray[np.int64]]
    counts: list[dict[str, int]]
    letters: Mapping[int, Mapping[str, int]]

    @cached_property
    def entries(self) -> Mapping[int, int]:
        """Number of entries of each space group."""
        return Counter(self.groups.tolist())

    def weights(self, counts: Counts, label: str) -> NDArray[np.float64]:
        """How much each entry counts for a formula; those of its own ratio by their elements, shape (n,)."""
        weights = np.full(len(self.groups), SMOOTHING / max(len(self.groups), 1))
        own = self.ratios.get(label)
        if own is not None:
            distances = dissimilarities(counts, element_rows([self.counts[row] for row in own]))
            similar = (1 + distances**2) ** -POWER
            weights[own] += similar / similar.max()
        return weights

    def of_units(self, weights: NDArray[np.float64], atoms: int, most: int) -> dict[int, float]:
        """Probability of each number of formula units in the primitive cell.

        :param weights: of the entries, shape (n,).
        :param atoms: of one formula unit.
        :param most: atoms in the cell.
        """
        largest = most // atoms
        found = np.bincount(self.units, weights, minlength=largest + 1)[1 : largest + 1]
        # a smaller cell is likelier where nothing is known
        found += 0.01 * found.sum() / np.arange(1, largest + 1) ** 2 + 1e-9
        return {unit: float(value) for unit, value in enumerate(found / found.sum(), 1)}

    def of_groups(self, weights: NDArray[np.float64], atoms: int) -> dict[int, float]:
        """Probability of each space group for so many atoms in the primitive cell; ``weights``: of entries, (n,)."""
        near = np.exp(-(np.log(self.atoms / atoms) ** 2) / (2 * SPREAD**2))
        found = np.bincount(self.groups, weights * near, minlength=231)[1:]
        found = (1 - ANY) * found / max(found.sum(), 1e-300) + ANY / len(found)
        return {group: float(value) for group, value in enumerate(found / found.sum(), 1)}

    def rate(self, group: int, letter: str, prior: float) -> float:
        """Occurrences of a Wyckoff position for each entry of its space group.

        :param prior: what counts as one further entry.
        """
        return (self.letters.get(group, {}).get(letter, 0) + prior) / (self.entries.get(group, 0) + 1)


@once_per_library
def learned(library: Library, excluded: frozenset[str]) -> SiteStatistics:
    """The statistics of a library, kept in memory.

    :param excluded: reduced formulas whose entries are not looked at.
    """
    groups: list[int] = []
    atoms: list[int] = []
    units: list[int] = []
    counts: list[dict[str, int]] = []
    ratios: dict[str, list[int]] = defaultdict(list)
    letters: dict[int, Counter[str]] = defaultdict(Counter)
    for template in usable(library, excluded):
        group, positions = positions_of(label_of(template))
        if not group:
            continue
        own = reduced(template.crystal.counts)
        ratios[template.crystal.ratio_label].append(len(groups))
        groups.append(group)
        atoms.append(template.crystal.nsites)
        units.append(template.crystal.nsites // sum(own.values()))
        counts.append(own)
        letters[group].update(positions)
    return SiteStatistics(
        np.array(groups, dtype=np.int64),
        np.array(atoms, dtype=np.int64),
        np.array(units, dtype=np.int64),
        {label: np.array(rows) for label, rows in ratios.items()},
        counts,
        letters,
    )


def usable(library: Library, excluded: frozenset[str]) -> list[Template]:
    """Entries with known elements; of those whose prototype would have to be determined, the most stable ones."""
    items = known_entries(library, excluded)
    without = [item for item in items if not item.proto_label]
    if len(without) <= MOST_DETERMINED:
        return items
    stable = sorted(without, key=lambda item: (item.e_above_hull or 0.0, item.crystal.nsites, item.id))
    return [item for item in items if item.proto_label] + stable[:MOST_DETERMINED]


def positions_of(label: str) -> tuple[int, Counter[str]]:
    """Space group and Wyckoff letters of a prototype label, e.g. 221 and a, b, c of ``ABC3_cP5_221_a_b_c``."""
    parts = label.split('_')
    if len(parts) < 4 or not parts[2].isdigit():
        return 0, Counter()
    found: Counter[str] = Counter()
    for part in parts[3:]:
        for number, letter in _LETTERS.findall(part):
            found[letter] += int(number or 1)
    return int(parts[2]), found
