"""Proposals from end to end."""

import numpy as np
import pytest

from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template, aflow_library
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal


def propose(space, settings, library, model, seed, generation, evaluated=(), exclude=(), composition=()):
    spec = settings_of_a_proposal(space, settings, seed)
    spec = spec.model_copy(update={'goal': spec.goal.model_copy(update={'composition': list(composition)})})
    rows = [EvaluationRow('g000_c0001', 1, 'initial', crystal.key, 'completed', crystal) for crystal in evaluated]
    return propose_next(spec, library, model, generation, rows, exclude=exclude)


LIGHT = {'elements': ['B', 'C', 'N', 'Si'], 'ratios': ['1', '1:1'], 'max_sites': 4}


def test_light_elements_from_aflow(campaign):
    pool = propose(*campaign(LIGHT, top_k=15), aflow_library(), None, seed=1, generation=1)
    found = {(item.key, item.prototype): item for item in pool if item.accepted}
    diamond = found['C', 'diamond']
    assert diamond.content.volume / 2 == pytest.approx(5.67, rel=0.03)
    assert ('C', 'Lonsdaleite') in found
    assert ('C', 'Graphite') in found
    for prototype in ('Halite, Rock Salt', 'Zincblende, Sphalerite', 'Wurtzite'):
        assert 5 < found['BN', prototype].content.volume / found['BN', prototype].content.nsites < 7.5
    assert len({item.id for item in pool}) == len(pool)
    assert pool[0].id.startswith('g001')
    assert pool[0].id.endswith('c0001')
    assert max(item.content.nsites for item in pool) <= 4
    assert all(0 <= item.probability <= 1 for item in pool)
    assert diamond.proto_label == 'A_cF8_227_a'
    assert diamond.rank <= 2
    assert found['BN', 'Zincblende, Sphalerite'].rank <= 3


def test_repeatable_and_seeded(campaign):
    space = {'elements': ['Li', 'Na', 'K', 'F', 'Cl', 'Br', 'O'], 'ratios': ['1:1', '2:1'], 'max_formulas': 6}
    one, two, other = (
        [item.to_dict() for item in propose(*campaign(space, top_k=2), aflow_library(), None, seed, 2)]
        for seed in (1, 1, 2)
    )
    assert one == two
    assert [item['key'] for item in one] != [item['key'] for item in other]
    assert len({item['key'] for item in one}) == 6


@pytest.mark.parametrize('method', ['dissimilarity', 'random', 'cspml'])
def test_methods(campaign, small_library, method):
    pool = propose(*campaign({'formulas': ['NaBr']}, method=method, top_k=2), small_library, None, 1, 1)
    assert [item.rank for item in pool] == [1, 2]
    assert {item.proposer for item in pool} == {method}
    assert (pool[0].probability is None) == (method != 'cspml')
    if method == 'dissimilarity':
        assert pool[0].template == 'rocksalt'
        assert pool[0].assignment == {'Na': 'Na', 'Cl': 'Br'}
    if method == 'cspml':
        assert pool[0].probability >= pool[1].probability


def test_excluded_and_evaluated(campaign, small_library, rocksalt):
    spec = campaign({'formulas': ['NaCl']}, method='dissimilarity', top_k=1)
    own = propose(*spec, small_library, None, 1, 1)
    assert own[0].template == 'rocksalt'
    np.testing.assert_allclose(own[0].content.volume, rocksalt.volume)
    again = propose(*spec, small_library, None, 1, 2, evaluated=[own[0].content])
    assert again[0].rejected_by == 'duplicate'
    fair = propose(*spec, small_library, None, 1, 1, exclude={'NaCl'})
    assert fair[0].template != 'rocksalt'


def test_too_close_atoms_are_kept_with_their_verdict(campaign, small_library, rocksalt):
    near = Crystal(rocksalt.lattice, rocksalt.species, [[0, 0, 0], [0.1, 0.1, 0.1]])
    library = Library([*small_library, Template('overlapping', near, '', '')])
    pool = propose(*campaign({'formulas': ['KBr']}, min_distance=1.0, top_k=4), library, None, 1, 1)
    assert len(pool) == 4
    (rejected,) = [item for item in pool if item.rejected_by == 'distance']
    assert rejected.template == 'overlapping'
    assert rejected.content is not None


def test_library_method_takes_structures_as_they_are(campaign, small_library, rocksalt):
    pool = propose(*campaign({}, method='library'), small_library, None, 1, 1, evaluated=[rocksalt])
    assert [item.key for item in pool] == ['NaCl', 'ZnS', 'CsCl']
    assert [item.accepted for item in pool] == [False, True, True]
    assert pool[1].content.content_hash == small_library[1].crystal.content_hash
    chlorides = campaign({'elements': ['Cs', 'Na', 'Cl'], 'ratios': ['1:1']}, method='library')
    assert [item.key for item in propose(*chlorides, small_library, None, 1, 1)] == ['NaCl', 'CsCl']


def test_required_neutrality_rejects_before_building(campaign, small_library):
    spec = campaign({'elements': ['B', 'C', 'N'], 'ratios': ['1:1'], 'charge_neutral': 'require'})
    pool = propose(*spec, small_library, None, 1, 1)
    assert {item.key for item in pool if item.content is not None} == {'BN'}
    assert {item.key for item in pool if item.rejected_by == 'charge'} == {'BC', 'CN'}


def test_one_ratio_without_template(campaign, small_library):
    spec = campaign({'formulas': ['KBr', 'K2O']})
    rejected = [item for item in propose(*spec, small_library, None, 1, 1) if item.rejected_by == 'template']
    assert [item.key for item in rejected] == ['K2O']
    assert '2:1' in rejected[0].verdicts['template'].reason


def test_impossible_spaces_say_what_to_do(campaign, small_library):
    with pytest.raises(ProposalError, match='nearest it has are 1:1'):
        propose(*campaign({'formulas': ['K2O']}), small_library, None, 1, 1)
    with pytest.raises(ProposalError, match='set max_sites to 2'):
        propose(*campaign({'formulas': ['KBr'], 'max_sites': 1}), small_library, None, 1, 1)
    with pytest.raises(ProposalError, match='widen'):
        propose(*campaign({'elements': ['U'], 'ratios': ['1']}, method='library'), small_library, None, 1, 1)


def test_composition_constraints_reject_before_ranking(campaign, small_library):
    from aiida_inversedesign.campaign.goal import CompositionConstraint

    spec = campaign({'elements': ['Na', 'K', 'Br', 'Cl'], 'ratios': ['1:1'], 'charge_neutral': 'off'})
    rule = [CompositionConstraint(forbidden=['K'])]
    pool = propose(*spec, small_library, None, 1, 1, composition=rule)
    assert {item.key for item in pool if item.accepted} <= {'NaBr', 'NaCl', 'BrCl'}
    rejected = [item for item in pool if item.rejected_by == 'composition']
    assert {item.key for item in rejected} == {'KNa', 'KBr', 'KCl'}
    assert 'contains K' in rejected[0].verdicts['composition'].reason
    with pytest.raises(ProposalError, match=r'goal\.composition'):
        propose(*campaign({'formulas': ['KBr']}), small_library, None, 1, 1, composition=rule)
    taken = propose(*campaign({}, method='library'), small_library, None, 1, 1, composition=[
        CompositionConstraint(element='Cl', max=0.4)
    ])  # fmt: skip
    assert [(item.key, item.accepted) for item in taken] == [('NaCl', False), ('ZnS', True), ('CsCl', False)]
