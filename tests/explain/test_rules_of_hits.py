"""Rules of a pool whose rule is known, and of one that has none."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.explain.hits import Hits, rules_of
from aiida_inversedesign.explain.rules import Condition, Conditions, Rule, chance, find_rules, gain
from aiida_inversedesign.screen.rules import printable

NAMES = ('a', 'b', 'c', 'd', 'e')


def pool(noise: bool = False) -> Hits:
    """2 000 candidates, a tenth evaluated; hits have a ≥ 0.8 and b ≤ 0.5, or no rule at all."""
    rng = np.random.default_rng(1)
    quantities = rng.random((2000, 5))
    truth = (quantities[:, 0] >= 0.8) & (quantities[:, 1] <= 0.5)
    if noise:
        truth = rng.permutation(truth)
    evaluated = np.sort(rng.permutation(2000)[:200])
    # a surrogate that is right three times out of four
    probability = np.where(truth, 0.75, 0.05) if not noise else np.full(2000, truth.mean())
    return Hits(
        quantities, NAMES, ('GPa', '', '', '', ''), evaluated, truth[evaluated], lambda known: probability.copy()
    )


def test_the_rule_is_found() -> None:
    found = rules_of(pool(), seed=0, splits=5)
    first = found['rules'][0]
    conditions = {item['descriptor']: item for item in first['conditions']}
    assert set(conditions) == {'a', 'b'}
    assert conditions['a']['side'] == '≥'
    assert conditions['a']['threshold'] == pytest.approx(0.8, abs=0.03)
    assert conditions['b']['side'] == '≤'
    assert conditions['b']['threshold'] == pytest.approx(0.5, abs=0.03)
    assert first['hits'] >= 0.9 * first['evaluated']
    assert first['p_value'] == 0.005
    assert first['held_out']['precision']['value'] > 0.9
    assert first['held_out']['n'] == 5
    assert 'a ≥ ' in first['sentence']
    assert 'GPa' in first['sentence']
    assert found == rules_of(pool(), seed=0, splits=5)


def test_chance_finds_none_or_says_so() -> None:
    values = []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        conditions = Conditions(rng.random((150, 8)), [f'x{n}' for n in range(8)])
        hits = rng.random(150) < 0.15
        rules = find_rules(conditions, hits.astype(float))
        rules = rules or [Rule((conditions.conditions[conditions.best(hits.astype(float), 5, 0.0)[0][1][0]],), 0, 0)]
        named = [[conditions.conditions.index(item) for item in rule.conditions] for rule in rules]
        values.append(chance(conditions, hits, rules, [conditions.obeyed(one) for one in named], seed)[0])
    # nine searches in noise: the p-values of first rules are spread, not small
    assert sum(value <= 0.05 for value in values) <= 2
    assert np.median(values) > 0.2


def test_what_is_printed_is_what_is_counted() -> None:
    values = printable(np.array([[0.1 + 0.2, 0.0, -1234.5678901234]]))
    assert values.tolist() == [[0.3, 0.0, pytest.approx(-1234.56789)]]
    assert Condition('a', '≤', 0.3).obeyed(values[:, 0]).all()


def test_gain_is_that_of_chernoff() -> None:
    assert gain(5, 10, 0.5) == 0
    assert gain(2, 10, 0.5) == 0
    assert gain(10, 10, 0.5) == pytest.approx(10 * np.log(2))


@pytest.mark.parametrize(('hits', 'words'), [(0, '0 of 200 evaluations are hits'), (200, 'every evaluation is a hit')])
def test_without_contrast_there_are_no_rules(hits: int, words: str) -> None:
    asked = pool()
    asked = Hits(asked.quantities, NAMES, asked.units, asked.evaluated, np.arange(200) < hits, asked.probability)
    found = rules_of(asked, 0, 5)
    assert found['rules'] == []
    assert words in found['reason']


def test_few_hits_are_not_halved() -> None:
    asked = pool()
    few = asked.hit & (np.cumsum(asked.hit) <= 5)
    found = rules_of(Hits(asked.quantities, NAMES, asked.units, asked.evaluated, few, asked.probability), 0, 5)
    assert found['rules'][0]['held_out'] is None
    assert '5 hits are too few' in found['held_out_reason']
