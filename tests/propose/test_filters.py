"""Each filter accepts what it should and says why not."""

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.validity import closest_contact
from aiida_inversedesign.propose.filters import (
    Duplicates,
    charge_verdict,
    distance_verdict,
    sites_verdict,
    volume_verdict,
)
from aiida_inversedesign.propose.volumes.volume import VolumeEstimate


def test_distance(rocksalt):
    assert distance_verdict(rocksalt, 0.7).passed
    squeezed = distance_verdict(rocksalt.scaled_to(rocksalt.volume / 6), 0.7)
    assert not squeezed.passed
    assert squeezed.value < 0.7
    assert 'Å' in squeezed.reason


def test_charge_modes():
    bad = {'B': 1, 'C': 1}
    assert charge_verdict(bad, 'off') is None
    assert charge_verdict(bad, 'prefer').passed
    good = charge_verdict({'Na': 1, 'Cl': 1}, 'prefer')
    assert 0 <= charge_verdict(bad, 'prefer').value < good.value <= 1
    assert not charge_verdict(bad, 'require').passed
    assert charge_verdict({'B': 1, 'N': 1}, 'require').passed


def test_sites_and_volume(rocksalt):
    assert sites_verdict(rocksalt, 2).passed
    assert 'more than 1' in sites_verdict(rocksalt, 1).reason
    assert volume_verdict(VolumeEstimate(10, 1, 1.0, 0.03)).passed
    assert not volume_verdict(VolumeEstimate(10, 1, 3.0, 0.03)).passed


def test_duplicates(rocksalt):
    found = Duplicates()
    assert found.verdict('first', rocksalt).passed
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    moved = Crystal(rocksalt.lattice @ rotation * 1.02, rocksalt.species, rocksalt.frac_coords + 0.3)
    verdict = found.verdict('second', moved)
    assert not verdict.passed
    assert 'first' in verdict.reason
    # the same arrangement of other elements is another crystal
    assert found.verdict('third', rocksalt.with_species({'Na': 'K', 'Cl': 'Cl'})).passed
    caesium = Crystal(np.eye(3) * 4, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert found.verdict('fourth', caesium).passed


def test_evaluated_supercell_is_recognised(rocksalt):
    doubled = Crystal.from_pymatgen(rocksalt.to_pymatgen().make_supercell([1, 1, 2], in_place=False))
    assert 'evaluated' in Duplicates([doubled]).verdict('new', rocksalt).reason


def test_a_cell_is_widened_within_the_error_of_its_volume(small_library):
    from aiida_inversedesign.propose.build import Built
    from aiida_inversedesign.propose.filters import widened
    from aiida_inversedesign.propose.volumes.volume import VolumeEstimate

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
