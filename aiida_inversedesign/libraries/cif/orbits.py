"""From the sites of a CIF to those of its cell: images under the operations, special positions made exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.libraries.cif.atoms import Site
from aiida_inversedesign.libraries.cif.operations import Operations

#: Å: most that idealising moves an atom
MOST_SHIFT = 0.1
#: Å: shifts below this are not worth a remark
LEAST_SHIFT = 1e-4
#: fractional: images nearer than this coincide, once special positions are exact
_SAME = 1e-5


@dataclass(frozen=True, eq=False)
class Orbit:
    """The images of one site in the cell.

    :param coords: fractional coordinates in [0, 1), shape (m, 3).
    :param shift: Å: how far the site was moved onto its special position.
    """

    site: Site
    coords: NDArray[np.float64]
    shift: float


def orbit_of(site: Site, operations: Operations, lattice: NDArray[np.float64]) -> Orbit:
    """The images of a site.

    An image that is no farther from the site than the rounding of the coordinates explains is the site itself; the site
    then moves to the middle of such images, which is the special position.

    :param lattice: 3 × 3, vectors as rows, Å.
    """
    turn = operations.rotations - np.eye(3)
    reach = np.abs(turn) @ site.unit + _SAME
    coords = site.coords % 1.0
    images, away = _images(coords, operations)
    shift = 0.0
    same = (np.abs(away) <= reach).all(axis=1)
    if same.sum() > 1:
        moved = away[same].mean(axis=0)
        distance = float(np.linalg.norm(moved @ lattice))
        if distance <= MOST_SHIFT:
            coords, shift = coords + moved, distance
            images, away = _images(coords, operations)
        # the middle of images is exact only if their operations are a group: what is still off was not the site
        same = (np.abs(away) <= _SAME).all(axis=1)
    return Orbit(site, _distinct(images, int(same.sum())), shift)


def repeated(orbits: Sequence[Orbit], lattice: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """Pairs of orbits that coincide within rounding: the one, the earlier one, and their distance in Å.

    :param lattice: 3 × 3, vectors as rows, Å.
    """
    found: list[tuple[int, int, float]] = []
    if len(orbits) < 2:
        return found
    coords = np.concatenate([orbit.coords for orbit in orbits])
    sizes = [len(orbit.coords) for orbit in orbits]
    owners = np.repeat(np.arange(len(orbits)), sizes)
    units = np.repeat([orbit.site.unit for orbit in orbits], sizes, axis=0)
    ends = np.cumsum(sizes)
    for number in range(1, len(orbits)):
        end, site = ends[number - 1], orbits[number]
        away = coords[:end] - site.coords[0]
        away -= np.rint(away)
        near = np.flatnonzero((np.abs(away) <= 2 * (units[:end] + site.site.unit) + _SAME).all(axis=1))
        if len(near):
            distances = np.linalg.norm(away[near] @ lattice, axis=1)
            first = int(distances.argmin())
            if distances[first] <= 2 * MOST_SHIFT:
                found.append((number, int(owners[near[first]]), float(distances[first])))
    return found


def _images(coords: NDArray[np.float64], operations: Operations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The images, shape (n, 3), and the shortest way to each in fractions of the cell."""
    images = operations.rotations @ coords + operations.translations
    away = images - coords
    return images, away - np.rint(away)


def _distinct(images: NDArray[np.float64], stabiliser: int) -> NDArray[np.float64]:
    """The images that differ, in [0, 1)."""
    wrapped = images % 1.0
    wrapped[wrapped > 1.0 - 1e-9] = 0.0
    if stabiliser <= 1:
        return wrapped
    kept: list[int] = []
    free = np.ones(len(wrapped), dtype=bool)
    while free.any():
        first = int(np.argmax(free))
        kept.append(first)
        away = wrapped - wrapped[first]
        away -= np.rint(away)
        free &= (np.abs(away) > 10 * _SAME).any(axis=1)
        free[first] = False
    return wrapped[kept]
