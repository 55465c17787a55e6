"""Each screen accepts what it should and says why not."""

import re

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.screen import ScreenRequest
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.matching import same_structure
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.propose.build import Built, widened
from aiida_inversedesign.propose.next_candidates import settings_of_a_proposal
from aiida_inversedesign.propose.volumes.volume import VolumeEstimate
from aiida_inversedesign.screen.crystals import Charge, Distance, Sites, Volume
from aiida_inversedesign.screen.duplicate import Duplicate
from aiida_inversedesign.spaces.crystals.space import CrystalSpace


def judge(screen, *candidates, rows=(), propose=None, **space):
    spec = settings_of_a_proposal({'formulas': ['NaCl'], **space}, propose or {})
    return screen.judge(candidates, ScreenRequest(spec, rows))


def of(crystal, **fields):
    return Candidate('', crystal.formula, crystal, 'cspml', **fields)


def test_distance(rocksalt):
    squeezed = rocksalt.scaled_to(rocksalt.volume / 6)
    good, bad = judge(Distance(), of(rocksalt), of(squeezed), propose={'min_distance': 0.7})
    assert good.passed
    assert not bad.passed
    assert bad.value < 0.7
    assert 'Å' in bad.reason


def test_charge_modes():
    bad, good = Candidate('', 'BC', None, 'cspml'), Candidate('', 'NaCl', None, 'cspml')
    assert judge(Charge(), bad, charge_neutral='off') == [None]
    preferred = judge(Charge(), bad, good, charge_neutral='prefer')
    assert all(verdict.passed for verdict in preferred)
    assert 0 <= preferred[0].value < preferred[1].value <= 1
    required = judge(Charge(), bad, Candidate('', 'BN', None, 'cspml'), charge_neutral='require')
    assert [verdict.passed for verdict in required] == [False, True]


def test_sites_and_volume(rocksalt):
    assert judge(Sites(), of(rocksalt), max_sites=2)[0].passed
    assert 'more than 1' in judge(Sites(), of(rocksalt), max_sites=1)[0].reason
    dense, hollow = of(rocksalt, packing=1.0, volume_error=0.03), of(rocksalt, packing=3.0, volume_error=0.03)
    assert [verdict.passed for verdict in judge(Volume(), dense, hollow)] == [True, False]
    assert judge(Volume(), of(rocksalt)) == [None]


def test_duplicates(rocksalt):
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    moved = Crystal(rocksalt.lattice @ rotation * 1.02, rocksalt.species, rocksalt.frac_coords + 0.3)
    # the same arrangement of other elements is another crystal
    other = rocksalt.with_species({'Na': 'K', 'Cl': 'Cl'})
    caesium = Crystal(np.eye(3) * 4, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    verdicts = judge(Duplicate(), of(rocksalt, template='first'), of(moved), of(other), of(caesium))
    assert [verdict.passed for verdict in verdicts] == [True, False, True, True]
    assert 'NaCl as first' in verdicts[1].reason


TWINS = {
    # of each pair StructureMatcher takes the second for the first, and the space groups differ
    'perovskite, elongated': ('CaTiOOO', [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    'caesium chloride, elongated': ('CsCl', [[0, 0, 0], [0.5, 0.5, 0.5]]),
    'AuCu3, elongated': ('AuCuCuCu', [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
}


@pytest.mark.parametrize('name', TWINS)
@pytest.mark.parametrize('evaluated', [False, True])
def test_of_two_that_match_both_are_kept_if_their_space_groups_differ(name, evaluated):
    species, coords = TWINS[name]
    species = tuple(re.findall('[A-Z][a-z]?', species))
    cubic = Crystal(4.0 * np.eye(3), species, coords)
    twin = Crystal(np.diag([4.0, 4.0, 4.3]), species, coords)
    assert same_structure(cubic, twin)
    # what an evaluation left in another cell is compared by the same rule
    doubled = Crystal.from_pymatgen(cubic.to_pymatgen().make_supercell([1, 1, 2], in_place=False))
    for first, second, same in ((cubic, twin, False), (cubic, cubic.scaled_to(70), True), (twin, twin, True)):
        if evaluated:
            row = EvaluationRow('g001_c0001', 1, 'initial', first.formula, 'completed', None, relaxed=first)
            (verdict,) = judge(Duplicate(), of(second), rows=[row])
        else:
            _, verdict = judge(Duplicate(), of(first), of(second))
        assert verdict.passed is not same
        assert CrystalSpace.same_result(first, second) is CrystalSpace.same(first, second) is same
    assert CrystalSpace.same(doubled, cubic)
    assert not CrystalSpace.same(doubled, twin)


def test_what_passed_before_is_not_proposed_again(rocksalt):
    spec = settings_of_a_proposal({'formulas': ['NaCl']}, {})
    request = ScreenRequest(spec, passed=[of(rocksalt, template='first')])
    (verdict,) = Duplicate().judge([of(rocksalt.scaled_to(50))], request)
    assert 'NaCl as first' in verdict.reason


def test_evaluated_supercell_is_recognised(rocksalt):
    doubled = Crystal.from_pymatgen(rocksalt.to_pymatgen().make_supercell([1, 1, 2], in_place=False))
    row = EvaluationRow('g001_c0001', 1, 'initial', 'NaCl', 'completed', doubled)
    assert 'an evaluated crystal' in judge(Duplicate(), of(rocksalt), rows=[row])[0].reason


@pytest.mark.parametrize('short', [1.02, 1.05, 1.09])
@pytest.mark.parametrize('error', [0.005, 0.05])
def test_a_cell_is_widened_for_a_short_contact(small_library, short, error):
    # rock salt is known not to be denser than 1 in covalent radii, so that no limit is loosened for it
    crystal = small_library[0].crystal.scaled_to(0.6 * small_library[0].crystal.volume)
    near = closest_contact(crystal).ratio
    built = Built(0, crystal, {'Na': 'Na', 'Cl': 'Cl'}, 0.0, VolumeEstimate(crystal.volume, 1.0, 0.9, error))
    assert widened(built, near * 0.99) is built
    wider = widened(built, near * short)
    assert closest_contact(wider.crystal, near * short).ratio >= near * short
    assert wider.crystal.volume == pytest.approx(crystal.volume * short**3)
    expected = (crystal.volume * short**3, short**3, 0.9 * short**3, error + short**3 - 1)
    estimate = wider.estimate
    assert (estimate.volume, estimate.scale, estimate.packing, estimate.error) == pytest.approx(expected)


@pytest.mark.parametrize('short', [1.1, 1.5, 5.0])
def test_a_contact_that_is_far_too_short_is_not_healed(small_library, short):
    crystal = small_library[0].crystal.scaled_to(0.6 * small_library[0].crystal.volume)
    built = Built(0, crystal, {'Na': 'Na', 'Cl': 'Cl'}, 0.0, VolumeEstimate(crystal.volume, 1.0, 1.0, 0.5))
    # 10 % in the distance is 33 % in the volume, whatever error is expected of it
    assert widened(built, closest_contact(crystal).ratio * short) is built


def test_atoms_on_one_site_are_not_healed():
    crystal = Crystal(4.0 * np.eye(3), ('Na', 'Cl'), [[0, 0, 0], [0, 0, 0]])
    built = Built(0, crystal, {'Na': 'Na', 'Cl': 'Cl'}, 0.0, VolumeEstimate(64.0, 1.0, 1.0, 0.05))
    assert widened(built, 0.85) is built
