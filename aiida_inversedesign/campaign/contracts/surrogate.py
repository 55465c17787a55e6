"""What a surrogate must say of itself, and what a fitted model of one property can be asked.

A package brings one by a subclass of :class:`SurrogateKind` and one entry point in the group
``aiida_inversedesign.surrogates``, whose name the campaign file then accepts in ``learn.surrogate``. What it fits is a
:class:`Regressor`; :class:`~aiida_inversedesign.learn.models.plain.PlainRegressor` derives most of that from
``predict``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from aiida_inversedesign.campaign.contracts import registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from aiida_inversedesign.campaign.curves.curve import Axis
    from aiida_inversedesign.campaign.curves.functionals import Functional

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

#: What a kind may need besides rows: ``source`` (other data to start from), ``properties`` (further properties of the
#: same table), ``usual value`` (a value that at least half of the rows have exactly), ``curves`` (the values are
#: numbers of curves, which are known).
Need = Literal['source', 'properties', 'usual value', 'curves']


class Regressor(Protocol):
    """One property as a function of standardised descriptors; it never changes after it was fitted.

    Every attribute and method is in the unit of the property.
    """

    @property
    def kind(self) -> str:
        """The name of its :class:`SurrogateKind`."""

    @property
    def normal(self) -> bool:
        """Whether its predictive distributions are normal, so that mean and deviation say everything."""

    @property
    def X(self) -> Array:  # noqa: N802 - the field's name of a matrix of inputs
        """Training inputs, shape (n, d); after :meth:`condition` the pending points come last."""

    @property
    def y(self) -> Array:
        """Training targets, shape (n,)."""

    @property
    def offset(self) -> float:
        """Mean of the targets."""

    @property
    def scale(self) -> float:
        """Standard deviation of the targets, or its stand-in where they have none."""

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the property, each of shape (m,).

        The deviation is that of the value which an evaluation of a new candidate would give: evaluations repeat
        themselves, so that what descriptors cannot resolve belongs to it. Its 80 % intervals are calibrated on
        training rows that were left out.

        :param X: inputs, shape (m, d); any number of rows, memory stays bounded.
        :raises RegressorError: if the inputs have another number of columns or are not finite.
        """

    def within(self, X: Array, low: float, high: float) -> Array:
        """Probability that the property lies between two bounds (either may be infinite), shape (m,).

        A model whose predictive distribution is not normal answers with its own distribution, so that this is
        to be preferred over the normal distribution of :meth:`predict`.
        """

    def sample(self, X: Array, number: int, seed: int) -> Array:
        """Draws of the property at all points jointly, shape (number, m)."""

    def condition(self, X: Array) -> Regressor:
        """The same model as if points had been measured at their predicted mean; nothing is fitted again.

        :param X: pending points, shape (p, d); with none the model itself is returned.
        """

    def with_factor(self, factor: float) -> Regressor:
        """The model with this factor on its uncalibrated deviations, instead of the one that the fit found."""

    def with_rows(self, X: Array, y: Array, errors: Array | None = None) -> Regressor:
        """The model of other training rows, with as little chosen or optimised again as its method allows.

        :param X: inputs, shape (n, d), standardised as those that it was fitted to.
        :param y: targets, shape (n,).
        :param errors: as :attr:`Setting.errors`.

        That of a kind that needs ``curves`` takes one more: their values on its own grid, shape (n, T).
        """

    def state(self) -> dict[str, Any]:
        """Plain JSON data, with its ``kind``, from which ``from_state`` makes the same model."""


@runtime_checkable
class Differentiable(Protocol):
    """A model with a gradient of its own; one without is asked for differences of its predictions instead."""

    def slopes(self, X: Array) -> tuple[Array, Array]:
        """Derivatives of mean and standard deviation with respect to the inputs, each of shape (m, d).

        In the unit of the property for one unit of the (standardised) input.

        :param X: inputs, shape (m, d).
        """


