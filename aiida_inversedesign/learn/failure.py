"""The probability that an evaluation fails, learned from those that did.

A Gaussian process on the logit of the probability with Laplace's approximation (Rasmussen and Williams, Gaussian
Processes for Machine Learning, algorithms 3.1 and 3.2) around the base rate. Whether failures depend on the crystal at
all is decided by the evidence; without evidence for it every crystal has the base rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.models.kernel import Kernel
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs
from aiida_inversedesign.learn.threads import one_thread

STATE_VERSION = 1
#: Belief about the base rate before anything failed: a beta distribution with mean 0.1 that counts as five rows.
_FAILED, _COMPLETED = 0.5, 4.5
#: What is tried: standard deviations of the logit, and length scales in units of √d.
_WIDTHS, _LENGTHS = (0.7, 1.5, 3.0), (0.3, 0.6, 1.2)
#: Rows of one pass: bounds the memory.
_CHUNK = 2048


@dataclass(frozen=True)
class FailureModel:
    """Failures as a function of standardised descriptors.

    :param X: descriptors of all evaluations, shape (n, d).
    :param failed: 1 for each that failed, 0 else, for pending ones the predicted probability, shape (n,).
    :param base_rate: probability of a failure, whatever the crystal.
    :param width: standard deviation of the logit around that of the base rate; 0 if the crystal does not matter.
    :param length: length scale of the logit.
    :param evidence: gain in log evidence over the base rate alone, 0 if the crystal does not matter.
    """

    X: Array
    failed: Array
    base_rate: float
    width: float
    length: float
    evidence: float
    _pull: Array = field(repr=False, compare=False)
    _shrink: Array = field(repr=False, compare=False)

    def probability(self, X: Array) -> Array:
        """Probability that the evaluation of each crystal fails, shape (m,).

        :param X: standardised descriptors, shape (m, d).
        :raises RegressorError: if they have another number of columns or are not finite.
        """
        X = check_inputs(X, self.X.shape[1])
        if self.width == 0:
            return np.full(len(X), self.base_rate)
        kernel = _kernel(self.X.shape[1], self.length)
        logit = math.log(self.base_rate / (1 - self.base_rate))
        answer = np.empty(len(X))
        with one_thread():
            for begin in range(0, len(X), _CHUNK):
                chunk = slice(begin, begin + _CHUNK)
                cross = self.width**2 * kernel(X[chunk], self.X)
                explained = cross @ self._shrink.T
                variance = np.maximum(self.width**2 - np.einsum('ij,ij->i', explained, explained), 0.0)
                # mean of a logistic function under a normal distribution (MacKay, Neural Comput. 4, 720 (1992))
                latent = (logit + cross @ self._pull) / np.sqrt(1 + math.pi * variance / 8)
                answer[chunk] = 1 / (1 + np.exp(-latent))
        return answer

    def condition(self, X: Array) -> FailureModel:
        """The same model as if points had been evaluated, each failed as likely as is predicted.

        The latent mean does not change, its variance shrinks.

        :param X: pending points, shape (p, d).
        """
        if len(X) == 0 or self.width == 0:
            return self
        X = check_inputs(X, self.X.shape[1])
        with one_thread():
            cross = self.width**2 * _kernel(self.X.shape[1], self.length)(X, self.X)
            latent = math.log(self.base_rate / (1 - self.base_rate)) + cross @ self._pull
            rows, labels = np.vstack([self.X, X]), np.concatenate([self.failed, 1 / (1 + np.exp(-latent))])
            _, pull, shrink = _laplace(rows, labels, self.base_rate, self.width, self.length)
        return replace(self, X=rows, failed=labels, _pull=pull, _shrink=shrink)

    def with_rows(self, X: Array, failed: NDArray[np.bool_]) -> FailureModel:
        """The same dependence on the crystal, with the base rate and the labels of these evaluations.

        :param X: standardised descriptors of all evaluations, shape (n, d).
        :param failed: shape (n,).
        """
        X, labels = check_inputs(X, self.X.shape[1]), np.asarray(failed, dtype=np.float64)
        rate = _base_rate(labels)
        with one_thread():
            _, pull, shrink = _laplace(X, labels, rate, self.width, self.length)
        return replace(self, X=X, failed=labels, base_rate=rate, _pull=pull, _shrink=shrink)

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'version': STATE_VERSION,
            'X': self.X.tolist(),
            'failed': self.failed.tolist(),
            'base_rate': self.base_rate,
            'width': self.width,
            'length': self.length,
            'evidence': self.evidence,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FailureModel:
        """The model of :meth:`state`."""
        if state.get('version') != STATE_VERSION:
            raise RegressorError(
                f'state of failures of version {state.get("version")!r}; this package reads {STATE_VERSION}'
            )
        X = np.array(state['X'], dtype=np.float64).reshape(len(state['failed']), -1)
        failed = np.array(state['failed'], dtype=np.float64)
        width, length = float(state['width']), float(state['length'])
        rate = float(state['base_rate'])
        with one_thread():
            _, pull, shrink = _laplace(X, failed, rate, width, length)
        return cls(X, failed, rate, width, length, float(state['evidence']), pull, shrink)


def fit_failure(X: Array, failed: NDArray[np.bool_], always_local: bool = False) -> FailureModel:
    """Learn where evaluations fail.

    :param X: standardised descriptors of all evaluations, completed and failed, shape (n, d).
    :param failed: shape (n,).
    :param always_local: take the best dependence on the crystal even where there is no evidence for any.
    :raises RegressorError: if there are no rows, the shapes differ, or a descriptor is not finite.
    """
    X, labels = np.array(X, dtype=np.float64), np.array(failed, dtype=bool).astype(np.float64)
    if X.ndim != 2 or labels.shape != (len(X),) or len(X) == 0:
        raise RegressorError(f'descriptors of shape {X.shape} and failures of shape {labels.shape}: one per row')
    check_inputs(X, X.shape[1])
    rate = _base_rate(labels)
    settings = [(width, length) for width in _WIDTHS for length in _LENGTHS]
    # half of the belief is that the crystal does not matter, the other half is spread over the settings
    price = math.log(len(settings))
    best = (-math.inf, *settings[0]) if always_local else (0.0, 0.0, 1.0)
    if 0 < labels.sum() < len(labels):
        with one_thread():
            alone = float((labels * math.log(rate) + (1 - labels) * math.log(1 - rate)).sum())
            for width, length in settings:
                gain = _laplace(X, labels, rate, width, length)[0] - alone - price
                best = max(best, (gain, width, length))
    gain, width, length = best if math.isfinite(best[0]) else (0.0, *best[1:])
    with one_thread():
        _, pull, shrink = _laplace(X, labels, rate, width, length)
    return FailureModel(X, labels, rate, width, length, gain, pull, shrink)


def _base_rate(labels: Array) -> float:
    return (float(labels.sum()) + _FAILED) / (len(labels) + _FAILED + _COMPLETED)


def _kernel(dimension: int, length: float) -> Kernel:
    scale = np.array([length * math.sqrt(dimension)])
    return Kernel('iso', np.zeros(dimension, dtype=np.int64), scale, np.empty(0))


def _laplace(X: Array, failed: Array, rate: float, width: float, length: float) -> tuple[float, Array, Array]:
    """Approximate log evidence, weights of the latent mean, and the matrix that reduces the latent variance."""
    from scipy.linalg import cholesky, solve_triangular

    n = len(X)
    if width == 0:
        return 0.0, np.zeros(n), np.zeros((n, n))
    covariance = width**2 * _kernel(X.shape[1], length)(X, X)
    logit = math.log(rate / (1 - rate))
    latent, pull = np.zeros(n), np.zeros(n)
    value = -math.inf
    for _ in range(50):
        probability = 1 / (1 + np.exp(-(latent + logit)))
        root = np.sqrt(probability * (1 - probability))
        lower = cholesky(np.eye(n) + root[:, None] * covariance * root, lower=True)
        slope = failed - probability
        target = root**2 * latent + slope
        inner = solve_triangular(lower, root * (covariance @ target), lower=True)
        pull = target - root * solve_triangular(lower, inner, lower=True, trans='T')
        latent = covariance @ pull
        likelihood = failed * (latent + logit) - np.logaddexp(0.0, latent + logit)
        fit = float(likelihood.sum()) - 0.5 * float(pull @ latent)
        if fit - value < 1e-8:
            break
        value = fit
    probability = 1 / (1 + np.exp(-(latent + logit)))
    root = np.sqrt(probability * (1 - probability))
    lower = cholesky(np.eye(n) + root[:, None] * covariance * root, lower=True)
    evidence = fit - float(np.log(np.diag(lower)).sum())
    return evidence, pull, solve_triangular(lower, np.diag(root), lower=True)
