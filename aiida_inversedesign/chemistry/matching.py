"""Whether two crystals have the same structure: every use of pymatgen's StructureMatcher in this package.

StructureMatcher: Ong et al., Comput. Mater. Sci. 68, 314 (2013). Volumes are scaled to be equal before structures are
compared. Cells are reduced once for all comparisons, which takes longer than most comparisons do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import space_group_number

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

#: pymatgen's defaults, which published match rates use: fraction of lengths, sites in (V/n)^(1/3), degrees
LTOL, STOL, ANGLE_TOL = 0.2, 0.3, 5.0

#: Niggli cells, and primitive ones, of crystals that are still in use
_NIGGLI: WeakKeyDictionary[Crystal, Structure] = WeakKeyDictionary()
_PRIMITIVE: WeakKeyDictionary[Crystal, Structure] = WeakKeyDictionary()


def reduced(crystal: Crystal, primitive: bool = False) -> Structure:
    """The cell as StructureMatcher reduces it: Niggli's, then the primitive one. It must not be changed.

    :param primitive: whether the cell is known to be primitive; the search for a smaller one is then skipped.
    """
    if crystal not in _NIGGLI:
        _NIGGLI[crystal] = crystal.to_pymatgen().get_reduced_structure(reduction_algo='niggli')
    if primitive:
        return _NIGGLI[crystal]
    if crystal not in _PRIMITIVE:
        _PRIMITIVE[crystal] = _NIGGLI[crystal].get_primitive_structure()
    return _PRIMITIVE[crystal]


def same_structure(first: Crystal, second: Crystal) -> bool:
    """Whether two crystals of any cells have the same structure."""
    return first.content_hash == second.content_hash or same_reduced(reduced(first), reduced(second))


def same_crystal(first: Crystal, second: Crystal) -> bool:
    """Whether two crystals of any cells are copies of each other: the same structure and the same space group.

    StructureMatcher alone also takes a crystal for its distorted twin, which relaxes to something else.
    """
    return _same_group(first, second) and same_structure(first, second)


def same_candidate(first: Crystal, second: Crystal) -> bool:
    """As :func:`same_crystal`, faster for pools of thousands, most of whose cells are primitive.

    Smaller cells are looked for only if the two cells differ in size, as after a relaxation to a smaller one.
    """
    if not _same_group(first, second):
        return False
    cells = reduced(first, primitive=True), reduced(second, primitive=True)
    if len(cells[0]) != len(cells[1]):
        cells = reduced(first), reduced(second)
    return same_reduced(*cells)


def _same_group(first: Crystal, second: Crystal) -> bool:
    """Whether two crystals have the same space group, which is quicker to tell than whether their structures match."""
    return space_group_number(first) == space_group_number(second)


def same_reduced(first: Structure, second: Structure) -> bool:
    """Whether two cells of :func:`reduced` have the same structure; cells of different size never do."""
    return len(first) == len(second) and bool(_matcher().fit(first, second, skip_structure_reduction=True))


def same_arrangement(first: Crystal, second: Crystal) -> bool:
    """Whether two primitive cells have the same structure if elements may be exchanged."""
    cells = reduced(first, primitive=True), reduced(second, primitive=True)
    return bool(_matcher().fit_anonymous(*cells, skip_structure_reduction=True))


def structure_distance(first: Crystal, second: Crystal) -> float | None:
    """Root mean square displacement between two crystals in (V/n)^(1/3); None if their structures differ."""
    found = _matcher().get_rms_dist(first.to_pymatgen(), second.to_pymatgen())
    return None if found is None else float(found[0])


@cache
def _matcher() -> StructureMatcher:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=LTOL, stol=STOL, angle_tol=ANGLE_TOL)
