"""Rules: conjunctions of inequalities in descriptors that hits obey, found from the surrogate over the whole pool.

In the manner of Liu et al., Adv. Mater. 33, 2102507 (2021), who read the rules of quasicrystals off a fitted model.
Each candidate counts as a hit with its probability by the surrogate, an evaluated one by its result. A beam search
adds conditions one by one, as the patient rule induction of Friedman and Fisher (Stat. Comput. 9, 123 (1999)) narrows a
box, and looks for the largest gain n·KL(p‖p₀): n candidates obey the rule, a share p of them are hits, p₀ of all are.
It is the exponent of the probability that chance gives such a share (Chernoff), so that wide and pure rules compete.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.explain.groups import Mask

#: Quantiles of the pool at which a descriptor may be cut: a twentieth of the pool apart, finer in the tails.
LEVELS = (0.01, 0.02, *(level / 20 for level in range(1, 20)), 0.98, 0.99)
#: Conditions of a rule: a fourth is hardly read, and in 1 181 crystals none was worth its price.
MOST_CONDITIONS = 3
#: Rules that are refined together; 10 and 40 find the same rules in 1 181 crystals.
_BEAM = 20
#: Weight of a hit once a rule has it: the next rule looks for others first (weighted covering, Lavrač et al. 2004).
_COVERED = 0.5
#: Fewest candidates of a rule, and the share of the pool.
_LEAST, _SHARE = 5, 0.005
#: Permutations of the results, so that the smallest p-value is 0.005.
PERMUTATIONS = 199


@dataclass(frozen=True)
class Condition:
    """One inequality; ``threshold`` is as printed, in the descriptor's own unit."""

    descriptor: str
    side: Literal['≥', '≤']
    threshold: float

    def obeyed(self, values: Array) -> Mask:
        """Which values obey it: the same shape."""
        return values >= self.threshold if self.side == '≥' else values <= self.threshold


@dataclass(frozen=True)
class Rule:
    """A conjunction of conditions.

    :param support: share of the pool that obeys it.
    :param expected: share of hits among these, by surrogate and results.
    """

    conditions: tuple[Condition, ...]
    support: float
    expected: float

    def obeyed(self, quantities: Array, names: Sequence[str]) -> Mask:
        """Which rows of descriptors, shape (n, d), obey it."""
        found = np.ones(len(quantities), dtype=bool)
        for condition in self.conditions:
            found &= condition.obeyed(quantities[:, list(names).index(condition.descriptor)])
        return found


class Conditions:
    """Every condition that a rule may consist of, and which rows obey it."""

    def __init__(self, quantities: Array, names: Sequence[str]) -> None:
        """All cuts of descriptors of a pool, shape (n, d)."""
        self.conditions: list[Condition] = []
        obeyed = []
        for column, name in enumerate(names):
            values = quantities[:, column]
            # as it will be printed: what is counted is what is read
            cuts = dict.fromkeys(float(f'{cut:.3g}') for cut in np.quantile(values, LEVELS))
            for cut in cuts:
                for side in ('≥', '≤'):
                    condition = Condition(name, side, cut)
                    mask = condition.obeyed(values)
                    if 0 < mask.sum() < len(mask):
                        self.conditions.append(condition)
                        obeyed.append(mask)
        self.masks: NDArray[np.float32] = np.array(obeyed, dtype=np.float32).reshape(len(obeyed), len(quantities))

    def rows(self, index: Integers) -> Conditions:
        """The same conditions on some of the rows: indices, shape (k,)."""
        part = object.__new__(Conditions)
        part.conditions, part.masks = self.conditions, np.ascontiguousarray(self.masks[:, index])
        return part

    @cached_property
    def price(self) -> float:
        """What one condition costs: the logarithm of the descriptors and sides it was chosen from.

        The cuts of one descriptor are nearly alike, and count as one.
        """
        return math.log(max(len({(item.descriptor, item.side) for item in self.conditions}), 2))

    def best(self, weights: Array, least: int, price: float | None = None) -> list[tuple[float, tuple[int, ...]]]:
        """For each number of conditions the conjunction with the largest gain minus its price, and that number.

        :param weights: how far each row is a hit, from 0 to 1, shape (n,).
        :param least: fewest rows that must obey it.
        :param price: of a condition; by default :attr:`price`.
        """
        price, base = self.price if price is None else price, float(weights.mean())
        found: list[tuple[float, tuple[int, ...]]] = []
        beam: list[tuple[int, ...]] = [()]
        values = weights.astype(np.float32)
        for length in range(1, MOST_CONDITIONS + 1):
            rows = np.stack([self.masks[list(item)].prod(axis=0) for item in beam])
            count = self.masks @ rows.T
            hits = self.masks @ (rows * values).T
            gains = gain(hits, count, base) - length * price
            # a condition that leaves everything as it was is none
            gains[(count < least) | (count >= rows.sum(axis=1))] = -np.inf
            seen: dict[tuple[int, ...], float] = {}
            for flat in np.argsort(-gains, axis=None, kind='stable')[: 6 * _BEAM].tolist():
                one, member = divmod(flat, len(beam))
                if np.isfinite(gains[one, member]):
                    seen.setdefault(tuple(sorted({*beam[member], one})), float(gains[one, member]))
            beam = list(seen)[:_BEAM]
            if not beam:
                break
            found.append((seen[beam[0]], beam[0]))
        return found

    def obeyed(self, chosen: Sequence[int]) -> Mask:
        """Which rows obey all of these conditions."""
        return np.asarray(self.masks[list(chosen)].prod(axis=0) > 0)


