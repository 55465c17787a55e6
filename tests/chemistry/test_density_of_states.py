"""Densities of states on one axis, against closed forms of free electrons and made-up bands."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_inversedesign.chemistry.density_of_states import (
    HIGHEST,
    LOWEST,
    bands_needed,
    complete_up_to,
    grid,
    on_axis,
    reference_energy,
)

#: Two filled bands and one empty one at three k-points, not in order.
BANDS = np.array([[-1.0, 4.0, 0.5], [-2.0, 0.0, 3.0], [-1.5, 0.2, 6.0]])


def test_energies_count_from_the_fermi_level_of_a_metal_and_the_band_edge_of_an_insulator() -> None:
    assert reference_energy(BANDS, 4, 0, gap=0.0, fermi=1.7) == 1.7
    assert reference_energy(BANDS, 4, 0, gap=2.5, fermi=1.7) == 0.5
    both = np.stack([BANDS, BANDS + 0.1])
    assert reference_energy(both, 4, 0, gap=2.0, fermi=1.7) == pytest.approx(0.6)
    # three electrons up, one down: the second spin fills its lowest band alone
    assert reference_energy(both, 4, 2, gap=0.1, fermi=1.7) == 6.0
    assert reference_energy(both[:, :, :2], 2, 2, gap=0.1, fermi=1.7) == 4.0


def test_states_above_the_least_of_the_highest_band_are_not_known() -> None:
    assert complete_up_to(BANDS) == 3.0
    axis, _ = on_axis([-5, 5], [1, 1], reference=0.5, gap=0, complete=3.0)
    assert axis[[0, -1]].tolist() == [LOWEST, 2.5]


def test_what_is_inside_a_gap_is_nothing_and_what_rounding_made_negative_too() -> None:
    energies = np.linspace(-5, 5, 201)
    values = np.where(energies < 1, -1e-4, 3.0)
    axis, found = on_axis(energies, values, reference=0.0, gap=1.5, complete=9.0)
    assert (found[(axis >= 0) & (axis <= 1.5)] == 0).all()
    assert found.min() == 0
    assert found[axis > 1.6].tolist() == [3.0] * int((axis > 1.6).sum())
    # nothing was written below
    assert (found[axis < -5] == 0).all()


def test_bands_reach_five_electronvolts_above_free_electrons() -> None:
    assert (grid()[0], grid()[-1], len(grid())) == (LOWEST, HIGHEST, 501)
    # aluminium: 16.5 Å³ and 3 electrons, Fermi energy 11.7 eV; (16.7 / 11.7)^1.5 × 1.5 = 2.6 bands on average
    assert bands_needed(3, 16.5) == 3 + 4
    # twice the cell, twice the bands
    assert bands_needed(60, 330) == 52 + 4
