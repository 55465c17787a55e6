"""Evolution of formulas: exchange of similar elements, crossing of two formulas, change of the ratio.

A steady (μ + λ) evolution: every generation makes λ new formulas from the best μ so far and from the best evaluated
ones, scores them, and goes on. Exchanged elements are similar ones by preference, in the dissimilarity of the element
table, as in data-mined substitution (Hautier et al., Inorg. Chem. 50, 656 (2011)).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.propose.generators.domain import Domain, Key, key_of
from aiida_inversedesign.propose.generators.request import Counts, Proposed, Request
from aiida_inversedesign.propose.generators.scored import EFFORT, ScoredFormulas

#: generations over which the budget of scored formulas is spread
GENERATIONS = 20
#: shares of the new formulas of a generation that are drawn at random, and that descend from evaluated formulas
IMMIGRANTS, DESCENDANTS = 0.1, 0.2
#: attempts for each new formula; a variation may lead out of the space, or to a formula scored before
ATTEMPTS = 20
#: how often the variations are tried, relative to each other
VARIATIONS = {'substitute': 4, 'cross': 3, 'change_ratio': 2, 'exchange': 1}


class Evolution:
    """Genetic algorithm over formulas.

    :param effort: formulas scored for each one wanted.
    """

    name = 'evolution'

    def __init__(self, effort: int = EFFORT) -> None:
        self.effort = effort

    def propose(self, request: Request) -> list[Proposed]:
        """The best formulas that were met."""
        scored = ScoredFormulas(request, self.effort)
        if scored.survey():
            return scored.best(self.name)
        rng = random.Random(request.seed)  # noqa: S311
        vary = Variation(scored.domain, rng)
        evaluated = sorted(request.known, key=lambda item: (-item.utility, key_of(item.counts)))
        ancestors = [item.counts for item in evaluated[: max(1, len(evaluated) // 4)]]
        size = max(10, scored.budget // GENERATIONS)
        while not scored.exhausted:
            parents = scored.ranked()[: max(2, size // 2)]
            children: dict[Key, Counts] = {}
            for _ in range(ATTEMPTS * size):
                if len(children) >= (1 - IMMIGRANTS) * size:
                    break
                pool = ancestors if ancestors and rng.random() < DESCENDANTS else parents or ancestors
                if not pool:
                    break
                child = vary(pool)
                if scored.open(child):
                    children[key_of(child)] = child
            fresh = scored.fresh(rng, max(1, size - len(children)))
            if not children and not fresh:
                break
            scored.score([*children.values(), *fresh])
        return scored.best(self.name)


class Variation:
    """New formulas from old ones.

    :param domain: the elements and ratios to use; a result may still lie outside.
    """

    def __init__(self, domain: Domain, rng: random.Random) -> None:
        self.domain, self.rng = domain, rng

    def __call__(self, parents: Sequence[Counts]) -> Counts:
        """A variation of one parent, or of two; parents come in order, the better ones are taken more often."""
        (name,) = self.rng.choices(list(VARIATIONS), list(VARIATIONS.values()))
        first = self._parent(parents)
        if name == 'cross':
            return self.cross(first, self._parent(parents))
        variation = {'substitute': self.substitute, 'change_ratio': self.change_ratio, 'exchange': self.exchange}
        return variation[name](first)

    def _parent(self, parents: Sequence[Counts]) -> Counts:
        """The better of two taken at random."""
        return parents[min(self.rng.randrange(len(parents)), self.rng.randrange(len(parents)))]

    def substitute(self, counts: Counts) -> Counts:
        """One element exchanged for a similar one."""
        old = self.rng.choice(sorted(counts))
        # the more probable the more similar
        others, cumulated = _similar_elements(old, self.domain.elements)
        new = self.rng.choices(others, cum_weights=cumulated)[0] if others else old
        if new in counts:
            return self.exchange(counts)
        return {new if symbol == old else symbol: count for symbol, count in counts.items()}

    def cross(self, first: Counts, second: Counts) -> Counts:
        """The ratio of the first; on each site an element of one of them."""
        ratio, other = _indices(first), [symbol for symbol, _ in _indices(second)]
        child: Counts = {}
        for number, (symbol, count) in enumerate(ratio):
            options = [symbol, *other[number : number + 1]]
            self.rng.shuffle(options)
            free = [option for option in options if option not in child]
            child[free[0] if free else self._new(child)] = count
        return child

    def change_ratio(self, counts: Counts) -> Counts:
        """Another ratio of the space with the same elements in the same order; some are added or left out."""
        ratio = self.domain.ratios[self.rng.choice(list(self.domain.ratios))]
        symbols = [symbol for symbol, _ in _indices(counts)]
        while len(symbols) > len(ratio):
            symbols.pop(self.rng.randrange(len(symbols)))
        while len(symbols) < len(ratio):
            symbols.insert(self.rng.randrange(len(symbols) + 1), self._new(symbols))
        return dict(zip(symbols, ratio, strict=True))

    def exchange(self, counts: Counts) -> Counts:
        """Two elements exchange their counts."""
        if len(counts) < 2:
            return counts
        first, second = self.rng.sample(sorted(counts), 2)
        return counts | {first: counts[second], second: counts[first]}

    def _new(self, without: Sequence[str] | Counts) -> str:
        """An element that is not among these; one of them where the space has no other."""
        free = [symbol for symbol in self.domain.elements if symbol not in without]
        return self.rng.choice(free or list(self.domain.elements))


def _indices(counts: Counts) -> list[tuple[str, int]]:
    """Elements and counts, the largest count first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


@functools.lru_cache(maxsize=4096)
def _similar_elements(symbol: str, elements: tuple[str, ...]) -> tuple[list[str], list[float]]:
    """The other elements and their cumulated weights exp(−dissimilarity / usual distance of a nearest neighbour)."""
    table = element_table()
    others = [other for other in elements if other != symbol]
    rows = table.rows(elements)
    between = table.dissimilarity[np.ix_(rows, rows)] + np.diag(np.full(len(rows), np.inf))
    width = float(np.median(between.min(axis=1))) if len(rows) > 1 else 1.0
    distance = table.dissimilarity[table.index[symbol], table.rows(others)]
    weights = np.exp(-(distance - distance.min(initial=np.inf)) / width) if others else np.empty(0)
    return others, list(accumulate(weights.tolist()))
