"""The volume per atom that a composition alone suggests: element volumes and a small ensemble of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.errors import InverseDesignError

Counts = Mapping[str, int]
Arrays = dict[str, NDArray[np.generic]]

#: z-scores beyond this are cut: elements rare in a library lie far outside (by judgement)
CLIP = 5.0
#: atomic fractions are multiplied by this, to weigh about as much as a z-score (fractions scatter by about 0.2)
FRACTION_SCALE = 5.0
#: the networks predict this many times the residual, so that their targets are of order one
TARGET_SCALE = 10.0


class VolumeModelError(InverseDesignError):
    """A volume model that cannot be read, or a library none can be fitted on."""


@dataclass(frozen=True, eq=False)
class CompositionNetwork:
    """log(volume per atom) of a composition: the sum of element volumes times the exponential of what the networks say.

    Their inputs are the 290 z-scored composition descriptors, and the fraction of every element.

    :param volumes: volume per atom of every element of the table in compounds, Å³, shape (elements,).
    :param scaler: mean and standard deviation of the descriptors.
    :param layers: weights, shape (members, inputs, outputs), and biases, shape (members, 1, outputs), of each layer.
    """

    volumes: NDArray[np.float64]
    scaler: Scaler
    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...] = ()

    @property
    def members(self) -> int:
        """Number of networks."""
        return len(self.layers[0][0])

    def inputs(self, compositions: Sequence[Counts]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What the networks read, shape (n, inputs), and log(volume per atom) by the element volumes, shape (n,).

        :raises ElementError: if the element table has no data for an element.
        """
        table = element_table()
        fractions = np.zeros((len(compositions), len(table.symbols)))
        for row, counts in enumerate(compositions):
            total = sum(counts.values())
            for symbol, count in counts.items():
                fractions[row, table.index[symbol]] = count / total
        described = np.clip(self.scaler.transform(describe(compositions)), -CLIP, CLIP)
        joined = np.concatenate([described, FRACTION_SCALE * fractions], axis=1)
        return joined.astype(np.float32), np.log(fractions @ self.volumes)

    def predict(self, compositions: Sequence[Counts]) -> NDArray[np.float64]:
        """log(volume per atom / Å³) by each member, shape (members, n)."""
        x, baseline = self.inputs(compositions)
        hidden = x[None]
        for number, (weights, bias) in enumerate(self.layers):
            if number:
                # SiLU; the clip keeps exp from overflowing
                hidden = hidden / (1 + np.exp(-np.maximum(hidden, -60)))
            hidden = hidden @ weights + bias
        return np.asarray(hidden[:, :, 0].astype(np.float64) / TARGET_SCALE + baseline)

    def to_arrays(self) -> Arrays:
        """The state as plain arrays; weights in half precision."""
        arrays: Arrays = {
            'element_volumes': self.volumes.astype(np.float32),
            'descriptor_mean': self.scaler.mean,
            'descriptor_std': self.scaler.std,
            'features': np.array(list(element_table().names), dtype=np.bytes_),
        }
        for number, (weights, bias) in enumerate(self.layers):
            arrays[f'weights_{number}'] = weights.astype(np.float16)
            arrays[f'bias_{number}'] = bias
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> CompositionNetwork:
        """The network of :meth:`to_arrays` (named arrays).

        :raises VolumeModelError: if arrays are missing or belong to another element table.
        """
        try:
            features = [name.decode() for name in arrays['features'].tolist()]
            number = sum(name.startswith('weights_') for name in arrays)
            layers = tuple(
                (arrays[f'weights_{i}'].astype(np.float32), arrays[f'bias_{i}'].astype(np.float32))
                for i in range(number)
            )
            scaler = Scaler(arrays['descriptor_mean'].astype(np.float64), arrays['descriptor_std'].astype(np.float64))
            volumes = arrays['element_volumes'].astype(np.float64)
        except KeyError as error:
            raise VolumeModelError(
                f'this is not a volume model: the array {error} is missing: train it again'
            ) from error
        if features != list(element_table().names) or len(volumes) != len(element_table().symbols):
            raise VolumeModelError('the volume model was trained with another element table: train it again')
        return cls(volumes, scaler, layers)
