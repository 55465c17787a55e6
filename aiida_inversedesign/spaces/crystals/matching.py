"""Whether two crystals are the same, as screens and selections ask it again and again about the same crystals."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from aiida_inversedesign.chemistry.crystal import Crystal

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

#: Niggli-reduced cells of crystals that are still in use, as they are and as primitive cells.
_reduced: WeakKeyDictionary[Crystal, Structure] = WeakKeyDictionary()
_primitive: WeakKeyDictionary[Crystal, Structure] = WeakKeyDictionary()


@functools.cache
def _matcher() -> StructureMatcher:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=0.2, stol=0.3, angle_tol=5, primitive_cell=False)


def same_crystal(first: Crystal, second: Crystal) -> bool:
    """Whether StructureMatcher (ltol 0.2, stol 0.3, 5°, volumes scaled) takes two crystals for the same.

    Cells are reduced once and kept, where the matcher would reduce both in every comparison.
    """
    one, other = _in_niggli(first), _in_niggli(second)
    if len(one) != len(other):
        # a relaxation may have led to a smaller primitive cell; two primitive cells have as many sites
        one, other = _as_primitive(first), _as_primitive(second)
    return len(one) == len(other) and bool(_matcher().fit(one, other, skip_structure_reduction=True))


def _in_niggli(crystal: Crystal) -> Structure:
    if crystal not in _reduced:
        _reduced[crystal] = crystal.to_pymatgen().get_reduced_structure('niggli')
    return _reduced[crystal]


def _as_primitive(crystal: Crystal) -> Structure:
    if crystal not in _primitive:
        _primitive[crystal] = crystal.to_pymatgen().get_primitive_structure().get_reduced_structure('niggli')
    return _primitive[crystal]
