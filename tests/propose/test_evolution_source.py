"""Crystals that descend from those of earlier generations: the operators, and the source."""

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.matching import same_candidate
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.libraries.library import aflow_library
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal
from aiida_inversedesign.propose.offspring import OPERATORS, Parent, child_of, primitive

pytest.importorskip('ase_ga')

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
BCC = 0.5 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
ROCKSALT = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
CAESIUM = Crystal(3.5 * np.eye(3), ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
COPPER = (Crystal(3.61 * FCC, ('Cu',), [[0, 0, 0]]), Crystal(2.87 * BCC, ('Cu',), [[0, 0, 0]]))
#: calcite's composition in a triclinic cell
TRICLINIC = Crystal(
    [[5.1, 0, 0], [1.3, 4.7, 0], [-0.8, 1.1, 4.9]],
    ('Ca', 'C', 'O', 'O', 'O'),
    [[0, 0, 0], [0.5, 0.45, 0.52], [0.72, 0.45, 0.52], [0.4, 0.7, 0.52], [0.38, 0.25, 0.5]],
)
SETS = {'NaCl': (ROCKSALT, CAESIUM), 'Cu': COPPER, 'one': COPPER[:1], 'triclinic': (TRICLINIC,)}


def family(crystals):
    return [primitive(Parent(f'p{n}', crystal, 1 / len(crystals))) for n, crystal in enumerate(crystals)]


@pytest.mark.parametrize('name', SETS)
def test_children_keep_the_composition_and_their_contacts(name):
    parents, rng = family(SETS[name]), np.random.default_rng(0)
    made = [child_of(parents, 12, 0.85, rng) for _ in range(24)]
    children = [item for item in made if not isinstance(item, str)]
    assert len(children) >= 12
    volumes = [item.crystal.volume / item.crystal.nsites for item in parents]
    for item in children:
        assert item.crystal.formula == parents[0].crystal.formula
        assert item.crystal.nsites <= 12
        contact = closest_contact(item.crystal, 0.85)
        assert contact.ratio >= contact.limit
        assert min(volumes) * 0.999 <= item.crystal.volume / item.crystal.nsites <= max(volumes) * 1.3001
        assert len(item.parents) == (2 if item.operator == 'cut and splice' else 1)
    used = {item.operator for item in children}
    # one atom leaves its place as little as one element changes places, and one parent has nobody to be spliced with
    assert ('permutation' in used) == (len(parents[0].crystal.counts) > 1)
    assert ('cut and splice' in used) == (len(parents) > 1)
    assert used <= set(OPERATORS)


def test_children_follow_from_the_seed():
    parents = family(SETS['NaCl'])
    one, again, other = (
        [child_of(parents, 8, 0.85, rng) for _ in range(6)] for rng in map(np.random.default_rng, (1, 1, 2))
    )

    def hashes(items):
        return [item if isinstance(item, str) else item.crystal.content_hash for item in items]

    assert hashes(one) == hashes(again) != hashes(other)


def test_a_given_volume_is_taken():
    found = [child_of(family(COPPER), 4, 0.1, np.random.default_rng(seed), volume=15.0) for seed in range(4)]
    assert [item.crystal.volume / item.crystal.nsites for item in found] == pytest.approx([15.0] * 4)


def test_parents_of_more_sites_than_allowed_and_contacts_that_cannot_be_kept_are_reasons():
    assert child_of(family([TRICLINIC]), 4, 0.85, np.random.default_rng(0)) == 'every parent has more than 4 sites'
    # rock salt of NaCl has 22 Å³ for an atom
    crowded = [child_of(family([ROCKSALT]), 2, 0.85, np.random.default_rng(seed), volume=8.0) for seed in range(4)]
    assert all(isinstance(item, str) and item.endswith('atoms too close') for item in crowded)


def screened(name, crystal, energy, **more):
    """A candidate that a potential has looked at."""
    return Candidate(
        name, crystal.formula, crystal, 'cspml', probability=0.2,
        screening={'energy': energy, 'probability': 0.2}, verdicts={'potential': Verdict(True, 0.0)}, **more,
    )  # fmt: skip


EARLIER = [screened('g001_c0001', ROCKSALT, -3.4), screened('g001_c0002', CAESIUM, -3.35)]


def row_of(item, **more):
    return EvaluationRow(item.id, 1, 'initial', item.key, 'completed', item.content, **more)


ROW = row_of(screened('g001_c0009', COPPER[0], -3.0))


def proposed(generation=2, earlier=EARLIER, rows=(ROW,), formulas=('NaCl',), **propose):
    spec = settings_of_a_proposal(
        {'formulas': list(formulas), 'charge_neutral': 'off', 'max_sites': 8},
        {'sources': {'dissimilarity': 1, 'evolution': 1}, 'renew': 3, 'top_k': 6, **propose},
        seed=1,
    )
    return propose_next(spec, aflow_library(), None, generation, rows, earlier)


def evolved(pool):
    return [item for item in pool if item.proposer == 'evolution' and item.content is not None]


def test_a_formula_of_the_pool_gets_further_crystals_and_none_twice():
    second = proposed()
    assert second[:2] == EARLIER
    children = evolved(second)
    assert len(children) == 3
    assert [item.rank for item in children] == [1, 2, 3]
    assert {item.key for item in children} == {'NaCl'}
    assert all('of g001_c000' in item.source for item in children)
    assert [item.to_dict() for item in proposed()] == [item.to_dict() for item in second]
    # the next generation draws others, and takes none that the pool has
    third = evolved(proposed(3, second))[3:]
    assert third
    for item in third:
        assert item.id.startswith('g003')
        assert not any(same_candidate(item.content, other.content) for other in second if other.content)


def test_low_crystals_are_parents_more_often():
    far = [EARLIER[0], dataclasses.replace(EARLIER[1], screening={'energy': -2.4, 'probability': 0.2})]
    children = evolved(proposed(earlier=far, top_k=12))
    assert len(children) == 6
    assert all(item.source.endswith(' of g001_c0001') for item in children)


def test_evaluated_crystals_are_parents_where_no_potential_was_asked():
    unscreened = [dataclasses.replace(item, screening=None) for item in EARLIER]
    rows = [row_of(unscreened[0], properties={'energy': -3.4}), row_of(unscreened[1], properties={'energy': np.nan})]
    children = evolved(proposed(earlier=unscreened, rows=rows))
    assert children
    assert all(item.source.endswith('of g001_c0001') for item in children)
    with pytest.raises(ProposalError):
        proposed(earlier=unscreened, rows=[dataclasses.replace(rows[0], status='failed')])


def test_a_new_formula_takes_parents_of_its_ratio():
    pool = proposed(formulas=['NaCl', 'KBr', 'TiO2'])
    of = {key: [item for item in pool if item.key == key and item.proposer == 'evolution'] for key in ('KBr', 'TiO2')}
    assert {'K', 'Br'} == set(of['KBr'][0].content.species)
    # the model's volume, not that of sodium chloride
    assert of['KBr'][0].volume > 1.2 * ROCKSALT.volume / 2
    (nothing,) = of['TiO2']
    assert 'no crystal of this formula or ratio' in nothing.verdicts['parent'].reason
    # its share is passed on
    assert sum(item.accepted for item in pool if item.key == 'TiO2') == 6


def test_the_first_generation_passes_the_share_on():
    pool = proposed(1, earlier=(), rows=())
    assert sum(item.accepted for item in pool) == 6
    assert [item.rejected_by for item in pool if item.proposer == 'evolution'] == ['parent']


def test_formulas_whose_evolved_crystals_all_failed_come_last():
    potassium = screened('g001_c0003', ROCKSALT.with_species({'Na': 'K', 'Cl': 'Br'}), -3.0)
    failed = Candidate(
        'g002_c0001', 'NaCl', TRICLINIC, 'evolution', verdicts={'potential': Verdict(False, None, 'far up')}
    )
    pool = proposed(3, [*EARLIER, potassium, failed], formulas=['NaCl', 'KBr'], renew=1)
    assert {item.key for item in evolved(pool[4:])} == {'KBr'}


@pytest.mark.parametrize(
    ('propose', 'says'),
    [
        ({'method': 'evolution', 'renew': 5}, 'name others beside it'),
        ({'sources': {'evolution': 1}, 'renew': 5}, 'name others beside it'),
        ({'sources': {'cspml': 1, 'evolution': 1}}, r'set propose\.renew'),
    ],
)
def test_evolution_needs_something_to_go_on_from(propose, says):
    with pytest.raises(ValidationError, match=says):
        settings_of_a_proposal({'formulas': ['NaCl']}, propose)


def test_cells_are_no_larger_than_the_space_allows():
    pool = proposed(earlier=[screened('g001_c0001', TRICLINIC, -1.0)], formulas=['CaCO3', 'LiNa'], top_k=4)
    # parents of five sites and cells of eight: one copy only
    assert {item.content.nsites for item in evolved(pool) if item.key == 'CaCO3'} == {5}


def test_what_equals_a_crystal_of_the_pool_is_not_proposed():
    # the only permutation of a cell of two atoms is the cell itself
    only, rng = family([ROCKSALT]), np.random.default_rng(0)
    made = [child_of(only, 2, 0.85, rng) for _ in range(12)]
    assert any(same_candidate(ROCKSALT, item.crystal) for item in made if not isinstance(item, str))
    spec = {'formulas': ['NaCl'], 'charge_neutral': 'off', 'max_sites': 2}
    settings = settings_of_a_proposal(spec, {'sources': {'dissimilarity': 1, 'evolution': 9}, 'renew': 1, 'top_k': 9})
    pool = propose_next(settings, aflow_library(), None, 2, [ROW], EARLIER[:1])
    assert evolved(pool)
    assert not any(same_candidate(ROCKSALT, item.content) for item in evolved(pool))
