"""How a model of one property comes back from its state, and what all of them check and compute alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.registry import PartError
from aiida_inversedesign.campaign.contracts.surrogate import Regressor, SurrogateKind, surrogate_kind
from aiida_inversedesign.errors import InverseDesignError

#: Share of a number that its rounding in double precision, and in sums of such numbers, may reach.
_ROUNDING = 32 * float(np.finfo(np.float64).eps)


class RegressorError(InverseDesignError):
    """Data from which no model can be made, or points about which it cannot be asked."""


def kind_named(name: str) -> SurrogateKind:
    """The kind of surrogate of a name.

    :raises RegressorError: if it is not installed or cannot be imported.
    """
    try:
        return surrogate_kind(name)
    except PartError as error:
        raise RegressorError(str(error)) from error


def regressor_from_state(state: dict[str, Any]) -> Regressor:
    """The model of :meth:`Regressor.state`.

    :raises RegressorError: if its kind is not installed, or the state was written by another version.
    """
    model = kind_named(str(state.get('kind'))).regressor.from_state(state)
    adjusted = state.get('adjusted')
    if adjusted is None:
        return model
    pending = np.array(adjusted['pending'], dtype=np.float64).reshape(-1, model.X.shape[1])
    return model.with_factor(float(adjusted['factor'])).condition(pending)


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
    """Offset and scale of targets, and whether they are flat: equal but for the rounding of double precision.

    Energies of −500 000 eV that differ by 0.1 meV are not; nor are conductivities of 10⁻²⁰ S/m.

    :param y: shape (n,), any unit.
    :returns: mean; standard deviation, or where the targets carry none (one row, or all equal) a tenth of their size
        (1 if that is zero); True in that case.
    """
    offset = float(y.mean())
    spread = float(y.std(ddof=1)) if len(y) > 1 else 0.0
    flat = spread <= _ROUNDING * float(np.abs(y).max())
    return offset, (0.1 * abs(offset) or 1.0) if flat else spread, flat


def normal_within(mean: Array, deviation: Array, low: float, high: float) -> Array:
    """Probability of an interval under normal distributions, shape (m,)."""
    from scipy.special import ndtr

    width = np.maximum(deviation, _ROUNDING * np.abs(mean) + np.finfo(np.float64).tiny)
    # differences in the upper tail would vanish: count from the nearer side
    upper = np.where(low > mean, ndtr((mean - low) / width) - ndtr((mean - high) / width), 0.0)
    lower = np.where(low > mean, 0.0, ndtr((high - mean) / width) - ndtr((low - mean) / width))
    return np.asarray(np.clip(upper + lower, 0.0, 1.0))