@runtime_checkable
class LeavesOut(Protocol):
    """A model that can say of each training row, without a new fit, what it would predict without that row."""

    def left_out(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each training row without its target, each of shape (n,), NaN where unknown.

        In the unit of the property, with the model's factor on the deviations.
        """


class Stored(Regressor, Protocol):
    """A model that comes back from its state."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Regressor:
        """The model of :meth:`Regressor.state`.

        :raises RegressorError: if the state was written by another version.
        """


@dataclass(frozen=True, eq=False)
class Other:
    """Another property of the table.

    :param X: inputs of the rows that have a value of it, shape (m, d), standardised as those of the property itself.
    :param y: the values, shape (m,).
    :param shared: which of these rows have a value of the property itself too, shape (m,).
    """

    name: str
    X: Array
    y: Array
    shared: Mask


@dataclass(frozen=True, eq=False)
class CurveRows:
    """The curves of which the targets are numbers: each target is (number − origin) / unit.

    :param axis: what they are functions of. :param grid: points of it, shape (T,).
    :param values: of the rows, shape (n, T), NaN where a curve has no value; of a row without its curve nowhere.
    :param kind: what is to learn them: ``auto``, or a name of :data:`~aiida_inversedesign.learn.curves.model.NAMES`.
    """

    axis: Axis
    grid: Array
    values: Array
    functional: Functional
    kind: str = 'auto'
    origin: float = 0.0
    unit: float = 1.0

    @property
    def known(self) -> Mask:
        """Which rows have their curve, shape (n,)."""
        found: Mask = (self.values == self.values).any(axis=1)
        return found

    def at(self, rows: Any, unit: float = 1.0, origin: float = 0.0) -> CurveRows:
        """Those of some rows, whose targets are counted from another origin in another unit."""
        return replace(self, values=self.values[rows], origin=self.origin + self.unit * origin, unit=self.unit * unit)


@dataclass(frozen=True)
class Setting:
    """What models of one table share.

    :param seed: of everything that is drawn: trees, resampled rows, folds.
    :param composition: which columns describe the composition, or None where that means nothing.
    :param priors: functions of raw descriptors learned from other data
        (:class:`~aiida_inversedesign.learn.models.transfer.Prior`).
    :param center: by which the inputs were standardised, shape (d,); None: they are raw.
    :param others: the other properties of the table, for a kind that needs ``properties``.
    :param errors: standard error of each target in its unit, shape (n,), NaN where it is not known; None: of no target.
        A kind may ignore them, as all but the Gaussian process ``gp`` do. One that uses them adds their mean square to
        the variance of its predictions: the next evaluation has an error too.
    :param curves: of which the targets are numbers, for a kind that needs ``curves``; None if they are not numbers of
        curves, or no row has its curve.
    """

    seed: int = 0
    composition: Mask | None = None
    priors: tuple[Any, ...] = ()
    center: Array | None = None
    width: Array | None = None
    others: tuple[Other, ...] = ()
    errors: Array | None = None
    curves: CurveRows | None = None

    def at(self, rows: Any, unit: float = 1.0, origin: float = 0.0) -> Setting:
        """The setting of some of the rows, whose targets are counted from another origin in another unit."""
        curves = None if self.curves is None else self.curves.at(rows, unit, origin)
        if self.errors is None and unit == 1.0:
            return self if curves is None else replace(self, curves=curves)
        errors = None if self.errors is None else self.errors[rows] / unit
        priors = tuple(prior.counted_in(unit) for prior in self.priors)
        return replace(self, errors=errors, priors=priors, curves=curves)


Fit = Callable[['Array', 'Array', Setting], Regressor]


class SurrogateKind(ABC):
    """One kind of surrogate: how it is fitted, and how it comes back from its state."""

    #: What the campaign file calls it: the name of its entry point.
    name: ClassVar[str]
    #: The class of its models, with a ``from_state``.
    regressor: ClassVar[type[Stored]]
    #: What its models are, in the plural, for the methods paragraph, e.g. ``random forests``; empty: its name.
    words: ClassVar[str] = ''
    #: What a paper cites for it: keys of ``paper/references.bib``, or BibTeX entries of its own, one field
    #: a line.
    citations: ClassVar[tuple[str, ...]] = ()
    #: What it needs besides rows.
    needs: ClassVar[tuple[Need, ...]] = ()
    #: Whether it uses ``Setting.priors``, which campaigns named in ``learn.from`` give.
    takes_priors: ClassVar[bool] = False
    #: Whether deviations are calibrated on left-out rows; False for one that gives probabilities, not densities.
    calibrated: ClassVar[bool] = True

    @abstractmethod
    def fit(self, X: Array, y: Array, setting: Setting) -> Regressor:
        """A model of these rows; the same arguments give the same model.

        :param X: inputs in the order in which they were evaluated, shape (n, d), scaled to about unit variance.
        :param y: targets, shape (n,).
        :raises RegressorError: if the data cannot be learned from.
        """

    def recipes(self, setting: Setting) -> dict[str, Fit]:
        """The fits that compete, the simpler first, by name: the kind and, after a slash, what is special of it."""
        return {self.name: self.fit}

    def left_out(self, X: Array, y: Array, setting: Setting) -> tuple[Array, Array] | None:
        """Mean and uncalibrated deviation of each row by parts of a model that have not seen it, each of shape (n,).

        By default None: rows are left out in turn and the model is fitted to the others. NaN where no part is left.
        """
        return None

    def lacks(self, setting: Setting) -> str:
        """What it needs and this setting does not have, as a phrase that follows its name; empty if nothing."""
        if 'source' in self.needs and not setting.priors:
            return LACKS['source']
        if 'curves' in self.needs and setting.curves is None:
            return LACKS['curves']
        return LACKS['properties'] if 'properties' in self.needs and not setting.others else ''


#: What is said where a need is not met, as phrases that follow the name.
LACKS: dict[Need, str] = {
    'source': 'needs other data to learn from: name learn.source or learn.from, or use another surrogate',
    'properties': 'learns several properties together, and there is one: use another surrogate',
    'usual value': 'needs a value that at least half of the rows have exactly: use another surrogate',
    'curves': 'learns curves, and this property is not a number of one: ask for a functional, or use another surrogate',
}


def surrogate_kind(name: str) -> SurrogateKind:
    """The kind of surrogate of a name.

    :raises PartError: if it is not installed, cannot be imported, or is not a kind of surrogate.
    """
    return registry.make('surrogates', name, SurrogateKind)  # type: ignore[type-abstract]
