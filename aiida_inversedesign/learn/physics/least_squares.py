"""The posterior of a least-squares fit to few points of unknown noise, in closed form.

With independent normal errors of one unknown deviation σ, the prior p(θ, σ) ∝ 1/σ, and a function that is linear in its
parameters within the width of the posterior, the parameters have a multivariate Student distribution of n − p degrees
of freedom (Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), section 14.2), and the evidence is a Gaussian
integral.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array

#: Probability within one standard deviation of a normal distribution.
ONE_DEVIATION = math.erf(math.sqrt(0.5))
#: Of the derivative by a complex step, which has no difference to cancel: any that is tiny (Martins, Sturdza and
#: Alonso, ACM Trans. Math. Softw. 29, 245 (2003)).
_STEP = 1e-30


@dataclass(frozen=True)
class StudentPosterior:
    """Parameters of a fit as a multivariate Student distribution.

    :param best: the least-squares parameters, shape (p,).
    :param scale: the scale matrix s² (JᵀJ)⁻¹, shape (p, p).
    :param degrees: of freedom: points less parameters.
    :param noise: s, the deviation of one point, in its unit; no smaller than the floor.
    :param log_evidence: logarithm of the probability of the data. The prior is not normalised, so that only
        differences between models whose parameters mean the same mean something.
    """

    best: Array
    scale: Array
    degrees: int
    noise: float
    log_evidence: float

    def half_widths(self, level: float = ONE_DEVIATION) -> Array:
        """Half of the central interval of each parameter, shape (p,), in the parameters' units.

        By default the standard error: it contains 68.3 % of the probability. Unlike the standard deviation it is finite
        for any number of degrees.
        """
        from scipy.stats import t

        return np.asarray(t.ppf((1 + level) / 2, self.degrees) * np.sqrt(np.diag(self.scale)))


def student_posterior(
    function: Callable[[NDArray[np.complex128]], NDArray[np.complex128]], best: Array, y: Array, floor: float = 0.0
) -> StudentPosterior:
    """The posterior around the least-squares solution.

    :param function: values of shape (n,) of parameters of shape (p,); analytic, so that it takes complex ones.
    :param best: the least-squares parameters, shape (p,). :param y: data, shape (n,).
    :param floor: least deviation of a point, in the data's unit: what the numbers themselves are uncertain by, which a
        fit through few of them can miss by chance.
    :raises ValueError: if there are no more points than parameters, or a parameter does not change the function.
    """
    degrees = len(y) - len(best)
    if degrees < 1:
        raise ValueError(f'{len(y)} points tell nothing of the noise of a fit of {len(best)} parameters')
    steps = 1j * _STEP * np.eye(len(best))
    jacobian = np.stack([function(best + step).imag / _STEP for step in steps], axis=1)
    residuals = y - function(best.astype(np.complex128)).real
    squares = max(float(residuals @ residuals), degrees * floor**2)
    widths = np.linalg.norm(jacobian, axis=0)
    if not (np.isfinite(jacobian).all() and (widths > 0).all()):
        raise ValueError('a parameter of the fit does not change it')
    # columns of one length, so that the units of the parameters make no difference
    triangle = np.linalg.qr(jacobian / widths, mode='r')
    inverse = np.linalg.inv(triangle)
    scale = squares / degrees * (inverse @ inverse.T) / np.outer(widths, widths)
    volume = float(np.log(np.abs(np.diag(triangle))).sum() + np.log(widths).sum())
    evidence = math.lgamma(degrees / 2) - math.log(2) - degrees / 2 * math.log(math.pi * max(squares, 1e-300)) - volume
    return StudentPosterior(best, scale, degrees, math.sqrt(squares / degrees), evidence)


def probabilities(log_evidences: Sequence[float]) -> Array:
    """Probability of each of several models that are equally probable beforehand, shape (k,)."""
    relative = np.exp(np.asarray(log_evidences) - max(log_evidences))
    return np.asarray(relative / relative.sum())
