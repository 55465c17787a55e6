"""Formulas at the optimum of a surrogate in the space of a kernel mean descriptor, by the descriptor's inverse.

A Gaussian process learns the utility of the evaluated formulas from the principal components of their descriptors. Its
upper confidence bound is climbed from good formulas, for several weights of the uncertainty, within the range of the
descriptors of the space. The points on the way, from the formula to the optimum, are no formulas: the inverse of the
descriptor turns each into the nearest ones of the space, and the request's score ranks them.

Source of the inversion: Kusaba et al., Phys. Rev. B 108, 134107 (2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.chemistry.kmd import KernelMean, kernel_mean
from aiida_inversedesign.chemistry.kmd_formulas import nearest_formulas
from aiida_inversedesign.chemistry.kmd_inverse import Inverse
from aiida_inversedesign.propose.generators.archive import EFFORT, Archive
from aiida_inversedesign.propose.generators.base import (
    Array,
    Counts,
    GeneratorError,
    Known,
    NotReadyError,
    Proposed,
    Request,
)
from aiida_inversedesign.propose.generators.domain import Key, key_of

#: fewest evaluated formulas, and the most that the process is fitted to
MINIMUM, MOST = 3, 400
#: principal components of the descriptor, at most, and the share of the variance they are to hold
COMPONENTS, VARIANCE = 20, 0.99
#: weights of the standard deviation in the confidence bound
BOUNDS = (0.0, 1.0, 2.0)
#: points on the way from a formula to the optimum, as shares of it
WAY = (0.25, 0.5, 0.75, 1.0)
#: formulas taken around one point, climbs for each ten formulas wanted, and most climbs
AROUND, CLIMBS, MOST_CLIMBS = 10, 2, 100


class InverseKmd:
    """The inverse kernel mean descriptor of the surrogate's optimum.

    :param effort: formulas scored for each one wanted.
    :param descriptor: the descriptor; default: ``1d``.
    """

    name = 'inverse_kmd'

    def __init__(self, effort: int = EFFORT, descriptor: KernelMean | None = None) -> None:
        self.effort = effort
        self.descriptor = descriptor or kernel_mean()

    def propose(self, request: Request) -> list[Proposed]:
        """The best formulas around the optima, each with its residual.

        :raises NotReadyError: with fewer than three evaluated formulas.
        :raises KmdError: if the descriptor cannot be inverted over the elements of the space.
        """
        if len(request.known) < MINIMUM:
            raise NotReadyError(
                f'inverse_kmd learns from evaluated formulas: {len(request.known)} are too few, {MINIMUM} are needed; '
                'take enumeration for the first generation'
            )
        archive = Archive(request, self.effort)
        if archive.survey():
            return archive.best(self.name)
        surrounding = archive.ranked()
        inverse = Inverse(self.descriptor, archive.domain.elements)
        model = _fit(self.descriptor, request.known, surrounding, request.seed)
        residuals: dict[Key, float] = {}
        starts = _starts(request.known, surrounding, min(MOST_CLIMBS, max(4, CLIMBS * request.number // 10)))
        for number, start in enumerate(starts):
            if archive.exhausted:
                break
            first = model.components(self.descriptor.describe([start]))[0]
            last = model.climb(first, BOUNDS[number % len(BOUNDS)])
            for share in WAY:
                point = model.point(first + share * (last - first))
                found = nearest_formulas(
                    inverse, point, list(archive.domain.ratios), charge=archive.domain.charge, number=AROUND
                )
                for item in found:
                    key = key_of(item.counts)
                    residuals[key] = min(item.residual, residuals.get(key, np.inf))
                archive.score([item.counts for item in found])
        return archive.best(self.name, residuals)


def _starts(known: Sequence[Known], surrounding: Sequence[Counts], number: int) -> list[Counts]:
    """Formulas to climb from: the best evaluated ones and those of the best score, in turn."""
    evaluated = sorted(known, key=lambda item: (-item.utility, key_of(item.counts)))
    starts: dict[Key, Counts] = {}
    for place in range(number):
        for source in ([item.counts for item in evaluated], list(surrounding)):
            if place < len(source):
                starts.setdefault(key_of(source[place]), source[place])
    return list(starts.values())[:number]


@dataclass(frozen=True)
class _Process:
    """A Gaussian process with a squared-exponential kernel over principal components of the descriptor.

    :param mean: of the descriptor, shape (d,).
    :param axes: shape (c, d); the components are scaled to unit variance.
    :param inputs: components of the evaluated formulas, shape (n, c).
    :param low: lowest components of any formula seen, shape (c,); ``high`` likewise.
    """

    mean: Array
    axes: Array
    spread: Array
    inputs: Array
    weights: Array
    inverse: Array
    length: float
    variance: float
    low: Array
    high: Array

    def components(self, points: Array) -> Array:
        """Points of the descriptor in scaled components, shape (n, c)."""
        scaled: Array = (points - self.mean) @ self.axes.T / self.spread
        return scaled

    def point(self, components: Array) -> Array:
        """A point of the descriptor, shape (d,)."""
        back: Array = self.mean + (components * self.spread) @ self.axes
        return back

    def bound(self, components: Array, weight: float) -> tuple[float, Array]:
        """The upper confidence bound at one point and its gradient, shape (c,)."""
        difference = components - self.inputs
        covariance = self.variance * np.exp(-(difference**2).sum(axis=1) / (2 * self.length**2))
        slope = -difference / self.length**2 * covariance[:, None]
        solved = self.inverse @ covariance
        deviation = np.sqrt(max(self.variance - float(covariance @ solved), 1e-12))
        value = float(covariance @ self.weights) + weight * deviation
        gradient: Array = slope.T @ self.weights - weight / deviation * (slope.T @ solved)
        return value, gradient

    def climb(self, start: Array, weight: float) -> Array:
        """The top of the confidence bound that is reached from a start, within the range of formulas seen."""
        from scipy.optimize import minimize

        def downhill(components: Array) -> tuple[float, Array]:
            value, gradient = self.bound(components, weight)
            return -value, -gradient

        start = np.clip(start, self.low, self.high)
        bounds = list(zip(self.low, self.high, strict=True))
        found = minimize(downhill, start, jac=True, bounds=bounds, method='L-BFGS-B', options={'maxiter': 100})
        top: Array = found.x
        return top


def _fit(descriptor: KernelMean, known: Sequence[Known], surrounding: Sequence[Counts], seed: int) -> _Process:
    """The process of the utilities; the components come from all formulas, evaluated or not."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    best = sorted(known, key=lambda item: (-item.utility, key_of(item.counts)))
    if len(best) > MOST:
        # the best half of those that fit in, and a sample of the others
        rest = np.random.default_rng(seed).permutation(np.arange(MOST // 2, len(best)))[: MOST - MOST // 2]
        best = [*best[: MOST // 2], *(best[row] for row in np.sort(rest))]
    targets = np.array([item.utility for item in best])
    if not np.isfinite(targets).all():
        raise GeneratorError('the utility of an evaluated formula is no number: leave its row out')
    evaluated = descriptor.describe([item.counts for item in best])
    everything = np.concatenate([evaluated, descriptor.describe(surrounding)])
    mean = everything.mean(axis=0)
    _, singular, axes = np.linalg.svd(everything - mean, full_matrices=False)
    share = np.cumsum(singular**2) / max(float((singular**2).sum()), 1e-300)
    number = min(COMPONENTS, int(np.searchsorted(share, VARIANCE)) + 1, int((singular > 1e-9 * singular[0]).sum()) or 1)
    spread = np.maximum(singular[:number] / np.sqrt(len(everything)), 1e-12)
    axes = axes[:number]
    components = (everything - mean) @ axes.T / spread
    inputs = components[: len(evaluated)]
    scale = float(targets.std()) or 1.0
    usual = float(np.sqrt(number))
    kernel = ConstantKernel(1.0, (0.1, 10.0)) * RBF(usual, (0.1 * usual, 10 * usual)) + WhiteKernel(0.1, (1e-3, 1.0))
    with warnings.catch_warnings():
        # a hyperparameter at its bound is no matter here
        warnings.simplefilter('ignore')
        fitted = GaussianProcessRegressor(kernel).fit(inputs, (targets - targets.mean()) / scale).kernel_
    variance, length, noise = fitted.k1.k1.constant_value, fitted.k1.k2.length_scale, fitted.k2.noise_level
    squared = ((inputs[:, None, :] - inputs[None, :, :]) ** 2).sum(axis=2)
    covariance = variance * np.exp(-squared / (2 * length**2)) + noise * np.eye(len(inputs))
    inverse = np.linalg.inv(covariance)
    weights = inverse @ ((targets - targets.mean()) / scale)
    low, high = components.min(axis=0), components.max(axis=0)
    return _Process(mean, axes, spread, inputs, weights, inverse, float(length), float(variance), low, high)
