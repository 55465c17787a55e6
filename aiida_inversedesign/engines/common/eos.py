"""Equation of state: the volumes to compute and the Birch–Murnaghan fit. Imports no aiida."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.errors import InverseDesignError

#: 1 eV/Å³ in GPa (CODATA 2018)
GPA = 160.21766208

#: fewest points a fit of four parameters is trusted with
LEAST_POINTS = 5


class EosError(InverseDesignError):
    """An equation of state that cannot be trusted, with the reason."""


@dataclass(frozen=True)
class EosFit:
    """A third-order Birch–Murnaghan fit.

    :param volume: V0, in the unit of the volumes given (Å³/atom).
    :param energy: E0, in eV/atom.
    :param bulk_modulus: B0 in GPa.
    :param derivative: B0', without unit.
    :param residual: root mean square difference between energies and fit, in eV/atom.
    """

    volume: float
    energy: float
    bulk_modulus: float
    derivative: float
    residual: float


def volume_factors(points: int, strain: float) -> list[float]:
    """Factors on the volume, evenly spaced from 1 − ``strain`` to 1 + ``strain``; 1 itself if ``points`` is odd."""
    return [float(factor) for factor in np.linspace(1 - strain, 1 + strain, points)]


def fit_birch_murnaghan(volumes: Sequence[float], energies: Sequence[float]) -> EosFit:
    """Fit the third-order Birch–Murnaghan equation of state (F. Birch, Phys. Rev. 71, 809 (1947)).

    :param volumes: Å³/atom, at least five different ones.
    :param energies: eV/atom.
    :raises EosError: if there are too few points, the energies have no minimum between the smallest and the largest
        volume, or the fit does not converge.
    """
    from ase.eos import EquationOfState, birchmurnaghan

    v, e = np.asarray(volumes, dtype=float), np.asarray(energies, dtype=float)
    if len(np.unique(v)) < LEAST_POINTS:
        raise EosError(f'{len(np.unique(v))} volumes are too few for a fit: at least {LEAST_POINTS} are needed')
    if v.shape != e.shape or not (np.isfinite(v).all() and np.isfinite(e).all() and (v > 0).all()):
        raise EosError('volumes and energies must be as many finite numbers each, the volumes positive')
    curvature, _, _ = np.polyfit(v / v.mean(), e, 2)
    if curvature <= 0:
        raise EosError('the energies have no minimum: they do not rise on both sides')
    order = np.argsort(v)
    lowest = int(np.argmin(e[order]))
    if lowest in (0, len(v) - 1):
        side = 'smallest' if lowest == 0 else 'largest'
        raise EosError(
            f'the energy is lowest at the {side} of the volumes ({v[order][lowest]:.3f} Å³/atom): '
            'the minimum lies outside the scanned range'
        )
    try:
        # relative volumes and energies keep the four parameters of one order of magnitude
        state = EquationOfState(v / v.mean(), e - e.min(), eos='birchmurnaghan')
        state.fit(warn=False)
    except RuntimeError as error:
        raise EosError(f'the Birch–Murnaghan fit did not converge ({error})') from error
    energy, modulus, derivative, volume = (float(parameter) for parameter in state.eos_parameters)
    if not v.min() < volume * v.mean() < v.max() or modulus <= 0:
        raise EosError(
            f'the fitted minimum at {volume * v.mean():.3f} Å³/atom lies outside the scanned range '
            f'{v.min():.3f} to {v.max():.3f} Å³/atom'
        )
    fitted = birchmurnaghan(v / v.mean(), energy, modulus, derivative, volume)
    return EosFit(
        volume=volume * float(v.mean()),
        energy=energy + float(e.min()),
        bulk_modulus=modulus / float(v.mean()) * GPA,
        derivative=derivative,
        residual=float(np.sqrt(np.mean((fitted - (e - e.min())) ** 2))),
    )
