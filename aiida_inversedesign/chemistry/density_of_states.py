"""Densities of states on one axis: energies from the Fermi level of a metal, or the valence band maximum. No aiida."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array

#: eV from the reference energy. Below lie the 2s states of nitrides (-18 eV) and oxides (-20 eV), semicore states do
#: not; above, pseudopotentials and their local orbitals describe states less well.
LOWEST, HIGHEST = -20.0, 5.0
#: eV between points: what 300 K smears out (2 kT).
STEP = 0.05
#: ħ²/2m in eV Å².
_KINETIC = 3.80998
#: Bands beyond those that free electrons would have, for their spread over the Brillouin zone: with 4 the highest band
#: of silicon in two structures lies more than 5 eV above the reference energy at every k-point.
_SPARE_BANDS = 4


def grid() -> Array:
    """The axis of every density of states, eV, shape (T,)."""
    return np.round(np.linspace(LOWEST, HIGHEST, round((HIGHEST - LOWEST) / STEP) + 1), 6)


def bands_needed(electrons: float, volume: float) -> int:
    """Bands of each spin that reach :data:`HIGHEST` above the reference energy, as of free electrons.

    n electrons in a volume fill a sphere up to E = ħ²/2m (3π² n/V)^(2/3); the same relation gives the electrons of the
    sphere up to E + HIGHEST.

    :param electrons: valence electrons of the cell. :param volume: of the cell, Å³.
    """
    fermi = _KINETIC * (3 * math.pi**2 * electrons / volume) ** (2 / 3)
    filled = volume * ((fermi + HIGHEST) / _KINETIC) ** 1.5 / (3 * math.pi**2)
    return int(np.ceil(filled / 2)) + _SPARE_BANDS


def reference_energy(bands: Array, electrons: float, magnetization: float, gap: float, fermi: float) -> float:
    """What energies are counted from, eV: the Fermi level of a metal, the highest filled level of an insulator.

    :param bands: eV, shape (k, bands), or (2, k, bands) for two spins. :param electrons: of the cell.
    :param magnetization: total, μB, used with two spins. :param gap: 0 for a metal.
    """
    if gap <= 0:
        return fermi
    channels = [bands] if bands.ndim == 2 else list(bands)
    filled = [electrons / 2] if bands.ndim == 2 else [(electrons + magnetization) / 2, (electrons - magnetization) / 2]
    tops = [
        np.sort(levels, axis=1)[:, round(count) - 1].max()
        for levels, count in zip(channels, filled, strict=True)
        if round(count) > 0
    ]
    return float(max(tops))


def complete_up_to(bands: Array) -> float:
    """The energy (eV) above which states may be missing: the least of the highest band.

    :param bands: eV, shape (k, bands) or (2, k, bands).
    """
    return float(np.sort(bands, axis=-1)[..., -1].min())


def on_axis(energies: Any, values: Any, reference: float, gap: float, complete: float) -> tuple[Array, Array]:
    """A density of states on :func:`grid`, which ends where states may be missing.

    :param energies: eV, increasing, shape (n,); where they begin later or end earlier than the axis there is nothing.
    :param values: shape (n,).
    :param gap: eV; inside of it there is exactly nothing. :param complete: see :func:`complete_up_to`.
    :returns: energies from the reference (eV) and values there; what rounding made negative is 0.
    """
    axis = grid()
    axis = axis[axis <= complete - reference]
    found = np.interp(axis, np.asarray(energies) - reference, np.asarray(values), left=0.0, right=0.0)
    if gap > 0:
        found[(axis >= 0) & (axis <= gap)] = 0.0
    return axis, np.maximum(found, 0.0)
