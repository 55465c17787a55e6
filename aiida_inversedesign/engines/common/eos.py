"""Equation of state: the volumes to compute, the Birch–Murnaghan fit with its posterior, and other forms beside it.

Imports no aiida.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.physics.least_squares import probabilities, student_posterior

#: 1 eV/Å³ in GPa (CODATA 2018)
GPA = 160.21766208

#: fewest points a fit of four parameters is trusted with
LEAST_POINTS = 5

#: eV/atom, least deviation of one energy about the fit. Of 719 equations of state of seven volumes with pw.x at strict
#: settings (AiiDA common workflows verification, PBE) half leave less than 1.4e-6: energies that lie closer to a fit of
#: four parameters do so by chance. At 10 Å³/atom, seven volumes and ±6 % it makes an error of B0 of 0.02 GPa.
ENERGY_FLOOR = 2e-6

#: The forms that are compared, by name: their function in ``ase.eos`` and what they are called.
FORMS = {
    'birch_murnaghan': ('birchmurnaghan', 'third-order Birch–Murnaghan'),
    'vinet': ('vinet', 'Vinet'),
    'murnaghan': ('murnaghan', 'Murnaghan'),
}


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
    :param errors: standard errors of ``V0`` (Å³/atom), ``E0`` (eV/atom), ``B0`` (GPa) and ``B0_prime``: half of the
        central interval of 68.3 % of their posterior.
    :param degrees: of freedom of the posterior, a Student distribution.
    :param noise: deviation of one energy, in eV/atom.
    :param log_evidence: of the form, with the same prior for all forms.
    """

    volume: float
    energy: float
    bulk_modulus: float
    derivative: float
    residual: float
    errors: dict[str, float]
    degrees: int
    noise: float
    log_evidence: float


@dataclass(frozen=True)
class FormFit:
    """What one form says of the same energies.

    :param modulus: B0 in GPa. :param error: its standard error. :param derivative: B0'.
    :param residual: root mean square difference between energies and fit, in eV/atom.
    :param probability: of the form, if all are equally probable beforehand.
    """

    name: str
    modulus: float
    error: float
    derivative: float
    residual: float
    probability: float


def volume_factors(points: int, strain: float) -> list[float]:
    """Factors on the volume, evenly spaced from 1 − ``strain`` to 1 + ``strain``; 1 itself if ``points`` is odd."""
    return [float(factor) for factor in np.linspace(1 - strain, 1 + strain, points)]


