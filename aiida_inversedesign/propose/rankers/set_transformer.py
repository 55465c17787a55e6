"""Embeds compositions and structures so that a dot product tells how likely a template's structure is for a formula.

A formula is a set of elements with amounts. Each element is a token (its z-scored features and its amount), a further
token carries the composition descriptors; attention among them (Vaswani et al., NeurIPS 2017; without positions, as in
Lee et al., Set Transformer, ICML 2019) lets every element see which partners it has. The descriptor token's last state
gives the *query* of a formula and, with the template's structure fingerprint, the *key* of a template. Here is the
trained network in numpy; :mod:`.train_ranker` makes one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import describe
from aiida_inversedesign.chemistry.elements import element_table

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]
Counts = Mapping[str, int]

#: amounts above this share one embedding; 99.8 % of the amounts in reduced formulas of known crystals are below
MAX_AMOUNT = 31
#: standard deviations beyond which a descriptor is cut: an exotic element must not drown all others
CLIP = 8.0
#: compositions embedded at once: bounds the memory to about 30 MB
CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Tokens:
    """Compositions as arrays, n of at most w elements each.

    :param rows: rows of the element table, shape (n, w); 0 where there is no element.
    :param amounts: reduced amounts, at most :data:`MAX_AMOUNT`, shape (n, w).
    :param fractions: atomic fractions, shape (n, w).
    :param present: where there is an element, shape (n, w).
    :param descriptors: composition descriptors, not scaled, shape (n, 290).
    """

    rows: NDArray[np.int64]
    amounts: NDArray[np.int64]
    fractions: Floats
    present: NDArray[np.bool_]
    descriptors: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, compositions: Sequence[Counts]) -> Tokens:
        """The tokens of compositions (reduced element counts).

        :raises ElementError: if the element table has no data for an element.
        """
        table = element_table()
        n, width = len(compositions), max((len(item) for item in compositions), default=1)
        rows = np.zeros((n, width), dtype=np.int64)
        amounts = np.zeros((n, width), dtype=np.int64)
        for position, item in enumerate(compositions):
            rows[position, : len(item)] = table.rows(item)
            amounts[position, : len(item)] = list(item.values())
        present = amounts > 0
        fractions = (amounts / amounts.sum(axis=1, keepdims=True)).astype(np.float32)
        return cls(rows, np.minimum(amounts, MAX_AMOUNT), fractions, present, describe(compositions))

    def take(self, index: Any) -> Tokens:
        """The tokens of some of the compositions."""
        return Tokens(
            self.rows[index],
            self.amounts[index],
            self.fractions[index],
            self.present[index],
            self.descriptors[index],
        )


@dataclass(frozen=True, eq=False)
class SetTransformer:
    """A trained network.

    :param arrays: weights by name, as :func:`aiida_inversedesign.propose.training.train_ranker.weights_of` writes them.
    """

    arrays: Arrays

    @cached_property
    def _w(self) -> dict[str, Floats]:
        return {name: np.asarray(value, dtype=np.float32) for name, value in self.arrays.items()}

    @cached_property
    def _elements(self) -> Floats:
        """Each element's token before its amount is added, shape (elements, d)."""
        features = element_table().zscored.astype(np.float32)
        return self._linear(features, 'element')

    @property
    def layers(self) -> int:
        """Number of attention layers."""
        return sum(name.endswith('.qkv.weight') for name in self.arrays)

    @property
    def heads(self) -> int:
        """Number of attention heads."""
        return int(self.arrays['heads'])

    def _linear(self, x: Floats, name: str) -> Floats:
        out: Floats = x @ self._w[f'{name}.weight']
        out += self._w[f'{name}.bias']
        return out

    def _normalise(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)
        centred /= scale
        return np.asarray(centred * self._w[f'{name}.weight'] + self._w[f'{name}.bias'])

    def states(self, tokens: Tokens) -> Floats:
        """The state that queries and keys are made of, shape (n, d)."""
        parts = [
            self._states(tokens.take(slice(start, start + CHUNK))) for start in range(0, len(tokens), CHUNK)
        ]  # fmt: skip
        width = self._w['norm.weight'].shape[0]
        return np.concatenate(parts) if parts else np.empty((0, width), dtype=np.float32)

    def _states(self, tokens: Tokens) -> Floats:
        w = self._w
        descriptors = (tokens.descriptors - w['mean']) / w['std']
        hidden = self._linear(np.clip(descriptors, -CLIP, CLIP).astype(np.float32), 'descriptor_in')
        summary = self._linear(np.maximum(hidden, 0, out=hidden), 'descriptor_out')
        fractions = np.stack([tokens.fractions, np.sqrt(tokens.fractions)], axis=-1)
        elements = self._elements[tokens.rows] + w['amount.weight'][tokens.amounts]
        elements += self._linear(fractions, 'fraction')
        x = np.concatenate([summary[:, None, :], elements], axis=1)
        present = np.concatenate([np.ones((len(x), 1), dtype=bool), tokens.present], axis=1)
        mask = np.where(present, 0.0, -1e9).astype(np.float32)[:, None, None, :]
        for layer in range(self.layers):
            # only the descriptor token is read in the end, so the last layer computes no other
            x = self._layer(x, mask, f'layer{layer}', first_only=layer == self.layers - 1)
        return self._normalise(x[:, 0], 'norm')

    def _layer(self, x: Floats, mask: Floats, name: str, first_only: bool) -> Floats:
        n, t, d = x.shape
        h = self.heads
        weight, bias = self._w[f'{name}.qkv.weight'], self._w[f'{name}.qkv.bias']
        normed = self._normalise(x, f'{name}.norm1')
        asked = normed[:, :1] if first_only else normed
        q = (asked @ weight[:, :d] + bias[:d]).reshape(n, -1, h, d // h).transpose(0, 2, 1, 3)
        kv = (normed @ weight[:, d:] + bias[d:]).reshape(n, t, 2, h, d // h).transpose(2, 0, 3, 1, 4)
        logits = q @ kv[0].swapaxes(-1, -2)
        logits *= 1 / np.sqrt(d // h)
        logits += mask
        logits -= logits.max(axis=-1, keepdims=True)
        attention = np.exp(logits, out=logits)
        attention /= attention.sum(axis=-1, keepdims=True)
        mixed = (attention @ kv[1]).transpose(0, 2, 1, 3).reshape(n, -1, d)
        x = (x[:, :1] if first_only else x) + self._linear(mixed, f'{name}.out')
        hidden = self._linear(self._normalise(x, f'{name}.norm2'), f'{name}.up')
        return np.asarray(x + self._linear(np.maximum(hidden, 0, out=hidden), f'{name}.down'))

    def queries(self, tokens: Tokens) -> Floats:
        """The query of each formula, shape (n, 2 o)."""
        states = self.states(tokens)
        scale = self._w['scale']
        return np.concatenate([self._linear(states, 'query') * scale, self._linear(states, 'query_structure')], axis=1)

    def keys(self, tokens: Tokens, fingerprints: Floats | None) -> Floats:
        """The key of each template, shape (n, 2 o); its structural half is 0 where there is no fingerprint.

        :param fingerprints: shape (n, 244), NaN where there is none; None if there are none at all.
        """
        chemical = self._linear(self.states(tokens), 'key')
        structural = np.zeros_like(chemical)
        if fingerprints is not None:
            known = np.isfinite(fingerprints).all(axis=1)
            scaled = (fingerprints[known] - self._w['print_mean']) / self._w['print_std']
            hidden = self._linear(scaled.astype(np.float32), 'structure_in')
            structural[known] = self._linear(np.maximum(hidden, 0, out=hidden), 'structure_out')
        return np.concatenate([chemical, structural], axis=1)

    def hull_bias(self, e_above_hull: NDArray[np.float64]) -> Floats:
        """What a template's energy above the hull (eV/atom, NaN if unknown) adds to its score, shape (n,)."""
        energy = np.nan_to_num(e_above_hull, nan=0.0)
        slope, step = self._w['hull']
        return np.asarray((slope * np.minimum(energy, 0.3) / 0.1 + step * (energy > 0)).astype(np.float32))
