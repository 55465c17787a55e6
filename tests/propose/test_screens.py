"""Each screen accepts what it should and says why not."""

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.screen import ScreenRequest
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.propose.build import Built, widened
from aiida_inversedesign.propose.next_candidates import settings_of_a_proposal
from aiida_inversedesign.propose.volumes.volume import VolumeEstimate
from aiida_inversedesign.screen.crystals import Charge, Distance, Sites, Volume
from aiida_inversedesign.screen.duplicate import Duplicate


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


def test_evaluated_supercell_is_recognised(rocksalt):
    doubled = Crystal.from_pymatgen(rocksalt.to_pymatgen().make_supercell([1, 1, 2], in_place=False))
    row = EvaluationRow('g001_c0001', 1, 'initial', 'NaCl', 'completed', doubled)
    assert 'an evaluated crystal' in judge(Duplicate(), of(rocksalt), rows=[row])[0].reason


def test_a_cell_is_widened_within_the_error_of_its_volume(small_library):
    crystal = small_library[0].crystal
    near = closest_contact(crystal).ratio
    built = Built(0, crystal, {'Na': 'Na', 'Cl': 'Cl'}, 0.0, VolumeEstimate(crystal.volume, 1.0, 1.0, 0.05))
    assert widened(built, near * 0.99) is built
    slightly = widened(built, near * 1.02)
    assert closest_contact(slightly.crystal).ratio >= near * 1.02
    assert slightly.estimate.volume == pytest.approx(crystal.volume * 1.02**3)
    assert slightly.estimate.scale == pytest.approx(1.02**3)
    # 10 % in the distance is 33 % in the volume, more than twice the error
    assert widened(built, near * 1.1) is built
