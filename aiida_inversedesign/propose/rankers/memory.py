"""The compounds a ranker was trained on, small enough to travel with it: their structures vote in every library.

A library of a few hundred prototypes says little about which of them a formula takes; the known compounds do. Of each
the model keeps composition, energy above the hull and a compressed fingerprint, from which nobody can rebuild the
structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import ratio_label, reduced_formula
from aiida_inversedesign.propose.npz import Arrays
from aiida_inversedesign.propose.rankers.ranking import Group
from aiida_inversedesign.propose.rankers.set_transformer import Counts, Floats

#: principal components of the fingerprints that are kept: distances up to 0.4 change by 0.002 on average
COMPONENTS = 128
#: a remembered compound this near to a library entry of the same formula is that entry
SAME = 0.05
#: marks an empty slot among the elements
NONE = 255


@dataclass(frozen=True, eq=False)
class Projection:
    """Fingerprints in their principal components.

    :param mean: shape (244,); :param basis: shape (244, p); :param step: size of one unit of int8, shape (p,).
    """

    mean: Floats
    basis: Floats
    step: Floats

    @classmethod
    def of(cls, fingerprints: Floats) -> Projection:
        """The projection fitted to fingerprints without NaN, shape (n, 244)."""
        mean = fingerprints.mean(axis=0)
        _, _, components = np.linalg.svd(fingerprints - mean, full_matrices=False)
        # as it is kept, so that a model reads back the same
        basis = components[:COMPONENTS].T.astype(np.float16).astype(np.float32)
        projected = (fingerprints - mean) @ basis
        step = np.maximum(np.abs(projected).max(axis=0), 1e-6) / 127
        return cls(mean.astype(np.float32), basis, step.astype(np.float32))

    def __call__(self, fingerprints: Floats) -> Floats:
        """Shape (n, 244) → (n, p); rows of NaN stay so."""
        return np.asarray((fingerprints - self.mean).astype(np.float32) @ self.basis)


@dataclass(frozen=True, eq=False)
class Recalled:
    """Remembered compounds of one ratio label beside the templates of a group.

    :param template_indices: in the memory, shape (m,).
    :param compositions: reduced counts, length m.
    :param positions: of each formula among these.
    :param templates: projected fingerprints of the templates, shape (n, p); None if they have none.
    :param prints: projected fingerprints, shape (m, p).
    :param fingerprints: the same, as far as their components tell all 244 numbers, shape (m, 244).
    :param prototypes: anonymous prototype of each, length m; empty where it is not known.
    """

    memory: Memory
    template_indices: NDArray[np.int64]
    compositions: list[dict[str, int]]
    positions: dict[str, list[int]]
    templates: Floats | None
    prints: Floats
    fingerprints: Floats
    prototypes: list[str]


@dataclass(frozen=True, eq=False)
class Memory:
    """Known compounds, n of at most w elements each.

    :param rows: rows of the element table, :data:`NONE` where there is no element, shape (n, w), uint8.
    :param amounts: reduced amounts, shape (n, w), uint16.
    :param e_above_hull: eV/atom, NaN if unknown, shape (n,), float16.
    :param log_volumes: logarithm of the volume per atom in Å³, shape (n,), float32.
    :param prints: projected fingerprints in units of ``projection.step``, shape (n, p), int8.
    :param labels: anonymous prototypes, the first of them empty, length q.
    :param prototypes: which of the labels each compound has, shape (n,).
    """

    rows: NDArray[np.uint8]
    amounts: NDArray[np.uint16]
    e_above_hull: NDArray[np.float16]
    log_volumes: NDArray[np.float32]
    prints: NDArray[np.int8]
    projection: Projection
    labels: tuple[str, ...]
    prototypes: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        compositions: Sequence[Counts],
        fingerprints: Floats,
        e_above_hull: NDArray[np.float64],
        volumes: NDArray[np.float64],
        prototypes: Sequence[str],
    ) -> Memory:
        """The memory of n compounds.

        :param compositions: reduced element counts.
        :param fingerprints: shape (n, 244), without NaN.
        :param e_above_hull: eV/atom, NaN if unknown, shape (n,).
        :param volumes: volume per atom, Å³, shape (n,).
        :param prototypes: anonymous prototypes, length n; empty where one is not known.
        """
        table = element_table()
        width = max(len(item) for item in compositions)
        rows = np.full((len(compositions), width), NONE, dtype=np.uint8)
        amounts = np.zeros((len(compositions), width), dtype=np.uint16)
        for position, item in enumerate(compositions):
            rows[position, : len(item)] = table.rows(item)
            amounts[position, : len(item)] = list(item.values())
        projection = Projection.of(fingerprints)
        scaled = np.round(projection(fingerprints) / projection.step)
        prints = np.clip(scaled, -127, 127).astype(np.int8)
        labels, which = np.unique(['', *prototypes], return_inverse=True)
        return cls(
            rows,
            amounts,
            e_above_hull.astype(np.float16),
            np.log(volumes).astype(np.float32),
            prints,
            projection,
            tuple(labels.tolist()),
            which[1:].astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def _compositions(self) -> list[dict[str, int]]:
        symbols = element_table().symbols
        return [
            {symbols[row]: int(amount) for row, amount in zip(rows, amounts, strict=True) if row != NONE}
            for rows, amounts in zip(self.rows.tolist(), self.amounts.tolist(), strict=True)
        ]

    @cached_property
    def _labels(self) -> dict[str, NDArray[np.int64]]:
        labels: dict[str, list[int]] = {}
        for position, counts in enumerate(self._compositions):
            labels.setdefault(ratio_label(counts), []).append(position)
        return {label: np.array(members) for label, members in labels.items()}

    @cached_property
    def formulas(self) -> frozenset[str]:
        """Reduced formulas of all compounds: what the ranker was trained on."""
        return frozenset(reduced_formula(counts) for counts in self._compositions)

    def of_label(self, label: str) -> tuple[NDArray[np.int64], list[dict[str, int]]]:
        """Indices, shape (n,), and compositions of the compounds of a ratio label."""
        template_indices = self._labels.get(label, np.empty(0, dtype=np.int64))
        return template_indices, [self._compositions[at] for at in template_indices.tolist()]

    def beyond(self, group: Group) -> Recalled:
        """The compounds of a group's ratio label that are not templates of it, found once for each group.

        Left out are those that the library has itself (same formula and structure), and the formulas that the group
        must not know.
        """
        known = group.cache.get('recalled')
        if isinstance(known, Recalled) and known.memory is self:
            return known
        template_indices, compositions = self.of_label(group.label)
        whole = group.fingerprints
        own = None if whole is None else self.projection(whole)
        present: dict[str, list[int]] = {}
        for position, index in enumerate(group.indices.tolist()):
            present.setdefault(group.library[index].crystal.formula, []).append(position)
        prints = self.projected(template_indices)
        kept: list[int] = []
        positions: dict[str, list[int]] = {}
        for row, counts in enumerate(compositions):
            formula = reduced_formula(counts)
            if formula in group.excluded:
                continue
            twins = present.get(formula)
            if twins and own is not None and (np.linalg.norm(own[twins] - prints[row], axis=1) < SAME).any():
                continue
            positions.setdefault(formula, []).append(len(kept))
            kept.append(row)
        rebuilt = prints[kept] @ self.projection.basis.T + self.projection.mean
        chosen = [compositions[row] for row in kept]
        labels = [self.labels[number] for number in self.prototypes[template_indices[kept]]]
        found = Recalled(self, template_indices[kept], chosen, positions, own, prints[kept], rebuilt, labels)
        group.cache['recalled'] = found
        return found

    def projected(self, template_indices: NDArray[np.int64]) -> Floats:
        """Projected fingerprints of compounds, shape (n, p)."""
        return np.asarray(self.prints[template_indices].astype(np.float32) * self.projection.step)

    def to_arrays(self) -> Arrays:
        """Plain arrays by name."""
        return {
            'rows': self.rows,
            'amounts': self.amounts,
            'e_above_hull': self.e_above_hull,
            'log_volumes': self.log_volumes,
            'prints': self.prints,
            'mean': self.projection.mean,
            'basis': self.projection.basis.astype(np.float16),
            'step': self.projection.step,
            # an array of words would have the size of the longest for each
            'labels': np.array('\n'.join(self.labels)),
            'prototypes': self.prototypes.astype(np.uint16),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Memory:
        """The memory of :meth:`to_arrays`."""
        basis = arrays['basis'].astype(np.float32)
        projection = Projection(arrays['mean'], basis, arrays['step'])
        return cls(
            arrays['rows'],
            arrays['amounts'],
            arrays['e_above_hull'],
            arrays['log_volumes'],
            arrays['prints'],
            projection,
            # models of versions before prototypes do not know them
            tuple(str(arrays.get('labels', '')).split('\n')),
            np.asarray(arrays.get('prototypes', np.zeros(len(arrays['rows'])))).astype(np.int32),
        )
