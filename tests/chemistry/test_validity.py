"""Shortest contacts and charge neutrality."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.chemistry.validity import charge_neutral, closest_contact

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def brute_force(crystal, images=7):
    """The least ratio over a block of images that is certainly large enough."""
    radii = [covalent_radii()[symbol] for symbol in crystal.species]
    shifts = np.array(np.meshgrid(*[range(-images, images + 1)] * 3)).reshape(3, -1).T
    best = np.inf
    for i, a in enumerate(crystal.frac_coords):
        for j, b in enumerate(crystal.frac_coords):
            distances = np.linalg.norm((b - a + shifts) @ crystal.lattice, axis=1)
            distances = distances[distances > 1e-9] if i == j else distances
            best = min(best, distances.min() / (radii[i] + radii[j]))
    return best


def test_diamond():
    contact = closest_contact(Crystal(3.57 * FCC, ('C', 'C'), [[0, 0, 0], [0.25, 0.25, 0.25]]))
    assert contact.distance == pytest.approx(3.57 * 3**0.5 / 4)
    assert contact.elements == ('C', 'C')


def test_own_image_of_a_single_atom():
    contact = closest_contact(Crystal(3.6 * FCC, ('Cu',), [[0, 0, 0]]))
    assert contact.distance == pytest.approx(3.6 / 2**0.5)


def test_short_vector_hidden_in_a_skewed_cell():
    # the third vector is nearly 5 times the first: their difference, 1.0 Å long, is the shortest contact
    crystal = Crystal([[4, 0, 0], [0, 9, 0], [20.0, 1.0, 0.2]], ('Si',), [[0, 0, 0]])
    assert closest_contact(crystal).distance == pytest.approx((1 + 0.04) ** 0.5)


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    lattice = rng.normal(size=(3, 3)) * 3 + np.diag([4, 4, 4])
    # the block of brute_force must be large enough
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    assume(heights.min() * 6 > np.linalg.norm(lattice, axis=1).min())
    n = rng.integers(1, 5)
    crystal = Crystal(lattice, tuple(rng.choice(['C', 'Si', 'Cs', 'O'], n)), rng.uniform(size=(n, 3)))
    assert closest_contact(crystal).ratio == pytest.approx(brute_force(crystal), rel=1e-9)


@pytest.mark.parametrize('formula', ['NaCl', 'BN', 'SiC', 'Si3N4', 'Fe3O4', 'Cu2O', 'CaCO3', 'LiFePO4', 'C', 'NiAl'])
def test_neutral(formula):
    assert charge_neutral(parse_formula(formula))


@pytest.mark.parametrize('formula', ['NaCl2', 'BC', 'CN', 'SiN', 'Na2Cl', 'CaO2Cl3'])
def test_not_neutral(formula):
    assert not charge_neutral(parse_formula(formula))
