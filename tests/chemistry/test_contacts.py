"""Limits of contacts, and which pairs bind short."""

import numpy as np
import pytest

from aiida_inversedesign.chemistry.contacts import ANY, fit_limits, known_limits, limit, shortest_contacts
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii
from aiida_inversedesign.chemistry.validity import closest_contact

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def rocksalt(a: float, cation: str, anion: str) -> Crystal:
    return Crystal(a * FCC, (cation, anion), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_the_limit_is_what_known_compounds_keep():
    assert limit('V', 'O', 0.85) == limit('O', 'V', 0.85) < 0.8
    assert limit('Na', 'Cl', 0.85) == 0.85
    # a stricter demand is not loosened for pairs that are never shorter, a looser one not tightened
    assert limit('Na', 'Cl', 0.9) == 0.9
    assert limit('O', 'V', 0.5) == 0.5
    assert all(first <= second or second == ANY for first, second in known_limits())
    assert all(0.6 < value <= 1 for value in known_limits().values())


def test_elements_that_are_rarely_together_have_the_limit_of_either_with_any_other():
    assert ('Pr', 'Os') not in known_limits()
    assert ('Os', 'Pr') not in known_limits()
    assert limit('Pr', 'Os', 0.85) == min(known_limits()['Pr', ANY], known_limits()['Os', ANY]) < 0.8


@pytest.mark.parametrize(
    ('first', 'second', 'distance'),
    [
        ('V', 'V', 2.362),
        ('K', 'K', 3.244),
        ('U', 'Fe', 2.79),
        ('Tm', 'Ru', 2.844),
        ('Cs', 'Cs', 3.86),
        ('Zr', 'Co', 2.60),
    ],
)
def test_contacts_of_known_compounds_are_allowed(first, second, distance):
    # W5Si3-type V5Si3, K2O, UFe2, Heusler-like TmSnRu2, Cs2CoSiO4, Zr3Co: 0.85 refused most of them
    radii = covalent_radii()
    assert distance / (radii[first] + radii[second]) >= limit(first, second, 0.85)


@pytest.mark.parametrize(
    ('first', 'second', 'distance'), [('O', 'O', 1.05), ('Na', 'Cl', 2.2), ('Si', 'O', 1.4), ('Fe', 'Fe', 1.9)]
)
def test_contacts_that_no_compound_has_are_refused(first, second, distance):
    radii = covalent_radii()
    assert distance / (radii[first] + radii[second]) < limit(first, second, 0.85)


def test_shortest_contacts_of_rocksalt():
    contacts = shortest_contacts(rocksalt(5.64, 'Na', 'Cl'))
    assert contacts['Cl', 'Na'] == pytest.approx(2.82 / (1.66 + 1.02), rel=1e-6)
    assert ('Na', 'Na') not in contacts


def test_limits_are_fitted_to_the_shortest_contacts_that_compounds_have():
    short = [rocksalt(2 * 0.8 * (1.53 + 0.66) + 0.001 * n, 'V', 'O') for n in range(40)]
    usual = [rocksalt(2 * 1.0 * (1.76 + 0.66) + 0.001 * n, 'Ca', 'O') for n in range(40)]
    found = fit_limits([*short, *usual])
    assert found['O', 'V'] == found['V', ANY] == (40, 0.8)
    assert found['Ca', 'O'] == (40, 1.0)
    # calcium atoms are √2 times as far apart, 0.972 of their radii; oxygen atoms do not touch: any limit may hold
    assert found['Ca', 'Ca'] == found['Ca', ANY] == (40, 0.972)
    assert found['O', 'O'] == (80, 1.0)
    assert found['O', ANY] == (80, 0.8)
    # too few compounds say nothing
    assert ('Ca', 'V') not in found
    assert fit_limits(short[:29]) == {}


def test_one_of_500_compounds_may_have_its_atoms_in_the_wrong_place():
    wrong = rocksalt(2 * 0.4 * (1.53 + 0.66), 'V', 'O')
    usual = [rocksalt(2 * 0.9 * (1.53 + 0.66) + 0.001 * n, 'V', 'O') for n in range(499)]
    assert fit_limits([wrong, *usual[:200]])['O', 'V'] == (201, 0.4)
    assert fit_limits([wrong, *usual])['O', 'V'] == (500, 0.9)


def test_the_contact_told_is_the_one_that_breaks_its_own_limit():
    # V-O at 0.80 keeps its limit; Ca-O at 0.84 does not
    cell = np.diag([20.0, 5.0, 5.0])
    v_o, ca_o = 0.80 * (1.53 + 0.66), 0.84 * (1.76 + 0.66)
    crystal = Crystal(cell, ('V', 'O', 'Ca', 'O'), [[0, 0, 0], [v_o / 20, 0, 0], [0.5, 0, 0], [0.5 + ca_o / 20, 0, 0]])
    assert set(closest_contact(crystal).elements) == {'V', 'O'}
    worst = closest_contact(crystal, 0.85)
    assert set(worst.elements) == {'Ca', 'O'}
    assert worst.ratio == pytest.approx(0.84, abs=1e-3)
    assert worst.limit == 0.85
