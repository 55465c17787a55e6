"""Symmetry operations as arrays: parsed from coordinate triplets, closed, and named by their space group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.libraries import entries
from aiida_inversedesign.libraries.entries import RefusedError

#: most that a metric tensor may change under an operation, relative to the lengths: 0.5 % of a length, half a degree
METRIC = 0.01
_TRIPLET = re.compile(r'[xyzXYZ\d+\-/., ]+')


@dataclass(frozen=True, eq=False)
class Operations:
    """The operations of one setting of a space group, centring included.

    :param rotations: shape (n, 3, 3), on fractional coordinates as columns.
    :param translations: shape (n, 3).
    :param number: of the space group, 0 if unknown.
    :param name: of the setting, e.g. ``F d -3 m:2``.
    """

    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    number: int
    name: str

    def __len__(self) -> int:
        return len(self.rotations)

    @cached_property
    def is_identity(self) -> bool:
        """Whether they are the identity alone."""
        return len(self) == 1

    def fits(self, lattice: NDArray[np.float64]) -> bool:
        """Whether the cell (``lattice``: 3 × 3, vectors as rows, Å) has the symmetry of the operations."""
        metric = lattice @ lattice.T
        lengths = np.sqrt(np.diag(metric))
        turned = np.einsum('nji,jk,nkl->nil', self.rotations, metric, self.rotations)
        return bool((np.abs(turned - metric) <= METRIC * np.outer(lengths, lengths)).all())


@lru_cache(maxsize=1024)
def listed_operations(triplets: tuple[str, ...]) -> tuple[Operations, bool]:
    """The operations of a list such as ``x,y,z``, and whether the list is a group.

    :raises RefusedError: if one of them is not a symmetry operation.
    """
    import gemmi

    parsed = []
    for text in triplets:
        try:
            operation = gemmi.Op(text) if _TRIPLET.fullmatch(text) else None
        except (RuntimeError, ValueError):
            operation = None
        if operation is None or abs(np.linalg.det(np.array(operation.rot) / operation.DEN)).round(6) != 1:
            raise RefusedError(entries.UNREADABLE, f'{text[:60]!r} is not a symmetry operation')
        parsed.append(operation.wrap())
    distinct = list({operation.triplet(): operation for operation in parsed}.values())
    closed = _is_group(distinct)
    known = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(distinct)) if closed else None
    if known is not None:
        return of_group(known), True
    arrays = _arrays(distinct)
    number = _number(*arrays) if closed else 0
    return Operations(
        *arrays, number, f'{len(distinct)} operations' + (f' of group {number}' if number else '')
    ), closed


@lru_cache(maxsize=1024)
def of_group(group: Any) -> Operations:
    """The operations of one of gemmi's space groups."""
    return Operations(*_arrays(list(group.operations())), group.number, group.xhm())


@lru_cache(maxsize=256)
def of_hall(symbol: str) -> Operations | None:
    """The operations of a Hall symbol; None if it is not one."""
    import gemmi

    try:
        found = gemmi.symops_from_hall(symbol)
    except (RuntimeError, ValueError):
        return None
    known = gemmi.find_spacegroup_by_ops(found)
    if known is not None:
        return of_group(known)
    arrays = _arrays(list(found))
    return Operations(*arrays, _number(*arrays), symbol)


def _arrays(operations: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rotations = np.array([operation.rot for operation in operations], dtype=np.float64) / operations[0].DEN
    translations = np.array([operation.tran for operation in operations], dtype=np.float64) / operations[0].DEN
    return rotations, translations


def _is_group(operations: list[Any]) -> bool:
    """Whether every product of two is in the list."""
    if len(operations) > 192:
        return False
    known = {operation.triplet() for operation in operations}
    return all((one * other).wrap().triplet() in known for one in operations for other in operations)


def _number(rotations: NDArray[np.float64], translations: NDArray[np.float64]) -> int:
    import spglib

    try:
        found = spglib.get_spacegroup_type_from_symmetry(np.rint(rotations).astype(np.intc), translations)
    except spglib.SpglibError:
        return 0
    return 0 if found is None else int(found.number)