def fit_birch_murnaghan(volumes: Sequence[float], energies: Sequence[float], floor: float = ENERGY_FLOOR) -> EosFit:
    """Fit the third-order Birch–Murnaghan equation of state (F. Birch, Phys. Rev. 71, 809 (1947)).

    The errors are those of :mod:`aiida_inversedesign.learn.physics.least_squares`: independent energies of one unknown
    deviation, whose prior is flat in its logarithm above ``floor``.

    :param volumes: Å³/atom, at least five different ones.
    :param energies: eV/atom.
    :param floor: least deviation of one energy about the fit that errors are computed with, in eV/atom.
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
    parameters = np.array([float(parameter) for parameter in state.eos_parameters])
    modulus, volume = parameters[1] / v.mean(), parameters[3] * v.mean()
    if not v.min() < volume < v.max() or modulus <= 0:
        raise EosError(
            f'the fitted minimum at {volume:.3f} Å³/atom lies outside the scanned range '
            f'{v.min():.3f} to {v.max():.3f} Å³/atom'
        )
    return _fit(birchmurnaghan, v, e, parameters, floor)


def _fit(form: Callable[..., Any], v: Array, e: Array, parameters: Array, floor: float) -> EosFit:
    """The fit of a form, and its posterior.

    :param parameters: E0 − min(E), B0 × mean(V), B0' and V0 / mean(V) of least squares, shape (4,).
    """
    posterior = student_posterior(lambda theta: form(v / v.mean(), *theta), parameters, e - e.min(), floor)
    # to eV/atom, GPa, no unit, Å³/atom
    units = np.array([1.0, GPA / v.mean(), 1.0, v.mean()])
    energy, modulus, derivative, volume = (float(value) for value in parameters * units)
    widths = [float(value) for value in posterior.half_widths() * units]
    return EosFit(
        volume=volume,
        energy=energy + float(e.min()),
        bulk_modulus=modulus,
        derivative=derivative,
        residual=float(np.sqrt(np.mean((form(v / v.mean(), *parameters) - (e - e.min())) ** 2))),
        errors=dict(zip(('E0', 'B0', 'B0_prime', 'V0'), widths, strict=True)),
        degrees=posterior.degrees,
        noise=posterior.noise,
        log_evidence=posterior.log_evidence,
    )


def compare_forms(volumes: Sequence[float], energies: Sequence[float], floor: float = ENERGY_FLOOR) -> list[FormFit]:
    """B0 by each form of the equation of state, and which of them the energies support.

    The parameters of all forms mean the same, so that their prior is the same and their evidences can be compared. The
    forms are those of ``ase.eos``: Birch–Murnaghan; Vinet (P. Vinet et al., J. Geophys. Res. 92, 9319 (1987));
    Murnaghan (F. D. Murnaghan, Proc. Natl. Acad. Sci. 30, 244 (1944)).

    :param volumes: Å³/atom. :param energies: eV/atom. :param floor: as of :func:`fit_birch_murnaghan`.
    :raises EosError: as :func:`fit_birch_murnaghan` does. A further form that cannot be fitted is left out.
    """
    import ase.eos
    from scipy.optimize import least_squares

    first = fit_birch_murnaghan(volumes, energies, floor)
    v, e = np.asarray(volumes, dtype=float), np.asarray(energies, dtype=float)
    x, y = v / v.mean(), e - e.min()
    start = [first.energy - e.min(), first.bulk_modulus / GPA * v.mean(), first.derivative, first.volume / v.mean()]
    fits = {'birch_murnaghan': first}
    for name in ('vinet', 'murnaghan'):
        form = getattr(ase.eos, FORMS[name][0])
        found = least_squares(_misses(form, x, y), start, jac='3-point', method='lm', xtol=1e-12, ftol=1e-12)
        # a form whose least squares lie far away is no reading of the same minimum
        if found.success and np.isfinite(found.x).all() and found.x[1] > 0 and x.min() < found.x[3] < x.max():
            fits[name] = _fit(form, v, e, found.x, floor)
    shares = probabilities([fit.log_evidence for fit in fits.values()])
    return [
        FormFit(name, fit.bulk_modulus, fit.errors['B0'], fit.derivative, fit.residual, float(share))
        for (name, fit), share in zip(fits.items(), shares, strict=True)
    ]


def _misses(form: Callable[..., Any], x: Array, y: Array) -> Callable[[Array], Array]:
    """What a form of given parameters misses of each energy."""
    return lambda theta: np.asarray(form(x, *theta) - y)


def errors_with_forms(fit: EosFit, forms: Sequence[FormFit]) -> dict[str, float]:
    """Standard errors of the Birch–Murnaghan ``B0`` (GPa) and ``B0_prime``, the choice of the form included.

    Precise energies determine B0 within a form better than the forms agree. The second moment about the value of
    Birch–Murnaghan, averaged over the forms by their probability (J. A. Hoeting et al., Stat. Sci. 14, 382 (1999)),
    therefore adds the squares of what the others differ by.

    :param forms: of :func:`compare_forms`.
    """
    spread = {
        'B0': [form.probability * (form.modulus - fit.bulk_modulus) ** 2 for form in forms],
        'B0_prime': [form.probability * (form.derivative - fit.derivative) ** 2 for form in forms],
    }
    return {name: math.sqrt(fit.errors[name] ** 2 + math.fsum(squares)) for name, squares in spread.items()}
