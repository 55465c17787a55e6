"""Limits of contacts, and which pairs bind short."""

import numpy as np
import pytest

from aiida_inversedesign.chemistry.contacts import fit_short_pairs, limit, short_pairs, shortest_contacts
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.validity import closest_contact

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def rocksalt(a: float, cation: str, anion: str) -> Crystal:
    return Crystal(a * FCC, (cation, anion), [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_only_pairs_that_bind_short_have_limits_of_their_own():
    assert limit('V', 'O', 0.85) == limit('O', 'V', 0.85) < 0.8
    assert limit('Na', 'Cl', 0.85) == 0.85
    # a stricter demand is not loosened, a looser one not tightened
    assert limit('O', 'V', 0.5) == 0.5
    assert all(first <= second and 0.6 < value < 0.85 for (first, second), value in short_pairs().items())


def test_shortest_contacts_of_rocksalt():
    contacts = shortest_contacts(rocksalt(5.64, 'Na', 'Cl'))
    assert contacts['Cl', 'Na'] == pytest.approx(2.82 / (1.66 + 1.02), rel=1e-6)
    assert ('Na', 'Na') not in contacts


def test_a_pair_is_short_when_most_of_its_compounds_are():
    short = [rocksalt(2 * 0.8 * (1.53 + 0.66) + 0.001 * n, 'V', 'O') for n in range(12)]
    usual = [rocksalt(2 * 1.0 * (1.76 + 0.66) + 0.001 * n, 'Ca', 'O') for n in range(12)]
    found = fit_short_pairs([*short, *usual])
    assert ('O', 'V') in found
    assert not any('Ca' in pair for pair in found)
    number, least = found['O', 'V']
    assert number == 12
    assert 0.8 <= least < 0.81
    assert fit_short_pairs(short[:5]) == {}


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
