"""Elastic constants: which deformations a crystal needs, the tensor from their stresses, and what follows from it.

Imports no aiida. Tensors are 6 × 6 in GPa in Voigt's order xx, yy, zz, yz, xz, xy with engineering shear strains (twice
the components of the strain matrix); stresses are positive under tension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import point_group
from aiida_inversedesign.errors import InverseDesignError

#: Component of the strain. Both signs are computed, so that the change of elastic constants with strain drops out in
#: first order and leaves less than 0.5 %; half of it would double the part of the noise of forces and stresses.
STRAIN = 0.01
#: Most deformations that a crystal needs: six of either sign without symmetry.
MOST_DEFORMATIONS = 12
#: Fewest: one of either sign in cubic crystals.
LEAST_DEFORMATIONS = 2

#: GPa; an eigenvalue below it is zero but for rounding, and moduli would be those of numerical noise.
LEAST_STABILITY = 1e-6

_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
#: From Voigt's engineering strains to Kelvin's components, in which rotations are orthogonal matrices.
_KELVIN = np.array([1, 1, 1, 1 / np.sqrt(2), 1 / np.sqrt(2), 1 / np.sqrt(2)])


class ElasticityError(InverseDesignError):
    """Elastic constants that cannot be had, with the reason."""


@dataclass(frozen=True)
class Moduli:
    """What follows from an elastic tensor.

    Moduli of a polycrystal are Hill's averages of Voigt's and Reuss' bounds (R. Hill, Proc. Phys. Soc. A 65, 349
    (1952)). A crystal that is not stable has none: they are None.

    :param stability: smallest eigenvalue in GPa of the tensor (Kelvin's matrix, which unlike Voigt's has the same
        eigenvalues in whatever orientation); positive if the crystal is stable (F. Mouhat and F.-X. Coudert, Phys. Rev.
        B 90, 224104 (2014)).
    :param bulk: GPa.
    :param shear: GPa.
    :param young: GPa.
    :param anisotropy: universal index (S. I. Ranganathan and M. Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504
        (2008)); 0 if isotropic.
    :param hardness: Vickers hardness in GPa (X.-Q. Chen et al., Intermetallics 19, 1275 (2011)); where the formula is
        negative, which it is for soft ductile crystals, 0.
    """

    stability: float
    bulk: float | None = None
    shear: float | None = None
    young: float | None = None
    poisson: float | None = None
    anisotropy: float | None = None
    hardness: float | None = None


def moduli(tensor: ArrayLike) -> Moduli:
    """Stability and moduli of an elastic tensor.

    :param tensor: 6 × 6, GPa; the mean of it and its transpose is taken.
    :raises ElasticityError: if it is not 6 × 6 finite numbers.
    """
    voigt = _finite(tensor, (6, 6), 'an elastic tensor')
    voigt = (voigt + voigt.T) / 2
    stability = float(np.linalg.eigvalsh(voigt / np.outer(_KELVIN, _KELVIN))[0])
    if stability < LEAST_STABILITY:
        return Moduli(stability)
    from pymatgen.analysis.elasticity import ElasticTensor

    elastic = ElasticTensor.from_voigt(voigt)
    bulk, shear = float(elastic.k_vrh), float(elastic.g_vrh)
    return Moduli(
        stability=stability,
        bulk=bulk,
        shear=shear,
        young=9 * bulk * shear / (3 * bulk + shear),
        poisson=float(elastic.homogeneous_poisson),
        anisotropy=float(elastic.universal_anisotropy),
        hardness=hardness(bulk, shear),
    )


def hardness(bulk: float, shear: float) -> float:
    """Chen's Vickers hardness in GPa of positive moduli (GPa), 0 where its formula is negative."""
    return float(max(0.0, 2 * ((shear / bulk) ** 2 * shear) ** 0.585 - 3))


def deformations(crystal: Crystal, strain: float = STRAIN) -> list[Array]:
    """The fewest strains from which the whole tensor follows by symmetry, each with its opposite after it.

    From one strain the stresses under all its images by symmetry are known. Strains along axes of the conventional
    cell, alone or one elongation with one shear, are taken until the images span all strains, first what spans most,
    then what breaks the symmetry least: 2 in cubic crystals, 4 in hexagonal, trigonal and tetragonal ones, 6 in
    orthorhombic, 8 in monoclinic and 12 in triclinic ones.

    :returns: symmetric 3 × 3 strain matrices in the axes of the crystal's lattice.
    """
    operations, axes = point_group(crystal)
    rotations = [_rotation(operation) for operation in operations]
    candidates = []
    for elongation, shear in product((None, 0, 1, 2), (None, 3, 4, 5)):
        pattern = np.zeros(6)
        pattern[[index for index in (elongation, shear) if index is not None]] = 1
        if pattern.any():
            matrix = axes.T @ _matrix(pattern) @ axes
            images = np.array([rotation @ _kelvin(matrix) for rotation in rotations])
            kept = int((np.abs(images - images[0]).max(axis=1) < 1e-3).sum())
            candidates.append((matrix, images, kept, int(pattern.sum())))
    chosen: list[Array] = []
    span, rank = np.zeros((0, 6)), 0
    while rank < 6:
        ranks = [np.linalg.matrix_rank(np.vstack([span, images]), tol=1e-3) for _, images, _, _ in candidates]
        best = max(range(len(candidates)), key=lambda i: (ranks[i], candidates[i][2], -candidates[i][3], -i))
        span, rank = np.vstack([span, candidates[best][1]]), int(ranks[best])
        matrix = candidates[best][0]
        chosen += [strain * matrix, -strain * matrix]
    return chosen


