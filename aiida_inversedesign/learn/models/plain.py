"""What follows from mean and deviation alone, for a model that brings no more: the base of a surrogate in few lines.

Several points are taken to be jointly normal, with the means and deviations of ``predict`` and the correlation of a
Matérn 5/2 kernel whose length scale is that of a Gaussian process before it has seen data. Pending points ("Kriging
believer") thereby lower the deviations in their neighbourhood and move no mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Regressor, Setting, surrogate_kind
from aiida_inversedesign.learn.models.kernel import start
from aiida_inversedesign.learn.regressor import check_inputs, normal_within, target_scale

#: Share of the variance that no two points have in common.
_OWN = 0.1
#: Random features of a joint draw, and points predicted at once.
_FEATURES, _CHUNK = 2048, 4096


class PlainRegressor(ABC):
    """A fitted model with ``kind``, ``X``, ``y``, :meth:`predict` and :meth:`state`; the rest is derived from these."""

    if TYPE_CHECKING:

        @property
        def kind(self) -> str:
            """The name of its kind of surrogate."""

        @property
        def X(self) -> Array:  # noqa: N802 - the field's name of a matrix of inputs
            """Training inputs, shape (n, d)."""

        @property
        def y(self) -> Array:
            """Training targets, shape (n,)."""

    @abstractmethod
    def predict(self, X: Array) -> tuple[Array, Array]:
        """See :class:`~aiida_inversedesign.campaign.contracts.surrogate.Regressor`."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """See :class:`~aiida_inversedesign.campaign.contracts.surrogate.Regressor`."""

    normal = True

    @property
    def offset(self) -> float:
        """Mean of the targets."""
        return float(self.y.mean())

    @property
    def scale(self) -> float:
        """Standard deviation of the targets, or its stand-in where they have none."""
        return target_scale(self.y)[1]

    def within(self, X: Array, low: float, high: float) -> Array:
        """Probability that the property lies between two bounds, shape (m,)."""
        return normal_within(*self.predict(X), low, high)

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points jointly, shape (number, m), by random features of the kernel."""
        X = check_inputs(X, self.X.shape[1])
        rng = np.random.default_rng(seed)
        features = start('iso', X.shape[1]).random_features(_FEATURES, rng)
        weights = np.sqrt(1 - _OWN) * rng.standard_normal((_FEATURES, number))
        draws = np.sqrt(_OWN) * rng.standard_normal((number, len(X)))
        for begin in range(0, len(X), _CHUNK):
            chunk = slice(begin, begin + _CHUNK)
            draws[:, chunk] += (features(X[chunk]) @ weights).T
        mean, deviation = self.predict(X)
        return np.asarray(mean + deviation * draws)

    def condition(self, X: Array) -> Regressor:
        """The same model as if points had been measured at their predicted mean."""
        return self if len(X) == 0 else Adjusted(self, 1.0, check_inputs(X, self.X.shape[1]))

    def with_factor(self, factor: float) -> Regressor:
        """The model with a factor on its deviations."""
        return Adjusted(self, factor, np.empty((0, self.X.shape[1])))

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> Regressor:
        """The model of other rows, fitted again, without seed or other data: override it where these count."""
        return surrogate_kind(self.kind).fit(X, y, Setting(errors=errors))


@dataclass(frozen=True, eq=False)
class RowsRegressor(PlainRegressor):
    """A model that is nothing but its training rows: a subclass brings ``kind`` and :meth:`predict`.

    :param X: training inputs, shape (n, d). :param y: training targets, shape (n,).
    """

    X: Array
    y: Array

    def state(self) -> dict[str, Any]:
        """Kind and rows."""
        return {'kind': self.kind, 'X': self.X.tolist(), 'y': self.y.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RowsRegressor:
        """The model of :meth:`state`."""
        return cls(np.array(state['X'], dtype=np.float64), np.array(state['y'], dtype=np.float64))


@dataclass(frozen=True)
class Adjusted(PlainRegressor):
    """A model with a factor on its deviations, which pending points have lowered around them.

    :param pending: points that count as measured at their predicted mean, shape (p, d).
    """

    model: PlainRegressor
    factor: float
    pending: Array

    @property
    def kind(self) -> str:
        """The method."""
        return self.model.kind

    @property
    def X(self) -> Array:  # noqa: N802 - the field's name of a matrix of inputs
        """Training inputs, pending points last: shape (n + pending, d)."""
        return np.vstack([self.model.X, self.pending])

    @property
    def y(self) -> Array:
        """Training targets, and what was predicted for pending points: shape (n + pending,)."""
        return np.concatenate([self.model.y, self.model.predict(self.pending)[0]])

    @property
    def offset(self) -> float:
        """Mean of the measured targets."""
        return self.model.offset

    @property
    def scale(self) -> float:
        """Standard deviation of the measured targets, or its stand-in."""
        return self.model.scale

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property, each of shape (m,)."""
        mean, deviation = self.model.predict(X)
        if not len(self.pending):
            return mean, self.factor * deviation
        kernel = start('iso', self.pending.shape[1])
        among = (1 - _OWN) * kernel(self.pending, self.pending)
        among.flat[:: len(among) + 1] = 1.0
        inverse = np.linalg.inv(among)
        rest = np.ones(len(mean))
        for begin in range(0, len(mean), _CHUNK):
            cross = (1 - _OWN) * kernel(X[begin : begin + _CHUNK], self.pending)
            rest[begin : begin + _CHUNK] -= np.einsum('ij,ij->i', cross @ inverse, cross)
        return mean, self.factor * deviation * np.sqrt(np.maximum(rest, _OWN))

    def condition(self, X: Array) -> Regressor:
        """The same model with further pending points."""
        return self if len(X) == 0 else replace(self, pending=np.vstack([self.pending, X]))

    def with_factor(self, factor: float) -> Regressor:
        """The same model with another factor."""
        return replace(self, factor=factor)

    def with_rows(self, X: Array, y: Array, errors: Array | None = None, *curves: Any) -> Regressor:
        """The model of other rows with the same factor."""
        return self.model.with_rows(X, y, errors, *curves).with_factor(self.factor)

    def state(self) -> dict[str, Any]:
        """The model's own state with what was adjusted."""
        return {**self.model.state(), 'adjusted': {'factor': self.factor, 'pending': self.pending.tolist()}}
