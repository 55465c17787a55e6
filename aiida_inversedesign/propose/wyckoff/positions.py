"""The Wyckoff positions of the space groups, as PyXtal tabulates them, and crystals on them.

PyXtal: Fredericks, Parrish, Sayre and Zhu, Comput. Phys. Commun. 261, 107810 (2021).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.contracts.source import ProposalError
from aiida_inversedesign.chemistry.crystal import Crystal

_HALF, _THIRD = 0.5, 1 / 3
#: Vectors of the primitive cell in those of the conventional one, by the centring letter; spglib's choice.
PRIMITIVE = {
    'P': np.eye(3),
    'A': np.array([[1, 0, 0], [0, _HALF, -_HALF], [0, _HALF, _HALF]]),
    'C': np.array([[_HALF, _HALF, 0], [-_HALF, _HALF, 0], [0, 0, 1]]),
    'I': np.array([[-_HALF, _HALF, _HALF], [_HALF, -_HALF, _HALF], [_HALF, _HALF, -_HALF]]),
    'F': np.array([[0, _HALF, _HALF], [_HALF, 0, _HALF], [_HALF, _HALF, 0]]),
    'R': np.array([[2 * _THIRD, _THIRD, _THIRD], [-_THIRD, _THIRD, _THIRD], [-_THIRD, -2 * _THIRD, _THIRD]]),
}
#: Free lengths and angles of a cell of fixed volume.
SHAPES = {
    'cubic': 0,
    'hexagonal': 1,
    'trigonal': 1,
    'tetragonal': 1,
    'orthorhombic': 2,
    'monoclinic': 3,
    'triclinic': 5,
}


@dataclass(frozen=True, eq=False)
class Position:
    """One Wyckoff position.

    :param atoms: of an orbit in the primitive cell.
    :param operations: from a point to the orbit in the conventional cell, shape (n, 3, 4).
    """

    letter: str
    atoms: int
    freedom: int
    operations: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """A space group in the standard setting; positions from the most special one on."""

    number: int
    family: str
    centring: str
    positions: tuple[Position, ...]

    def crystal(self, orbits: Mapping[str, Sequence[str]], volume: float, rng: np.random.Generator) -> Crystal | None:
        """A crystal with random cell and coordinates, in its primitive cell; None if no cell of this volume is found.

        :param orbits: Wyckoff letters of each element.
        :param volume: of the primitive cell, Å³.
        """
        from pyxtal.lattice import Lattice

        basis = PRIMITIVE[self.centring]
        matrix = Lattice(self.family, volume / abs(np.linalg.det(basis)), random_state=rng).matrix
        if matrix is None or not np.isfinite(matrix).all():
            return None
        by_letter = {item.letter: item for item in self.positions}
        species: list[str] = []
        coordinates = []
        for symbol, letters in orbits.items():
            for letter in letters:
                operations = by_letter[letter].operations
                points = (operations[:, :, :3] @ rng.random(3) + operations[:, :, 3]) @ np.linalg.inv(basis)
                orbit = _distinct(points)
                if len(orbit) != by_letter[letter].atoms:
                    return None
                coordinates.append(orbit)
                species += [symbol] * len(orbit)
        return Crystal(basis @ np.asarray(matrix), tuple(species), np.concatenate(coordinates))


@functools.cache
def space_group(number: int) -> SpaceGroup:
    """The positions of a space group.

    :raises ProposalError: if PyXtal is not installed.
    """
    try:
        from pyxtal.symmetry import Group
    except ImportError as error:
        raise ProposalError(
            f'the source symmetric needs PyXtal ({error}): pip install "aiida-inversedesign[symmetry]"'
        ) from error
    group = Group(number)
    centring = str(group.symbol)[0]
    factor = round(1 / abs(np.linalg.det(PRIMITIVE[centring])))
    positions = tuple(
        Position(
            item.letter,
            int(item.multiplicity) // factor,
            int(item.get_dof()),
            np.array([operation.affine_matrix[:3] for operation in item.ops]),
        )
        for item in reversed(list(group.Wyckoff_positions))
    )
    return SpaceGroup(number, str(group.lattice_type), centring, positions)


def _distinct(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points that differ by more than a vector of the lattice, in the order of their first occurrence."""
    kept: list[NDArray[np.float64]] = []
    for point in points:
        if not kept or np.abs((difference := np.array(kept) - point) - np.round(difference)).max(axis=1).min() > 1e-4:
            kept.append(point)
    return np.array(kept) % 1.0
