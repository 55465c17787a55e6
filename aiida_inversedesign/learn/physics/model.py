"""What a physical model is: a function with named parameters, their units and their priors; and the data it explains.

The data are yᵢ = G(xᵢ; θ) + εᵢ with independent normal errors. Their deviation is given for each point, or it is one
unknown number, the parameter ``noise``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.errors import InverseDesignError

Array = NDArray[np.float64]

#: The parameter that stands for an unknown deviation of the data.
NOISE = 'noise'
#: Draws from the prior on which a model is tried before it is sampled.
TRIALS = 1000
#: What the prior of an unknown noise spans, relative to the standard deviation of the data: a fit that leaves less than
#: a millionth has nothing to tell of noise, one that leaves more than all of it explains nothing.
_NOISE_SPAN = (1e-6, 2.0)


class PhysicsError(InverseDesignError):
    """A model, prior or data set that cannot be used, with what to do."""


@dataclass(frozen=True)
class Prior:
    """What is known of a parameter before the data.

    :param kind: ``uniform`` or ``log_uniform`` between ``first`` and ``second``, or ``normal`` with mean ``first`` and
        standard deviation ``second``; in the parameter's unit.
    """

    kind: str
    first: float
    second: float

    def __post_init__(self) -> None:
        if self.kind not in ('uniform', 'log_uniform', 'normal'):
            raise PhysicsError(f'there is no prior {self.kind!r}: use uniform, log_uniform or normal')
        if not (math.isfinite(self.first) and math.isfinite(self.second)):
            raise PhysicsError(f'the numbers of a prior must be finite, not {self.first} and {self.second}')
        if self.kind == 'normal' and self.second <= 0:
            raise PhysicsError(f'the standard deviation of a normal prior must be positive, not {self.second}')
        if self.kind != 'normal' and self.first >= self.second:
            raise PhysicsError(f'a {self.kind} prior needs a lower and a higher bound, not {self.first}, {self.second}')
        if self.kind == 'log_uniform' and self.first <= 0:
            raise PhysicsError(f'a log_uniform prior needs positive bounds, not {self.first}')

    @property
    def bounds(self) -> tuple[float, float]:
        """Outside of which it is zero."""
        return (-math.inf, math.inf) if self.kind == 'normal' else (self.first, self.second)

    def log_density(self, values: Array) -> Array:
        """Logarithm of the density, elementwise; −∞ outside of the bounds."""
        if self.kind == 'normal':
            scaled = (values - self.first) / self.second
            return np.asarray(-0.5 * scaled**2 - math.log(self.second * math.sqrt(2 * math.pi)))
        inside = (values >= self.first) & (values <= self.second)
        if self.kind == 'uniform':
            return np.where(inside, -math.log(self.second - self.first), -np.inf)
        density = -np.log(np.where(inside, values, 1.0)) - math.log(math.log(self.second / self.first))
        return np.where(inside, density, -np.inf)

    def draw(self, rng: np.random.Generator, number: int) -> Array:
        """Values drawn from it, shape (number,)."""
        if self.kind == 'normal':
            return rng.normal(self.first, self.second, number)
        if self.kind == 'uniform':
            return rng.uniform(self.first, self.second, number)
        return np.asarray(np.exp(rng.uniform(math.log(self.first), math.log(self.second), number)))

    def to_dict(self) -> dict[str, list[float]]:
        """Plain data, e.g. ``{'uniform': [2.1, 2.2]}``."""
        return {self.kind: [self.first, self.second]}

    @classmethod
    def from_dict(cls, data: Any) -> Prior:
        """The prior of :meth:`to_dict`.

        :raises PhysicsError: if it is something else.
        """
        try:
            ((kind, (first, second)),) = data.items()
            numbers = float(first), float(second)
        except (AttributeError, TypeError, ValueError) as error:
            raise PhysicsError(f'a prior is written as {{uniform: [low, high]}}, not {data!r}') from error
        return cls(str(kind), *numbers)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model.

    :param unit: empty for a pure number.
    """

    name: str
    unit: str
    prior: Prior
    words: str = ''


@dataclass(frozen=True)
class PhysicalModel:
    """A function with named parameters.

    :param function: takes x of shape (n,) and each parameter, by its name, as an array of shape (m, 1); returns values
        of shape (m, n).
    :param x: name and unit of what the function depends on. :param y: the same of its values.
    :param words: what it is. :param source: of its equation.
    """

    name: str
    function: Callable[..., Array]
    parameters: tuple[Parameter, ...]
    x: tuple[str, str]
    y: tuple[str, str]
    words: str = ''
    source: str = ''

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        if not names or len(set(names)) < len(names) or NOISE in names:
            raise PhysicsError(f'the model {self.name!r} needs parameters of different names, none of them {NOISE!r}')

    def with_priors(self, priors: Mapping[str, Any]) -> PhysicalModel:
        """The same model with other priors of some parameters, as plain data.

        :raises PhysicsError: if a parameter is unknown or a prior is none.
        """
        names = [parameter.name for parameter in self.parameters]
        if unknown := sorted(set(priors) - {*names, NOISE}):
            raise PhysicsError(
                f'the model {self.name!r} has no parameter {", ".join(map(repr, unknown))}: it has {", ".join(names)}'
            )
        given = {name: Prior.from_dict(prior) for name, prior in priors.items()}
        return replace(
            self, parameters=tuple(replace(item, prior=given.get(item.name, item.prior)) for item in self.parameters)
        )

    def values(self, x: Array, theta: Array) -> Array:
        """Values of the model, shape (m, n); NaN where it cannot be computed.

        :param x: shape (n,). :param theta: parameters in their order, shape (m, p).
        :raises PhysicsError: if the function raises.
        """
        try:
            with np.errstate(all='ignore'):
                found = self.function(x, **{item.name: theta[:, [i]] for i, item in enumerate(self.parameters)})
            return np.asarray(found, dtype=np.float64)
        except Exception as error:  # whatever the function of somebody raises
            raise PhysicsError(
                f'the model {self.name!r} cannot be evaluated at its prior (for example at {self.words_of(theta[0])}): '
                f'{type(error).__name__}: {error}. Correct the function, or the prior of the parameter that it fails at'
            ) from error

    def words_of(self, theta: Array) -> str:
        """Names, values and units of one set of parameters, shape (p,) or longer."""
        return ', '.join(
            f'{item.name} = {value:.6g} {item.unit}'.rstrip()
            for item, value in zip(self.parameters, theta, strict=False)
        )


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


def model_named(name: str) -> PhysicalModel:
    """An installed model (entry points of the group ``aiida_inversedesign.physical_models``).

    :raises PhysicsError: if the entry point is not a model. :raises PartError: if there is none.
    """
    found = registry.part('physical_models', name)
    if not isinstance(found, PhysicalModel) or found.name != name:
        raise PhysicsError(f'the physical model {name!r} is not a PhysicalModel of that name: correct its entry point')
    return found
