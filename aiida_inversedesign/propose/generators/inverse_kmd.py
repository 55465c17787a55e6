"""Formulas at the optimum of a surrogate in the space of a kernel mean descriptor, by the descriptor's inverse.

A Gaussian process learns, from the principal components of the descriptors, first the utility of the evaluated
formulas and then, in further rounds, the score of all that were tried. Its upper confidence bound is climbed from good
formulas, for several weights of the uncertainty, within the range of the descriptors of the space. The points on the
way, from a formula to the optimum, are not formulas: the inverse of the descriptor turns each into the nearest ones of
the space, and the request's score ranks them.

Source of the inversion: Kusaba et al., Phys. Rev. B 108, 134107 (2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.kmd.decoding import nearest_formulas
from aiida_inversedesign.chemistry.kmd.inverse import Inverse
from aiida_inversedesign.chemistry.kmd.kernel import KernelMean
from aiida_inversedesign.propose.generators.domain import Key, key_of
from aiida_inversedesign.propose.generators.request import Counts, GeneratorError
from aiida_inversedesign.propose.generators.scored import DescriptorSearch, ScoredFormulas

#: a formula and its value
Taught = tuple[Counts, float]

#: fewest evaluated formulas whose utility is learned, and the most formulas that the process is fitted to
MINIMUM, MOST = 3, 200
#: principal components of the descriptor, at most, and the share of the variance they are to hold
COMPONENTS, VARIANCE = 20, 0.99
#: weights of the standard deviation in the confidence bound
BOUNDS = (0.0, 1.0, 2.0)
#: points on the way from a formula to the optimum, as shares of it
WAY = (0.25, 0.5, 0.75, 1.0)
#: formulas taken around one point
AROUND = 10
#: no further round once so many formulas were found, as a share of those that may be scored
ENOUGH = 0.5
#: most rounds, climbs of a round for each formula wanted and at least, and most climbs in all
ROUNDS, CLIMBS, LEAST, LARGEST = 15, 0.04, 4, 200


class InverseKmd(DescriptorSearch):
    """The inverse kernel mean descriptor of the surrogate's optimum; proposals are formulas around the optima."""

    name = 'inverse_kmd'

    def search(self, scored: ScoredFormulas) -> dict[Key, float]:
        """Score formulas in rounds of learning and climbing; the residual of each formula."""
        request = scored.request
        inverse = Inverse(self.descriptor, scored.domain.elements)
        residuals: dict[Key, float] = {}
        started: set[Key] = set()
        climbs = max(LEAST, round(CLIMBS * request.number))
        for number in range(min(ROUNDS, LARGEST // climbs)):
            if number == 0 and len(request.known) >= MINIMUM:
                taught = [(item.counts, item.utility) for item in request.known]
            else:
                taught = _rewards(scored)
            if scored.exhausted or len(taught) < MINIMUM or len(residuals) >= ENOUGH * scored.budget:
                break
            taught.sort(key=lambda pair: (-pair[1], key_of(pair[0])))
            model = _fit(self.descriptor, taught, scored.ranked()[:MOST], request.seed)
            starts = [counts for counts, _ in taught if key_of(counts) not in started][:climbs]
            started |= {key_of(counts) for counts in starts}
            for index, start in enumerate(starts):
                self._climb(scored, inverse, model, start, BOUNDS[index % len(BOUNDS)], residuals)
        return residuals

    def _climb(
        self,
        scored: ScoredFormulas,
        inverse: Inverse,
        model: _Process,
        start: Counts,
        weight: float,
        residuals: dict[Key, float],
    ) -> None:
        """Score the formulas around the points on the way from one formula to the optimum above it."""
        first = model.components(self.descriptor.describe([start]))[0]
        last = model.climb(first, weight)
        for share in WAY:
            point = model.point(first + share * (last - first))
            found = nearest_formulas(
                inverse, point, list(scored.domain.ratios), charge=scored.domain.charge, number=AROUND
            )
            for item in found:
                key = key_of(item.counts)
                residuals[key] = min(item.residual, residuals.get(key, np.inf))
            scored.score([item.counts for item in found])


def _rewards(scored: ScoredFormulas) -> list[Taught]:
    """The formulas scored so far with their scores, which are cut at the median: how bad a bad one is teaches nothing.

    An acquisition on a logarithmic scale falls by hundreds where nothing is expected.
    """
    finite = [(counts, value) for counts, value in scored.scored() if np.isfinite(value)]
    middle = float(np.median([value for _, value in finite])) if finite else 0.0
    return [(counts, max(value, middle)) for counts, value in finite]


@dataclass(frozen=True)
class _Process:
    """A Gaussian process with a squared-exponential kernel over principal components of the descriptor.

    :param mean: of the descriptor, shape (d,).
    :param axes: principal axes, shape (c, d).
    :param spread: standard deviation along each axis, by which the components are divided, shape (c,).
    :param inputs: components of the formulas that were learned, shape (n, c).
    :param weights: inverse of their covariance times their values, shape (n,).
    :param inverse: inverse of their covariance, shape (n, n).
    :param length: of the kernel, in scaled components.
    :param low: lowest components of any formula seen, shape (c,).
    :param high: highest ones.
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
        return np.asarray((points - self.mean) @ self.axes.T / self.spread)

    def point(self, components: Array) -> Array:
        """A point of the descriptor, shape (d,)."""
        return np.asarray(self.mean + (components * self.spread) @ self.axes)

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
        """The maximum of the bound reached from a start, shape (components,), within the range of formulas seen."""
        from scipy.optimize import minimize

        def downhill(components: Array) -> tuple[float, Array]:
            value, gradient = self.bound(components, weight)
            return -value, -gradient

        start = np.clip(start, self.low, self.high)
        bounds = list(zip(self.low, self.high, strict=True))
        found = minimize(downhill, start, jac=True, bounds=bounds, method='L-BFGS-B', options={'maxiter': 100})
        return np.asarray(found.x)


def _fit(descriptor: KernelMean, taught: Sequence[Taught], others: Sequence[Counts], seed: int) -> _Process:
    """The process of the values, the best first; the components come from all formulas."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    best = list(taught)
    if len(best) > MOST:
        # the best half of those that fit in, and a sample of the others
        rest = np.random.default_rng(seed).permutation(np.arange(MOST // 2, len(best)))[: MOST - MOST // 2]
        best = [*best[: MOST // 2], *(best[row] for row in np.sort(rest))]
    targets = np.array([value for _, value in best])
    if not np.isfinite(targets).all():
        raise GeneratorError('the utility of an evaluated formula is not a number: omit its row')
    evaluated = descriptor.describe([counts for counts, _ in best])
    everything = np.concatenate([evaluated, descriptor.describe(others)])
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
        # a hyperparameter at its bound does not matter here
        warnings.simplefilter('ignore')
        fitted = GaussianProcessRegressor(kernel).fit(inputs, (targets - targets.mean()) / scale).kernel_
    variance, length, noise = fitted.k1.k1.constant_value, fitted.k1.k2.length_scale, fitted.k2.noise_level
    squared = ((inputs[:, None, :] - inputs[None, :, :]) ** 2).sum(axis=2)
    covariance = variance * np.exp(-squared / (2 * length**2)) + noise * np.eye(len(inputs))
    inverse = np.linalg.inv(covariance)
    weights = inverse @ ((targets - targets.mean()) / scale)
    low, high = components.min(axis=0), components.max(axis=0)
    return _Process(mean, axes, spread, inputs, weights, inverse, float(length), float(variance), low, high)
