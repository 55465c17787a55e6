"""Several models of one property whose predictions are weighted: what ``auto`` makes of its competitors.

Stacking of predictive distributions (Yao, Vehtari, Simpson, Gelman, Bayesian Anal. 13, 917 (2018)): the weights are
those under which rows that no part has seen are the most likely. Where one model is right it gets nearly all of the
weight; where all are about as good, as with tens of evaluations, their mean errs less than any of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Fit, Regressor, Setting, SurrogateKind, surrogate_kind
from aiida_inversedesign.learn.models.plain import PlainRegressor
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs, regressor_from_state

STATE_VERSION = 1
#: So many rows in all speak for equal weights before any row is seen.
_PRIOR_ROWS = 3.0
#: Fewer curves than this do not compete, as fewer rows decide nothing (``learn.choice.LEAST_ROWS``).
_LEAST_CURVES = 10
#: A part with less weight is not worth its time.
LEAST_WEIGHT = 0.08
#: What ``auto`` lets compete, the simpler first. Further surrogates compete only where they are asked for: what
#: ``auto`` means must not depend on what is installed. A hurdle gives probabilities where these give densities; and of
#: properties that are known of the same candidates several tell no more than one.
COMPETITORS = ('gp', 'transfer', 'curves', 'forest', 'bootstrap')


@dataclass(frozen=True)
class Mixture(PlainRegressor):
    """Models fitted to the same rows, with weights; its predictive distribution is taken as normal.

    :param parts: at least two.
    :param weights: of the parts, positive, sum 1, shape (k,).
    """

    parts: tuple[Regressor, ...]
    weights: Array

    kind = 'mixture'

    @property
    def X(self) -> Array:  # noqa: N802 - the field's name of a matrix of inputs
        """Training inputs, shape (n, d)."""
        return self.parts[0].X

    @property
    def y(self) -> Array:
        """Training targets, shape (n,)."""
        return self.parts[0].y

    @property
    def offset(self) -> float:
        """Mean of the targets."""
        return self.parts[0].offset

    @property
    def scale(self) -> float:
        """Standard deviation of the targets, or its stand-in."""
        return self.parts[0].scale

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the mixture, each of shape (m,): parts that disagree widen it."""
        X = check_inputs(X, self.X.shape[1])
        return mixed(self.weights, [part.predict(X) for part in self.parts])

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points jointly, shape (number, m): of each part as many as its weight says."""
        X = check_inputs(X, self.X.shape[1])
        rng = np.random.default_rng([seed, 5])
        owner = rng.choice(len(self.parts), size=number, p=self.weights)
        draws = np.empty((number, len(X)))
        for index, part in enumerate(self.parts):
            own = np.flatnonzero(owner == index)
            if len(own):
                draws[own] = part.sample(X, len(own), seed + index)
        return draws

    def condition(self, X: Array) -> Mixture:
        """The same mixture as if points had been measured at what each part predicts."""
        if len(X) == 0:
            return self
        return replace(self, parts=tuple(part.condition(X) for part in self.parts))

    def with_rows(self, X: Array, y: Array, errors: Array | None = None, curves: Any = None) -> Mixture:
        """The mixture of the parts of other rows; weights are kept."""
        return replace(self, parts=tuple(model_of_rows(part, X, y, errors, curves) for part in self.parts))

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'version': STATE_VERSION,
            'kind': 'mixture',
            'weights': self.weights.tolist(),
            'parts': [part.state() for part in self.parts],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Mixture:
        """The model of :meth:`state`."""
        if state.get('version') != STATE_VERSION:
            raise RegressorError(f'state of a mixture of version {state.get("version")!r}; known is {STATE_VERSION}')
        parts = tuple(regressor_from_state(part) for part in state['parts'])
        return cls(parts, np.array(state['weights'], dtype=np.float64))


def model_of_rows(model: Regressor, X: Array, y: Array, errors: Array | None, curves: Any) -> Regressor:
    """The model of other rows, X of shape (n, d), y of (n,); curves are given to those that learn from them."""
    if curves is None or not (model.kind == Mixture.kind or 'curves' in surrogate_kind(model.kind).needs):
        return model.with_rows(X, y, errors)
    return model.with_rows(X, y, errors, curves)  # type: ignore[call-arg]


def mixed(weights: Array, predictions: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """Mean and standard deviation of a mixture of distributions with these means and deviations.

    :param weights: shape (k,), sum 1.
    :param predictions: of each part, mean and deviation of shape (m,).
    """
    means = np.stack([mean for mean, _ in predictions])
    variances = np.stack([deviation for _, deviation in predictions]) ** 2
    mean = weights @ means
    return mean, np.sqrt(weights @ variances + weights @ (means - mean) ** 2)


def stacking_weights(log_densities: Array) -> Array:
    """Weights under which unseen rows are the most likely, drawn towards equal ones as by three rows in all.

    Found by expectation maximisation, which climbs to the only maximum.

    :param log_densities: of each row under each part, shape (n, k), finite.
    :returns: shape (k,), positive, sum 1.
    """
    rows, parts = log_densities.shape
    density = np.exp(log_densities - log_densities.max(axis=1, keepdims=True))
    weights = np.full(parts, 1 / parts)
    for _ in range(500):
        shares = density * weights
        shares /= shares.sum(axis=1, keepdims=True)
        new = (shares.sum(axis=0) + _PRIOR_ROWS / parts) / (rows + _PRIOR_ROWS)
        moved, weights = float(np.abs(new - weights).max()), new
        if moved < 1e-6:
            break
    return np.asarray(weights / math.fsum(weights))


class MixtureKind(SurrogateKind):
    """What :data:`COMPETITORS` make together, weighted by stacking."""

    name = 'mixture'
    regressor = Mixture
    words = 'mixtures of models weighted by stacking'
    takes_priors = True
    citations = ('botorch2020', 'scikitlearn2011', 'randomforest2001')

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        parts = tuple(fit(X, y, setting) for fit in self.recipes(setting).values())
        return Mixture(parts, np.full(len(parts), 1 / len(parts)))

    def recipes(self, setting: Setting) -> dict[str, Fit]:
        """Those of all kinds that compete."""
        return {name: fit for kind in competitors(setting) for name, fit in kind.recipes(setting).items()}


def competitors(setting: Setting) -> list[SurrogateKind]:
    """The kinds that compete: all that have what they need."""
    few = setting.curves is not None and int(setting.curves.known.sum()) < _LEAST_CURVES
    kinds = [kind for kind in map(surrogate_kind, COMPETITORS) if not kind.lacks(setting)]
    return [kind for kind in kinds if not (few and 'curves' in kind.needs)]
