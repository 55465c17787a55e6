"""The surrogate of a campaign: one model per property on descriptors, and one of failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.contracts.surrogate import Regressor
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.learn.failure import FailureModel
from aiida_inversedesign.learn.regressor import RegressorError, regressor_from_state
from aiida_inversedesign.learn.scaling import standardised

if TYPE_CHECKING:
    from aiida_inversedesign.learn.curves.model import CurveModel


#: What the name of a descriptor begins with that is an estimate of a potential.
_ESTIMATED = 'estimated_'
#: Version of the layout of :meth:`Surrogate.state`.
STATE_VERSION = 3


class SurrogateError(InverseDesignError):
    """No surrogate can be made of the rows so far."""


@dataclass(frozen=True)
class Surrogate:
    """Fitted models of one or several properties.

    :param kind: what was asked for: ``auto`` or an installed surrogate.
    :param names: of the descriptors, length d; those of estimates (:func:`estimate_column`) come last.
    :param center: mean of each descriptor over the training rows, shape (d,).
    :param width: standard deviation of each descriptor, 1 where it does not vary, shape (d,).
    :param models: the model of each property, in its own unit.
    :param failure: probability that an evaluation fails, or None if failures are not learned.
    :param record: for each property which models competed, their scores, and why the chosen one.
    :param curves: models of properties that are functions, for what is shown of them.
    """

    kind: str
    seed: int
    names: tuple[str, ...]
    center: Array
    width: Array
    models: dict[str, Regressor]
    failure: FailureModel | None = None
    record: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, CurveModel] = field(default_factory=dict)

    def inputs_of(self, space: SpaceSection, items: Sequence[Candidate | EvaluationRow]) -> Array:
        """Standardised descriptors of candidates or rows, shape (n, d); see :meth:`inputs`."""
        return self.standardise(self.features_of(space, items))

    def features_of(self, space: SpaceSection, items: Sequence[Candidate | EvaluationRow]) -> Array:
        """The same descriptors as they are, shape (n, d); see :meth:`features`."""
        return self.features(
            space,
            [item.content for item in items],
            [item.probability for item in items],
            [item.estimates for item in items],
        )

    def inputs(
        self,
        space: SpaceSection,
        contents: Sequence[Any],
        probabilities: Sequence[float | None],
        estimates: Sequence[Mapping[str, float]] | None = None,
    ) -> Array:
        """Standardised descriptors of what a space's candidates are, shape (n, d), the inputs of every model.

        :param estimates: what a potential says of properties of each candidate, length n; where it says nothing, the
            mean of the training rows stands for it.
        :raises SurrogateError: if the surrogate was fitted on other descriptors than those of the space.
        """
        return self.standardise(self.features(space, contents, probabilities, estimates))

    def features(
        self,
        space: SpaceSection,
        contents: Sequence[Any],
        probabilities: Sequence[float | None],
        estimates: Sequence[Mapping[str, float]] | None = None,
    ) -> Array:
        """The same descriptors as they are, shape (n, d), with the names :attr:`names`."""
        features, names = space.describe(contents, probabilities)
        estimated = tuple(name for name in self.names if estimated_property(name) is not None)
        own = self.names[: len(self.names) - len(estimated)]
        if own != tuple(names):
            # it may have been fitted on some of the columns, never on others
            indices = {name: index for index, name in enumerate(names)}
            chosen = [indices[name] for name in own if name in indices]
            features, names = features[:, chosen], [names[index] for index in chosen]
        if own != tuple(names) or self.names[len(own) :] != estimated or (len(own) < 1):
            raise SurrogateError('the surrogate was fitted with other descriptors: fit it again from its table')
        if estimated:
            columns = estimate_values(estimates or [{}] * len(contents), estimated)
            features = np.column_stack([features, np.where(np.isfinite(columns), columns, self.center[len(names) :])])
        return features

    def standardise(self, features: Array) -> Array:
        """Descriptors on the scale of the training rows, cut at five standard deviations, shape (n, d)."""
        return standardised(features, self.center, self.width)

    def predict(
        self,
        space: SpaceSection,
        contents: Sequence[Any],
        probabilities: Sequence[float | None],
        estimates: Sequence[Mapping[str, float]] | None = None,
    ) -> dict[str, tuple[Array, Array]]:
        """Mean and standard deviation of every property, each of shape (n,), in the property's unit."""
        inputs = self.inputs(space, contents, probabilities, estimates)
        return {name: model.predict(inputs) for name, model in self.models.items()}

    def state(self) -> dict[str, Any]:
        """Plain JSON data from which :meth:`from_state` makes the same surrogate."""
        return {
            'version': STATE_VERSION,
            'kind': self.kind,
            'seed': self.seed,
            'names': list(self.names),
            'center': self.center.tolist(),
            'width': self.width.tolist(),
            'models': {name: model.state() for name, model in self.models.items()},
            'failure': self.failure.state() if self.failure else None,
            'record': self.record,
            **({'curves': {name: model.state() for name, model in self.curves.items()}} if self.curves else {}),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Surrogate:
        """The surrogate of :meth:`state`.

        :raises SurrogateError: if it was written by another version, for other descriptors, or a kind of model is not
            installed.
        """
        from aiida_inversedesign.learn.curves.model import CurveModel

        if state.get('version') != STATE_VERSION:
            raise SurrogateError(
                f'surrogate state of version {state.get("version")!r}; this package reads {STATE_VERSION}: '
                'fit it again from its table'
            )
        try:
            models = {name: regressor_from_state(model) for name, model in state['models'].items()}
            failure = FailureModel.from_state(state['failure']) if state.get('failure') else None
            curves = {name: CurveModel.from_state(model) for name, model in state.get('curves', {}).items()}
        except RegressorError as error:
            raise SurrogateError(f'{error}: fit the surrogate again from its table') from error
        return cls(
            kind=state['kind'],
            seed=state['seed'],
            names=tuple(state['names']),
            center=np.array(state['center'], dtype=np.float64),
            width=np.array(state['width'], dtype=np.float64),
            models=models,
            failure=failure,
            record=dict(state.get('record', {})),
            curves=curves,
        )


def estimate_column(name: str) -> str:
    """Name of the descriptor that is a potential's estimate of a property."""
    return f'{_ESTIMATED}{name}'


def estimated_property(column: str) -> str | None:
    """The property that a descriptor estimates; None for other descriptors."""
    return column.removeprefix(_ESTIMATED) if column.startswith(_ESTIMATED) else None


def estimate_values(estimates: Sequence[Mapping[str, float]], columns: Sequence[str]) -> Array:
    """Estimates as descriptors, shape (n, number of columns); NaN where there is none."""
    names = [column.removeprefix(_ESTIMATED) for column in columns]
    rows = [[float(item.get(name, np.nan)) for name in names] for item in estimates]
    return np.array(rows, dtype=np.float64).reshape(len(estimates), len(columns))
