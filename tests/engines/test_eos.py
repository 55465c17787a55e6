"""The equation of state."""

from __future__ import annotations

import numpy as np
import pytest
from ase.eos import birchmurnaghan
from hypothesis import given
from hypothesis import strategies as st

from aiida_inversedesign.engines.common.eos import GPA, EosError, fit_birch_murnaghan, volume_factors


def energies(volumes: np.ndarray, e0: float, b0: float, derivative: float, v0: float) -> np.ndarray:
    return birchmurnaghan(volumes, e0, b0 / GPA, derivative, v0)


@given(
    v0=st.floats(4, 60),
    b0=st.floats(5, 600),
    derivative=st.floats(2.5, 6),
    e0=st.floats(-2000, 0),
    offset=st.floats(-0.03, 0.03),
)
def test_recovers_what_the_energies_were_made_of(
    v0: float, b0: float, derivative: float, e0: float, offset: float
) -> None:
    volumes = v0 * (1 + offset) * np.array(volume_factors(7, 0.06))
    fit = fit_birch_murnaghan(volumes, energies(volumes, e0, b0, derivative, v0))
    assert fit.volume == pytest.approx(v0, rel=1e-4)
    assert fit.bulk_modulus == pytest.approx(b0, rel=5e-3)
    assert fit.derivative == pytest.approx(derivative, abs=0.2)
    assert fit.energy == pytest.approx(e0, abs=1e-6)
    assert fit.residual < 1e-6


@pytest.mark.parametrize(('centre', 'side'), [(1.12, 'smallest'), (0.88, 'largest')])
def test_refuses_a_minimum_outside_the_scan(centre: float, side: str) -> None:
    volumes = 10 * centre * np.array(volume_factors(7, 0.06))
    with pytest.raises(EosError, match=f'lowest at the {side}.*outside the scanned range'):
        fit_birch_murnaghan(volumes, energies(volumes, -5, 100, 4, 10))


def test_refuses_too_few_points_and_a_maximum() -> None:
    volumes = np.linspace(9, 11, 7)
    with pytest.raises(EosError, match='4 volumes are too few'):
        fit_birch_murnaghan(volumes[:4], volumes[:4])
    with pytest.raises(EosError, match='no minimum'):
        fit_birch_murnaghan(volumes, -((volumes - 10) ** 2))
    with pytest.raises(EosError, match='finite'):
        fit_birch_murnaghan(volumes, np.full(7, np.nan))


def test_the_residual_is_that_of_the_noise() -> None:
    volumes = 10 * np.array(volume_factors(21, 0.06))
    noise = np.random.default_rng(1).normal(scale=1e-4, size=21)
    fit = fit_birch_murnaghan(volumes, energies(volumes, -5, 200, 4, 10) + noise)
    rms = float(np.sqrt(np.mean(noise**2)))
    assert 0.7 * rms < fit.residual <= rms


def test_factors_are_symmetric_and_hold_one() -> None:
    assert volume_factors(7, 0.06) == pytest.approx([0.94, 0.96, 0.98, 1, 1.02, 1.04, 1.06])
