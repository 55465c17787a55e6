"""A bootstrap ensemble: one kernel regression on each of many resampled data sets.

The surrogate of adaptive design (Xue et al., Nat. Commun. 7, 11241 (2016)): the spread over resampled data is the
uncertainty. The regression is kernel ridge with the length scale and noise of a Gaussian process of the same data.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.campaign.contracts.surrogate import Regressor, Setting, SurrogateKind
from aiida_inversedesign.learn.models.ensemble import Ensemble, check_state
from aiida_inversedesign.learn.models.gp import fit_gp
from aiida_inversedesign.learn.models.kernel import Kernel
from aiida_inversedesign.learn.regressor import RegressorError, check_training, target_scale
from aiida_inversedesign.learn.threads import one_thread

#: Resamples, by judgement: their standard deviation is known to 9 %.
MEMBERS = 64
#: Least noise as a share of the targets' scale, by judgement: members that agree by chance are not certain.
_LEAST = 0.05


@dataclass(frozen=True)
class Bootstrap(Ensemble):
    """Kernel regressions on resampled rows.

    :param ridge: noise variance of a row, in units of the targets' variance.
    """

    kernel: Kernel
    ridge: float
    _weights: Array = field(repr=False, compare=False)
    _means: Array = field(repr=False, compare=False)
    _counts: Integers = field(repr=False, compare=False)

    kind = 'bootstrap'

    def members(self, X: Array) -> tuple[Array, Array]:
        """Prediction of each member, shape (m, t), and the variance that they have in common, shape (1, 1)."""
        cross = self.kernel(X, self.measured[0])
        return (cross @ self._weights + self._means) * self.scale + self.offset, np.full((1, 1), self.floor)

    def unseen(self) -> NDArray[np.bool_]:
        """Which member has not drawn which row, shape (n, t)."""
        return np.asarray(self._counts == 0)

    def state(self) -> dict[str, Any]:
        """Training data, kernel, ridge and seed, as plain JSON data."""
        return {**super().state(), 'kernel': self.kernel.state(), 'ridge': self.ridge, 'floor': self.floor}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Bootstrap:
        """The ensemble of :meth:`state`, drawn again from the same data and seed."""
        X, y = check_state(state)
        kernel = Kernel.from_state(state['kernel'])
        plain = _draw(X, y, int(state['seed']), kernel, float(state['ridge']))
        ensemble = replace(plain, factor=float(state['factor']), floor=float(state['floor']))
        return ensemble.condition(np.array(state['pending'], dtype=np.float64).reshape(-1, X.shape[1]))


def fit_bootstrap(X: Array, y: Array, seed: int = 0, form: str = 'iso') -> Bootstrap:
    """Fit 64 kernel regressions to bootstrap samples; rows that a member has not drawn tell how far it is off.

    :param X: inputs, shape (n, d), scaled to about unit variance.
    :param y: targets, shape (n,).
    :param form: of the kernel, ``iso`` or ``ard``.
    :raises RegressorError: if there are no rows, the shapes differ, or a number is not finite.
    """
    X, y = check_training(X, y)
    if form not in ('iso', 'ard'):
        raise RegressorError(f'unknown kernel {form!r} of a bootstrap ensemble: use iso or ard')
    process = fit_gp(X, y, form=form)
    ensemble = _draw(X, y, seed, process.kernel, process.noise)
    mean, deviation = ensemble.left_out()
    known = np.isfinite(mean)
    if known.any() and not target_scale(y)[2]:
        # what the spread of the members does not explain of their misses
        rest = float(((y - mean)[known] ** 2 - deviation[known] ** 2).mean())
        ensemble = replace(ensemble, floor=max(rest, 0.0) + ensemble.floor)
    return ensemble.calibrated()


def _draw(X: Array, y: Array, seed: int, kernel: Kernel, ridge: float) -> Bootstrap:
    from scipy.linalg import cho_factor, cho_solve

    offset, scale, flat = target_scale(y)
    z, n = (y - offset) / scale, len(y)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=MEMBERS).T
    weights, means = np.zeros((n, MEMBERS)), np.zeros(MEMBERS)
    with one_thread():
        covariance = kernel(X, X)
        for member in range(MEMBERS):
            rows = np.flatnonzero(counts[:, member])
            block = covariance[np.ix_(rows, rows)]
            # a row drawn k times counts as one measured with the k-th part of the variance
            block.flat[:: len(rows) + 1] = 1.0 + ridge / counts[rows, member]
            factor = cho_factor(block, lower=True)
            ones = cho_solve(factor, np.ones(len(rows)))
            means[member] = ones @ z[rows] / ones.sum()
            weights[rows, member] = cho_solve(factor, z[rows] - means[member])
    floor = scale**2 if flat else (_LEAST * scale) ** 2
    return Bootstrap(X, y, offset, scale, seed, floor, 1.0, 0, kernel, ridge, weights, means, counts)


class BootstrapKind(SurrogateKind):
    """Bootstrap ensembles with one length scale per column."""

    name = 'bootstrap'
    regressor = Bootstrap
    words = 'bootstrap ensembles'
    citations = ('scikitlearn2011', 'bootstrapego2016')

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        return fit_bootstrap(X, y, setting.seed, form='ard')
