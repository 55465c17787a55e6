"""Elemental reference crystals."""

from __future__ import annotations

import pytest

from aiida_inversedesign.engines.common.crystal_properties import structural_properties
from aiida_inversedesign.libraries.elemental import (
    ElementalReferenceError,
    reference,
    reference_crystal,
)


@pytest.mark.parametrize(
    ('symbol', 'space_group', 'sites', 'volume'),
    [
        ('B', 166, 12, 7.3),
        ('C', 194, 4, 8.8),
        ('N', 205, 8, 22.5),
        ('Si', 227, 2, 20.0),
        ('Al', 225, 1, 16.6),
        ('Te', 152, 3, 33.8),
        ('Fe', 229, 1, 11.8),
    ],
)
def test_known_ground_states(symbol: str, space_group: int, sites: int, volume: float) -> None:
    crystal = reference_crystal(symbol)
    found = structural_properties(crystal)
    assert set(crystal.species) == {symbol}
    assert crystal.nsites == sites
    assert found['space_group'] == space_group
    assert found['volume'] == pytest.approx(volume, rel=0.02)


def test_carbon_is_graphite_and_says_so() -> None:
    assert 'A_hP4_194_bc' in reference('C').source


def test_an_element_without_reference_is_named() -> None:
    with pytest.raises(ElementalReferenceError, match='reference crystal of F'):
        reference_crystal('F')


@pytest.mark.parametrize('symbol', ['B', 'C', 'N', 'O', 'Si', 'Ga', 'Ge', 'As', 'W'])
def test_a_reference_is_of_its_element(symbol: str) -> None:
    assert set(reference_crystal(symbol).species) == {symbol}
