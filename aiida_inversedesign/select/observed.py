"""What is known when a batch is chosen, as arrays: the same for campaigns and for plain feature matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida_inversedesign.learn.surrogate import Surrogate


class SelectError(InverseDesignError):
    """A batch cannot be chosen from its inputs."""


@dataclass(frozen=True)
class Observed:
    """The evaluations so far.

    :param inputs: standardised descriptors, shape (n, d).
    :param values: each property in its unit, shape (n,); NaN where it is not known.
    :param failed: whether the evaluation failed, shape (n,).
    :raises SelectError: if the lengths differ.
    """

    inputs: Array
    values: dict[str, Array]
    failed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        lengths = {len(self.inputs), len(self.failed), *map(len, self.values.values())}
        if len(lengths) > 1:
            raise SelectError(f'inputs, values and failures of different lengths ({sorted(lengths)}): one row each')

    @classmethod
    def from_rows(
        cls, rows: Sequence[EvaluationRow], surrogate: Surrogate, properties: Sequence[str], space: SpaceSection
    ) -> Observed:
        """The evaluations of a table, described as the surrogate describes its candidates."""
        inputs = surrogate.inputs_of(space, rows)
        values = {
            name: np.array(
                [row.properties.get(name, np.nan) if row.status == 'completed' else np.nan for row in rows],
                dtype=np.float64,
            )
            for name in properties
        }
        return cls(inputs, values, np.array([row.status == 'failed' for row in rows], dtype=bool))

    def added(self, inputs: Array, values: dict[str, Array]) -> Observed:
        """With m further rows, none of them failed: inputs of shape (m, d), values by property of shape (m,)."""
        return Observed(
            np.concatenate([self.inputs, inputs]),
            {name: np.concatenate([known, values[name]]) for name, known in self.values.items()},
            np.concatenate([self.failed, np.zeros(len(inputs), dtype=bool)]),
        )
