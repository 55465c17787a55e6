"""The volume of a formula in a template.

What a composition suggests (:class:`~aiida_inversedesign.propose.volumes.volume_network.CompositionNetwork`) is
corrected by what structures like the template deviate from it: the residuals of the template and of its structural
neighbours, weighted by how near their structures and their elements are. So an open framework stays
open, whatever fills it.

Pure elements bind differently; for them, and without a trained model, templates are scaled by element volumes
(:mod:`aiida_inversedesign.propose.volumes.element_volumes`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.assign import dissimilarities, element_rows
from aiida_inversedesign.propose.rankers.memory import Memory
from aiida_inversedesign.propose.rankers.ranking import Counts, Group
from aiida_inversedesign.propose.volumes.element_volumes import (
    ElementVolumes,
    VolumeEstimate,
    element_volumes,
    estimate_volume,
    fit_volumes,
    volume_sum,
)
from aiida_inversedesign.propose.volumes.volume_network import CompositionNetwork, VolumeModelError

__all__ = [
    'ElementVolumes',
    'VolumeEstimate',
    'VolumeModel',
    'VolumeModelError',
    'Volumes',
    'element_volumes',
    'estimate_volume',
    'fit_volumes',
    'volume_sum',
]

Arrays = dict[str, NDArray[np.generic]]
Progress = Callable[[str, float], None]

#: Structural kernel exp(-d²/2σ²) of the fingerprint distance d, and the distance beyond which it counts as zero: at 0.1
#: structures are of one type, and at 4σ a neighbour weighs 3e-4. By judgement; `tests/benchmark/volume_error.py`
#: measures the result.
SIGMA = 0.1
REACH = 0.4
#: squared distances by a matrix product in single precision are trusted up to this factor (a bound for rounding)
SLACK = 1.1
#: composition kernel (1 + d²)^-p of the element dissimilarity per atom d. Heavy-tailed: a formula without near
#: relatives still leans on the nearest ones it has. By judgement, as above.
POWER = 3.0
#: Least and largest error that is reported, by judgement.
ERROR_RANGE = (0.003, 0.5)


class Volumes(Protocol):
    """Predicts volumes: :class:`VolumeModel` or :class:`ElementVolumes`."""

    def estimate(
        self, counts: Counts, group: Group, indices: Sequence[int] | NDArray[np.int64]
    ) -> list[VolumeEstimate]:
        """The volume of each template's cell with the elements of a formula.

        :param counts: reduced element counts of the formula, of the group's ratio label.
        :param group: the templates of that ratio label; only these are looked at.
        :param indices: the templates asked for, by their index in the library; shape (k,).
        """
        ...


@dataclass(frozen=True, eq=False)
class Support:
    """What the structural neighbours of some templates say about the volume of a formula.

    :param residual: weighted mean of log(volume / volume of the composition), shape (k,).
    :param features: what the error is estimated from, shape (k, 5); see :data:`ERROR_FEATURES`.
    """

    residual: NDArray[np.float64]
    features: NDArray[np.float64]


#: logarithms of: element dissimilarity of the support (root mean square) and of the template, spread of the residuals,
#: size of the residual; and a constant
ERROR_FEATURES = ('support_dissimilarity', 'own_dissimilarity', 'spread', 'residual', 'constant')


def support(
    starts: NDArray[np.int64],
    kernel: NDArray[np.float64],
    residuals: NDArray[np.float64],
    dissimilarity: NDArray[np.float64],
    own: NDArray[np.float64],
) -> Support:
    """Weighted means over the neighbours of k templates, listed one template after the other (m in all).

    :param starts: where the neighbours of each template start, shape (k,).
    :param kernel: structural weight of each neighbour, shape (m,).
    :param residuals: log(volume / volume of its composition) of each neighbour, shape (m,).
    :param dissimilarity: element dissimilarity per atom of each neighbour to the formula, shape (m,).
    :param own: that of each template, shape (k,).
    """
    weights = kernel * (1 + dissimilarity**2) ** -POWER
    lengths = np.diff(np.append(starts, len(kernel)))
    total = np.add.reduceat(weights, starts)
    mean = np.add.reduceat(weights * residuals, starts) / total
    variance = np.add.reduceat(weights * (residuals - np.repeat(mean, lengths)) ** 2, starts) / total
    distance = np.sqrt(np.add.reduceat(weights * dissimilarity**2, starts) / total)
    columns = [
        np.log(0.3 + distance),
        np.log(0.3 + own),
        np.log(0.003 + np.sqrt(variance)),
        np.log(0.01 + np.abs(mean)),
        np.ones(len(mean)),
    ]
    return Support(mean, np.stack(columns, axis=1))


@dataclass(eq=False)
class Known:
    """What a model keeps of a group between formulas.

    :param residuals: log(volume / volume of the composition) of templates, then of remembered compounds, shape (n,).
    :param positions: row of each template, by its index in the library.
    :param rows: rows of the element table, shape (n, elements).
    :param fingerprints: shape (n, 244); None if the templates have none.
    :param squares: squared length of each fingerprint, shape (n,).
    :param remembered: rows of each remembered formula.
    :param neighbours: rows and structural weights, of the templates asked for so far.
    """

    model: VolumeModel
    residuals: NDArray[np.float64]
    positions: dict[int, int]
    rows: NDArray[np.int64]
    fingerprints: NDArray[np.float32] | None
    squares: NDArray[np.float32] | None
    remembered: dict[str, list[int]]
    neighbours: dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class VolumeModel:
    """Volumes from composition and structural neighbours.

    :param network: volume per atom of a composition.
    :param error_weights: weights of :data:`ERROR_FEATURES` for log(error), with and without fingerprints, shape (2, 5).
    :param memory: known compounds that are neighbours beside the templates; a formula's own entry is none.
    """

    network: CompositionNetwork
    error_weights: NDArray[np.float64]
    memory: Memory | None = None

    @classmethod
    def fit(cls, library: Library, seed: int, progress: Progress | None = None) -> VolumeModel:
        """Fit to the structures of a library; what a test will ask for is removed from it beforehand.

        Needs torch. The same inputs give the same model on the same machine.

        :param progress: called with what is being done and the fraction done.
        :raises VolumeModelError: if the library has too few compounds.
        """
        from aiida_inversedesign.propose.training.train_volume import train_volume_model

        return train_volume_model(library, seed, progress)

    def estimate(
        self, counts: Counts, group: Group, indices: Sequence[int] | NDArray[np.int64]
    ) -> list[VolumeEstimate]:
        """See :meth:`Volumes.estimate` (shapes, Å³); the error is the expected absolute relative one."""
        if len(indices) == 0:
            return []
        if len(counts) == 1:
            return ElementVolumes().estimate(counts, group, indices)
        known = self._known(group)
        template_indices = [known.positions[int(index)] for index in indices]
        neighbours = self._neighbours(known, template_indices)
        lengths = [len(positions) for positions, _ in neighbours]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        flat = np.concatenate([positions for positions, _ in neighbours])
        kernel = np.concatenate([weights for _, weights in neighbours])
        # one call for the neighbours and the templates themselves
        own = known.remembered.get(reduced_formula(counts))
        if own is not None:
            kernel = np.where(np.isin(flat, own), 0.0, kernel)
        distances = dissimilarities(counts, known.rows[np.concatenate([flat, template_indices])])
        found = support(starts, kernel, known.residuals[flat], distances[: len(flat)], distances[len(flat) :])
        log_volumes = self.network.predict([counts]).mean() + found.residual
        errors = self.errors(found.features, group.fingerprints is not None)
        atoms, packed = sum(counts.values()), volume_sum(counts)
        out = []
        for index, number, log_volume, error in zip(
            indices, template_indices, log_volumes.tolist(), errors.tolist(), strict=True
        ):
            crystal = group.library[int(index)].crystal
            volume = crystal.nsites * float(np.exp(log_volume))
            if group.counts[number] == counts:
                volume, error = crystal.volume, 0.0
            packing = volume / (packed * (crystal.nsites / atoms))
            out.append(VolumeEstimate(volume, volume / crystal.volume, packing, error))
        return out

    def errors(self, features: NDArray[np.float64], fingerprints: bool) -> NDArray[np.float64]:
        """Expected absolute relative errors, shape (k,)."""
        logs = features @ self.error_weights[0 if fingerprints else 1]
        return np.asarray(np.exp(np.clip(logs, *np.log(ERROR_RANGE))))

    def _known(self, group: Group) -> Known:
        """What was computed for a group, or its start."""
        known = group.cache.get('volume')
        if not isinstance(known, Known) or known.model is not self:
            crystals = [group.library[int(index)].crystal for index in group.indices]
            measured = np.log([crystal.volume / crystal.nsites for crystal in crystals])
            residuals = measured - self.network.predict(group.counts).mean(axis=0)
            positions = {int(index): number for number, index in enumerate(group.indices)}
            rows, fingerprints, remembered = group.rows, group.fingerprints, {}
            if self.memory is not None and fingerprints is not None:
                recalled = self.memory.beyond(group)
                if recalled.compositions:
                    measured = self.memory.log_volumes[recalled.template_indices]
                    more = measured - self.network.predict(recalled.compositions).mean(axis=0)
                    residuals = np.concatenate([residuals, more])
                    rows = np.concatenate([rows, element_rows(recalled.compositions)])
                    fingerprints = np.concatenate([fingerprints, recalled.fingerprints]).astype(np.float32)
                    remembered = {name: [len(group) + at for at in ats] for name, ats in recalled.positions.items()}
            squares = None if fingerprints is None else np.einsum('np,np->n', fingerprints, fingerprints)
            known = Known(self, residuals, positions, rows, fingerprints, squares, remembered)
            group.cache['volume'] = known
        return known

    def _neighbours(
        self, known: Known, template_indices: list[int]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Positions and structural weights of each template's neighbours, itself included."""
        missing = [number for number in dict.fromkeys(template_indices) if number not in known.neighbours]
        if missing:
            found = structural_neighbours(known.fingerprints, missing, known.squares)
            known.neighbours.update(zip(missing, found, strict=True))
        return [known.neighbours[number] for number in template_indices]

    def remembering(self, memory: Memory) -> VolumeModel:
        """The same model with known compounds as further neighbours."""
        return VolumeModel(self.network, self.error_weights, memory)

    def to_arrays(self) -> Arrays:
        """The state as plain arrays; the memory is kept by whoever gave it."""
        return {**self.network.to_arrays(), 'error_weights': self.error_weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> VolumeModel:
        """The model of :meth:`to_arrays` (named arrays).

        :raises VolumeModelError: if arrays are missing or belong to another element table.
        """
        if 'error_weights' not in arrays:
            raise VolumeModelError('this is not a volume model: the array error_weights is missing: train it again')
        return cls(CompositionNetwork.from_arrays(arrays), arrays['error_weights'].astype(np.float64))


def structural_neighbours(
    fingerprints: NDArray[np.float32] | None,
    template_indices: Sequence[int],
    squares: NDArray[np.float32] | None = None,
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Structures near to some templates, each template itself included.

    :param fingerprints: of all candidates, shape (n, 244), NaN where there is none; or None.
    :param template_indices: the templates, by their rows.
    :param squares: squared length of each fingerprint, if known.
    :returns: rows and weights exp(-d²/2σ²) of each template's neighbours within :data:`REACH`.
    """
    if fingerprints is None:
        return [(np.array([number]), np.ones(1)) for number in template_indices]
    chosen = fingerprints[list(template_indices)]
    # |a - b|² by one matrix product; NaN never counts as near
    if squares is None:
        squares = np.einsum('np,np->n', fingerprints, fingerprints)
    squared = squares[list(template_indices)][:, None] + squares[None] - 2 * (chosen @ fingerprints.T)
    out = []
    for row, number in enumerate(template_indices):
        near = np.flatnonzero(squared[row] <= SLACK * REACH**2)
        # again by itself: the rounding of the matrix product depends on the other templates in it
        difference = fingerprints[near] - fingerprints[number]
        exact = np.einsum('np,np->n', difference, difference).astype(np.float64)
        kept = (exact <= REACH**2) & (near != number)
        rows, weights = near[kept], np.exp(-exact[kept] / (2 * SIGMA**2))
        out.append((np.append(rows, number), np.append(weights, 1.0)))
    return out
