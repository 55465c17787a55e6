"""The rules of a pool with their evidence: support, precision on evaluated and on held-out rows, p-value, sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.explain.groups import Mask
from aiida_inversedesign.explain.learned import ExplainError
from aiida_inversedesign.explain.rules import Conditions, Rule, chance, find_rules
from aiida_inversedesign.learn.surrogate import estimated_property

#: Rules that are looked for.
RULES = 3
#: Fewest hits among the evaluated rows for rules, and for rules from half of the rows.
LEAST_HITS, LEAST_HALVED = 3, 8
#: Largest p-value of a rule that is written for a campaign file, the usual level.
MOST_P = 0.05
#: Candidates drawn in the picture of a rule, beside all that were evaluated.
_DRAWN = 500


@dataclass(frozen=True)
class Hits:
    """A pool of which some candidates are evaluated.

    :param quantities: descriptors of the pool in their own units, shape (n, d).
    :param names: of the descriptors. :param units: likewise.
    :param evaluated: indices of the evaluated candidates, length m. :param hit: which of these are hits, shape (m,).
    :param probability: the probability of a hit for the whole pool, shape (n,), by a surrogate that knows these of the
        evaluated candidates only (indices in ``evaluated``).
    :param noun: what candidates are called.
    :param shown: a property with its unit and values of the pool, shape (n,), that pictures show: found, or predicted.
    """

    quantities: Array
    names: Sequence[str]
    units: Sequence[str]
    evaluated: Integers
    hit: Mask
    probability: Callable[[Integers], Array]
    noun: str = 'candidates'
    shown: tuple[str, str, Array] | None = None

    def weights(self, known: Integers) -> Array:
        """How far each of n candidates is a hit, shape (n,), from these evaluations: results, else probabilities."""
        found = np.clip(self.probability(known), 0.0, 1.0)
        found[self.evaluated[known]] = self.hit[known]
        return found

    def sentence(self, rule: Rule, figures: dict[str, Any]) -> str:
        """A rule in words."""
        parts = ' and '.join(self.words(rule))
        text = f'{self.noun[0].upper()}{self.noun[1:]} with {parts} are hits in '
        text += f'{figures["hits"]} of {figures["evaluated"]} evaluations'
        if figures['evaluated']:
            text += f' ({figures["hits"] / figures["evaluated"]:.0%}; of all evaluations {self.hit.mean():.0%})'
        return text + f'; {rule.support:.1%} of all {len(self.quantities)} {self.noun} obey it.'

    def words(self, rule: Rule) -> list[str]:
        """Each condition, e.g. ``mean_melting_point ≥ 2280 K``."""
        units = dict(zip(self.names, self.units, strict=True))
        return [
            f'{item.descriptor} {item.side} {item.threshold:g} {units[item.descriptor]}'.rstrip()
            for item in rule.conditions
        ]


def rules_of(task: Hits, seed: int, splits: int) -> dict[str, Any]:
    """The rules of a pool.

    :param splits: times that the rows are halved at random, rules found with one half, and counted on the other.
    :returns: ``rules``, each with ``conditions``, ``support``, ``expected`` (share of hits in the pool, by the
        surrogate), ``evaluated``, ``hits`` and ``p_value``, and :func:`held_out` of its rank; empty with a ``reason``.
    """
    total, hits = len(task.hit), int(task.hit.sum())
    base = {'n': total, 'hits': hits, 'pool': len(task.quantities), 'rules': []}
    if hits < LEAST_HITS or hits == total:
        said = 'every evaluation is a hit' if hits == total else f'{hits} of {total} evaluations are hits'
        return {**base, 'reason': f'{said}: rules need at least {LEAST_HITS} hits and as many others'}
    conditions = Conditions(task.quantities, task.names)
    weights = task.weights(np.arange(total))
    rules = find_rules(conditions, weights, RULES)
    if not rules:
        return {**base, 'reason': 'no conjunction of inequalities tells hits from other candidates well enough'}
    obeyed = [rule.obeyed(task.quantities, task.names)[task.evaluated] for rule in rules]
    values = chance(conditions.rows(task.evaluated), task.hit, rules, obeyed, seed)
    beyond = held_out(task, conditions, seed, splits)
    found = []
    for rank, (rule, mask, value) in enumerate(zip(rules, obeyed, values, strict=True)):
        figures: dict[str, Any] = {
            'conditions': [
                {'descriptor': item.descriptor, 'side': item.side, 'threshold': item.threshold}
                for item in rule.conditions
            ],
            'words': task.words(rule),
            'support': rule.support,
            'expected': rule.expected,
            'evaluated': int(mask.sum()),
            'hits': int(task.hit[mask].sum()),
            'p_value': value,
            'held_out': beyond['ranks'][rank] if beyond['ranks'] else None,
            'picture': _picture(task, rule, weights, seed),
        }
        found.append({**figures, 'sentence': task.sentence(rule, figures)})
    return {**base, 'rules': found, 'held_out_reason': beyond['reason']}


def as_screen(rules: dict[str, Any], most: float = MOST_P) -> tuple[dict[str, Any], list[str]]:
    """The section ``screen`` of a campaign file that keeps what obeys one of the rules, and remarks on them.

    :param rules: of :func:`rules_of`. :param most: largest p-value of a rule that is taken.
    :raises ExplainError: if there is no rule to write, with the reason.
    """
    if not rules['rules']:
        raise ExplainError(f'no rules to write: {rules["reason"]}')
    taken: list[dict[str, dict[str, float]]] = []
    remarks: list[str] = []
    for rule in rules['rules']:
        about = f'{rule["sentence"]} p = {rule["p_value"]:.3g}.'
        if estimated := [item['descriptor'] for item in rule['conditions'] if estimated_property(item['descriptor'])]:
            remarks.append(f'left out, {estimated[0]} is known only after the potential: {about}')
        elif rule['p_value'] > most:
            remarks.append(f'left out, chance finds such rules too: {about}')
        else:
            bounds: dict[str, dict[str, float]] = {}
            for item in rule['conditions']:
                own, lower = bounds.setdefault(item['descriptor'], {}), item['side'] == '≥'
                key, stricter = ('min', max) if lower else ('max', min)
                own[key] = stricter(item['threshold'], own.get(key, item['threshold']))
            taken.append(bounds)
            remarks.append(f'{len(taken)}. {about}')
    if not taken:
        raise ExplainError(f'no rules to write: {"; ".join(remarks)}')
    return {'rules': {'any': taken}}, remarks


def held_out(task: Hits, conditions: Conditions, seed: int, splits: int) -> dict[str, Any]:
    """How rules that were found with one half of the rows do on the other half, by their rank.

    :returns: ``ranks``: for each rank the mean ``precision`` over the splits with the interval in which 95 % of them
        lie, the mean ``ratio`` to the share of hits of the half likewise, and ``n``, the splits that had such a rule
        with rows in the other half; ``reason`` where rows or hits are too few.
    """
    hits = int(task.hit.sum())
    if hits < LEAST_HALVED or splits < 1:
        return {'ranks': [], 'reason': f'{hits} hits are too few to halve: {LEAST_HALVED} are needed'}
    rng = np.random.default_rng(seed)
    shares: list[list[float]] = [[] for _ in range(RULES)]
    ratios: list[list[float]] = [[] for _ in range(RULES)]
    for _ in range(splits):
        order = rng.permutation(len(task.hit))
        known, other = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
        base = float(task.hit[other].mean())
        if not task.hit[known].any() or not base:
            continue
        for rank, rule in enumerate(find_rules(conditions, task.weights(known), RULES)):
            mask = rule.obeyed(task.quantities[task.evaluated[other]], task.names)
            if mask.any():
                share = float(task.hit[other][mask].mean())
                shares[rank].append(share)
                ratios[rank].append(share / base)
    return {
        'ranks': [
            {'precision': _over_splits(own), 'ratio': _over_splits(of), 'n': len(own)}
            for own, of in zip(shares, ratios, strict=True)
        ],
        'reason': '',
    }


def _picture(task: Hits, rule: Rule, weights: Array, seed: int) -> dict[str, Any]:
    """What is drawn of a rule: all evaluated candidates and some of the others in the plane of its first conditions.

    A rule of one descriptor is drawn against the property that is shown, or the probability of a hit.
    """
    shown = task.shown or ('probability of a hit', '', weights)
    names = list(dict.fromkeys(item.descriptor for item in rule.conditions))[:2]
    drawn = np.random.default_rng(seed).permutation(len(task.quantities))[:_DRAWN]
    index = np.concatenate([task.evaluated, np.setdiff1d(drawn, task.evaluated)])
    axes = [task.quantities[index, list(task.names).index(name)] for name in names]
    axes += [shown[2][index]] * (2 - len(axes))
    kinds = ['hit' if hit else 'other' for hit in task.hit] + ['pool'] * (len(index) - len(task.evaluated))
    units = dict(zip(task.names, task.units, strict=True))
    return {
        'names': [*names, *[shown[0]] * (2 - len(names))],
        'units': [*(units[name] for name in names), *[shown[1]] * (2 - len(names))],
        'x': axes[0].tolist(),
        'y': axes[1].tolist(),
        'kind': kinds,
        'obeyed': rule.obeyed(task.quantities[index], task.names).tolist(),
    }


def _over_splits(values: list[float]) -> dict[str, float | None]:
    """Mean and the interval in which 95 % of the values lie."""
    if not values:
        return {'value': None, 'low': None, 'high': None}
    low, high = (float(np.quantile(values, level)) for level in (0.025, 0.975))
    return {'value': math.fsum(values) / len(values), 'low': low, 'high': high}
