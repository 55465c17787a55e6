"""The surrogate of a campaign: one Gaussian process per property on the descriptors of proposed crystals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.features import feature_names, featurize
from aiida_inversedesign.learn.gp import GaussianProcess, GpError, fit_gp
from aiida_inversedesign.learn.table import EvaluationRow

Array = NDArray[np.float64]

#: Fewest completed rows with a property before it is modelled.
MINIMUM_ROWS = 3
#: Standardised descriptors are cut here: an odd proposal must not lie infinitely far from everything.
_LIMIT = 5.0
#: Version of the layout of :meth:`Surrogate.state`.
STATE_VERSION = 1


class SurrogateError(InverseDesignError):
    """No surrogate can be made of the rows so far."""


@dataclass(frozen=True)
class Surrogate:
    """Fitted models of one or several properties.

    :param kind: the method, ``gp``.
    :param center: mean of each descriptor over the training rows, shape (d,).
    :param width: standard deviation of each descriptor, 1 where it does not vary, shape (d,).
    :param models: the process of each property, in its own unit.
    """

    kind: str
    seed: int
    names: tuple[str, ...]
    center: Array
    width: Array
    models: dict[str, GaussianProcess]

    def inputs(self, crystals: Sequence[Crystal], probabilities: Sequence[float | None]) -> Array:
        """Standardised descriptors of crystals, shape (n, d), the inputs of every model."""
        return self.standardise(featurize(crystals, probabilities)[0])

    def standardise(self, features: Array) -> Array:
        """Descriptors on the scale of the training rows, cut at five standard deviations, shape (n, d)."""
        return np.clip((features - self.center) / self.width, -_LIMIT, _LIMIT)

    def predict(
        self, crystals: Sequence[Crystal], probabilities: Sequence[float | None]
    ) -> dict[str, tuple[Array, Array]]:
        """Mean and standard deviation of every property, each of shape (n,), in the property's unit."""
        inputs = self.inputs(crystals, probabilities)
        return {name: model.predict(inputs) for name, model in self.models.items()}

    def state(self) -> dict[str, Any]:
        """Plain JSON data from which :meth:`from_state` makes the same surrogate without fitting again."""
        return {
            'version': STATE_VERSION,
            'kind': self.kind,
            'seed': self.seed,
            'names': list(self.names),
            'center': self.center.tolist(),
            'width': self.width.tolist(),
            'models': {name: model.state() for name, model in self.models.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Surrogate:
        """The surrogate of :meth:`state`.

        :raises SurrogateError: if it was written by another version, or for other descriptors.
        """
        if state.get('version') != STATE_VERSION:
            raise SurrogateError(
                f'surrogate state of version {state.get("version")!r}; this package reads {STATE_VERSION}: '
                'fit it again from its table'
            )
        if state['names'] != feature_names():
            raise SurrogateError('the surrogate was fitted with other descriptors: fit it again from its table')
        return cls(
            kind=state['kind'],
            seed=state['seed'],
            names=tuple(state['names']),
            center=np.array(state['center'], dtype=np.float64),
            width=np.array(state['width'], dtype=np.float64),
            models={name: GaussianProcess.from_state(model) for name, model in state['models'].items()},
        )


def scaling(features: Array) -> tuple[Array, Array]:
    """Center and width (1 where a descriptor does not vary) of descriptors of shape (n, d)."""
    center, width = features.mean(axis=0), features.std(axis=0)
    return center, np.where(width > 1e-9 * np.maximum(np.abs(center), 1.0), width, 1.0)


def fit_surrogate(rows: Sequence[EvaluationRow], properties: Sequence[str], kind: str, seed: int) -> Surrogate:
    """Fit a surrogate to the completed evaluations.

    Each property is learned from every completed row that has it; the inputs are the crystals as proposed, which is
    all that is known of a candidate.

    :param properties: names of the properties to model.
    :param kind: ``auto`` or ``gp``.
    :raises SurrogateError: if the kind is unknown, nothing is asked for, or a property has fewer than three rows.
    """
    if kind not in ('auto', 'gp'):
        raise SurrogateError(f'unknown surrogate {kind!r}: use auto or gp')
    if not properties:
        raise SurrogateError('no properties to model: the goal must name at least one')
    usable = [
        row for row in rows if row.status == 'completed' and any(_value(row, name) is not None for name in properties)
    ]
    for name in properties:
        count = sum(_value(row, name) is not None for row in usable)
        if count < MINIMUM_ROWS:
            raise SurrogateError(
                f'{count} completed evaluation(s) have a value of {name!r}, at least {MINIMUM_ROWS} are needed '
                f'({len(rows)} evaluations in all): evaluate more candidates first'
            )
    features, names = featurize([row.proposed for row in usable], [row.probability for row in usable])
    center, width = scaling(features)
    inputs = np.clip((features - center) / width, -_LIMIT, _LIMIT)
    models = {}
    for name in properties:
        values = [_value(row, name) for row in usable]
        known = [index for index, value in enumerate(values) if value is not None]
        targets = np.array([values[index] for index in known], dtype=np.float64)
        try:
            models[name] = fit_gp(inputs[known], targets, seed)
        except GpError as error:
            raise SurrogateError(f'no surrogate of {name!r}: {error}') from error
    return Surrogate('gp', seed, tuple(names), center, width, models)


def _value(row: EvaluationRow, name: str) -> float | None:
    """The row's finite value of a property; NaN and infinity are no measurements."""
    value = row.properties.get(name)
    return float(value) if value is not None and np.isfinite(value) else None
