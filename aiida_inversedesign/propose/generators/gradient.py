"""Formulas at the end of climbs of the surrogate: its gradient over the atomic fractions, projected to formulas.

A climb starts from a good formula. The gradient of the request's score over the atomic fractions w says which elements
to add: by the surrogate's own gradient where it has one, else by differences of its scores, one for each element, which
count as formulas scored. Each has the width of one atom, since maxima and minima over the elements jump where one
appears. A step of one of a few lengths leads to w' on the simplex (its nearest point, Duchi
et al., ICML 2008), whose kernel mean descriptor w'K is turned into the nearest formulas of the space by the
descriptor's exact inverse (Kusaba et al., Phys. Rev. B 108, 134107 (2023)). Constraints may leave few of these, so that
the variations of the formula that the gradient promises most of are taken too: ordering discrete steps by a gradient is
due to Grathwohl et al., ICML 2021. The best of all is the next formula of the climb, which ends where none is better.
The next climb starts at a formula that lies away from all former starts.
"""

from __future__ import annotations

import random

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.kmd.decoding import nearest_formulas
from aiida_inversedesign.chemistry.kmd.inverse import Inverse
from aiida_inversedesign.propose.generators.domain import Key, key_of
from aiida_inversedesign.propose.generators.evolution import Variation
from aiida_inversedesign.propose.generators.request import Amounts, Counts
from aiida_inversedesign.propose.generators.scored import DescriptorSearch, ScoredFormulas

#: lengths of the steps along the gradient, as the largest change of an atomic fraction, by judgement: from one atom of
#: ten to most of a formula
STEPS = (0.1, 0.2, 0.4)
#: ratios of the space that the end of a step is turned into formulas of: the nearest; each more costs time only
RATIOS = 6
#: formulas of the inverse around the end of one step: in the spaces of docs/benchmarks.md 12 found 0.6 to 0.9 hits of
#: 50 more than 4 (12 runs)
AROUND = 12
#: variations of a formula that are looked at without a score, and those that are scored: 4, 8 and 16 found as much
LOOKED, TAKEN = 300, 8
#: least distance of two starts, as a share of the usual distance of an element from the mean of all, by judgement
APART = 0.2


class Gradient(DescriptorSearch):
    """Climbs of the surrogate."""

    name = 'gradient'

    def search(self, scored: ScoredFormulas) -> None:
        inverse = Inverse(self.descriptor, scored.domain.elements)
        _Climber(scored, inverse, random.Random(scored.request.seed)).search()  # noqa: S311