def gain(hits: Any, count: Any, base: float) -> Any:
    """n·KL(p‖p₀) of rules with ``hits`` (expected) hits among ``count`` rows; 0 where p is not above p₀."""
    base = min(max(base, 1e-9), 1 - 1e-9)
    share = np.clip(np.asarray(hits, dtype=np.float64) / np.maximum(count, 1), 1e-12, 1 - 1e-12)
    divergence = share * np.log(share / base) + (1 - share) * np.log((1 - share) / (1 - base))
    return np.where(share > base, count * divergence, 0.0)


def find_rules(conditions: Conditions, weights: Array, number: int = 3) -> list[Rule]:
    """Up to ``number`` rules, the best first; fewer where no further one is worth its conditions.

    :param conditions: of the pool.
    :param weights: how far each candidate is a hit, from 0 to 1, shape (n,).
    """
    left, rules = weights.copy(), []
    least = max(_LEAST, math.ceil(_SHARE * len(weights)))
    for _ in range(number):
        worth, chosen = max(conditions.best(left, least), default=(0.0, ()))
        if worth <= 0:
            break
        mask = conditions.obeyed(chosen)
        parts = tuple(sorted((conditions.conditions[one] for one in chosen), key=lambda item: item.descriptor))
        rules.append(Rule(parts, float(mask.mean()), float(weights[mask].mean())))
        left = np.where(mask, _COVERED * left, left)
    return rules


def chance(conditions: Conditions, hits: Mask, rules: Sequence[Rule], obeyed: Sequence[Mask], seed: int) -> list[float]:
    """The p-value of each rule against chance, corrected for the search (Westfall and Young's largest statistic).

    The results of the evaluated rows are permuted, and the same search looks for the rule with the largest gain among
    those with as many conditions or fewer: the p-value is the share of permutations in which it gains as much as the
    rule does on these rows. Results are exchangeable if the descriptors say nothing of them. The search maximises on
    the permuted rows themselves, which makes the p-value cautious: the rule was sought in the pool.

    :param conditions: on the evaluated rows. :param hits: which are hits, shape (n,).
    :param obeyed: which rows obey each rule, each of shape (n,).
    """
    rng = np.random.default_rng(seed)
    target = hits.astype(np.float64)
    least = min(_LEAST, max(int(hits.sum()), 1))
    searched = [conditions.best(rng.permutation(target), least, 0.0) for _ in range(PERMUTATIONS)]
    values = []
    for rule, mask in zip(rules, obeyed, strict=True):
        own = float(gain(target[mask].sum(), mask.sum(), float(target.mean())))
        largest = [max((one[0] for one in found[: len(rule.conditions)]), default=0.0) for found in searched]
        values.append((1 + sum(other >= own for other in largest)) / (1 + PERMUTATIONS))
    return values
