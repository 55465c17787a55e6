"""Labels of anonymous prototypes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Library, aflow_library
from aiida_inversedesign.libraries.prototype_labels import label_of, with_prototypes

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
PEROVSKITE = [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]


@pytest.mark.parametrize(
    ('prototype', 'label'),
    [
        ('Halite, Rock Salt', 'AB_cF8_225_a_b'),
        ('diamond', 'A_cF8_227_a'),
        ('Corundum', 'A2B3_hR10_167_c_e'),
        ('Spinel', 'AB2C4_cF56_227_a_d_e'),
        ('(Cubic) Perovskite', 'ABC3_cP5_221_a_b_c'),
    ],
)
def test_known_prototypes(prototype, label):
    crystal = next(template.crystal for template in aflow_library() if template.prototype == prototype)
    assert prototype_label(crystal) == label


def test_the_two_settings_of_perovskite_are_one():
    shifted = np.array(PEROVSKITE) + 0.5
    first = Crystal(3.9 * np.eye(3), ('Sr', 'Ti', 'O', 'O', 'O'), PEROVSKITE)
    second = Crystal(3.9 * np.eye(3), ('Sr', 'Ti', 'O', 'O', 'O'), shifted)
    anti = Crystal(3.9 * np.eye(3), ('N', 'C', 'Mn', 'Mn', 'Mn'), shifted)
    assert prototype_label(first) == prototype_label(second) == prototype_label(anti) == 'ABC3_cP5_221_a_b_c'


def test_other_structures_of_one_ratio_differ():
    rocksalt = Crystal(5.64 * FCC, ('Na', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    zincblende = Crystal(5.41 * FCC, ('Zn', 'S'), [[0, 0, 0], [0.25, 0.25, 0.25]])
    assert prototype_label(rocksalt) != prototype_label(zincblende)


@settings(max_examples=15)
@given(st.permutations(range(5)), st.lists(st.floats(0, 1), min_size=3, max_size=3), st.permutations(['K', 'Mg', 'F']))
def test_independent_of_sites_origin_and_elements(order, origin, elements):
    species = [elements[0], elements[1], elements[2], elements[2], elements[2]]
    coords = np.array(PEROVSKITE) + origin
    crystal = Crystal(4.0 * np.eye(3), tuple(species[i] for i in order), coords[list(order)])
    assert prototype_label(crystal) == 'ABC3_cP5_221_a_b_c'


def test_no_symmetry_gives_no_label():
    # two equal atoms on one site
    assert prototype_label(Crystal(4.0 * np.eye(3), ('Na', 'Na'), [[0, 0, 0], [0, 0, 0]])) == ''


def test_labels_of_a_library():
    library = aflow_library()
    assert label_of(library[3]) == prototype_label(library[3].crystal)
    part = with_prototypes(library.subset(range(20)))
    assert [item.proto_label for item in part] == [prototype_label(item.crystal) for item in part]
    again = Library.from_bytes(part.to_bytes())
    assert [item.proto_label for item in again] == [item.proto_label for item in part]
    # what follows from the crystals does not make another library
    assert again.content_hash == library.subset(range(20)).content_hash
