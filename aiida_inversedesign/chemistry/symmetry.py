"""The symmetry of crystals: every question to spglib in this package, and every tolerance of it.

spglib: Togo, Shinohara and Tanaka, Sci. Technol. Adv. Mater., Meth. 4, 2384822 (2024).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.crystal import Crystal

#: Å; what the Materials Project uses for relaxed structures: space groups, prototypes, conventional cells
SYMPREC = 0.1
#: Å; pymatgen's default for refined structures: cells of libraries, of which only what clearly repeats is reduced
STRICT_SYMPREC = 0.01
#: Å; sites that may share one order parameter: no more than what rounding of coordinates leaves
SITE_SYMPREC = 1e-4


def symmetry_dataset(crystal: Crystal, symprec: float = SYMPREC) -> Any | None:
    """spglib's ``SpglibDataset`` of a crystal, or None if the symmetry cannot be determined.

    :param symprec: tolerance in Å.
    """
    return _ask('get_symmetry_dataset', crystal, symprec)


@lru_cache(maxsize=4096)
def space_group_number(crystal: Crystal, symprec: float = SYMPREC) -> int | None:
    """Number of the space group, or None if the symmetry cannot be determined.

    :param symprec: tolerance in Å.
    """
    found = symmetry_dataset(crystal, symprec)
    return None if found is None else int(found.number)


def equivalent_sites(crystal: Crystal, symprec: float = SITE_SYMPREC) -> NDArray[np.int64]:
    """For each site the first site that is equivalent by symmetry, shape (n,); each itself if there is no symmetry.

    :param symprec: tolerance in Å.
    """
    found = symmetry_dataset(crystal, symprec)
    return np.arange(crystal.nsites) if found is None else np.asarray(found.equivalent_atoms, dtype=np.int64)


def point_group(crystal: Crystal) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rotations of a crystal's symmetry in Cartesian axes, shape (n, 3, 3), and the axes of its conventional cell.

    The identity alone if there is no symmetry. The axes are the rows of a rotation: along a, in the plane of a and b,
    and perpendicular to both.
    """
    found = symmetry_dataset(crystal, STRICT_SYMPREC)
    if found is None:
        return np.eye(3)[None], np.eye(3)
    columns = crystal.lattice.T
    turned = columns @ np.unique(found.rotations, axis=0) @ np.linalg.inv(columns)
    return np.array([_orthogonal(matrix) for matrix in turned]), _orthogonal(np.asarray(found.std_rotation_matrix))


def _orthogonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest orthogonal matrix: within the tolerance a lattice need not have its symmetry exactly."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def conventional_cell(crystal: Crystal) -> Crystal | None:
    """spglib's idealised conventional cell, or None if the symmetry cannot be determined."""
    return _crystal(_ask('standardize_cell', crystal, SYMPREC, to_primitive=False, no_idealize=False), crystal)


def smaller_cell(crystal: Crystal) -> Crystal | None:
    """The primitive cell, or None if the symmetry cannot be determined."""
    return _crystal(_ask('find_primitive', crystal, STRICT_SYMPREC), crystal)


def standard_lattice(crystal: Crystal) -> tuple[tuple[float, float, float], int]:
    """Lattice constants (Å) of the conventional standard cell, and number of the space group.

    The cell is that of W. Setyawan and S. Curtarolo, Comput. Mater. Sci. 49, 299 (2010).
    """
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    analyzer = SpacegroupAnalyzer(crystal.to_pymatgen(), symprec=SYMPREC)
    return analyzer.get_conventional_standard_structure().lattice.abc, int(analyzer.get_space_group_number())


def _kinds(crystal: Crystal) -> list[str]:
    """The elements in the order of their first sites."""
    return list(dict.fromkeys(crystal.species))


def _ask(function: str, crystal: Crystal, symprec: float, **options: Any) -> Any | None:
    """What a function of spglib answers, or None if it cannot.

    Elements are numbered as they appear: only which sites are alike matters, and no answer may depend on the elements.
    """
    import spglib

    kinds = _kinds(crystal)
    cell = (crystal.lattice, crystal.frac_coords, [kinds.index(symbol) + 1 for symbol in crystal.species])
    try:
        return getattr(spglib, function)(cell, symprec=symprec, **options)
    except spglib.SpglibError:
        return None


def _crystal(cell: Any | None, like: Crystal) -> Crystal | None:
    """The crystal of a cell of spglib that was made of ``like``."""
    if cell is None:
        return None
    lattice, coordinates, numbers = cell
    kinds = _kinds(like)
    return Crystal(lattice, tuple(kinds[number - 1] for number in numbers), coordinates)
