"""A Gaussian process of several properties at once: what is known of one tells of the others where they go along.

The covariance of property s at x and property t at x' is ρ(s, t) k(x, x'): an intrinsic model of coregionalisation
(Bonilla, Chai, Williams, NIPS 2007; Goovaerts, Geostatistics for Natural Resources Evaluation (1997)). Each other
property has a coordinate of its own, 0 for the property in question and 1 for the other, and the length scale of this
coordinate, learned with those of the descriptors, says how much the two share; their sign is that of their correlation.
It pays where a property is known of more crystals than another: where all are known of the same ones, each is
predicted as if alone (autokrigeability). Length scales and noise are shared too, so that a property that has nothing to
do with it does harm: a campaign weighs it against a Gaussian process of the property alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import Fit, Other, Regressor, Setting, SurrogateKind
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_ard, fit_gp
from aiida_inversedesign.learn.models.plain import PlainRegressor
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs, check_training, target_scale

STATE_VERSION = 1


@dataclass(frozen=True)
class Task:
    """Another property, as far as it is known.

    :param X: inputs, shape (m, d), standardised as those of the property in question.
    :param y: its values, shape (m,).
    """

    name: str
    X: Array
    y: Array


@dataclass(frozen=True)
class MultiTask(PlainRegressor):
    """One property of several that were learned together.

    :param process: its inputs are the descriptors followed by one coordinate for each other property; all targets are
        in the unit of the property in question.
    :param tasks: names of the other properties, length k.
    """

    process: GaussianProcess
    tasks: tuple[str, ...]

    kind = 'multitask'

    @property
    def _own(self) -> NDArray[np.bool_]:
        return np.asarray((self.process.X[:, self._columns :] == 0.0).all(axis=1))

    @property
    def _columns(self) -> int:
        return int(self.process.X.shape[1]) - len(self.tasks)

    @property
    def X(self) -> Array:  # noqa: N802 - the field's name of a matrix of inputs
        """Training inputs of the property itself, shape (n, d)."""
        return self.process.X[self._own, : self._columns]

    @property
    def y(self) -> Array:
        """Training targets, shape (n,)."""
        return self.process.y[self._own]

    def correlation(self) -> dict[str, float]:
        """How much of each other property's deviations it shares, from 0 to 1, before any sign."""
        origin = np.zeros((1, self.process.X.shape[1]))
        points = np.repeat(origin, len(self.tasks), axis=0)
        points[:, self._columns :] = np.eye(len(self.tasks))
        return dict(zip(self.tasks, self.process.kernel(origin, points)[0].tolist(), strict=True))

    def _extended(self, X: Array) -> Array:
        X = check_inputs(X, self._columns)
        return np.column_stack([X, np.zeros((len(X), len(self.tasks)))])

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property of each crystal, each of shape (m,)."""
        return self.process.predict(self._extended(X))

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points jointly, shape (number, m)."""
        return self.process.sample(self._extended(X), number, seed)

    def condition(self, X: Array) -> MultiTask:
        """The same model as if points had been measured at their predicted mean."""
        return self if len(X) == 0 else replace(self, process=self.process.condition(self._extended(X)))

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> MultiTask:
        """The same model with other rows of the property itself; nothing is optimised again."""
        old, own = self.process, self._own
        inputs = np.vstack([self._extended(X), old.X[~own]])
        values = np.concatenate([y, old.y[~own]])
        return replace(self, process=old.with_rows(inputs, values))

    def left_out(self) -> tuple[Array, Array]:
        """Mean and deviation of each row of the property, shape (n,), by rows of which nothing else is known either.

        A row is left out with the other properties of the same crystal, as in :func:`beside`.
        """
        _, crystals = np.unique(self.process.X[:, : self._columns], axis=0, return_inverse=True)
        mean, deviation = self.process.left_out(crystals.ravel())
        return mean[self._own], deviation[self._own]

    def with_factor(self, factor: float) -> MultiTask:
        """The same model with deviations of another width."""
        return replace(self, process=self.process.with_factor(factor))

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'version': STATE_VERSION,
            'kind': 'multitask',
            'process': self.process.state(),
            'tasks': list(self.tasks),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MultiTask:
        """The model of :meth:`state`."""
        if state.get('version') != STATE_VERSION:
            raise RegressorError(f'state of a multitask of version {state.get("version")!r}; known is {STATE_VERSION}')
        return cls(GaussianProcess.from_state(state['process']), tuple(state['tasks']))


def beside(other: Other, X: Array) -> Task:
    """What may be known of another property while the property itself is known of the rows ``X`` alone, shape (n, d).

    A row that is left out is left out as a whole: of a candidate nothing is known.
    """
    known = {row.tobytes() for row in X}
    keep = np.array([not both or row.tobytes() in known for row, both in zip(other.X, other.shared, strict=True)])
    return Task(other.name, other.X[keep], other.y[keep])


def fit_multitask(X: Array, y: Array, tasks: Sequence[Task]) -> MultiTask:
    """Fit one Gaussian process to a property and to others.

    The values of each other property are standardised, turned round where it falls as the property rises, and given
    the property's mean and spread. Those of which fewer than two are known, or which are all equal, are left out.

    :param X: standardised inputs, shape (n, d).
    :param y: targets, shape (n,).
    :raises RegressorError: if there are no rows, the shapes differ, or a number is not finite.
    """
    X, y = check_training(X, y)
    offset, scale, _ = target_scale(y)
    varying = [task for task in tasks if len(task.y) > 1 and not target_scale(task.y)[2]]
    inputs = [np.column_stack([X, np.zeros((len(X), len(varying)))])]
    targets = [y]
    for index, task in enumerate(varying):
        marks = np.zeros((len(task.X), len(varying)))
        marks[:, index] = 1.0
        inputs.append(np.column_stack([task.X, marks]))
        center, spread, _ = target_scale(task.y)
        targets.append(offset + _sign(X, y, task) * scale * (task.y - center) / spread)
    process = fit_gp(np.vstack(inputs), np.concatenate(targets), form='ard')
    return MultiTask(process, tuple(task.name for task in varying))


def _sign(X: Array, y: Array, task: Task) -> float:
    """1 or −1: whether the other property rises or falls with this one, over the crystals of which both are known."""
    found = {row.tobytes(): value for row, value in zip(task.X, task.y, strict=True)}
    pairs = [(value, found[row.tobytes()]) for row, value in zip(X, y, strict=True) if row.tobytes() in found]
    if len(pairs) < 3:
        return 1.0
    own, other = np.array(pairs).T
    return -1.0 if float(((own - own.mean()) * (other - other.mean())).sum()) < 0 else 1.0


class MultiTaskKind(SurrogateKind):
    """Gaussian processes of all properties together."""

    name = 'multitask'
    regressor = MultiTask
    words = 'Gaussian processes of all properties together'
    citations = ('botorch2020', 'multitaskgp2007')
    needs = ('properties',)

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        return fit_multitask(X, y, [beside(other, X) for other in setting.others])

    def recipes(self, setting: Setting) -> dict[str, Fit]:
        """A Gaussian process of the property alone competes: a property that has nothing to do with it does harm."""
        return {self.name: self.fit, 'gp/ard': fit_ard}
