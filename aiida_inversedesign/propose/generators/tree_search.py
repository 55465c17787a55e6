"""Monte-Carlo tree search over a formula's ratio and the elements on its sites.

The root chooses the ratio, every level below the element of the next site, the largest count first. A run goes down
by the upper confidence bound (UCT; Kocsis and Szepesvári, ECML 2006), adds one node, completes the formula at random,
and hands the formula's score back to all nodes it went through. Three things differ from a game's tree:

- A node's value is the mean of its scores and the best one in equal parts, for good formulas are wanted, not a good
  average (Schadd et al., Knowl.-Based Syst. 34, 3 (2012)).
- There are up to a hundred choices at a level. They are ordered by the mean over all runs that gave the element the
  same count (rapid action values; Gelly and Silver, Artif. Intell. 175, 1856 (2011)), and a node visited n times looks
  at about 2 √n of them (progressive widening; Coulom, LNCS 4630, 72 (2007)).
- The exploration is counted in standard deviations of the scores seen.

Tree search for materials: Dieb et al., Sci. Technol. Adv. Mater. 18, 498 (2017).
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.propose.generators.request import Counts, Proposed, Request
from aiida_inversedesign.propose.generators.scored import EFFORT, ScoredFormulas
from aiida_inversedesign.propose.tree import Node, close_above

#: runs whose scores are asked for at once
BATCH = 32
#: runs for each formula of the budget, where many lead to formulas that may not be proposed
RUNS = 10
#: elements from which the one with the best mean is taken when a formula is completed
OPTIONS = 3


class TreeSearch:
    """Monte-Carlo tree search over formulas.

    :param effort: formulas scored for each one wanted.
    """

    name = 'tree_search'

    def __init__(self, effort: int = EFFORT) -> None:
        self.effort = effort

    def propose(self, request: Request) -> list[Proposed]:
        """The best formulas that were met."""
        scored = ScoredFormulas(request, self.effort)
        if not scored.survey():
            _Tree(scored, random.Random(request.seed)).search()  # noqa: S311
        return scored.best(self.name)


class _Tree:
    def __init__(self, scored: ScoredFormulas, rng: random.Random) -> None:
        self.scored, self.rng = scored, rng
        self.elements = scored.domain.elements
        self.column = {symbol: column for column, symbol in enumerate(self.elements)}
        self.ratios = [ratio for ratio in scored.domain.ratios.values() if len(ratio) <= len(self.elements)]
        self.root = Node.of(np.ones(len(self.ratios), dtype=bool))
        # sum and number of the rewards of each element with each count, and over all counts
        counts = sorted({count for ratio in self.ratios for count in ratio})
        self.count_row = {count: row for row, count in enumerate(counts)}
        self.action_total = np.zeros((len(counts), len(self.elements)))
        self.action_visits = np.zeros((len(counts), len(self.elements)))
        scores = np.array([value for _, value in scored.scored()])
        scores = scores[np.isfinite(scores)]
        self.low = float(np.median(scores)) if len(scores) else 0.0
        self.high = float(scores.max()) if len(scores) else 1.0
        self.ratio_total, self.ratio_visits = np.zeros(len(self.ratios)), np.zeros(len(self.ratios))
        self.rewards: list[float] = []
        for formula, value in scored.scored():
            self._learn(formula, self._reward(value))
        self._recall()
        self.deviation = self._deviation()

    def _recall(self) -> None:
        """What the evaluated formulas say of elements and ratios, on the same scale as the scores."""
        known = self.scored.request.known
        utilities = np.array([item.utility for item in known])
        if not len(utilities):
            return
        middle, top = float(np.median(utilities)), float(utilities.max())
        for item in known:
            self._learn(item.counts, max(item.utility - middle, 0.0) / ((top - middle) or 1.0))

    def search(self) -> None:
        """Runs until the budget is used up, the tree is exhausted, or no run finds anything new."""
        for _ in range(RUNS * self.scored.budget // BATCH):
            if self.scored.exhausted or not self.root.open.any():
                break
            paths, formulas = [], []
            for _ in range(BATCH):
                if not self.root.open.any():
                    break
                path, formula = self._run()
                paths.append(path)
                formulas.append(formula)
            values = self.scored.score(formulas)
            self.high = max(self.high, float(values.max(initial=-math.inf)))
            for path, formula, value in zip(paths, formulas, values.tolist(), strict=True):
                reward = self._reward(value)
                self._learn(formula, reward)
                for node, choice in path:
                    node.total[choice] += reward
                    node.best[choice] = max(node.best[choice], reward)
            self.deviation = self._deviation()

    def _deviation(self) -> float:
        return float(np.std(self.rewards)) if len(self.rewards) > 1 else 1.0

    def _reward(self, value: float) -> float:
        """0 at the median of the first scores and below, 1 at the best so far."""
        if not math.isfinite(value) or self.high <= self.low:
            return 0.0
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def _learn(self, formula: Counts, reward: float) -> None:
        self.rewards.append(reward)
        ratio = tuple(sorted(formula.values(), reverse=True))
        if ratio in self.ratios:
            self.ratio_total[self.ratios.index(ratio)] += reward
            self.ratio_visits[self.ratios.index(ratio)] += 1
        for symbol, count in formula.items():
            if count in self.count_row and symbol in self.column:
                number = self.count_row[count], self.column[symbol]
                self.action_total[number] += reward
                self.action_visits[number] += 1

    def _run(self) -> tuple[list[tuple[Node, int]], Counts]:
        """One way down: the nodes and choices, which count as visited from now on, and the formula at its end."""
        overall = self.ratio_total.sum() / max(self.ratio_visits.sum(), 1.0)
        choice = self.root.choose((self.ratio_total + overall) / (self.ratio_visits + 1), self.deviation, self.rng)
        ratio = self.ratios[choice]
        path, node, chosen = [(self.root, choice)], self.root, list[int]()
        expanded = False
        while len(chosen) < len(ratio) and not expanded:
            expanded = choice not in node.children
            if expanded:
                node.children[choice] = Node.of(self._possible(ratio, chosen))
            node = node.children[choice]
            choice = node.choose(self._means(ratio[len(chosen)]), self.deviation, self.rng)
            path.append((node, choice))
            chosen.append(choice)
        if len(chosen) == len(ratio):
            # nothing is left below a complete formula
            node.open[choice] = False
            close_above(path)
        for visited, at in path:
            visited.visits[at] += 1
        return path, self._complete(ratio, chosen)

    def _means(self, count: int) -> Array:
        """Mean reward of each element with this count, towards its mean with any count where that is seldom."""
        overall = self.action_total.sum() / max(self.action_visits.sum(), 1.0)
        element = (self.action_total.sum(axis=0) + overall) / (self.action_visits.sum(axis=0) + 1)
        row = self.count_row[count]
        return np.asarray((self.action_total[row] + element) / (self.action_visits[row] + 1))

    def _possible(self, ratio: tuple[int, ...], chosen: list[int]) -> NDArray[np.bool_]:
        """Elements for the next site: not chosen yet; among equal counts in their order, so that none comes twice."""
        number = len(chosen)
        possible = np.ones(len(self.elements), dtype=bool)
        possible[chosen] = False
        if number and ratio[number] == ratio[number - 1]:
            possible[: chosen[-1]] = False
        # as many must be left as sites of this count follow
        following = sum(count == ratio[number] for count in ratio[number + 1 :])
        if following:
            free = np.flatnonzero([index not in chosen for index in range(len(self.elements))])
            possible[free[len(free) - following :]] = False
        return possible

    def _complete(self, ratio: tuple[int, ...], chosen: list[int]) -> Counts:
        """The formula with the remaining sites filled, each by the best of some elements taken at random."""
        chosen = list(chosen)
        while len(chosen) < len(ratio):
            free = [index for index in range(len(self.elements)) if index not in chosen]
            means = self._means(ratio[len(chosen)])
            chosen.append(max(self.rng.sample(free, min(OPTIONS, len(free))), key=lambda index: float(means[index])))
        return {self.elements[index]: count for index, count in zip(chosen, ratio, strict=True)}
