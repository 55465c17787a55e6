"""Crystals from formulas and templates, and the record of how they came about."""

import json

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.propose.assign import AssignmentError, assign_elements
from aiida_inversedesign.propose.build import assignments, build
from aiida_inversedesign.propose.rankers.ranking import Templates
from aiida_inversedesign.propose.volumes.volume import ElementVolumes


@pytest.fixture
def perovskites():
    coords = [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    strontium = Crystal(3.9 * np.eye(3), ('Sr', 'Ti', 'O', 'O', 'O'), coords)
    anti = Crystal(3.86 * np.eye(3), ('N', 'C', 'Mn', 'Mn', 'Mn'), coords)
    return Library([Template('perovskite', strontium, '', ''), Template('antiperovskite', anti, '', '')])


def test_in_the_order_of_the_indices(perovskites):
    group = Templates(perovskites).group('3:1:1')
    counts = {'Ba': 1, 'Zr': 1, 'O': 3}
    built = build(counts, [1, 0], group, ElementVolumes())
    assert [item.index for item in built] == [1, 0]
    best = built[1]
    assert best.mapping == {'Sr': 'Ba', 'Ti': 'Zr', 'O': 'O'}
    assert best.crystal.species == ('Ba', 'Zr', 'O', 'O', 'O')
    assert best.crystal.volume == pytest.approx(best.estimate.volume)
    assert best.crystal.volume == pytest.approx(4.19**3, rel=0.1)
    np.testing.assert_array_equal(best.crystal.frac_coords, perovskites[0].crystal.frac_coords)
    assert best.dissimilarity == assign_elements(counts, {'Sr': 1, 'Ti': 1, 'O': 3})[1]


def test_what_is_known_of_a_crystal_is_right(small_library):
    double = Crystal(np.diag([5.0, 5.0, 10.0]), ('Ca', 'Ca', 'O', 'O'), np.arange(12).reshape(4, 3) / 12)
    library = Library([Template('double', double, '', '')])
    crystal = build({'Mg': 1, 'S': 1}, [0], library, ElementVolumes())[0].crystal
    fresh = Crystal(crystal.lattice, crystal.species, crystal.frac_coords)
    assert (crystal.counts, crystal.formula, crystal.ratio_label) == (fresh.counts, fresh.formula, fresh.ratio_label)


def test_a_library_serves_as_well_as_its_group(perovskites):
    counts = {'Ba': 1, 'Zr': 1, 'O': 3}
    group = Templates(perovskites).group('3:1:1')
    one = build(counts, [0], group, ElementVolumes())
    other = build(counts, [0], perovskites, ElementVolumes())
    assert one[0].crystal.content_hash == other[0].crystal.content_hash


def test_alternatives_by_rising_dissimilarity(perovskites):
    built = build({'Ba': 1, 'Zr': 1, 'O': 3}, [0], perovskites, ElementVolumes(), alternatives=2)
    assert [item.mapping['Sr'] for item in built] == ['Ba', 'Zr']
    assert built[0].dissimilarity < built[1].dissimilarity


@pytest.mark.parametrize('elements', ['LiNaKMg', 'CaSrBaTiZr', 'FeCoNiCuZn'])
def test_the_first_assignment_is_the_best(elements):
    import re

    symbols = re.findall('[A-Z][a-z]?', elements)
    query = dict.fromkeys(symbols, 1) | {'O': 4}
    template = dict.fromkeys(['Na', 'Y', 'Hf', 'Sc', 'Pd'][: len(symbols)], 1) | {'S': 4}
    expected = assign_elements(query, template)
    for number in (1, 3):
        found = list(assignments(query, template, number))
        assert found[0][1] == pytest.approx(expected[1])
        assert found[0][0] == expected[0]


def test_other_ratio(perovskites):
    with pytest.raises(AssignmentError, match='ratio'):
        build({'Ba': 1, 'O': 1}, [0], perovskites, ElementVolumes())


def test_lineage_survives_a_file(rocksalt):
    candidate = Candidate(
        id='g001_c0001',
        key='NaCl',
        content=rocksalt,
        proposer='cspml',
        source='Materials Project',
        template_e_above_hull=0.01,
        proto_label='AB_cF8_225_a_b',
        dissimilarity=2.5,
        within=(0.5, 0.7, 0.9),
        volume=22.4,
        volume_error=0.02,
        verdicts={'oxidation': Verdict(True, 0.9)},
    )
    copy = Candidate.from_dict(json.loads(json.dumps(candidate.to_dict())), Crystal.from_dict)
    assert copy.to_dict() == candidate.to_dict()
    assert copy.within == (0.5, 0.7, 0.9)
