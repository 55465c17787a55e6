"""CSPML: the probability that a template's structure is also that of a formula, from compositions alone.

An ensemble of networks looks at |x_i - x_j|, the difference of two z-scored composition descriptors, and was trained
on whether the structures of i and j are similar. Source: Kusaba, Liu and Yoshida, Comput. Mater. Sci. 211, 111496
(2022). This module holds the trained model and its inference in numpy; :mod:`.train` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.npz import Arrays, ModelError, pack, unpack

#: layout of :meth:`CspmlModel.to_bytes`
SCHEMA = 'inversedesign.cspml/1'
#: rows of one pass through the networks: bounds the memory to about 20 MB
CHUNK = 4096

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CspmlModel:
    """A trained ensemble.

    :param scaler: mean and standard deviation of the descriptors of the training library, shape (290,).
    :param members: for each network its layers as (weights (in, out), bias (out,)); batch normalisation is folded
        into them. Stored as float16.
    :param features: names of the element features the descriptors are made of.
    :param record: the model card: library hash, sizes, τ, split, scores, versions, seed.
    """

    scaler: Scaler
    members: tuple[tuple[tuple[Floats, Floats], ...], ...]
    features: tuple[str, ...]
    record: dict[str, Any]

    def describe(self, formulas: Sequence[str | dict[str, int]]) -> Floats:
        """z-scored descriptors of the formulas, shape (n, 290).

        :raises ModelError: if the model was trained with other element features.
        """
        if self.features != element_table().names:
            raise ModelError(
                'the model was trained with another element table: train it again (aiida-inversedesign cspml train)'
            )
        return self.scaler.transform(describe(formulas)).astype(np.float32)

    def probabilities(self, differences: Floats) -> NDArray[np.float64]:
        """Mean probability of the ensemble for |x_i - x_j|, shape (n, 290) → (n,)."""
        out = np.zeros(len(differences))
        for start in range(0, len(differences), CHUNK):
            block = differences[start : start + CHUNK]
            for layers in self.members:
                hidden = block
                for weights, bias in layers[:-1]:
                    hidden = hidden @ weights
                    hidden += bias
                    np.maximum(hidden, 0, out=hidden)
                weights, bias = layers[-1]
                logits = (hidden @ weights + bias)[:, 0].astype(np.float64)
                out[start : start + CHUNK] += 0.5 * (1 + np.tanh(logits / 2))
        return out / len(self.members)

    def rank(self, formula: str, library: Library, indices: Sequence[int]) -> NDArray[np.float64]:
        """The probability of each of the templates for the formula.

        :param indices: templates of the library; their ratio label should be the formula's.
        :returns: shape (len(indices),), in the order of ``indices``.
        """
        query = self.describe([parse_formula(formula)])
        templates = self.describe([library[index].crystal.counts for index in indices])
        return self.probabilities(np.abs(templates - query))

    def to_bytes(self) -> bytes:
        """The model as a npz file without pickles; the same model gives the same bytes."""
        arrays: Arrays = {
            'schema': np.array(SCHEMA),
            'record': np.array(json.dumps(self.record, sort_keys=True)),
            'features': np.array(self.features),
            'mean': self.scaler.mean,
            'std': self.scaler.std,
        }
        for member, layers in enumerate(self.members):
            for layer, (weights, bias) in enumerate(layers):
                arrays[f'weights_{member}_{layer}'] = weights.astype(np.float16)
                arrays[f'bias_{member}_{layer}'] = bias.astype(np.float32)
        return pack(arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> CspmlModel:
        """The model of :meth:`to_bytes`.

        :raises ModelError: if the bytes are not such a file.
        """
        arrays = unpack(data)
        if str(arrays.get('schema')) != SCHEMA:
            raise ModelError(f'the model has the layout {arrays.get("schema")}, expected {SCHEMA}: train it again')
        members: list[tuple[tuple[Floats, Floats], ...]] = []
        try:
            while f'weights_{len(members)}_0' in arrays:
                layers: list[tuple[Floats, Floats]] = []
                member = len(members)
                while f'weights_{member}_{len(layers)}' in arrays:
                    layer = len(layers)
                    weights = arrays[f'weights_{member}_{layer}'].astype(np.float32)
                    layers.append((weights, arrays[f'bias_{member}_{layer}'].astype(np.float32)))
                members.append(tuple(layers))
            scaler = Scaler(arrays['mean'], arrays['std'])
            features, record = tuple(arrays['features'].tolist()), json.loads(str(arrays['record']))
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise ModelError(f'the model file lacks {error}') from error
        return cls(scaler, tuple(members), features, record)
