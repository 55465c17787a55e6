"""Generators of formulas: they stay in the space, repeat themselves, and find better formulas than enumeration."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label, reduced_formula
from aiida_inversedesign.chemistry.kmd.kernel import kernel_mean
from aiida_inversedesign.chemistry.validity import charge_neutral
from aiida_inversedesign.propose.generators.domain import Domain
from aiida_inversedesign.propose.generators.evolution import Evolution, Variation
from aiida_inversedesign.propose.generators.gradient import on_simplex
from aiida_inversedesign.propose.generators.inverse_kmd import InverseKmd, _fit
from aiida_inversedesign.propose.generators.mix import GENERATORS, Mix, make_generator, shared_out
from aiida_inversedesign.propose.generators.request import GeneratorError, Known, NotReadyError, Proposed, Request
from aiida_inversedesign.propose.generators.scored import ScoredFormulas
from aiida_inversedesign.propose.generators.tree_search import TreeSearch
from aiida_inversedesign.spaces.crystals.space import CrystalSpace as Space

ELEMENTS = ['Li', 'Na', 'K', 'Mg', 'Ca', 'Sr', 'Al', 'Ga', 'Si', 'Ge', 'Sn', 'Ti', 'Zr', 'N', 'P', 'O', 'S', 'Se', 'F']
RATIOS = ['1:1', '2:1', '3:1', '3:2', '2:1:1', '3:1:1', '4:2:1']
NUMBER = 10
SEARCHES = ['inverse_kmd', 'evolution', 'tree_search', 'gradient']

NEGATIVITY = element_table().column('en_pauling')


def negativity(formulas):
    """A score with one simple optimum: far from pure anions and far from metals."""
    values = [
        sum(NEGATIVITY[symbol] * count for symbol, count in counts.items()) / sum(counts.values())
        for counts in formulas
    ]
    return -np.abs(np.array(values) - 3.2)


def request(**changes):
    space = Space(
        elements=changes.pop('elements', ELEMENTS),
        ratios=changes.pop('ratios', RATIOS),
        formulas=changes.pop('formulas', []),
        charge_neutral=changes.pop('charge', 'off'),
    )
    rng = random.Random(7)
    domain = Domain(Request(space, 1, 0, negativity))
    known = [domain.draw(rng) for _ in range(20)] if space.elements else []
    evaluated = [Known(counts, float(value)) for counts, value in zip(known, negativity(known), strict=True)]
    defaults = {'number': NUMBER, 'seed': 3, 'score': negativity, 'known': evaluated}
    return Request(space=space, **(defaults | changes))


@pytest.fixture
def short(monkeypatch):
    """Searches that score few formulas, where it does not matter how good they are."""
    monkeypatch.setattr('aiida_inversedesign.propose.generators.scored.LEAST', 150)


def formulas(found):
    return [reduced_formula(item.counts) for item in found]


@pytest.mark.parametrize('name', GENERATORS)
@pytest.mark.parametrize('charge', ['off', 'prefer', 'require'])
def test_proposals_belong_to_the_space(short, name, charge):
    considered = formulas(make_generator(name).propose(request(charge=charge)))[:5]
    asked = request(charge=charge, considered=considered, allowed=lambda counts: 'F' not in counts)
    found = make_generator(name).propose(asked)
    assert len(found) == len(set(formulas(found))) == NUMBER
    assert not set(considered) & set(formulas(found))
    for item in found:
        assert item.generator == name
        assert ratio_label(item.counts) in RATIOS
        assert set(item.counts) <= set(ELEMENTS) - {'F'}
        assert charge != 'require' or charge_neutral(item.counts)
    if charge == 'prefer':
        neutral = [charge_neutral(item.counts) for item in found]
        assert neutral == sorted(neutral, reverse=True)


@pytest.mark.parametrize('name', GENERATORS)
def test_the_same_request_has_the_same_answer(short, name):
    first, again = (make_generator(name).propose(request()) for _ in range(2))
    assert first == again
    assert np.array_equal([item.score or 0 for item in first], [item.score or 0 for item in again])
    random.seed(1)
    np.random.seed(1)
    assert make_generator(name).propose(request()) == first


@pytest.mark.parametrize('name', ['enumeration', 'evolution', 'tree_search'])
def test_another_seed_has_another_answer(name):
    # only few of the formulas are scored, so that the ways differ
    wide = {'ratios': ['4:3:2:1', '5:3:2:1'], 'number': 200}
    assert set(formulas(make_generator(name).propose(request(seed=1, **wide)))) != set(
        formulas(make_generator(name).propose(request(seed=2, **wide)))
    )


@pytest.mark.parametrize('name', SEARCHES)
def test_searches_find_better_scores_than_as_many_random_formulas(name):
    wide = request(elements=list(element_table().symbols), ratios=['3:2:1', '4:2:1', '3:1:1', '5:2:1'])
    scored = ScoredFormulas(wide)
    scored.score(scored.fresh(random.Random(0), scored.budget))
    random_scores = [item.score for item in scored.best('random')]
    found = make_generator(name).propose(wide)
    assert all(item.score == pytest.approx(negativity([item.counts])[0]) for item in found)
    assert np.mean([item.score for item in found]) > np.mean(random_scores)


@pytest.mark.parametrize('name', SEARCHES)
def test_a_small_space_is_scored_completely(name):
    small = request(elements=['Na', 'K', 'Cl', 'Br', 'O'], ratios=['1:1', '2:1'], number=4)
    everything = list(Domain(small).every())
    order = np.argsort(-negativity(everything), kind='stable')[:4]
    assert {item.score for item in make_generator(name).propose(small)} == set(negativity(everything)[order])


@pytest.mark.parametrize('name', GENERATORS)
def test_formulas_named_one_by_one(name):
    known = [Known(parse_formula(formula), 0.0) for formula in ('LiF', 'NaF', 'KF')]
    asked = request(
        elements=[], ratios=[], formulas=['NaCl', 'MgO', 'SiC'], known=known, considered={'MgO'}, charge='prefer'
    )
    found = make_generator(name).propose(asked)
    assert set(formulas(found)) == {'NaCl', 'SiC'}


def test_nothing_left():
    asked = request(elements=['Na', 'Cl'], ratios=['1:1'], considered={'NaCl'})
    for name in GENERATORS:
        assert make_generator(name).propose(asked) == []
    assert Mix({'evolution': 1}).propose(asked) == []


def test_without_a_score_everything_is_enumerated():
    for name in SEARCHES:
        with pytest.raises(NotReadyError, match='take enumeration'):
            make_generator(name).propose(request(score=None))
    mixed = Mix({'inverse_kmd': 1, 'evolution': 1}).propose(request(score=None))
    assert {item.generator for item in mixed} == {'enumeration'}
    assert len(mixed) == NUMBER


@pytest.mark.parametrize('name', SEARCHES)
def test_a_score_alone_is_enough(short, name):
    found = make_generator(name).propose(request(known=(), ratios=['4:3:2:1', '5:3:2:1']))
    assert len(found) == NUMBER


def test_inverse_tells_its_residual(short):
    for item in InverseKmd().propose(request()):
        assert item.residual is not None
        assert 0 <= item.residual < np.linalg.norm(kernel_mean().kernel)


def test_climbing_follows_the_gradient():
    known = [(item.counts, item.utility) for item in request().known]
    process = _fit(kernel_mean(), sorted(known, key=lambda pair: -pair[1]), [], 0)
    assert process.point(process.components(kernel_mean().describe([known[0][0]]))[0]) == pytest.approx(
        kernel_mean().describe([known[0][0]])[0], abs=0.2
    )
    start = process.inputs[3] + 0.1
    for weight in (0.0, 2.0):
        value, gradient = process.bound(start, weight)
        steps = 1e-5 * np.eye(len(start))
        slopes = [
            (process.bound(start + step, weight)[0] - process.bound(start - step, weight)[0]) / 2e-5 for step in steps
        ]
        assert gradient == pytest.approx(slopes, abs=1e-6)
        assert process.bound(process.climb(start, weight), weight)[0] > value


def test_the_answer_does_not_depend_on_the_order_of_sets():
    """Another process hashes strings in another way."""
    code = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'from test_generators import *\n'
        'import aiida_inversedesign.propose.generators.scored as scored\n'
        'scored.LEAST = 150\n'
        'shares = dict.fromkeys(GENERATORS, 1)\n'
        'print(formulas(Mix(shares).propose(request(number=16, considered={"NaF", "SiO2", "TiO2"}))))'
    )
    answers = {
        subprocess.run(
            [sys.executable, '-c', code, str(Path(__file__).parent)],
            env={**os.environ, 'PYTHONHASHSEED': seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ('1', '2')
    }
    assert len(answers) == 1


def test_inverse_of_equal_and_of_bad_utilities(short):
    flat = [Known(item.counts, 1.0) for item in request().known]
    assert len(InverseKmd().propose(request(known=flat))) > 0
    with pytest.raises(GeneratorError, match='not a number'):
        InverseKmd().propose(request(known=[*flat, Known({'Na': 1}, float('nan'))]))


def test_scores_that_are_no_numbers(short):
    for name in SEARCHES:
        with pytest.raises(GeneratorError, match='one number each'):
            make_generator(name).propose(request(score=lambda items: np.full(len(items), np.nan)))
        with pytest.raises(GeneratorError, match='shape'):
            make_generator(name).propose(request(score=lambda items: np.zeros(3)))
        # an acquisition may be −∞ everywhere
        assert make_generator(name).propose(request(score=lambda items: np.full(len(items), -np.inf)))


def test_unknown_elements_and_names():
    with pytest.raises(GeneratorError, match='Og'):
        Evolution().propose(request(elements=['Na', 'Og'], ratios=['1:1']))
    with pytest.raises(GeneratorError, match='Og'):
        Mix({'evolution': 1}).propose(request(elements=['Na', 'Og'], ratios=['1:1'], known=[]))
    with pytest.raises(GeneratorError, match='enumeration, inverse_kmd'):
        make_generator('magic')
    for shares in ({}, {'evolution': 0}, {'evolution': -1, 'enumeration': 2}, {'evolution': float('nan')}):
        with pytest.raises(GeneratorError, match='shares'):
            Mix(shares)


def test_mix_keeps_who_found_what(short):
    shares = {'enumeration': 0.2, 'inverse_kmd': 0.2, 'evolution': 0.3, 'tree_search': 0.3}
    found = Mix(shares).propose(request(number=40))
    assert len(found) == len(set(formulas(found))) == 40
    counts = {name: sum(item.generator == name for item in found) for name in shares}
    assert counts['evolution'] == counts['tree_search'] == 12
    assert counts['inverse_kmd'] <= 8
    assert counts['enumeration'] == 40 - 24 - counts['inverse_kmd']
    assert Mix(shares).propose(request(number=40)) == found
    assert found[0].generator == 'enumeration'

    # a generator of one's own
    class Fixed:
        name = 'fixed'

        def propose(self, request):
            return [Proposed({'Na': 1, 'F': 1}, self.name)][: request.number]

    assert {item.generator for item in Mix([(Fixed(), 1)]).propose(request(number=5))} == {'fixed', 'enumeration'}


@given(st.integers(0, 500), st.lists(st.floats(0.01, 10), min_size=1, max_size=5))
def test_shares(number, shares):
    parts = shared_out(number, shares)
    assert sum(parts) == number
    assert all(abs(part - number * share / sum(shares)) < 1 for part, share in zip(parts, shares, strict=True))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(RATIOS), st.sampled_from(['substitute', 'cross', 'exchange', 'any']))
def test_variations_are_formulas(seed, ratio, operator):
    rng = random.Random(seed)
    domain = Domain(request(ratios=[ratio, '3:2:1', '1']))
    vary = Variation(domain, rng)
    first, second = domain.draw(rng), domain.draw(rng)
    made = {
        'substitute': lambda: vary.substitute(first),
        'cross': lambda: vary.cross(first, second),
        'exchange': lambda: vary.exchange(first),
        'any': lambda: vary([first, second]),
    }[operator]()
    assert set(made) <= set(ELEMENTS)
    assert all(count > 0 for count in made.values())
    if operator != 'any':
        assert sorted(made.values()) == sorted(first.values())


def test_substitutes_are_similar():
    vary = Variation(Domain(request()), random.Random(0))
    made = [vary.substitute({'Sr': 1}) for _ in range(300)]
    often = {symbol: sum(symbol in counts for counts in made) for symbol in ELEMENTS}
    assert often['Ca'] > often['Ge']
    assert often['Ca'] + often['Mg'] > 5 * (often['F'] + often['N'])


def test_tree_visits_every_formula_of_its_ratios_at_most_once():
    """With a budget as large as the space the tree ends because nothing is left, and has met everything."""
    asked = request(elements=ELEMENTS[:12], ratios=['2:2:1', '2:1'], number=60, known=())
    asked = dataclasses.replace(asked, space=asked.space)
    size = Domain(asked).size
    assert size == 12 * 55 + 12 * 11
    scored = ScoredFormulas(asked)
    scored.budget = size - 1
    assert not scored.survey()
    scored.budget = size
    from aiida_inversedesign.propose.generators.tree_search import _Tree

    tree = _Tree(scored, random.Random(0))
    tree.search()
    assert len(scored) == size or not tree.root.open.any()
    assert len(scored) >= 0.95 * size


def test_tree_search_and_evolution_learn_from_evaluated_formulas():
    wide = {'elements': list(element_table().symbols), 'ratios': ['4:3:2:1'], 'number': 20}
    for generator in (Evolution(), TreeSearch()):
        informed = generator.propose(request(**wide))
        assert informed != generator.propose(request(known=(), **wide))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8))
def test_the_nearest_point_of_the_simplex(point):
    nearest = on_simplex(np.array(point))
    assert nearest.min() >= 0
    assert nearest.sum() == pytest.approx(1)
    # of a projection onto a convex set the angle to every corner is not acute
    for corner in np.eye(len(point)):
        assert (np.array(point) - nearest) @ (corner - nearest) <= 1e-9


@pytest.mark.parametrize('own', [True, False])
def test_gradients_count_as_scored_formulas(own):
    """Differences cost a score for each element, a gradient of the surrogate's own four; the budget covers both."""
    asked, spent = [], []

    def score(formulas):
        asked.append(len(formulas))
        return negativity(formulas)

    def changes(here, there):
        spent.append(4)
        return negativity(there) - negativity([here]), 4

    wide = {'ratios': ['4:3:2:1', '5:3:2:1'], 'number': 10}
    found = make_generator('gradient').propose(
        request(score=score, changes=changes if own else None, calls=300, **wide)
    )
    assert len(found) == 10
    assert bool(spent) == own
    assert 290 <= sum(asked) + sum(spent) <= 300 + 60
    assert own or asked.count(len(ELEMENTS) + 1) > 3


def test_more_climbs_find_better_formulas_than_their_starts():
    wide = request(ratios=['4:3:2:1', '5:3:2:1'], calls=400)
    found = make_generator('gradient').propose(wide)
    best = max(item.utility for item in wide.known)
    assert all(item.score > best for item in found[:5])


def test_named_formulas_of_other_elements_are_no_starts():
    found = make_generator('gradient').propose(request(formulas=['CuCl2', 'ZnO'], ratios=['4:3:2:1'], calls=300))
    assert len(found) == NUMBER


def test_a_constant_score_is_climbed_nowhere(short):
    found = make_generator('gradient').propose(request(score=lambda items: np.zeros(len(items)), number=30))
    assert len(found) == 30
