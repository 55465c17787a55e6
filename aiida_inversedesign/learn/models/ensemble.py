"""What forests and bootstrap ensembles share: a prediction is a mixture of what the members say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.learn.calibrate import deviation_factor
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs
from aiida_inversedesign.learn.threads import one_thread

#: Version of the layout of :meth:`Ensemble.state`.
STATE_VERSION = 1
#: Rows predicted at once (memory: a few times chunk × members doubles).
_CHUNK = 2048


@dataclass(frozen=True)
class Ensemble(ABC):
    """Members that each predict a mean and a variance; together a mixture of normal distributions.

    :param X: training inputs, shape (n, d); pending points come last.
    :param y: training targets, shape (n,), for pending points what was predicted.
    :param offset: mean of the targets.
    :param scale: standard deviation of the targets, or its stand-in.
    :param seed: of all that was drawn in the fit.
    :param floor: least variance of a member, in squared units of the property.
    :param factor: on the width of the mixture, from rows predicted by members that have not seen them.
    :param pending: how many of the rows are pending points.
    """

    X: Array
    y: Array
    offset: float
    scale: float
    seed: int
    floor: float
    factor: float
    pending: int

    #: The method.
    kind: ClassVar[str]
    normal = False

    @abstractmethod
    def members(self, X: Array) -> tuple[Array, Array]:
        """Mean and variance of each member, each of shape (m, t), pending points and factor left out."""

    @abstractmethod
    def unseen(self) -> NDArray[np.bool_]:
        """Which member has not seen which measured row, shape (n, t)."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Ensemble:
        """The ensemble of :meth:`state`, fitted again to the same data with the same seed."""

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property of each crystal, each of shape (m,).

        Law of total variance: the spread of the members' means plus the mean of their variances (Hutter et al.,
        Artif. Intell. 206, 79 (2014)).
        """
        X = check_inputs(X, self.X.shape[1])
        mean, deviation = np.empty(len(X)), np.empty(len(X))
        for chunk, means, variances in self._mixture(X):
            mean[chunk] = means.mean(axis=1)
            deviation[chunk] = np.sqrt(means.var(axis=1) + variances.mean(axis=1))
        return mean, deviation

    def within(self, X: Array, low: float, high: float) -> Array:
        """Probability under the mixture that the property lies between two bounds, shape (m,)."""
        from scipy.special import ndtr

        X = check_inputs(X, self.X.shape[1])
        probability = np.empty(len(X))
        for chunk, means, variances in self._mixture(X):
            widths = np.sqrt(variances)
            inside = ndtr((high - means) / widths) - ndtr((low - means) / widths)
            probability[chunk] = inside.mean(axis=1)
        return np.clip(probability, 0.0, 1.0)

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws: a member for each, plus its own variance at each point, shape (number, m)."""
        X = check_inputs(X, self.X.shape[1])
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((number, len(X)))
        draws = np.empty((number, len(X)))
        drawn: Integers | None = None
        for chunk, means, variances in self._mixture(X):
            if drawn is None:
                drawn = rng.integers(means.shape[1], size=number)
            draws[:, chunk] = means[:, drawn].T + noise[:, chunk] * np.sqrt(variances[:, drawn]).T
        return draws

    def condition(self, X: Array) -> Self:
        """The same ensemble after an ensemble Kalman step: its spread shrinks as far as it is correlated with X."""
        if len(X) == 0:
            return self
        X = check_inputs(X, self.X.shape[1])
        means = np.concatenate([self.y, self.predict(X)[0]])
        return replace(self, X=np.vstack([self.X, X]), y=means, pending=self.pending + len(X))

    def with_factor(self, factor: float) -> Self:
        """The same ensemble with another factor."""
        return replace(self, factor=factor)

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> Ensemble:
        """The members of other rows, drawn with the same seed; calibration is kept."""
        return self.from_state({**self.state(), 'X': X, 'y': y, 'pending': []})

    @property
    def measured(self) -> tuple[Array, Array]:
        """Inputs, shape (n, d), and targets, shape (n,), without the pending points."""
        count = len(self.X) - self.pending
        return self.X[:count], self.y[:count]

    def left_out(self) -> tuple[Array, Array]:
        """Mean and deviation of each measured row by the members that have not seen it, shape (n,).

        Rows that every member has seen are NaN.
        """
        means, variances = self.members(self.measured[0])
        unseen = self.unseen()
        count = unseen.sum(axis=1).astype(np.float64)
        count[count < 2] = np.nan
        mean = (means * unseen).sum(axis=1) / count
        spread = ((means - mean[:, None]) ** 2 * unseen).sum(axis=1) / count
        own = (np.maximum(variances, self.floor) * unseen).sum(axis=1) / count
        return mean, self.factor * np.sqrt(spread + own)

    def calibrated(self) -> Self:
        """The same ensemble with the factor that its left-out rows ask for."""
        plain = replace(self, factor=1.0)
        mean, deviation = plain.left_out()
        return replace(self, factor=deviation_factor((plain.measured[1] - mean) / deviation))

    def state(self) -> dict[str, Any]:
        """Training data and what the fit drew from, as plain JSON data: the fit is repeated on loading."""
        import sklearn

        X, y = self.measured
        return {
            'version': STATE_VERSION,
            'kind': self.kind,
            'X': X.tolist(),
            'y': y.tolist(),
            'pending': self.X[len(X) :].tolist(),
            'seed': self.seed,
            'factor': self.factor,
            'versions': {'numpy': np.__version__, 'scikit-learn': str(sklearn.__version__)},
        }

    def _mixture(self, X: Array) -> Any:
        """Chunk by chunk: where it belongs, means and variances of the mixture's members, shape (chunk, t)."""
        with one_thread():
            step = self._kalman()
            for begin in range(0, len(X), _CHUNK):
                chunk = slice(begin, begin + _CHUNK)
                means, variances = self.members(X[chunk])
                center = means.mean(axis=1, keepdims=True)
                spread = means - center
                if step is not None:
                    anomalies, weights = step
                    spread = spread + (spread @ anomalies.T) @ weights
                yield (
                    chunk,
                    center + self.factor * spread,
                    np.maximum(np.broadcast_to(variances, means.shape), self.floor) * self.factor**2,
                )

    def _kalman(self) -> tuple[Array, Array] | None:
        """Spread at the pending points, shape (p, t), and the weights by which it corrects that elsewhere.

        Perturbed observations (Burgers, van Leeuwen, Evensen, Mon. Weather Rev. 126, 1719 (1998)), centred so that
        means stay as they are.
        """
        if self.pending == 0:
            return None
        means, variances = self.members(self.X[-self.pending :])
        anomalies = means - means.mean(axis=1, keepdims=True)
        own = np.maximum(np.broadcast_to(variances, means.shape), self.floor).mean(axis=1)
        rng = np.random.default_rng(self.seed)
        errors = rng.standard_normal(anomalies.shape) * np.sqrt(own)[:, None]
        errors -= errors.mean(axis=1, keepdims=True)
        members = anomalies.shape[1]
        covariance = anomalies @ anomalies.T / members + np.diag(own)
        return anomalies, np.linalg.solve(covariance, errors - anomalies) / members


def check_state(state: dict[str, Any]) -> tuple[Array, Array]:
    """Training data of an ensemble's state: X, shape (n, d), and y, shape (n,).

    :raises RegressorError: if it was written by another version.
    """
    if state.get('version') != STATE_VERSION:
        raise RegressorError(
            f'state of a {state.get("kind")} of version {state.get("version")!r}; this package reads {STATE_VERSION}'
        )
    return np.array(state['X'], dtype=np.float64), np.array(state['y'], dtype=np.float64)
