"""A property that most crystals have at exactly the same value, as the band gap of metals is zero.

Two parts (Cragg, Econometrica 39, 829 (1971)): a classifier of whether a crystal has another value than the usual, and
a Gaussian process of the value where it has. A single Gaussian process would have to be sure of the usual value and of
jumps away from it with one length scale.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import LACKS, Regressor, Setting, SurrogateKind
from aiida_inversedesign.learn.failure import FailureModel, fit_failure
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_gp
from aiida_inversedesign.learn.models.plain import PlainRegressor
from aiida_inversedesign.learn.regressor import (
    RegressorError,
    check_inputs,
    check_training,
    normal_within,
    target_scale,
)

STATE_VERSION = 1
#: Least share of the rows with exactly the same value.
LEAST_SHARE = 0.5
#: Fewest rows with another value of which a process is fitted; with fewer they have a common mean.
_LEAST_ROWS = 3


def usual_value(y: Array) -> float | None:
    """The value that at least half of the rows, and at least two, have exactly; None if there is none.

    :param y: shape (n,).
    """
    if len(y) == 0:
        return None
    value, count = Counter(y.tolist()).most_common(1)[0]
    return float(value) if count >= max(2, LEAST_SHARE * len(y)) else None


@dataclass(frozen=True)
class Hurdle(PlainRegressor):
    """A mixture of one exact value and a Gaussian process.

    :param usual: the value of most rows.
    :param chance: of a crystal to have another value (what it calls a failure is that).
    :param X: training inputs, shape (n, d).
    :param y: training targets, shape (n,).
    """

    usual: float
    chance: FailureModel
    process: GaussianProcess
    X: Array
    y: Array

    kind = 'hurdle'
    normal = False

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the mixture, each of shape (m,)."""
        X = check_inputs(X, self.X.shape[1])
        chance = self.chance.probability(X)
        mean, deviation = self.process.predict(X)
        variance = chance * deviation**2 + chance * (1 - chance) * (mean - self.usual) ** 2
        return self.usual + chance * (mean - self.usual), np.sqrt(variance)

    def within(self, X: Array, low: float, high: float) -> Array:
        """Probability under the mixture that the property lies between two bounds, shape (m,)."""
        X = check_inputs(X, self.X.shape[1])
        chance = self.chance.probability(X)
        other = normal_within(*self.process.predict(X), low, high)
        return np.asarray(chance * other + (1 - chance) * float(low <= self.usual <= high))

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points, shape (number, m); which points have the usual value is independent."""
        X = check_inputs(X, self.X.shape[1])
        drawn = self.process.sample(X, number, seed)
        other = np.random.default_rng([seed, 1]).random(drawn.shape) < self.chance.probability(X)
        return np.where(other, drawn, self.usual)

    def condition(self, X: Array) -> Hurdle:
        """The same model as if points had been evaluated; means hardly change, deviations shrink."""
        if len(X) == 0:
            return self
        X = check_inputs(X, self.X.shape[1])
        y = np.concatenate([self.y, self.predict(X)[0]])
        updated = replace(self, chance=self.chance.condition(X), process=self.process.condition(X))
        return replace(updated, X=np.vstack([self.X, X]), y=y)

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> Hurdle:
        """The model of other rows; the usual value and hyperparameters are kept."""
        other = y != self.usual
        # up to three rows with another value are described by their mean: a fit decides about that
        enough = other.sum() > len(self.process.y)
        process = self.process.with_rows(X[other], y[other]) if enough else self.process
        return replace(self, chance=self.chance.with_rows(X, other), process=process, X=X, y=y)

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'version': STATE_VERSION,
            'kind': 'hurdle',
            'usual': self.usual,
            'chance': self.chance.state(),
            'process': self.process.state(),
            'y': self.y.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Hurdle:
        """The model of :meth:`state`."""
        if state.get('version') != STATE_VERSION:
            raise RegressorError(f'state of a hurdle of version {state.get("version")!r}; known is {STATE_VERSION}')
        chance = FailureModel.from_state(state['chance'])
        process = GaussianProcess.from_state(state['process'])
        return cls(float(state['usual']), chance, process, chance.X, np.array(state['y'], dtype=np.float64))


def fit_hurdle(X: Array, y: Array) -> Hurdle:
    """Fit both parts.

    Where fewer than three rows have another value, these are described by their mean and the deviation of all targets.

    :param X: inputs, shape (n, d).
    :param y: targets, shape (n,), at least half of them exactly equal.
    :raises RegressorError: if no value is that of half of the rows, or the data cannot be learned from.
    """
    X, y = check_training(X, y)
    usual = usual_value(y)
    if usual is None:
        raise RegressorError(f'hurdle {LACKS["usual value"]}')
    other = y != usual
    chance = fit_failure(X, other, always_local=True)
    if other.sum() >= _LEAST_ROWS:
        process = fit_gp(X[other], y[other])
    else:
        rows = np.flatnonzero(other) if other.any() else np.array([0])
        plain = fit_gp(X[rows], np.full(len(rows), y[rows].mean()))
        spread = max(target_scale(y)[1], float(np.abs(y[rows] - usual).mean()) / 2)
        process = replace(plain, scale=spread)
    return Hurdle(usual, chance, process, X, y)


class HurdleKind(SurrogateKind):
    """Hurdle models, which ``auto`` takes where half of the values are exactly equal."""

    name = 'hurdle'
    regressor = Hurdle
    words = 'hurdle models'
    citations = ('hurdle1971',)
    needs = ('usual value',)
    calibrated = False

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        return fit_hurdle(X, y)
