"""What a physical model is: a function with named parameters, their units and their priors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.errors import InverseDesignError

#: The parameter that stands for an unknown deviation of the data.
NOISE = 'noise'


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


def model_named(name: str) -> PhysicalModel:
    """An installed model (entry points of the group ``aiida_inversedesign.physical_models``).

    :raises PhysicsError: if the entry point is not a model. :raises PartError: if there is none.
    """
    found = registry.part('physical_models', name)
    if not isinstance(found, PhysicalModel) or found.name != name:
        raise PhysicsError(f'the physical model {name!r} is not a PhysicalModel of that name: correct its entry point')
    return found
