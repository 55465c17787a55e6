"""K crystals of a formula pass the screens where the library has them."""

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template, aflow_library
from aiida_inversedesign.propose.acceptable import ALIKE, RankedList, acceptable
from aiida_inversedesign.propose.next_candidates import propose_next, settings_of_a_proposal

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def silent(step, done):
    """Report nothing."""


@pytest.fixture
def library(small_library):
    """Rocksalt, ten copies of it, a template with overlapping atoms, zincblende and caesium chloride."""
    rocksalt, zincblende, caesium = small_library
    copies = [
        Template(f'copy{number}', rocksalt.crystal.scaled_to(45 + number), '', '', e_above_hull=0.0)
        for number in range(10)
    ]
    near = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.1, 0.1, 0.1]])
    return Library([rocksalt, *copies, Template('overlapping', near, '', ''), zincblende, caesium])


@pytest.mark.parametrize('method', ['dissimilarity', 'random'])
@pytest.mark.parametrize('formula', ['NaCl', 'KBr', 'MgO'])
@pytest.mark.parametrize('top_k', [1, 2, 3])
def test_k_crystals_of_each_formula(library, method, formula, top_k):
    spec = settings_of_a_proposal({'formulas': [formula]}, {'method': method, 'top_k': top_k, 'min_distance': 0.7})
    pool = propose_next(spec, library, None, 1)
    assert sum(item.accepted for item in pool) == top_k
    # what was tried before is kept with the reason, in the order of the list
    assert {item.rejected_by for item in pool} <= {None, 'duplicate', 'distance'}
    assert [item.rank for item in pool] == list(range(1, len(pool) + 1))
    assert pool[-1].accepted
    again = propose_next(spec, library, None, 1)
    assert [item.to_dict() for item in again] == [item.to_dict() for item in pool]


def test_the_list_ends_where_the_library_ends(library):
    spec = settings_of_a_proposal({'formulas': ['KBr', 'NaCl']}, {'method': 'dissimilarity', 'top_k': 9})
    pool = propose_next(spec, library, None, 1)
    for formula in ('KBr', 'NaCl'):
        own = [item for item in pool if item.key == formula]
        assert len(own) == len(library)
        assert sum(item.accepted for item in own) == 3
        assert next(item for item in own if item.template == 'overlapping').rejected_by == 'distance'


def test_evaluated_crystals_are_replaced_by_the_next_ones(library, rocksalt):
    spec = settings_of_a_proposal({'formulas': ['NaCl']}, {'method': 'dissimilarity', 'top_k': 1})
    row = EvaluationRow('g001_c0001', 1, 'initial', 'NaCl', 'completed', rocksalt)
    pool = propose_next(spec, library, None, 2, [row])
    assert [item.template for item in pool if item.accepted] == ['zincblende']
    assert {item.rejected_by for item in pool if item.template.startswith(('rocksalt', 'copy'))} == {'duplicate'}


def test_the_shipped_model_fills_every_formula():
    spec = settings_of_a_proposal({'formulas': ['GaAs', 'CaF2', 'C']}, {'top_k': 4})
    pool = propose_next(spec, aflow_library(), None, 1)
    for formula in {item.key for item in pool}:
        assert sum(item.accepted for item in pool if item.key == formula) == 4
    assert sum(item.accepted for item in pool) == 12


def ranked_list(crystals, labels, prints, built):
    def build(places):
        built.extend(places)
        return [Candidate('', 'NaCl', crystals[place], 'cspml', str(place), rank=place + 1) for place in places]

    prints = None if prints is None else np.array(prints, dtype=np.float32)[:, None]
    return RankedList(len(crystals), lambda place: labels[place], prints, build)


@pytest.mark.parametrize(
    ('labels', 'prints', 'tried'),
    [
        # the second is of the first one's prototype and near it, but among the first two; the third is passed over
        ('aaabb', [0, 0.1, 0.2, 0.3, 0.4], [0, 1, 3]),
        # another prototype is never passed over, nor what is far, nor what is not known to be alike
        ('aabbb', [0, 0.1, 0.2, 0.3, 0.4], [0, 1, 2, 3]),
        ('aaabb', [0, 0.1, ALIKE + 0.1, 9, 9], [0, 1, 2, 3]),
        (['', '', '', 'b', ''], [0, 0, 0, 0, 0], [0, 1, 2, 3]),
        ('aaaaa', [0, np.nan, np.nan, np.nan, 0], [0, 1, 2, 3]),
        ('aaaaa', None, [0, 1, 2, 3]),
    ],
)
def test_what_most_likely_is_a_duplicate_is_passed_over(rocksalt, small_library, labels, prints, tried):
    other = small_library[1].crystal.with_species({'Zn': 'Na', 'S': 'Cl'})
    crystals = [rocksalt, rocksalt.scaled_to(50), rocksalt.scaled_to(51), other, other.scaled_to(60)]
    spec, built = settings_of_a_proposal({'formulas': ['NaCl']}, {'min_distance': 0.5}), []
    found = acceptable([ranked_list(crystals, labels, prints, built)], 2, spec, (), silent)
    assert built == tried
    assert [item.rank - 1 for item in found if item.accepted] == [0, 3]
