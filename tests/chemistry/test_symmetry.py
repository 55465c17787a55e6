"""Symmetry and structure matching: the one place where spglib and StructureMatcher are used."""

import re
from pathlib import Path

import numpy as np
import pytest

import aiida_inversedesign
from aiida_inversedesign.chemistry import matching, symmetry
from aiida_inversedesign.chemistry.crystal import Crystal

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
ROCKSALT = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
ZINCBLENDE = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.25, 0.25, 0.25]])
IMPOSSIBLE = Crystal(4.0 * np.eye(3), ('Na', 'Na'), [[0, 0, 0], [0, 0, 0]])


def supercell(crystal, scaling=(1, 1, 2)):
    return Crystal.from_pymatgen(crystal.to_pymatgen().make_supercell(scaling, in_place=False))


def moved(crystal, distance):
    """The crystal with its last atom moved by so many Å along the first vector."""
    coords = crystal.frac_coords.copy()
    coords[-1, 0] += distance / np.linalg.norm(crystal.lattice[0])
    return Crystal(crystal.lattice, crystal.species, coords)


@pytest.mark.parametrize(('crystal', 'number'), [(ROCKSALT, 225), (ZINCBLENDE, 216), (IMPOSSIBLE, None)])
def test_space_groups(crystal, number):
    assert symmetry.space_group_number(crystal) == number


def test_what_is_moved_less_than_the_tolerance_keeps_its_symmetry():
    slightly = moved(ROCKSALT, 0.03)
    assert symmetry.space_group_number(slightly) == 225
    assert symmetry.space_group_number(slightly, symmetry.STRICT_SYMPREC) != 225
    assert symmetry.space_group_number(moved(ROCKSALT, 0.5)) != 225


def test_cells_of_one_crystal():
    conventional, primitive = symmetry.conventional_cell(ROCKSALT), symmetry.smaller_cell(supercell(ROCKSALT))
    assert conventional.counts == {'Na': 4, 'Cl': 4}
    np.testing.assert_allclose(conventional.lattice, 5.64 * np.eye(3), atol=1e-9)
    assert (primitive.counts, primitive.volume) == ({'Na': 1, 'Cl': 1}, pytest.approx(ROCKSALT.volume))
    assert symmetry.standard_lattice(supercell(ROCKSALT)) == (pytest.approx((5.64, 5.64, 5.64)), 225)


def test_without_symmetry_there_is_no_cell_and_every_site_is_its_own():
    assert symmetry.conventional_cell(IMPOSSIBLE) is None
    assert symmetry.smaller_cell(IMPOSSIBLE) is None
    assert symmetry.equivalent_sites(IMPOSSIBLE).tolist() == [0, 1]


def test_equivalent_sites():
    doubled = supercell(ROCKSALT)
    assert doubled.species == ('Na', 'Na', 'Cl', 'Cl')
    assert symmetry.equivalent_sites(doubled).tolist() == [0, 0, 2, 2]
    # a thousandth of an Å is too much for sites that share one order parameter
    assert len(set(symmetry.equivalent_sites(moved(doubled, 0.001)).tolist())) > 2


def test_the_same_structure_in_any_cell_and_of_any_volume():
    other = supercell(ROCKSALT.scaled_to(1.3 * ROCKSALT.volume), (2, 1, 1))
    assert matching.same_structure(ROCKSALT, other)
    assert matching.same_structure(other, ROCKSALT)
    assert not matching.same_structure(ROCKSALT, ZINCBLENDE)
    assert matching.same_candidate(ROCKSALT, other)
    assert matching.same_candidate(other, other.scaled_to(100))
    assert not matching.same_candidate(ROCKSALT, ZINCBLENDE)
    # the cell is promised to be primitive, so that no smaller one is looked for
    assert len(matching.reduced(other, primitive=True)) == 4
    assert not matching.same_reduced(matching.reduced(ROCKSALT), matching.reduced(other, primitive=True))


def test_arrangements_compare_without_elements():
    other = ROCKSALT.with_species({'Na': 'Mg', 'Cl': 'O'})
    assert matching.same_arrangement(ROCKSALT, other)
    assert not matching.same_structure(ROCKSALT, other)
    assert not matching.same_arrangement(other, ZINCBLENDE)


def test_the_distance_grows_with_the_displacement():
    near, far = (matching.structure_distance(ROCKSALT, moved(ROCKSALT, by)) for by in (0.1, 0.3))
    assert 0 < near < far
    assert far == pytest.approx(3 * near, rel=0.05)
    assert matching.structure_distance(ROCKSALT, ZINCBLENDE) is None


def test_no_other_module_uses_spglib_or_structure_matcher():
    package = Path(aiida_inversedesign.__file__).parent
    used = re.compile(r'import spglib|StructureMatcher\(|SpacegroupAnalyzer\(|symprec=[\d.]')
    users = {path.relative_to(package).as_posix() for path in package.rglob('*.py') if used.search(path.read_text())}
    # CIFs are read with spglib's table of space-group types, which has no tolerance
    tables = {'libraries/cif/names.py', 'libraries/cif/operations.py'}
    # a program that runs where nothing of this package is installed; its tolerance is given to it
    assert users - tables - {'screen/potentials/relax_bundle.py'} == {'chemistry/matching.py', 'chemistry/symmetry.py'}
