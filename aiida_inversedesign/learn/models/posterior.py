"""The hyperparameters of a Gaussian process: maximum of the marginal posterior, with exact derivatives.

The priors are those of BoTorch's ``SingleTaskGP``: length scales log-normal with location √2 + ½ ln d and width √3
(Hvarfner, Hellsten, Nardi, ICML 2024), noise variance log-normal (−4, 1) above 1e-4, a constant mean without prior
(profiled out). Weights of a mixed kernel have a logistic-normal prior of width 1.5. One length scale per column is
expected within a factor e of the one that serves all: without that it stays stuck at its prior until there are about
as many rows as columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.models.kernel import Kernel, distances_between, matern, slope

if TYPE_CHECKING:
    from collections.abc import Sequence


#: Least noise variance in units of the targets' variance, and where the optimisation starts (mode of its prior).
LEAST_NOISE, FIRST_NOISE = 1e-4, math.exp(-5.0)
#: Widths of normal priors: on the logits of the weights of kernels, and on the logarithms of lengths about those that
#: were fitted before. By judgement: one and a half, and one, in units in which a factor e is one.
_WEIGHT_WIDTH, _COLUMN_WIDTH = 1.5, 1.0


def optimise(kernel: Kernel, X: Array, z: Array, known: Array) -> tuple[Kernel, float]:
    """Kernel and noise variance at the maximum of the posterior, from the given kernel on.

    :param X: inputs, shape (n, d).
    :param z: standardised targets, shape (n,).
    :param known: noise variance of each target that is known, beside the common one that is fitted, shape (n,).
    """
    from scipy.optimize import minimize

    lengths, weights = len(kernel.lengths), len(kernel.weights)
    prior = _Prior.of(kernel)
    first = np.concatenate([np.log(kernel.lengths), np.zeros(weights), [math.log(FIRST_NOISE)]])
    widest = math.log(1e3 * math.sqrt(X.shape[1]))
    bounds = [(math.log(2.5e-2), widest)] * lengths + [(-6.0, 6.0)] * weights + [(math.log(LEAST_NOISE), 3.0)]
    found = minimize(
        _loss,
        first,
        args=(kernel, prior, X, z, known),
        jac=True,
        method='L-BFGS-B',
        bounds=bounds,
        options={'maxiter': 200, 'ftol': 1e-7},
    )
    return _unpack(found.x, kernel), math.exp(found.x[-1])


def _unpack(parameters: Array, kernel: Kernel) -> Kernel:
    count = len(kernel.lengths)
    weights = np.exp(parameters[count:-1])
    return Kernel(kernel.form, kernel.groups, np.exp(parameters[:count]), weights / max(weights.sum(), 1e-300))


def constant_mean(inverse: Array, z: Array) -> float:
    """The mean that maximises the likelihood of targets z, shape (n,), given the inverse covariance, shape (n, n)."""
    weights = inverse.sum(axis=0)
    return float(weights @ z / weights.sum())


def _loss(parameters: Array, kernel: Kernel, prior: _Prior, X: Array, z: Array, known: Array) -> tuple[float, Array]:
    """Negative log posterior and its gradient with respect to log length scales, weight logits, log noise."""
    from scipy.linalg import LinAlgError
    from scipy.linalg.lapack import dpotrf, dpotri

    now, noise = _unpack(parameters, kernel), math.exp(parameters[-1])
    parts = _parts(now, X)
    covariance = parts[0][1] if now.form != 'mixed' else now.mix(parts[0][1], parts[1][1])
    whole = covariance.copy()
    whole.flat[:: len(z) + 1] += noise + known
    factor, failed = dpotrf(whole, lower=1)
    if failed:
        raise LinAlgError('covariance is not positive definite')
    logdet = 2.0 * float(np.log(np.diag(factor)).sum())
    inverse, _ = dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    residual = z - constant_mean(inverse, z)
    alpha = inverse @ residual
    value = 0.5 * float(residual @ alpha) + 0.5 * logdet
    gradient = np.zeros_like(parameters)
    pull = 0.5 * (inverse - np.outer(alpha, alpha))
    count = len(now.lengths)
    if now.form == 'mixed':
        composition, structure = parts[0][1], parts[1][1]
        outer = (now.weights[0] + now.weights[2] * structure, now.weights[1] + now.weights[2] * composition)
        for group in (0, 1):
            columns = np.flatnonzero(now.groups == group)
            by_column = _length_slopes(
                pull * outer[group] * slope(parts[group][0]), X[:, columns], now.lengths[[group]]
            )
            gradient[group] = by_column.sum()
        shares = [composition, structure, composition * structure]
        totals = np.array([float((pull * share).sum()) for share in shares])
        gradient[count:-1] = now.weights * (totals - float(now.weights @ totals))
    else:
        scales = now.lengths[now.groups]
        by_column = _length_slopes(pull * slope(parts[0][0]), X, scales)
        gradient[:count] = np.bincount(now.groups, by_column, minlength=count)
    gradient[-1] = noise * float(np.trace(pull))
    belief, pull_back = prior(parameters)
    return value + belief, gradient + pull_back


def _parts(kernel: Kernel, X: Array) -> Sequence[tuple[Array, Array]]:
    """Distances and covariances of each part."""
    if kernel.form == 'mixed':
        scaled = [X[:, kernel.groups == group] / kernel.lengths[group] for group in (0, 1)]
    else:
        scaled = [X / kernel.lengths[kernel.groups]]
    distances = [distances_between(one, one) for one in scaled]
    for matrix in distances:
        np.fill_diagonal(matrix, 0.0)
    return [(matrix, matern(matrix.copy())) for matrix in distances]


def _length_slopes(weights: Array, X: Array, scales: Array) -> Array:
    """Σ_ij weights_ij (x_ic − x_jc)² / scale_c², for each column c."""
    squares = weights.sum(axis=1) @ (X * X) - np.einsum('ij,ij->j', X, weights @ X)
    return np.asarray(2.0 * squares / scales**2)


@dataclass(frozen=True)
class _Prior:
    """Negative log density of the hyperparameters.

    :param location: where the logarithm of each length scale is expected, shape (g,).
    :param width: standard deviation of that, 1 for one scale per column, which is expected near the common one.
    :param sink: 1 where the density is one of the length itself, 0 where it is one of its logarithm.
    """

    location: Array
    width: float
    sink: float

    @classmethod
    def of(cls, kernel: Kernel) -> _Prior:
        """The prior of a kernel of this form; that of ``ard`` is centred on the kernel's own lengths."""
        if kernel.form == 'ard':
            return cls(np.log(kernel.lengths), _COLUMN_WIDTH, 0.0)
        columns = np.bincount(kernel.groups, minlength=len(kernel.lengths))
        return cls(math.sqrt(2.0) + 0.5 * np.log(columns), math.sqrt(3.0), 1.0)

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Value and gradient at log lengths, weight logits and log noise."""
        count = len(self.location)
        gradient = np.zeros_like(parameters)
        logs, logits, noise = parameters[:count], parameters[count:-1], parameters[-1]
        value = float(((logs - self.location) ** 2).sum()) / (2 * self.width**2) + self.sink * float(logs.sum())
        gradient[:count] = (logs - self.location) / self.width**2 + self.sink
        value += float((logits**2).sum()) / (2 * _WEIGHT_WIDTH**2)
        gradient[count:-1] = logits / _WEIGHT_WIDTH**2
        value += (noise + 4.0) ** 2 / 2.0 + noise
        gradient[-1] = (noise + 4.0) + 1.0
        return value, gradient
