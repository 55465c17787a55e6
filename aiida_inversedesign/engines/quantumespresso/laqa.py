"""Looking ahead in a relaxation: the LAQA score, and the least energy that it can still reach. Imports no aiida.

LAQA (look ahead based on quadratic approximation): K. Terayama, T. Yamashita, T. Oguchi and K. Tsuda, npj Comput.
Mater. 4, 32 (2018); with the stress T. Yamashita and H. Sekine, Sci. Technol. Adv. Mater. Meth. 2, 84 (2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from aiida_inversedesign.errors import InverseDesignError

#: Weight of the force term of the score, Å, and of its stress term, Å³ (Yamashita and Sekine 2022).
FORCE_WEIGHT = 0.1
STRESS_WEIGHT = 10.0

#: What |ΔF| (eV/Å) is at the first step, and what it is at least: both as in CrySPY, the authors' implementation.
FIRST_CHANGE = 1.0
LEAST_CHANGE = 1e-6

#: Steps without which nothing is said about the energy that a relaxation will reach.
LEAST_STEPS = 3

#: A gradient that has fallen by less than this factor since an earlier step says nothing about the curvature.
LEAST_FALL = 0.8

#: Nothing is concluded from an energy where a direction of the cell has grown by more than this factor since the plane
#: waves were chosen: they have become too few in that direction, and the energy is too high. In relaxations of
#: docs/slices.md a new basis took up to 0.4 eV/atom off then, and 0.03 eV/atom at most below it.
MOST_STRETCH = 1.1

#: How many times softer than seen so far the crystal may be in the direction that is left.
SOFTNESS = 10.0

#: How far the atoms may still travel, Å, root mean square; the cell's share counts alike. Two bond lengths: crystals
#: that linger at a saddle fall by several times what the gradient there promises (docs/slices.md).
REACH = 5.0

#: How many times as much energy as since the middle of its steps the relaxation may still gain.
REPEATS = 1.0


class TrajectoryError(InverseDesignError):
    """Energies, forces and stresses that do not belong together."""


@dataclass(frozen=True)
class IonicStep:
    """One ionic step of a relaxation.

    :param energy: total energy, eV/atom.
    :param force: mean norm of the forces on the atoms, eV/Å.
    :param stress: mean absolute component of the stress tensor, eV/Å³.
    :param gradient: length of the gradient of the energy per atom with respect to positions and cell, eV/Å: the root
        of F² + (V^⅔ σ)², with F the root mean square force, V the volume per atom and σ the norm of the stress.
    """

    energy: float
    force: float
    stress: float
    gradient: float
    stretch: float = 1.0


def ionic_steps(energies: ArrayLike, forces: ArrayLike, stresses: ArrayLike, cells: ArrayLike) -> list[IonicStep]:
    """The steps of a relaxation, made in one basis, from what a code has computed at each of them.

    :param energies: total energies of the cell, eV, shape (steps,).
    :param forces: eV/Å, shape (steps, atoms, 3).
    :param stresses: eV/Å³, shape (steps, 3, 3).
    :param cells: lattice vectors as rows, Å, shape (steps, 3, 3).
    :raises TrajectoryError: if the shapes do not fit together, or a number is not finite.
    """
    energy, force = np.asarray(energies, dtype=float), np.asarray(forces, dtype=float)
    stress, cell = np.asarray(stresses, dtype=float), np.asarray(cells, dtype=float)
    steps = len(energy)
    tensors = (steps, 3, 3)
    if steps == 0 or force.ndim != 3 or force.shape[::2] != (steps, 3) or not tensors == stress.shape == cell.shape:
        raise TrajectoryError(
            f'a relaxation needs energies, forces, stresses and cells of the same steps, got the shapes '
            f'{energy.shape}, {force.shape}, {stress.shape} and {cell.shape}'
        )
    if not all(np.isfinite(item).all() for item in (energy, force, stress, cell)):
        raise TrajectoryError('an energy, force, stress or cell of the relaxation is not a finite number')
    volume = np.abs(np.linalg.det(cell))
    if not volume.all():
        raise TrajectoryError('a cell of the relaxation has no volume')
    atoms = force.shape[1]
    norms = np.linalg.norm(force, axis=2)
    virial = (volume / atoms) ** (2 / 3) * np.linalg.norm(stress, axis=(1, 2))
    columns = (
        energy / atoms,
        norms.mean(axis=1),
        np.abs(stress).mean(axis=(1, 2)),
        np.sqrt((norms**2).mean(axis=1) + virial**2),
        np.maximum(np.linalg.svd(np.linalg.solve(cell[:1], cell), compute_uv=False).max(axis=1), 1.0),
    )
    return [IonicStep(*(float(value) for value in row)) for row in zip(*columns, strict=True)]


def laqa_score(
    steps: Sequence[IonicStep], force_weight: float = FORCE_WEIGHT, stress_weight: float = STRESS_WEIGHT
) -> float:
    """How promising it is to go on with a relaxation, −E + w_F F² / (2 |ΔF|) + w_S S: the larger the better.

    E is the energy (eV/atom), F the mean force, ΔF its change since the step before and S the mean stress, all of the
    last step; the score has the number of an energy in eV/atom. Of a relaxation without steps it is infinite, so that
    each gets its first slice.

    :param force_weight: w_F, Å.
    :param stress_weight: w_S, Å³.
    """
    if not steps:
        return float('inf')
    last = steps[-1]
    change = abs(last.force - steps[-2].force) if len(steps) > 1 else FIRST_CHANGE
    ahead = last.force**2 / (2 * max(change, LEAST_CHANGE))
    return -last.energy + force_weight * ahead + stress_weight * last.stress


def optimistic_energy(steps: Sequence[IonicStep], since: int = 0) -> float | None:
    """The least energy (eV/atom) that a relaxation can be expected to reach in its present basin, or None.

    From the lowest energy E in the present basis it can fall by the largest of three amounts.

    - In a quadratic basin E − E∞ = g² / 2h along one direction, so that a step i and the lowest one tell the remainder:
      (E_i − E) r² / (1 − r²) with r = g / g_i. The largest of these over all earlier steps is taken, times
      :data:`SOFTNESS`: the remainder lies along the softest directions, and the steps so far may be stiff ones.
    - The gradient g at the lowest energy times :data:`REACH`: where the energy is convex it falls by no more than that
      on the way. A crystal that lingers at a saddle still has a gradient, which nothing else in its steps betrays.
    - What it has gained since the middle of its steps, times :data:`REPEATS`.

    It is None, and nothing may be concluded,

    - of fewer steps than :data:`LEAST_STEPS`,
    - where the gradient at the lowest energy is not below :data:`LEAST_FALL` times the one at some earlier step: the
      crystal is then not on its way down into a basin, and a quadratic approximation says nothing,
    - where the cell at the lowest energy is stretched by more than :data:`MOST_STRETCH`: a new basis takes more energy
      off than any estimate knows of.

    In a quadratic basin whose curvatures differ by no more than a factor of :data:`SOFTNESS`, and as long as no
    component of the gradient grows, it is never above the bottom. Elsewhere it is an estimate, not a bound: a crystal
    that passes over a ridge into another basin can fall further.

    :param steps: all so far, in one basis or in several, one after the other.
    :param since: index of the first step in the present basis: energies of another are not part of E.
    """
    if len(steps) < LEAST_STEPS:
        return None
    best = min(range(since, len(steps)), key=lambda index: steps[index].energy)
    lowest = steps[best]
    if lowest.stretch > MOST_STRETCH:
        return None
    ratios = [(step, lowest.gradient / step.gradient) for step in steps[:best] if step.gradient > 0]
    left = [(step.energy - lowest.energy) * ratio**2 / (1 - ratio**2) for step, ratio in ratios if ratio < LEAST_FALL]
    if not left:
        return None
    recent = steps[(len(steps) - 1) // 2].energy - lowest.energy
    return lowest.energy - max(SOFTNESS * max(left), REACH * lowest.gradient, REPEATS * recent)
