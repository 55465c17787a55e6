"""Absorption by a series of excitons: lines of a Rydberg series, their continuum, and a background.

For p excitons of a dipole-forbidden edge, as the yellow series of Cu₂O (R. J. Elliott, Phys. Rev. 108, 1384 (1957)):

- lines at Eₙ = E_g − R_y / n² of strength fₙ = f₀ (n² − 1) / n⁵, n = 2 … 5;
- asymmetric Lorentzians fₙ [Γₙ + 2 A (E − Eₙ)] / (π [(E − Eₙ)² + Γₙ²]) (Y. Toyozawa, Prog. Theor. Phys. 20, 53 (1958)),
  here with Γₙ = Γ (2 / n)³ (T. Kazimierczuk et al., Nature 514, 343 (2014)), all convolved with a normal distribution
  of deviation σ, which the Faddeeva function w gives in closed form;
- the continuum above E_g, the product of (E − E_g)^(3/2) and πβ (1 + β²) e^(πβ) / sinh(πβ), β² = R_y / (E − E_g). With
  its value f_X at the edge it is f_X (1 + β⁻²) / (1 − e^(−2πβ));
- a background f_B (E − E_g)^(3/2) of other bands.

Both edges are smoothed by the same σ: the continuum is multiplied by the normal distribution function of (E − E_g) / σ.
"""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.physics.model import Parameter, PhysicalModel, Prior

#: Principal quantum numbers of the lines; those above lie closer to the edge than they are wide.
LINES = (2, 3, 4, 5)


def absorption(
    x: Array, E_g: Array, R_y: Array, f_0: Array, width: Array, asymmetry: Array, sigma: Array, f_X: Array, f_B: Array
) -> Array:
    """The absorption at photon energies, shape (m, n), in the unit of the data.

    :param x: photon energies in eV, shape (n,). The parameters have shape (m, 1): ``E_g``, ``R_y``, ``width`` (Γ of the
        line n = 2) and ``sigma`` in eV, ``f_0`` in eV times the unit of the data, ``f_X`` in that unit, ``f_B`` in it
        per eV^(3/2).
    """
    from scipy.special import ndtr, wofz

    total = np.zeros(np.broadcast_shapes(np.shape(x), np.shape(E_g)))
    for n in LINES:
        z = (x - (E_g - R_y / n**2) + 1j * width * (2 / n) ** 3) / (sigma * np.sqrt(2))
        voigt = wofz(z)
        strength = f_0 * (n**2 - 1) / n**5
        total += strength * (voigt.real + 2 * asymmetry * voigt.imag) / (sigma * np.sqrt(2 * np.pi))
    above = np.maximum(x - E_g, 1e-12)
    beta = np.sqrt(R_y / above)
    continuum = f_X * (1 + above / R_y) / -np.expm1(-2 * np.pi * beta)
    return np.asarray(total + (continuum + f_B * above**1.5) * ndtr((x - E_g) / sigma))


#: Priors are wide about what is known of Cu₂O (E_g = 2.172 eV, R_y = 0.092 eV; Kazimierczuk et al. 2014); absorption is
#: in any unit in which it is about one.
EXCITON_SERIES = PhysicalModel(
    'exciton_series',
    absorption,
    (
        Parameter('E_g', 'eV', Prior('uniform', 2.14, 2.21), 'energy of the edge'),
        Parameter('R_y', 'eV', Prior('uniform', 0.04, 0.16), 'Rydberg energy of the exciton'),
        Parameter('f_0', 'eV', Prior('log_uniform', 1e-4, 1.0), 'strength of the lines'),
        Parameter('width', 'eV', Prior('log_uniform', 1e-4, 2e-2), 'half width of the line n = 2'),
        Parameter('asymmetry', '', Prior('normal', 0.0, 0.5), 'of the lines'),
        Parameter('sigma', 'eV', Prior('log_uniform', 2e-4, 1e-2), 'standard deviation of the broadening'),
        Parameter('f_X', '', Prior('uniform', 0.0, 10.0), 'continuum at the edge'),
        Parameter('f_B', 'eV^-3/2', Prior('uniform', 0.0, 100.0), 'background'),
    ),
    ('energies', 'eV'),
    ('absorption', ''),
    'absorption by a series of p excitons, their continuum and a background',
    'R. J. Elliott, Phys. Rev. 108, 1384 (1957)',
)