class _Climber:
    def __init__(self, scored: ScoredFormulas, inverse: Inverse, rng: random.Random) -> None:
        self.scored, self.inverse, self.rng = scored, inverse, rng
        self.elements = inverse.elements
        self.column = {symbol: column for column, symbol in enumerate(self.elements)}
        self.vary = Variation(scored.domain, rng)
        known = sorted(scored.request.known, key=lambda item: (-item.utility, key_of(item.counts)))
        self.known = [item.counts for item in known]
        self.ratios = list(scored.domain.ratios)
        counts = list(scored.domain.ratios.values())
        # largest fraction first, each row filled up with zeros
        shapes = np.array([[*item, *[0] * (max(map(len, counts)) - len(item))] for item in counts], dtype=np.float64)
        self.shapes: Array = shapes / shapes.sum(axis=1, keepdims=True)
        self.starts: list[Array] = []
        self.climbed: set[Key] = set()

    def search(self) -> None:
        """Climbs until the budget is used up or there is nowhere to start from."""
        number = 0
        while not self.scored.exhausted and (start := self._start(number)) is not None:
            self._climb(start)
            number += 1

    def _start(self, number: int) -> Counts | None:
        """The best formula not climbed from yet and away from former starts; evaluated ones in turn with new ones."""
        ranked = self.scored.ranked()
        orders = [self.known, ranked] if number % 2 == 0 else [ranked, self.known]
        for apart in (APART, 0.0):
            for counts in (item for order in orders for item in order):
                # a formula that the space names may have other elements than the others
                if key_of(counts) in self.climbed or not self.column.keys() >= counts.keys():
                    continue
                index = self._fractions(counts) @ self.inverse.rows
                if all(np.linalg.norm(index - other) > apart * self._usual for other in self.starts):
                    self.starts.append(index)
                    return counts
        return None

    @property
    def _usual(self) -> float:
        return float(np.median(np.linalg.norm(self.inverse.rows - self.inverse.rows.mean(axis=0), axis=1)))

    def _climb(self, here: Counts) -> None:
        value = float(self.scored.score([here])[0])
        while not self.scored.exhausted:
            self.climbed.add(key_of(here))
            found = self._around(here)
            if not found:
                return
            values = self.scored.score(found)
            best = int(np.argmax(values))
            if values[best] <= value or key_of(found[best]) in self.climbed:
                return
            here, value = found[best], float(values[best])

    def _around(self, here: Counts) -> list[Counts]:
        """Formulas that may be proposed, were not scored, and lie where the gradient points."""
        children: dict[Key, Counts] = {}
        for _ in range(LOOKED):
            child = self.vary([here])
            if self.scored.open(child):
                children[key_of(child)] = child
        slope, gains = self._gradient(here, list(children.values()))
        best = np.argsort(-gains, kind='stable')[:TAKEN]
        found = {key: children[key] for key in (list(children)[index] for index in best.tolist())}
        fractions = self._fractions(here)
        for length in STEPS:
            target = on_simplex(fractions + length * slope / (float(np.abs(slope).max()) or 1.0))
            near = nearest_formulas(
                self.inverse,
                target @ self.inverse.kernel,
                self._ratios(target),
                charge=self.scored.domain.charge,
                number=AROUND,
            )
            found |= {key_of(item.counts): item.counts for item in near if self.scored.open(item.counts)}
        return list(found.values())

    def _gradient(self, here: Counts, others: list[Counts]) -> tuple[Array, Array]:
        """Slope of the score towards more of each element, and how it changes to other formulas, to first order.

        The slope is less its mean, so that it stays on the plane Σw = 1.
        """
        share = 1 / sum(here.values())
        less = {symbol: count * (1 - share) for symbol, count in here.items()}
        there: list[Amounts] = [{**less, symbol: less.get(symbol, 0.0) + 1.0} for symbol in self.elements]
        if self.scored.request.changes is not None:
            # the descriptors of formulas cost no prediction: their change alone is needed
            changes = self.scored.changes(here, [*there, *others])
            slope = changes[: len(there)] / share
            return slope - slope.mean(), changes[len(there) :]
        slope = self.scored.changes(here, there) / share
        fractions = self._fractions(here)
        return slope - slope.mean(), np.array([(self._fractions(other) - fractions) @ slope for other in others])

    def _fractions(self, counts: Counts) -> Array:
        fractions = np.zeros(len(self.elements))
        for symbol, count in counts.items():
            fractions[self.column[symbol]] = count
        return np.asarray(fractions / fractions.sum())

    def _ratios(self, target: Array) -> list[str]:
        """The ratios of the space whose fractions, largest first, are nearest to those of the target."""
        ordered = np.sort(target)[::-1][: self.shapes.shape[1]]
        far = np.abs(self.shapes - np.pad(ordered, (0, self.shapes.shape[1] - len(ordered)))).sum(axis=1)
        return [self.ratios[index] for index in np.argsort(far, kind='stable')[:RATIOS].tolist()]


def on_simplex(point: Array) -> Array:
    """The nearest point with entries ≥ 0 that add up to one, shape (n,) (Duchi et al., ICML 2008)."""
    ordered = np.sort(point)[::-1]
    sums = np.cumsum(ordered) - 1.0
    indices = np.arange(1, len(point) + 1)
    last = int(np.flatnonzero(ordered > sums / indices)[-1])
    return np.asarray(np.maximum(point - sums[last] / (last + 1), 0.0))
