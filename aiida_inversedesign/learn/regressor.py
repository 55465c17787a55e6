"""What every model of one property can be asked, whatever its method, and how one comes back from its state."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.errors import InverseDesignError

Array = NDArray[np.float64]

#: Where the model of each kind is defined; imported when it is needed.
_CLASSES = {
    'gp': ('aiida_inversedesign.learn.models.gp', 'GaussianProcess'),
    'forest': ('aiida_inversedesign.learn.models.forest', 'Forest'),
    'bootstrap': ('aiida_inversedesign.learn.models.bootstrap', 'Bootstrap'),
    'transfer': ('aiida_inversedesign.learn.models.transfer', 'Transfer'),
    'multitask': ('aiida_inversedesign.learn.models.multitask', 'MultiTask'),
    'hurdle': ('aiida_inversedesign.learn.models.hurdle', 'Hurdle'),
    'mixture': ('aiida_inversedesign.learn.models.mixture', 'Mixture'),
}


class RegressorError(InverseDesignError):
    """Data from which no model can be made, or points about which it cannot be asked."""


class Regressor(Protocol):
    """One property as a function of standardised descriptors; it never changes after it was fitted.

    Every attribute and method speaks the unit of the property.
    """

    @property
    def kind(self) -> str:
        """The method: ``gp``, ``forest``, ``bootstrap``, ``transfer``, ``multitask``, ``hurdle`` or ``mixture``."""

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

        The deviation is that of the value which an evaluation of a new crystal would give: evaluations repeat
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

    def state(self) -> dict[str, Any]:
        """Plain JSON data, with its ``kind``, from which :func:`regressor_from_state` makes the same model."""


def regressor_from_state(state: dict[str, Any]) -> Regressor:
    """The model of :meth:`Regressor.state`.

    :raises RegressorError: if the kind is unknown or the state was written by another version.
    """
    # states of version 1 name no kind: there was only one
    kind = state.get('kind', 'gp')
    if kind not in _CLASSES:
        raise RegressorError(f'state of a surrogate of unknown kind {kind!r}; known are {", ".join(_CLASSES)}')
    module, name = _CLASSES[kind]
    model: Regressor = getattr(importlib.import_module(module), name).from_state(state)
    return model


def check_training(X: Array, y: Array) -> tuple[Array, Array]:
    """Training data as arrays of doubles of their own.

    :param X: inputs, shape (n, d).
    :param y: targets, shape (n,).
    :raises RegressorError: if there are no rows or columns, the shapes differ, or a number is not finite.
    """
    X = np.array(X, dtype=np.float64)
    y = np.array(y, dtype=np.float64)
    if X.ndim != 2 or y.shape != (len(X),):
        raise RegressorError(f'inputs of shape {X.shape} and targets of shape {y.shape}: one target per row is needed')
    if len(X) == 0 or X.shape[1] == 0:
        raise RegressorError('no rows or no descriptors to learn from')
    for what, values in (('descriptors', X), ('targets', y)):
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(X), -1)).all(axis=1))
        if len(bad):
            raise RegressorError(f'{what} of row(s) {bad[:5].tolist()} contain NaN or infinity: leave these rows out')
    return X, y


def check_inputs(X: Array, columns: int) -> Array:
    """Points to be asked about, as doubles of shape (m, d).

    :raises RegressorError: if they have another number of columns than ``columns`` or are not finite.
    """
    X = np.atleast_2d(np.asarray(X, dtype=np.float64))
    if X.shape[1] != columns:
        raise RegressorError(f'fitted on {columns} descriptors, asked about {X.shape[1]}')
    if not np.isfinite(X).all():
        raise RegressorError('descriptors contain NaN or infinity')
    return X


def target_scale(y: Array) -> tuple[float, float, bool]:
    """Offset and scale of targets, and whether they are flat.

    :returns: mean; standard deviation, or where the targets carry none (one row, or all equal) a tenth of their size
        (1 if that is zero); True in that case.
    """
    offset = float(y.mean())
    spread = float(y.std(ddof=1)) if len(y) > 1 else 0.0
    flat = spread <= 1e-9 * max(abs(offset), 1e-9)
    return offset, (0.1 * abs(offset) or 1.0) if flat else spread, flat


class OfTargets:
    """Offset and scale of a model that follow from its training targets."""

    if TYPE_CHECKING:

        @property
        def y(self) -> Array:
            """Training targets, shape (n,)."""

    @property
    def offset(self) -> float:
        """Mean of the targets."""
        return float(self.y.mean())

    @property
    def scale(self) -> float:
        """Standard deviation of the targets, or its stand-in where they have none."""
        return target_scale(self.y)[1]


def normal_within(mean: Array, deviation: Array, low: float, high: float) -> Array:
    """Probability of an interval under normal distributions, shape (m,)."""
    from scipy.special import ndtr

    width = np.maximum(deviation, 1e-12 * np.maximum(np.abs(mean), 1.0))
    # differences in the upper tail would vanish: count from the nearer side
    upper = np.where(low > mean, ndtr((mean - low) / width) - ndtr((mean - high) / width), 0.0)
    lower = np.where(low > mean, 0.0, ndtr((high - mean) / width) - ndtr((low - mean) / width))
    return np.asarray(np.clip(upper + lower, 0.0, 1.0))
