"""Several sources of crystals: each by itself, and together."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest
from pydantic import ValidationError

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.proposing import Propose
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.chemistry.matching import same_crystal
from aiida_inversedesign.chemistry.oxidation import usual_states
from aiida_inversedesign.chemistry.symmetry import space_group_number
from aiida_inversedesign.libraries.library import Library, Template, aflow_library
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal
from aiida_inversedesign.propose.orderings import orderings
from aiida_inversedesign.propose.rankers.ranking import Templates
from aiida_inversedesign.propose.replaceability import best_mapping, learned
from aiida_inversedesign.propose.sources.colouring import colourings, nets_of
from aiida_inversedesign.propose.sources.decoration import parents
from aiida_inversedesign.propose.sources.shares import FLOOR, drawn_shares, worths
from aiida_inversedesign.propose.wyckoff.statistics import positions_of

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
NEW = ['symmetric', 'substitution', 'decoration', 'colouring']


def proposed(formulas, library=None, exclude=(), seed=1, max_sites=12, **propose):
    for package in {'pyxtal': 'symmetric', 'icet': 'decoration'}:
        pytest.importorskip(package)
    space = {'formulas': formulas, 'charge_neutral': 'off', 'max_sites': max_sites}
    spec = settings_of_a_proposal(space, propose, seed)
    return propose_next(spec, library or aflow_library(), None, 1, exclude=exclude)


def library_of(**crystals):
    return Library(Template(name, crystal, 'textbook', 'none', name) for name, crystal in crystals.items())


@pytest.fixture(scope='module')
def simple():
    """Elements and the simplest binary compounds."""
    return library_of(
        po=Crystal(3.35 * np.eye(3), ('Po',), [[0, 0, 0]]),
        cu=Crystal(3.61 * FCC, ('Cu',), [[0, 0, 0]]),
        fe=Crystal(2.87 * 0.5 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]), ('Fe',), [[0, 0, 0]]),
        cao=Crystal(4.81 * FCC, ('Ca', 'O'), [[0, 0, 0], [0.5, 0.5, 0.5]]),
        caf2=Crystal(5.46 * FCC, ('Ca', 'F', 'F'), [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]),
    )


ROCKSALT = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
CAESIUM = Crystal(2.99 * np.eye(3), ('Cu', 'Zn'), [[0, 0, 0], [0.5, 0.5, 0.5]])
CU3AU = Crystal(3.75 * np.eye(3), ('Au', 'Cu', 'Cu', 'Cu'), [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
CUAU = Crystal(np.diag([2.8, 2.8, 3.67]), ('Cu', 'Au'), [[0, 0, 0], [0.5, 0.5, 0.5]])
ZINCBLENDE = Crystal(5.41 * FCC, ('Zn', 'S'), [[0, 0, 0], [0.25, 0.25, 0.25]])
HEUSLER = Crystal(
    5.95 * FCC, ('Mn', 'Al', 'Cu', 'Cu'), [[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]
)
DO3 = HEUSLER.with_species({'Mn': 'Fe', 'Cu': 'Fe', 'Al': 'Al'})
MNAL = CAESIUM.with_species({'Cu': 'Mn', 'Zn': 'Al'})
BCC = Crystal(4.2 * 0.5 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]), ('Na',), [[0, 0, 0]])


@pytest.mark.parametrize(
    ('source', 'formula', 'truth'),
    [
        ('decoration', 'NaCl', ROCKSALT),
        ('decoration', 'CuZn', CAESIUM),
        ('decoration', 'Cu3Au', CU3AU),
        ('decoration', 'CuAu', CUAU),
        ('decoration', 'ZnS', ZINCBLENDE),
        ('decoration', 'Cu2MnAl', HEUSLER),
        ('symmetric', 'NaCl', ROCKSALT),
        ('symmetric', 'CuZn', CAESIUM),
        # the kinds of sites of Cu2MnAl and CaF2, shared in another way
        ('colouring', 'AlFe3', DO3),
        ('colouring', 'MnAl', MNAL),
        ('colouring', 'Na', BCC),
    ],
)
def test_structures_that_the_library_lacks_are_found(simple, source, formula, truth):
    library = simple.subset([place for place, item in enumerate(simple) if item.id != 'cao'])
    if source == 'colouring':
        library = library_of(heusler=HEUSLER, caf2=next(item.crystal for item in simple if item.id == 'caf2'))
    pool = proposed([formula], library, method=source, top_k=40, max_sites=8)
    assert any(same_crystal(item.content.scaled_to(truth.volume / truth.nsites * item.content.nsites), truth)
               for item in pool if item.content is not None)  # fmt: skip


@pytest.mark.parametrize('source', NEW)
@pytest.mark.parametrize('formula', ['NaCl', 'SrTiO3', 'LiFeO2', 'Mg2Si'])
def test_crystals_are_of_the_formula_and_replayable(source, formula):
    pool = proposed([formula], exclude={formula}, method=source, top_k=4)
    again = proposed([formula, 'KBr'], exclude={formula}, method=source, top_k=4)
    key = pool[0].key
    crystals = [item for item in pool if item.content is not None]
    assert crystals
    for item in crystals:
        assert item.content.formula == key
        assert item.content.nsites <= 12
        assert 0 < item.probability < 1
        assert item.proposer == source
    # the same for a formula whatever else is asked, and more begin the same
    hashes = [item.content.content_hash for item in crystals]
    assert hashes == [item.content.content_hash for item in again if item.content and item.key == key]
    fewer = proposed([formula], exclude={formula}, method=source, top_k=2)
    assert [item.content.content_hash for item in fewer if item.content] == hashes[:2]


def test_random_crystals_depend_on_the_seed():
    one, other = (
        [item.content.content_hash for item in proposed(['SrTiO3'], method='symmetric', top_k=4, seed=seed)]
        for seed in (1, 2)
    )
    assert one != other


def test_random_crystals_have_their_space_group():
    pool = proposed(['NaCl', 'SrTiO3', 'Al2O3'], method='symmetric', top_k=6)
    for item in pool:
        if item.content is not None:
            group = int(item.proto_label.split('_')[2])
            assert group == space_group_number(item.content)


@pytest.mark.parametrize(
    ('formula', 'source', 'says'),
    [
        ('Na12Cl13', 'symmetric', 'more than space.max_sites'),
        ('Na', 'decoration', 'only formulas of 2 to'),
        ('LiNaKRbCsF5', 'decoration', 'only formulas of 2 to'),
        ('Na5Cl8', 'decoration', '0 of 5 orderings'),
        ('Na3Cl7', 'substitution', 'no template of ratio'),
        ('Na3Cl7', 'colouring', '0 of 5 colourings'),
    ],
)
def test_what_cannot_be_is_a_reason_in_the_pool(simple, formula, source, says):
    other = 'Mg' if source == 'colouring' else 'MgO'
    pool = proposed([formula, other], simple, method=source)
    reasons = [item for item in pool if item.content is None]
    assert says in '; '.join(verdict.reason for item in reasons for verdict in item.verdicts.values())
    assert all(item.rejected_by for item in reasons)
    assert any(item.content is not None and item.key == other for item in pool)


def test_a_mixture_shares_the_places_of_every_formula():
    pool = proposed(['NaCl', 'SrTiO3'], sources={'cspml': 0.5, 'symmetric': 0.25, 'random': 0.25}, top_k=8)
    for key in ('NaCl', 'SrTiO3'):
        own = [item for item in pool if item.key == key and item.content is not None]
        # what one source has is not taken from another
        names = [item.proposer for item in own if item.accepted or item.rejected_by == 'duplicate']
        assert names.count('cspml') >= 4
        assert min(names.count('symmetric'), names.count('random')) >= 2
        crystals = [item.content for item in own if item.accepted]
        # places lost to crystals that two sources have are filled again
        assert len(crystals) == 8
        for one, other in combinations(crystals, 2):
            assert not same_crystal(one, other)
        assert [item.rank for item in own] == list(range(1, len(own) + 1))
        chances = [item.probability or 0.0 for item in own]
        assert chances == sorted(chances, reverse=True)
    again = proposed(['NaCl', 'SrTiO3'], sources={'cspml': 0.5, 'symmetric': 0.25, 'random': 0.25}, top_k=8)
    assert [item.to_dict() for item in pool] == [item.to_dict() for item in again]


def test_a_share_is_passed_on(simple):
    # one template of the ratio: the rest of the first source's places goes to the other
    pool = proposed(['MgO'], simple, sources={'dissimilarity': 4, 'symmetric': 1}, top_k=5)
    assert [item.proposer for item in pool if item.content is not None].count('dissimilarity') == 1
    accepted = [item for item in pool if item.accepted]
    assert len(accepted) == 5
    assert any('dissimilarity' in (item.proposer, item.also_proposed_by) for item in accepted)
    # no template at all: the reason stays, and the others go on
    pool = proposed(['Mg3N2'], simple, sources={'dissimilarity': 3, 'symmetric': 1}, top_k=4)
    assert sum(item.accepted for item in pool) == 4
    assert [item.rejected_by for item in pool if item.content is None] == ['template']


def test_nothing_from_any_source_is_an_error_with_every_reason(simple):
    with pytest.raises(ProposalError, match=r'dissimilarity: .*ratio 7:3.*; random: '):
        proposed(['Na3Cl7'], simple, sources={'dissimilarity': 1, 'random': 1})


def test_equal_crystals_of_two_sources_are_one_that_names_both(simple):
    pool = proposed(['MgO'], simple, sources={'cspml': 1, 'dissimilarity': 1}, top_k=2)
    (kept,) = [item for item in pool if item.accepted]
    assert (kept.proposer, kept.also_proposed_by) == ('cspml', 'dissimilarity')
    assert {item.rejected_by for item in pool} == {None, 'duplicate'}


def test_every_source_that_mixes_says_what_it_needs():
    for name, source in registry.parts('sources').items():
        if source.mixes:
            assert 'library' in source.needs or source.builds_on_earlier or name == 'external'
            assert source.words, name


@pytest.mark.parametrize(
    ('formula', 'states'),
    [
        ('NaCl', {'Na': 1, 'Cl': -1}),
        ('LiFePO4', {'Li': 1, 'Fe': 2, 'P': 5, 'O': -2}),
        ('BaTiO3', {'Ba': 2, 'Ti': 4, 'O': -2}),
        ('SiC', {'Si': 4, 'C': -4}),
        ('GaAs', {'Ga': 3, 'As': -3}),
        ('Fe3O4', None),
        ('NiAl', None),
        ('Si', None),
    ],
)
def test_usual_oxidation_states(formula, states):
    assert usual_states(tuple(sorted(parse_formula(formula).items()))) == states


def test_replaceability_prefers_like_elements_and_is_learned():
    library = aflow_library()
    logs = learned(library, frozenset()).table({'Ti': 1, 'Ni': 1}, {'Zr': 1, 'Pd': 1})[0]
    assert best_mapping({'Ti': 1, 'Ni': 1}, {'Zr': 1, 'Pd': 1}, logs)[0] == {'Ti': 'Zr', 'Ni': 'Pd'}
    twins = library_of(
        **{f'{x}{y}'.lower(): Crystal(5.6 * FCC, (x, y), ROCKSALT.frac_coords)
           for x in ('Ag', 'Tl') for y in ('F', 'Cl', 'Br')}
    )  # fmt: skip
    before = learned(library, frozenset()).table({'Ag': 1, 'Au': 1}, {'Tl': 1, 'Au': 1})[0]['Ag', 'Tl']
    assert learned(twins, frozenset()).table({'Ag': 1, 'Au': 1}, {'Tl': 1, 'Au': 1})[0]['Ag', 'Tl'] > before


@pytest.mark.parametrize(
    ('label', 'group', 'letters'),
    [
        ('ABC3_cP5_221_a_b_c', 221, {'a': 1, 'b': 1, 'c': 1}),
        ('AB2_oP12_62_c_2c', 62, {'c': 3}),
        ('AB_mP8_6_2a2b_3ab', 6, {'a': 5, 'b': 3}),
        ('', 0, {}),
    ],
)
def test_letters_of_a_label(label, group, letters):
    assert positions_of(label) == (group, letters)


@pytest.mark.parametrize(
    ('pattern', 'most_sites', 'sizes'),
    [
        ({'Cu': {'Cu': 3, 'Au': 1}}, 4, [4] * 7),
        ({'Cu': {'Cu': 1, 'Au': 1}}, 2, [2] * 2),
        ({'Cu': {'Cu': 1, 'Au': 1}}, 1, []),
        ({'Cu': {'Cu': 1, 'X': 1}}, 2, [1] * 2),
    ],
)
def test_orderings_of_the_fcc_lattice(simple, pattern, most_sites, sizes):
    """As many as Hart and Forcade (2008) count: 2 of two atoms, and 7 of AB3 with four."""
    pytest.importorskip('icet')
    found = orderings(simple[1].crystal, pattern, most_sites)
    assert [crystal.nsites for crystal, _ in found] == sizes


def test_colourings_share_out_kinds_of_sites():
    nets = nets_of(library_of(heusler=HEUSLER), frozenset())
    by_formula = {
        formula: [item.elements for item in colourings(parse_formula(formula), nets, 8)]
        for formula in ('Fe3Al', 'MnAl', 'Na', 'Ni2MnGa', 'NiMnGaSn')
    }
    # kinds of one, one and two sites: Mn, Al, Cu of the template
    assert sorted(by_formula['Fe3Al']) == [('Al', 'Fe', 'Fe'), ('Fe', 'Al', 'Fe')]
    assert sorted(by_formula['MnAl']) == [('Al', 'Al', 'Mn'), ('Mn', 'Mn', 'Al')]
    assert by_formula['Na'] == [('Na', 'Na', 'Na')]
    # each element replaces one other; equivalent sites would need two elements
    assert by_formula['Ni2MnGa'] == by_formula['NiMnGaSn'] == []
    assert by_formula['MnAl'] == [item.elements for item in colourings({'Mn': 1, 'Al': 1}, nets, 4)]
    # no cell larger than allowed
    assert colourings({'Mn': 1, 'Al': 1}, nets, 3) == []


def test_probable_colourings_replace_elements_by_similar_ones():
    nets = nets_of(library_of(heusler=HEUSLER), frozenset())
    found = colourings({'Al': 1, 'Fe': 3}, nets, 8)
    assert found[0].weight > found[1].weight > 0
    # aluminium stays where it was, iron takes the sites of the metals
    assert found[0].elements == ('Fe', 'Al', 'Fe')
    assert found[0].assignment == {'Al': 'Al', 'Cu': 'Fe', 'Mn': 'Fe'}


def test_parents_have_weights(simple):
    found = parents({'Li': 1, 'Fe': 1, 'O': 2}, Templates(simple, 16))
    assert sum(item.weight for item in found) == pytest.approx(1)
    assert any(item.template.id == 'cao' and item.assignment == {'Ca': 'Fe, Li', 'O': 'O'} for item in found)


def candidate_of(proposer, key, probability=None, number=0, others=''):
    return Candidate(f'g001_c{number:04d}', key, NACL, proposer, probability=probability, also_proposed_by=others)


NACL = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_worth_of_a_source():
    names = ['cspml', 'symmetric', 'decoration']
    pool = [
        candidate_of('cspml', 'NaCl', 0.3, 1),
        candidate_of('symmetric', 'NaCl', 0.1, 2),
        candidate_of('cspml', 'KBr', 0.2, 3, 'decoration'),
        candidate_of('magic', 'LiF', 0.2, 4),
        dataclasses.replace(
            candidate_of('symmetric', 'KBr', 0.9, 5), verdicts={'distance': Verdict(False, None, 'too close')}
        ),
    ]
    assert worths(names, pool, []) == pytest.approx({'cspml': 0.75 + 0.5, 'symmetric': 0.25, 'decoration': 0.5})
    row = EvaluationRow('g001_c0002', 1, 'initial', 'NaCl', 'completed', NACL, hit=True)
    rows = [row, dataclasses.replace(row, candidate='g001_c0001', copy_of='g001_c0002')]
    assert worths(names, pool, rows)['symmetric'] == pytest.approx(1.25)
    assert worths(names, pool, rows)['cspml'] == pytest.approx(1.25)


def test_shares_follow_the_worth():
    names = ['cspml', 'symmetric', 'decoration']
    assert drawn_shares(names, [], [], (1, 1)) == dict.fromkeys(names, 1 / 3)
    pool = [candidate_of('symmetric', f'X{n}', 0.1, n) for n in range(60)]
    drawn = [drawn_shares(names, pool, [], (seed, 2)) for seed in range(200)]
    assert drawn[0] == drawn_shares(names, pool, [], (0, 2)) != drawn[1]
    for shares in drawn:
        assert sum(shares.values()) == pytest.approx(1)
        assert min(shares.values()) >= FLOOR
        assert next(iter(shares)) == 'symmetric'
    # the mean of the posterior: (1 + 60) of (3 + 60)
    mean = np.mean([shares['symmetric'] for shares in drawn])
    assert mean == pytest.approx(FLOOR + (1 - 3 * FLOOR) * 61 / 63, abs=0.01)


@pytest.mark.parametrize('sources', ['best', 'Auto', 1])
def test_sources_are_shares_or_auto(sources):
    with pytest.raises(ValidationError, match='or auto'):
        settings_of_a_proposal({'formulas': ['NaCl']}, {'sources': sources})


@pytest.mark.parametrize('sources', ['auto', ['cspml', 'decoration']])
def test_learned_shares_need_proposals_to_learn_from(sources):
    with pytest.raises(ValidationError, match=r'propose\.renew'):
        settings_of_a_proposal({'formulas': ['NaCl']}, {'sources': sources})


def test_auto_is_recorded_as_the_sources_that_it_stands_for(monkeypatch):
    recorded = settings_of_a_proposal({'formulas': ['NaCl']}, {'sources': 'auto', 'renew': 5, 'top_k': 8})
    names = ['colouring', 'cspml', 'decoration', 'substitution', 'symmetric']
    assert recorded.propose.shares == pytest.approx(dict.fromkeys(names, 0.2))
    # a package that is installed later
    monkeypatch.setattr(registry.part('sources', 'random'), 'in_auto', True, raising=False)
    assert 'random' in Propose(sources='auto', renew=5).shares
    again = CampaignSettings.model_validate(recorded.model_dump(mode='json'))
    assert again.propose.sources == names
    assert again.propose.learns_shares
    assert again.propose.sources_in_words == f'{", ".join(names)}, shares learned'


def test_a_source_without_a_place_proposes_what_the_others_leave(simple):
    # two places, three sources: the last one has none, and the first two find one template together
    sources = {'dissimilarity': 3, 'random': 2, 'symmetric': 1}
    pool = proposed(['MgO'], simple, sources=sources, top_k=2)
    assert sum(item.accepted for item in pool) == 2
    assert 'symmetric' in {item.proposer for item in pool if item.accepted}
