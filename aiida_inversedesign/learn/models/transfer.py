"""A transfer surrogate: what larger data say of a crystal is the prior mean, a Gaussian process learns the rest.

The other data may be the same property from another source, or a cheap one of another kind (formation energies,
volumes) that goes along with it. Each source is condensed once into a kernel regression on some hundreds of its rows
(:class:`Prior`); its prediction enters as the mean with a slope learned from the campaign's own rows, and as one
more descriptor of the Gaussian process of the residuals, for what is not proportional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.surrogate import LACKS, Regressor, Setting, SurrogateKind
from aiida_inversedesign.learn.models.gp import GaussianProcess, fit_gp
from aiida_inversedesign.learn.models.kernel import Kernel
from aiida_inversedesign.learn.models.plain import PlainRegressor
from aiida_inversedesign.learn.regressor import RegressorError, check_inputs, check_training, target_scale
from aiida_inversedesign.learn.scaling import LIMIT, scaling, standardised
from aiida_inversedesign.learn.threads import one_thread

STATE_VERSION = 1
#: Rows of a source on which its length scales are fitted, and by which it is represented.
FITTED, _CENTRES = 400, 800
#: Fewest rows that a prior is learned from: a regression of fewer says little, and its error cannot be seen.
LEAST_ROWS = 10
#: Rows of one pass: bounds the memory.
_CHUNK = 4096
#: Rounds of slope and residual.
_ROUNDS = 2


@dataclass(frozen=True)
class Prior:
    """One property of other data as a function of raw descriptors.

    :param name: what was learned, e.g. ``formation_energy``.
    :param rows: how many rows it was learned from.
    :param error: mean absolute error on a tenth of the rows that was left out, in standard deviations of the values.
    :param center: mean of the descriptors, shape (d,).
    :param width: standard deviation of the descriptors, shape (d,).
    :param kernel: on descriptors so standardised.
    :param centres: rows that represent the data, shape (m, d), standardised.
    :param weights: of the centres, shape (m,).
    :param level: mean of the values, where they are of the property that is learned, in its unit.
    :param spread: their standard deviation; 0 where they are of another property, of which nothing is expected.
    :param origin: the earlier campaign that it was learned from; empty where it was not one.
    """

    name: str
    rows: int
    error: float
    center: Array
    width: Array
    kernel: Kernel
    centres: Array
    weights: Array
    level: float = 0.0
    spread: float = 0.0
    origin: str = ''

    @property
    def expected(self) -> float:
        """The slope that is expected of it, in the unit of the targets."""
        return self.spread

    def __call__(self, features: Array) -> Array:
        """The property in standard deviations from its mean, shape (n,), cut at five.

        :param features: raw descriptors, shape (n, d); further columns, as estimates of a potential, come last.
        """
        values, own = np.empty(len(features)), features[:, : len(self.center)]
        with one_thread():
            for begin in range(0, len(features), _CHUNK):
                chunk = slice(begin, begin + _CHUNK)
                scaled = standardised(own[chunk], self.center, self.width)
                values[chunk] = self.kernel(scaled, self.centres) @ self.weights
        return np.clip(values, -LIMIT, LIMIT)

    def meant_for(self, name: str) -> Prior:
        """The prior of a property: values of another one let expect nothing."""
        return self if name == self.name else replace(self, level=0.0, spread=0.0)

    def counted_in(self, unit: float) -> Prior:
        """The prior of targets that are counted in another unit."""
        return replace(self, level=self.level / unit, spread=self.spread / unit)

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'name': self.name,
            'rows': self.rows,
            'error': self.error,
            'center': self.center.tolist(),
            'width': self.width.tolist(),
            'kernel': self.kernel.state(),
            'centres': self.centres.tolist(),
            'weights': self.weights.tolist(),
            **({'level': self.level, 'spread': self.spread} if self.spread else {}),
            **({'origin': self.origin} if self.origin else {}),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Prior:
        """The prior of :meth:`state`."""
        center, width, centres, weights = (
            np.array(state[name], dtype=np.float64) for name in ('center', 'width', 'centres', 'weights')
        )
        kernel = Kernel.from_state(state['kernel'])
        level, spread = float(state.get('level', 0.0)), float(state.get('spread', 0.0))
        about = (state['name'], int(state['rows']), float(state['error']))
        origin = str(state.get('origin', ''))
        return cls(*about, center, width, kernel, centres, weights, level, spread, origin)


@dataclass(frozen=True)
class Estimate:
    """A property as a cheaper method has it for each candidate: one column of the raw descriptors.

    :param column: its index among the descriptors.
    :param center: mean of the column, in the property's unit.
    :param width: its standard deviation.
    :param unit: in which the targets are counted, in the property's unit.
    """

    #: See :class:`Prior`.
    origin = ''

    name: str
    column: int
    center: float
    width: float
    unit: float = 1.0

    def meant_for(self, name: str) -> Estimate:
        """The same: it is made for each property."""
        return self

    def counted_in(self, unit: float) -> Estimate:
        """The prior of targets that are counted in another unit."""
        return replace(self, unit=self.unit * unit)

    @property
    def expected(self) -> float:
        """The slope that is expected of it, in the unit of the targets."""
        return self.width / self.unit

    @property
    def weights(self) -> Array:
        """What distinguishes it from others: shape (3,)."""
        return np.array([self.column, self.center, self.width])

    def __call__(self, features: Array) -> Array:
        """The estimate in standard deviations from its mean, shape (n,), cut at five."""
        return np.clip((features[:, self.column] - self.center) / self.width, -LIMIT, LIMIT)

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def learn_prior(name: str, features: Array, values: Array, seed: int = 0, same: bool = False) -> Prior:
    """Condense a data set into a kernel regression.

    Length scales and noise are those of a Gaussian process of 400 rows, one per column; the regression is that
    of all rows on 800 of them (subset of regressors; Quiñonero-Candela and Rasmussen, JMLR 6, 1939 (2005)).

    :param features: raw descriptors, the same as those of the campaign, shape (n, d).
    :param values: shape (n,); rows with NaN are left out.
    :param same: whether they are of the very property that is learned, in its unit: the slope 1 is expected then.
    :raises RegressorError: if fewer than ten rows are left, or all values are equal.
    """
    features, values = np.asarray(features, dtype=np.float64), np.asarray(values, dtype=np.float64)
    known = np.isfinite(values) & np.isfinite(features).all(axis=1)
    features, values = features[known], values[known]
    if len(values) < LEAST_ROWS or target_scale(values)[2]:
        raise RegressorError(
            f'{len(values)} rows of {name!r} to transfer from: at least {LEAST_ROWS} with different values are needed'
        )
    center, width = scaling(features)
    X = standardised(features, center, width)
    z = (values - values.mean()) / values.std()
    order = np.random.default_rng(seed).permutation(len(z))
    X, z = X[order], z[order]
    process = fit_gp(X[:FITTED], z[:FITTED], form='ard')
    test = max(1, len(z) // 10)
    trial = _regression(process, X[test:], z[test:])
    with one_thread():
        error = float(np.abs(process.kernel(X[:test], X[test:][:_CENTRES]) @ trial - z[:test]).mean())
        weights = _regression(process, X, z)
    scale = (float(values.mean()), float(values.std())) if same else (0.0, 0.0)
    return Prior(name, len(z), error, center, width, process.kernel, X[:_CENTRES], weights, *scale)


def _regression(process: GaussianProcess, X: Array, z: Array) -> Array:
    """Weights of the first rows in the regression of all."""
    from scipy.linalg import cho_factor, cho_solve

    centres = X[:_CENTRES]
    with one_thread():
        normal = process.noise * process.kernel(centres, centres)
        normal.flat[:: len(centres) + 1] += 1e-6
        right = np.zeros(len(centres))
        for begin in range(0, len(X), _CHUNK):
            cross = process.kernel(X[begin : begin + _CHUNK], centres)
            normal += cross.T @ cross
            right += cross.T @ z[begin : begin + _CHUNK]
        return np.asarray(cho_solve(cho_factor(normal, lower=True), right))


@dataclass(frozen=True)
class Transfer(PlainRegressor):
    """Priors with slopes, and a Gaussian process of what they leave.

    :param slopes: of each prior, in the property's unit per standard deviation of the prior, shape (k,).
    :param process: of the residuals; its inputs are the descriptors followed by the priors.
    :param priors: functions of raw descriptors, length k.
    :param center: by which the inputs were standardised, shape (d,).
    """

    slopes: Array
    process: GaussianProcess
    priors: tuple[Prior | Estimate, ...]
    center: Array
    width: Array

    kind = 'transfer'

    @property
    def X(self) -> Array:  # noqa: N802 - the field's name of a matrix of inputs
        """Training inputs, shape (n, d)."""
        return self.process.X[:, : len(self.center)]

    @property
    def y(self) -> Array:
        """Training targets, shape (n,)."""
        return np.asarray(self.process.y + self.process.X[:, len(self.center) :] @ self.slopes)

    def extended(self, X: Array) -> Array:
        """The inputs of the process: descriptors followed by the priors, shape (m, d + k)."""
        X = check_inputs(X, len(self.center))
        return _extend(X, self.priors, self.center, self.width)

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property of each crystal, each of shape (m,)."""
        inputs = self.extended(X)
        mean, deviation = self.process.predict(inputs)
        return mean + inputs[:, len(self.center) :] @ self.slopes, deviation

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points jointly, shape (number, m)."""
        inputs = self.extended(X)
        return np.asarray(self.process.sample(inputs, number, seed) + inputs[:, len(self.center) :] @ self.slopes)

    def condition(self, X: Array) -> Transfer:
        """The same model as if points had been measured at their predicted mean."""
        if len(X) == 0:
            return self
        return replace(self, process=self.process.condition(self.extended(X)))

    def left_out(self) -> tuple[Array, Array]:
        """Mean and deviation of each training row from all others, slopes and hyperparameters kept, shape (n,)."""
        mean, deviation = self.process.left_out()
        return mean + self.process.X[:, len(self.center) :] @ self.slopes, deviation

    def with_factor(self, factor: float) -> Transfer:
        """The same model with deviations of another width."""
        return replace(self, process=self.process.with_factor(factor))

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> Transfer:
        """The model of other rows; slopes and hyperparameters are kept."""
        inputs = self.extended(X)
        return replace(self, process=self.process.with_rows(inputs, y - inputs[:, len(self.center) :] @ self.slopes))

    def state(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            'version': STATE_VERSION,
            'kind': 'transfer',
            'slopes': self.slopes.tolist(),
            'process': self.process.state(),
            'priors': [prior.state() for prior in self.priors],
            'center': self.center.tolist(),
            'width': self.width.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Transfer:
        """The model of :meth:`state`."""
        if state.get('version') != STATE_VERSION:
            raise RegressorError(f'state of a transfer of version {state.get("version")!r}; known is {STATE_VERSION}')
        return cls(
            np.array(state['slopes'], dtype=np.float64),
            GaussianProcess.from_state(state['process']),
            tuple(Estimate(**prior) if 'column' in prior else Prior.from_state(prior) for prior in state['priors']),
            np.array(state['center'], dtype=np.float64),
            np.array(state['width'], dtype=np.float64),
        )


def _extend(X: Array, priors: Sequence[Prior | Estimate], center: Array, width: Array) -> Array:
    raw = X * width + center
    return np.column_stack([X, *(prior(raw) for prior in priors)])


def fit_transfer(
    X: Array,
    y: Array,
    priors: Sequence[Prior | Estimate],
    center: Array | None = None,
    width: Array | None = None,
) -> Transfer:
    """Fit slopes of the priors and a Gaussian process of the residuals.

    The slopes are those of generalised least squares under the process, with a normal prior as wide as the targets
    around nothing, of values of the property itself around these values.

    :param X: standardised inputs, shape (n, d).
    :param y: targets, shape (n,).
    :param priors: at least one.
    :param center: by which ``X`` was standardised, shape (d,); default 0.
    :param width: likewise; default 1.
    :raises RegressorError: if there is no prior, no rows, the shapes differ, or a number is not finite.
    """
    X, y = check_training(X, y)
    if not priors:
        raise RegressorError(f'transfer {LACKS["source"]}')
    center = np.zeros(X.shape[1]) if center is None else center
    width = np.ones(X.shape[1]) if width is None else width
    inputs = _extend(X, priors, center, width)
    known = inputs[:, X.shape[1] :]
    offset, scale, flat = target_scale(y)
    slopes = np.zeros(known.shape[1])
    process = fit_gp(inputs, y, form='ard')
    if not flat:
        basis = np.column_stack([np.ones(len(y)), known])
        belief = np.diag([0.0, *np.full(known.shape[1], 1.0)])
        expected = [prior.expected / scale for prior in priors]
        for _ in range(_ROUNDS):
            with one_thread():
                covariance = process.kernel(inputs, inputs)
                covariance.flat[:: len(y) + 1] += process.noise
                # variance of the residuals, as a share of that of the targets
                share = (process.scale / scale) ** 2 * process.outputscale
                half = np.linalg.solve(np.linalg.cholesky(share * covariance), basis)
                target = np.linalg.solve(np.linalg.cholesky(share * covariance), (y - offset) / scale)
                right = half.T @ target + belief @ np.array([0.0, *expected])
                slopes = np.linalg.solve(half.T @ half + belief, right)[1:] * scale
            process = fit_gp(inputs, y - known @ slopes, form='ard')
    return Transfer(slopes, process, tuple(priors), center, width)


class TransferKind(SurrogateKind):
    """Gaussian processes that start from what other data say."""

    name = 'transfer'
    regressor = Transfer
    words = 'models that start from properties of the library, from earlier campaigns, or from what a potential says'
    citations = ('scikitlearn2011', 'botorch2020')
    needs = ('source',)
    takes_priors = True

    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        return fit_transfer(X, y, setting.priors, setting.center, setting.width)
