"""Rankings by plain rules."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.propose.assign import assign_elements
from aiida_inversedesign.propose.rankers.baselines import (
    ElementDissimilarityRanker,
    FusionRanker,
    NearestDescriptorRanker,
    RandomRanker,
    SubstitutionRanker,
    _least_cost,
    ion_rows,
)
from aiida_inversedesign.propose.rankers.by_name import NAMES, RankerError, make_rankers
from aiida_inversedesign.propose.rankers.cspml import CspmlModel
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Templates

CUBE = 5 * np.eye(3)


def cubes(*pairs: tuple[str, str]) -> Library:
    """Caesium chloride of each pair of elements."""
    return Library(
        Template(f'{a}{b}', Crystal(CUBE, (a, b), [[0, 0, 0], [0.5, 0.5, 0.5]]), 'made', 'none', spacegroup=221)
        for a, b in pairs
    )


def network(library: Library) -> CspmlModel:
    """An untrained network: p falls with the distance of the descriptors."""
    raw = describe([item.crystal.counts for item in library])
    weights = np.full((raw.shape[1], 1), -0.01, dtype=np.float32)
    layers = ((weights, np.zeros(1, dtype=np.float32)),)
    return CspmlModel(Scaler.of(raw), (layers,), element_table().names, {})


@pytest.fixture
def halides() -> Library:
    return cubes(('Na', 'Cl'), ('K', 'Cl'), ('Rb', 'I'), ('Mg', 'O'), ('Fe', 'Al'), ('Ga', 'As'))


@pytest.fixture
def rankers(halides):
    published = PublishedRanker(network(halides))
    return [
        published,
        FusionRanker(published),
        ElementDissimilarityRanker(),
        NearestDescriptorRanker(halides),
        RandomRanker(1),
        SubstitutionRanker(),
    ]


def formulas(library, ranked):
    return [library[int(index)].crystal.formula for index in ranked.indices]


def test_each_ranking_returns_different_templates_by_falling_score(halides, rankers):
    group = Templates(halides).group('1:1')
    for ranker in rankers:
        for top_k in (1, 3, 50):
            for ranked in ranker.rank([{'K': 1, 'Br': 1}, {'Ca': 1, 'S': 1}], group, top_k):
                assert len(ranked) == len(set(ranked.indices.tolist())) <= min(top_k, len(halides))
                assert (np.diff(ranked.scores) <= 0).all()
                if ranker.name != 'substitution':
                    assert len(ranked) == min(top_k, len(halides))


def test_the_own_elements_come_first(halides, rankers):
    group = Templates(halides).group('1:1')
    for ranker in rankers:
        if ranker.name != 'random':
            (ranked,) = ranker.rank([{'K': 1, 'Cl': 1}], group, 3)
            assert formulas(halides, ranked)[0] == 'KCl', ranker.name


def test_a_rank_does_not_depend_on_the_other_formulas(halides, rankers):
    group = Templates(halides).group('1:1')
    queries = [{'K': 1, 'Br': 1}, {'Ca': 1, 'S': 1}, {'Zn': 1, 'Se': 1}]
    for ranker in rankers:
        together = ranker.rank(queries, group, 6)
        for query, ranked in zip(queries, together, strict=True):
            (alone,) = ranker.rank([query], group, 6)
            assert alone.indices.tolist() == ranked.indices.tolist()


def test_fusion_adds_reciprocal_ranks(halides, rankers):
    group = Templates(halides).group('1:1')
    published, fusion, elements = rankers[:3]
    (one,), (two,) = (item.rank([{'K': 1, 'Br': 1}], group, 6) for item in (published, elements))
    (fused,) = fusion.rank([{'K': 1, 'Br': 1}], group, 6)
    for index, score in zip(fused.indices, fused.scores, strict=True):
        places = [1 + item.indices.tolist().index(index) for item in (one, two)]
        assert score == pytest.approx(sum(1 / (60 + place) for place in places))


def test_random_depends_on_seed_and_formula(halides):
    group = Templates(halides).group('1:1')
    orders = {
        tuple(RandomRanker(seed).rank([counts], group, 6)[0].indices.tolist())
        for seed in range(5)
        for counts in ({'K': 1, 'Br': 1}, {'Ca': 1, 'S': 1})
    }
    assert len(orders) > 5


def test_substitution_takes_ions_of_equal_charge_and_leaves_metals_out(halides):
    group = Templates(halides).group('1:1')
    (salt, oxide, metal) = SubstitutionRanker().rank(
        [{'K': 1, 'Br': 1}, {'Ca': 1, 'O': 1}, {'Ni': 1, 'Al': 1}], group, 50
    )
    assert formulas(halides, salt)[0] == 'KCl'
    assert formulas(halides, oxide)[0] == 'MgO'
    assert 'AlFe' not in formulas(halides, salt)
    assert len(metal) == 0


@pytest.mark.parametrize('counts', [{'Si': 1}, {'Fe': 3, 'Al': 1}, {'Fe': 3, 'O': 4}])
def test_no_ions_of_elements_alloys_and_mixed_valence(counts):
    assert ion_rows(counts) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_least_cost_is_the_least_over_all_assignments_of_equal_amounts(amounts, seed):
    amounts = sorted(amounts, reverse=True)
    size = len(amounts)
    costs = np.random.default_rng(seed).random((3, size, size))
    wanted = [
        min(
            sum(cost[i, j] for i, j in enumerate(order))
            for order in itertools.permutations(range(size))
            if all(amounts[i] == amounts[j] for i, j in enumerate(order))
        )
        for cost in costs
    ]
    assert _least_cost(costs, amounts) == pytest.approx(wanted)


def test_element_dissimilarity_is_that_of_the_assignment(halides):
    group = Templates(halides).group('1:1')
    query = {'Ca': 1, 'S': 1}
    (ranked,) = ElementDissimilarityRanker().rank([query], group, 6)
    for index, score in zip(ranked.indices, ranked.scores, strict=True):
        assert -score == pytest.approx(assign_elements(query, halides[int(index)].crystal.counts)[1])


def test_make_rankers_keeps_the_order_and_names_what_is_missing(halides):
    published = PublishedRanker(network(halides))
    plain = tuple(name for name in NAMES if name != 'ours')
    assert [item.name for item in make_rankers(plain, halides, {'published': published})] == list(plain)
    with pytest.raises(RankerError, match="'published' needs a model"):
        make_rankers(('published',), halides)
    with pytest.raises(RankerError, match='fusion'):
        make_rankers(('fusion',), halides)
    with pytest.raises(RankerError, match="did you mean 'random'"):
        make_rankers(('randon',), halides)
