"""Data and the model that is to explain them: the probability of parameters.

The data are yᵢ = G(xᵢ; θ) + εᵢ with independent normal errors. Their deviation is given for each point, or it is one
unknown number, the parameter ``noise``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.learn.physics.model import NOISE, Parameter, PhysicalModel, PhysicsError, Prior

#: Draws from the prior on which a model is tried before it is sampled.
TRIALS = 1000
#: What the prior of an unknown noise spans, relative to the standard deviation of the data: a fit that leaves less than
#: a millionth has nothing to tell of noise, one that leaves more than all of it explains nothing.
_NOISE_SPAN = (1e-6, 2.0)


@dataclass(frozen=True)
class Data:
    """What was measured or computed.

    :param x: shape (n,). :param y: shape (n,). :param error: standard deviation of each point, shape (n,), or None if
        it is one unknown number.
    """

    x: Array
    y: Array
    error: Array | None = None

    @classmethod
    def of(cls, x: Sequence[float], y: Sequence[float], error: Sequence[float] | None = None) -> Data:
        """Data of checked arrays.

        :raises PhysicsError: if the lengths differ, a number is not finite, or an error is not positive.
        """
        arrays = [np.asarray(item, dtype=np.float64) for item in (x, y, *([] if error is None else [error]))]
        if any(item.ndim != 1 or item.shape != arrays[0].shape for item in arrays):
            raise PhysicsError(f'x, y and errors must be as many numbers each, not {[item.shape for item in arrays]}')
        if not all(np.isfinite(item).all() for item in arrays):
            raise PhysicsError('x, y and errors must be finite: leave out the points that are not')
        if error is not None and (arrays[2] <= 0).any():
            raise PhysicsError('errors must be positive: leave them out if they are not known')
        return cls(arrays[0], arrays[1], arrays[2] if error is not None else None)


class Problem:
    """A model and data: the probability of parameters.

    :param model: with its priors. :param noise: prior of an unknown deviation; by default flat in its logarithm.
    :raises PhysicsError: if there are too few points, or the model cannot be evaluated at its prior.
    """

    def __init__(self, model: PhysicalModel, data: Data, noise: Prior | None = None) -> None:
        self.model, self.data = model, data
        spread = float(np.std(data.y)) or 1.0
        wide = Prior('log_uniform', _NOISE_SPAN[0] * spread, _NOISE_SPAN[1] * spread)
        unknown = () if data.error is not None else (Parameter(NOISE, model.y[1], noise or wide),)
        self.parameters = (*model.parameters, *unknown)
        least = len(self.parameters) if unknown else 1
        if len(data.y) <= least:
            raise PhysicsError(
                f'{len(data.y)} point(s) are too few for the {len(model.parameters)} parameters of {model.name!r}'
                + (' and an unknown noise' if unknown else '')
                + f': at least {least + 1} are needed'
                + (', or give the errors of the points' if unknown else '')
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, that of an unknown noise last."""
        return tuple(item.name for item in self.parameters)

    def draw_prior(self, rng: np.random.Generator, number: int) -> Array:
        """Parameters drawn from the prior, shape (number, p)."""
        return np.stack([item.prior.draw(rng, number) for item in self.parameters], axis=1)

    def log_prior(self, theta: Array) -> Array:
        """Logarithm of the prior density, shape (m,), of parameters of shape (m, p)."""
        return np.asarray(sum(item.prior.log_density(theta[:, i]) for i, item in enumerate(self.parameters)))

    def log_likelihoods(self, theta: Array) -> Array:
        """Logarithm of the probability density of each point, shape (m, n), of parameters of shape (m, p)."""
        error = theta[:, [-1]] if self.data.error is None else self.data.error
        scaled = (self.data.y - self.model.values(self.data.x, theta)) / error
        return np.asarray(-0.5 * scaled**2 - np.log(error) - 0.5 * math.log(2 * math.pi))

    def log_posterior(self, theta: Array) -> Array:
        """Logarithm of the posterior density but for a constant, shape (m,); −∞ where the model cannot be computed."""
        found = self.log_prior(theta)
        able = np.isfinite(found)
        if able.any():
            found[able] += self.log_likelihoods(theta[able]).sum(axis=1)
        return np.where(np.isfinite(found), found, -np.inf)

    @property
    def logarithmic(self) -> NDArray[np.bool_]:
        """Which parameters are sampled as their logarithm, shape (p,): those whose prior is flat in it."""
        return np.array([item.prior.kind == 'log_uniform' for item in self.parameters])

    def parameters_at(self, coordinates: Array) -> Array:
        """Parameters of what the sampler moves, elementwise, last axis p."""
        with np.errstate(over='ignore'):
            return np.where(self.logarithmic, np.exp(np.where(self.logarithmic, coordinates, 0.0)), coordinates)

    def coordinates_of(self, theta: Array) -> Array:
        """What the sampler moves, elementwise, last axis p."""
        return np.where(self.logarithmic, np.log(np.where(self.logarithmic, theta, 1.0)), theta)

    def log_density(self, coordinates: Array) -> Array:
        """Logarithm of the posterior density of coordinates, shape (m,), of shape (m, p)."""
        found = self.log_posterior(self.parameters_at(coordinates))
        return np.where(np.isfinite(found), found + coordinates[:, self.logarithmic].sum(axis=1), -np.inf)

    def tried(self, theta: Array) -> Array:
        """Sum of squares that draws from the prior leave, shape (m,), of parameters of shape (m, p).

        In the variances of the points, or in the square of the data's unit where the noise is unknown.

        :raises PhysicsError: if the model raises, returns another shape, or is finite nowhere.
        """
        values = self.model.values(self.data.x, theta)
        head, where = f'the model {self.model.name!r} cannot be evaluated at its prior', self.model.words_of(theta[0])
        if values.shape != (len(theta), len(self.data.x)):
            raise PhysicsError(
                f'{head}: for {len(theta)} sets of parameters and {len(self.data.x)} points its values have the shape '
                f'{values.shape}, not {(len(theta), len(self.data.x))}'
            )
        if not np.isfinite(values).all(axis=1).any():
            raise PhysicsError(
                f'{head}: of {len(theta)} sets of parameters drawn from it none gives finite values (for example '
                f'{where}). Narrow the priors to where the model is defined'
            )
        width = 1.0 if self.data.error is None else self.data.error
        return np.asarray((((self.data.y - values) / width) ** 2).sum(axis=1))