def deformed(crystal: Crystal, strain: ArrayLike) -> Crystal:
    """The crystal under a strain (3 × 3 matrix), fractional coordinates unchanged."""
    return Crystal(crystal.lattice @ (np.eye(3) + np.asarray(strain)), crystal.species, crystal.frac_coords)


def strain_of(crystal: Crystal, lattice: ArrayLike) -> Array:
    """The strain, 3 × 3, between the lattice of a crystal and a deformed one (3 × 3, vectors as rows, Å)."""
    gradient = np.linalg.solve(crystal.lattice, _finite(lattice, (3, 3), 'a lattice')) - np.eye(3)
    return np.asarray((gradient + gradient.T) / 2)


def fit_tensor(crystal: Crystal, strains: Sequence[ArrayLike], stresses: Sequence[ArrayLike]) -> tuple[Array, float]:
    """The elastic tensor with the symmetry of a crystal that fits stresses best, linear in the strain.

    A stress without strain is fitted along, so that a residual pressure or Pulay stress does no harm.

    :param crystal: the crystal without strain, for its point group.
    :param strains: symmetric 3 × 3 matrices, such as :func:`deformations` returns.
    :param stresses: the stress of each, symmetric 3 × 3, GPa, positive under tension.
    :returns: the tensor, 6 × 6 in GPa, and the root mean square of the stresses that it leaves, GPa.
    :raises ElasticityError: if the strains do not determine the tensor, or a number is not finite.
    """
    if len(strains) != len(stresses):
        raise ElasticityError(f'{len(strains)} strains, but {len(stresses)} stresses')
    rotations = [_rotation(operation) for operation in point_group(crystal)[0]]
    tensors, offsets = _invariant_tensors(rotations), _invariant_stresses(rotations)
    rows, values = [], []
    for strain, stress in zip(strains, stresses, strict=True):
        vector = _kelvin(_finite(strain, (3, 3), 'a strain'))
        rows.append(np.hstack([np.stack([tensor @ vector for tensor in tensors], axis=1), offsets]))
        values.append(_kelvin(_finite(stress, (3, 3), 'a stress')))
    unknowns = len(tensors) + offsets.shape[1]
    if not rows:
        raise ElasticityError('no deformation has a stress')
    matrix, target = np.vstack(rows), np.hstack(values)
    # strains are small numbers beside the 1 of the offset: with both of one size the rank is safe to tell
    sizes = np.array([np.abs(np.array(strains)).max()] * len(tensors) + [1.0] * offsets.shape[1])
    if np.linalg.matrix_rank(matrix / sizes, tol=1e-3) < unknowns:
        raise ElasticityError(f'{len(strains)} deformations do not determine the {len(tensors)} elastic constants')
    solution = np.linalg.lstsq(matrix / sizes, target, rcond=None)[0] / sizes
    kelvin = np.einsum('n,nij->ij', solution[: len(tensors)], tensors)
    residual = float(np.sqrt(np.mean((matrix @ solution - target) ** 2)))
    return kelvin * np.outer(_KELVIN, _KELVIN), residual


def _finite(numbers: ArrayLike, shape: tuple[int, ...], what: str) -> Array:
    array = np.asarray(numbers, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ElasticityError(f'{what} must be {" × ".join(map(str, shape))} finite numbers')
    return array


def _matrix(voigt: Array) -> Array:
    """The symmetric matrix of a strain in Voigt's components."""
    matrix: Array = np.zeros((3, 3))
    for (i, j), value in zip(_PAIRS, voigt, strict=True):
        matrix[i, j] = matrix[j, i] = value if i == j else value / 2
    return matrix


def _kelvin(matrix: Array) -> Array:
    """Kelvin's six components of a symmetric matrix, be it a strain or a stress: shears times √2."""
    return np.asarray(np.array([(matrix[i, j] + matrix[j, i]) / 2 for i, j in _PAIRS]) / _KELVIN)


def _rotation(operation: Array) -> Array:
    """The orthogonal 6 × 6 matrix that rotates Kelvin's components."""
    units = [_matrix(unit * _KELVIN * np.where(np.arange(6) < 3, 1, 2)) for unit in np.eye(6)]
    return np.asarray(np.stack([_kelvin(operation @ unit @ operation.T) for unit in units], axis=1))


def _invariant_tensors(rotations: Sequence[Array]) -> Array:
    """A basis of the symmetric Kelvin matrices that all rotations leave unchanged, shape (n, 6, 6)."""
    images = []
    for i, j in product(range(6), repeat=2):
        if i <= j:
            unit = np.zeros((6, 6))
            unit[i, j] = unit[j, i] = 1
            images.append(np.mean([rotation @ unit @ rotation.T for rotation in rotations], axis=0).ravel())
    _, sizes, basis = np.linalg.svd(np.array(images))
    return np.asarray(basis[: int((sizes > 0.1).sum())].reshape(-1, 6, 6))


def _invariant_stresses(rotations: Sequence[Array]) -> Array:
    """A basis, in columns, of the stresses that all rotations leave unchanged."""
    _, sizes, basis = np.linalg.svd(np.mean(rotations, axis=0))
    return np.asarray(basis[: int((sizes > 0.5).sum())].T)
