"""Rules and importances in a pool whose answers are known, learned from random halves of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array, Integers, Mask
from aiida_inversedesign.audit.metrics.intervals import mean_interval, share
from aiida_inversedesign.benchmarks.common import Report
from aiida_inversedesign.benchmarks.search.pool import Pool
from aiida_inversedesign.explain.hits import RULES, Hits
from aiida_inversedesign.explain.learned import ExplainError, Task, importances
from aiida_inversedesign.explain.rules import Conditions, find_rules
from aiida_inversedesign.learn.fit import fit_on_features
from aiida_inversedesign.learn.surrogate import Surrogate

#: Names of the two descriptors that are added for the test of importances.
PLANTED, SHUFFLED = 'planted', 'shuffled'
#: Halves in which importances are ranked, which take most of the time.
_RANKED = 5
#: Noise of the planted descriptor in standard deviations of the property: it explains four fifths of the variance.
_NOISE = 0.5


@dataclass(frozen=True)
class Plan:
    """What is measured.

    :param top: share of the pool that counts as hits. :param minimize: whether the lowest values are wanted.
    :param splits: random halves. :param surrogate: kind of model.
    """

    property: str
    top: float = 0.05
    minimize: bool = False
    splits: int = 20
    surrogate: str = 'gp'
    seed: int = 0


def measure(pool: Pool, plan: Plan, report: Report) -> dict[str, Any]:
    """Rules found from one half of a pool and counted on the other, and ranks of two descriptors of known worth.

    :returns: ``base_rate``, ``threshold``; ``ranks``: for each rank of a rule over the splits ``precision`` and
        ``ratio`` to the held-out half's share of hits (mean, Student's 95 % interval of the mean, n), and
        ``five_times``, the share of splits in which it is at least five; ``best_three`` likewise of all rules of a
        split together; ``importances``: the ranks of a planted descriptor and, in fits of their own, of a shuffled one.
    :raises ExplainError: if there are too few hits.
    """
    values = pool.values[plan.property] * (-1.0 if plan.minimize else 1.0)
    threshold = float(np.quantile(values, 1 - plan.top))
    hit = values >= threshold
    if hit.sum() < 2 * RULES or len(values) < 40 or hit.all():
        raise ExplainError(
            f'{pool.name}: {int(hit.sum())} hits in {len(values)} candidates are too few to halve: raise --top'
        )
    conditions = Conditions(pool.features, pool.names)
    rng = np.random.default_rng(plan.seed)
    splits: list[list[dict[str, Any]]] = []
    added: dict[str, list[dict[str, float]]] = {PLANTED: [], SHUFFLED: []}
    for number in range(plan.splits):
        order = rng.permutation(len(values))
        known, other = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
        splits.append(_rules(pool, plan, values, hit, threshold, conditions, known, other))
        for name, found in added.items() if number < _RANKED else ():
            found.append(_importances(pool, plan, values, known, name, number))
        report('halves', (number + 1) / plan.splits)
    ranks = []
    for rank in range(RULES):
        rules = [split[rank] for split in splits if len(split) > rank and split[rank]['held_out']]
        ranks.append({'rules': rules, **_summary(rules)})
    together = [
        {key: float(np.mean([rule[key] for rule in counted])) for key in ('precision', 'ratio')}
        for split in splits
        if (counted := [rule for rule in split if rule['held_out']])
    ]
    return {
        'schema': 'inversedesign/1',
        'pool': {'name': pool.name, 'candidates': len(pool), 'sha256': pool.digest},
        'property': plan.property,
        'surrogate': plan.surrogate,
        'seed': plan.seed,
        'splits': plan.splits,
        'threshold': threshold * (-1.0 if plan.minimize else 1.0),
        'base_rate': float(hit.mean()),
        'ranks': ranks,
        'best_three': _summary(together),
        'importances': {name: _rank(found, name) for name, found in added.items()},
    }


def _summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean precision and ratio with their intervals."""
    if not found:
        return {'n': 0, 'precision': None, 'ratio': None, 'five_times': share(0, 0)}
    summary: dict[str, Any] = {'n': len(found)}
    for key in ('precision', 'ratio'):
        values = np.array([item[key] for item in found])
        low, high = mean_interval(values) or (None, None)
        summary[key] = {'value': float(values.mean()), 'low': low, 'high': high, 'least': float(values.min())}
    return {**summary, 'five_times': share(sum(item['ratio'] >= 5 for item in found), len(found))}


def _rules(
    pool: Pool,
    plan: Plan,
    values: Array,
    hit: Mask,
    threshold: float,
    conditions: Conditions,
    known: Integers,
    other: Integers,
) -> list[dict[str, Any]]:
    surrogate = _fitted(pool.features, pool.names, plan, values, known)
    model = surrogate.models[plan.property]
    inputs = surrogate.standardise(pool.features)
    task = Hits(
        pool.features,
        pool.names,
        [''] * len(pool.names),
        known,
        hit[known],
        lambda _: model.within(inputs, threshold, np.inf),
    )
    rules = find_rules(conditions, task.weights(np.arange(len(known))), RULES)
    obeyed = [rule.obeyed(pool.features, pool.names) for rule in rules]
    base = float(hit[other].mean())
    found = []
    for rule, mask in zip(rules, obeyed, strict=True):
        count = int(mask[other].sum())
        precision = float(hit[other][mask[other]].mean()) if count else 0.0
        found.append(
            {
                'words': task.words(rule),
                'support': rule.support,
                'held_out': count,
                'precision': precision,
                'ratio': precision / base,
            }
        )
    return found


def _importances(pool: Pool, plan: Plan, values: Array, known: Integers, name: str, seed: int) -> dict[str, float]:
    """Importance of each descriptor, that of its group, with one more: the planted descriptor, or it shuffled."""
    rng = np.random.default_rng([plan.seed, seed])
    column = (values - values.mean()) / values.std() + _NOISE * rng.normal(size=len(values))
    features = np.column_stack([pool.features, column if name == PLANTED else rng.permutation(column)])
    names = (*pool.names, name)
    surrogate = _fitted(features, names, plan, values, known)
    inputs = surrogate.standardise(features)
    task = Task(plan.property, surrogate.models[plan.property], inputs[known], values[known], inputs, names, seed)
    return {one: item['value'] for item in importances(task) for one in item['descriptors']}


def _rank(splits: list[dict[str, float]], name: str) -> dict[str, Any]:
    """The rank of a descriptor among all by the mean importance over the splits, and its range over single splits."""
    names = [one for one in splits[0] if all(one in split for split in splits)]
    mean = {one: float(np.mean([split[one] for split in splits])) for one in names}

    def rank(values: dict[str, float]) -> int:
        return 1 + sum(values[one] > values[name] for one in names)

    own = np.array([split[name] for split in splits])
    low, high = mean_interval(own) or (None, None)
    of_splits = [rank(split) for split in splits]
    return {
        'rank': rank(mean),
        'of': len(names),
        'importance': {'value': mean[name], 'low': low, 'high': high, 'n': len(splits)},
        'first': share(sum(one == 1 for one in of_splits), len(splits)),
        'last': share(sum(one == len(names) for one in of_splits), len(splits)),
    }


def _fitted(features: Array, names: Any, plan: Plan, values: Array, known: Integers) -> Surrogate:
    return fit_on_features(
        features[known], {plan.property: values[known]}, kind=plan.surrogate, seed=plan.seed, names=names
    )
