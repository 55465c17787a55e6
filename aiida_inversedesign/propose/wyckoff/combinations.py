"""Which Wyckoff positions the elements of a formula take: combinations drawn by how often each position is occupied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import factorial

import numpy as np

from aiida_inversedesign.chemistry.prototypes import relabellings
from aiida_inversedesign.propose.wyckoff.positions import SHAPES, Position, SpaceGroup
from aiida_inversedesign.propose.wyckoff.statistics import SiteStatistics

#: A position of which the library tells nothing is occupied as often as its atoms are few and its freedom is small.
SPECIAL = 0.3
#: An element may find its positions taken by another: so often the draw begins again.
TRIES = 10


@dataclass(frozen=True)
class Combination:
    """Wyckoff letters of each element in a space group.

    :param probability: that it is drawn in its space group.
    :param freedom: free coordinates and cell parameters at fixed volume.
    """

    group: int
    orbits: Mapping[str, tuple[str, ...]]
    probability: float
    freedom: int

    @property
    def name(self) -> tuple[object, ...]:
        """The same for combinations that differ by the setting of the space group alone."""
        found = min(
            tuple(
                (symbol, ''.join(sorted(table.get(letter, letter) for letter in letters)))
                for symbol, letters in sorted(self.orbits.items())
            )
            for table in relabellings(self.group)
        )
        return (self.group, *found)


def draw_combination(
    group: SpaceGroup, counts: Mapping[str, int], statistics: SiteStatistics, rng: np.random.Generator
) -> Combination | None:
    """A random combination for these atoms of the primitive cell, or None if none is found.

    Elements choose one after the other, those of few atoms first, among all ways to reach their number: each way has
    the product of the rates of its positions for its weight, and a position without free coordinates is taken once.
    """
    rates = {
        item.letter: statistics.rate(group.number, item.letter, SPECIAL ** (1 + item.freedom))
        for item in group.positions
    }
    order = sorted(counts, key=lambda symbol: (counts[symbol], symbol))
    for _ in range(TRIES):
        taken: set[str] = set()
        orbits: dict[str, tuple[str, ...]] = {}
        probability, freedom = 1.0, SHAPES[group.family]
        for symbol in order:
            free = [item for item in group.positions if item.letter not in taken]
            found = _positions(free, counts[symbol], rates, rng)
            if found is None:
                break
            chosen, share = found
            probability *= share
            taken |= {item.letter for item in chosen if not item.freedom}
            freedom += sum(item.freedom for item in chosen)
            orbits[symbol] = tuple(item.letter for item in chosen)
        else:
            return Combination(group.number, orbits, probability, freedom)
        if len(order) == 1 or not orbits:
            return None
    return None


def _positions(
    free: list[Position], atoms: int, rates: Mapping[str, float], rng: np.random.Generator
) -> tuple[list[Position], float] | None:
    """Positions of one element and the probability that they are drawn, or None if no way leads to its number."""
    # sums[k][n]: weight of all ways in which the positions from the k-th on have n atoms
    sums = np.zeros((len(free) + 1, atoms + 1))
    sums[-1, 0] = 1.0
    options: list[list[float]] = []
    for index in range(len(free) - 1, -1, -1):
        item = free[index]
        most = atoms // item.atoms if item.freedom else min(1, atoms // item.atoms)
        weights = [rates[item.letter] ** uses / factorial(uses) for uses in range(most + 1)]
        options.append(weights)
        for uses, weight in enumerate(weights):
            used = uses * item.atoms
            sums[index, used:] += weight * sums[index + 1, : atoms + 1 - used]
    options.reverse()
    if not sums[0, atoms] > 0:
        return None
    chosen: list[Position] = []
    probability, left = 1.0, atoms
    for index, item in enumerate(free):
        shares = np.array(
            [weight * sums[index + 1, left - uses * item.atoms] if uses * item.atoms <= left else 0.0
             for uses, weight in enumerate(options[index])]
        )  # fmt: skip
        shares /= shares.sum()
        uses = int(rng.choice(len(shares), p=shares))
        probability *= float(shares[uses])
        chosen += [item] * uses
        left -= uses * item.atoms
    return chosen, probability
