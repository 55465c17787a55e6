"""Voronoi cells of the atoms of a crystal, compiled: which neighbours share a face, its solid angle and area.

The cell of a site is that of the atoms within a cutoff, which grows until the cell is closed, as in pymatgen's
``VoronoiNN`` (O'Keeffe, Acta Cryst. A35, 772 (1979)). Each face is found on its own: a square on the plane halfway
to the neighbour is cut by the planes of all other neighbours, the nearest first. So no topology has to be kept, and
crystals of high symmetry, where many planes meet in a point, are not a special case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.compiled import compiled
from aiida_inversedesign.errors import InverseDesignError

#: radius in Å of the atoms that are looked at first
CUTOFF = 7.0
#: atoms in the cutoff sphere above which a cell is given up: the atoms are far too dense, or the cutoff too large
MAX_ATOMS = 20_000
#: cells of the crystal that are searched at most for these atoms
MAX_IMAGES = 2_000_000
#: Å; atoms that are nearer share a position
MIN_DISTANCE = 0.01
#: Å; half the edge of the square a face is cut from: a first one for precision, a second one for very long cells
SQUARES = (200.0, 1e8)
#: Å²; a face that is smaller only touches
MIN_AREA = 1e-13
#: corners of a face
MAX_CORNERS = 256
#: faces of a cell
MAX_FACES = 512

CLOSED, OPEN, TOO_DENSE, COINCIDENT, TOO_COMPLEX = 0, 1, 2, 3, 4


REASONS = {
    OPEN: 'the Voronoi cell of site {site} is not closed by the atoms within {cutoff:.1f} Å: is the cell too flat?',
    TOO_DENSE: f'more than {MAX_ATOMS} atoms or {MAX_IMAGES} cells within {{cutoff:.1f}} Å of site {{site}}: '
    'is the lattice in Å, without much vacuum, and reduced?',
    COINCIDENT: f'another atom is nearer than {MIN_DISTANCE} Å to site {{site}}: remove the duplicate',
    TOO_COMPLEX: f'the Voronoi cell of site {{site}} has more than {MAX_FACES} faces or a face {MAX_CORNERS} corners',
}


class VoronoiError(InverseDesignError):
    """A Voronoi cell that cannot be found, with the reason."""


@compiled
def _sphere(
    lattice: Array, frac_coords: Array, spacings: Array, site: int, cutoff: float
) -> tuple[Array, Integers, int]:
    """Vectors from a site to all atoms within a cutoff in Å, the nearest first, their origins, and how it went."""
    count = frac_coords.shape[0]
    reach = cutoff + 1e-8
    images = 1.0
    for axis in range(3):
        images *= 2 * reach / spacings[axis] + 1
    if images * count > MAX_IMAGES:
        return np.empty((0, 3)), np.empty((0, 4), np.int64), TOO_DENSE
    vectors = np.empty((64, 3))
    origins = np.empty((64, 4), np.int64)
    lengths = np.empty(64)
    found = 0
    centre = np.zeros(3)
    for axis in range(3):
        centre[axis] = (
            frac_coords[site, 0] * lattice[0, axis]
            + frac_coords[site, 1] * lattice[1, axis]
            + frac_coords[site, 2] * lattice[2, axis]
        )
    low, high = np.empty(3, np.int64), np.empty(3, np.int64)
    for other in range(count):
        for axis in range(3):
            shift = frac_coords[other, axis] - frac_coords[site, axis]
            low[axis] = math.ceil(-shift - reach / spacings[axis])
            high[axis] = math.floor(-shift + reach / spacings[axis])
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    if other == site and i == 0 and j == 0 and k == 0:
                        continue
                    a, b, c = frac_coords[other, 0] + i, frac_coords[other, 1] + j, frac_coords[other, 2] + k
                    x = a * lattice[0, 0] + b * lattice[1, 0] + c * lattice[2, 0] - centre[0]
                    y = a * lattice[0, 1] + b * lattice[1, 1] + c * lattice[2, 1] - centre[1]
                    z = a * lattice[0, 2] + b * lattice[1, 2] + c * lattice[2, 2] - centre[2]
                    length = math.sqrt(x * x + y * y + z * z)
                    if length > reach:
                        continue
                    if found == lengths.size:
                        if found >= MAX_ATOMS:
                            return np.empty((0, 3)), np.empty((0, 4), np.int64), TOO_DENSE
                        longer = np.empty((2 * found, 3))
                        longer[:found] = vectors
                        vectors = longer
                        further = np.empty((2 * found, 4), np.int64)
                        further[:found] = origins
                        origins = further
                        more = np.empty(2 * found)
                        more[:found] = lengths
                        lengths = more
                    vectors[found, 0], vectors[found, 1], vectors[found, 2] = x, y, z
                    origins[found, 0], origins[found, 1], origins[found, 2], origins[found, 3] = other, i, j, k
                    lengths[found] = length
                    found += 1
    order = np.argsort(lengths[:found], kind='mergesort')
    return vectors[:found][order], origins[:found][order], CLOSED


@compiled
def _face(atoms: Array, index: int, half: float, polygon: Array, spare: Array) -> tuple[int, float, float]:
    """Solid angle and area of the face towards an atom; the number of corners is 0 if they share none.

    :param atoms: vectors to all atoms, shape (n, 3), the nearest first.
    :param half: half the edge of the square the face is cut from, in Å.
    :returns: corners (-1 if the face does not end within the square, -2 if there are too many), solid angle in sr,
        area in Å².
    """
    px, py, pz = atoms[index, 0], atoms[index, 1], atoms[index, 2]
    length = math.sqrt(px * px + py * py + pz * pz)
    nx, ny, nz = px / length, py / length, pz / length
    height = 0.5 * length
    # two directions in the plane; the first is made from the axis that is most across the normal
    ux, uy, uz = 0.0, 0.0, 0.0
    if abs(nx) <= abs(ny) and abs(nx) <= abs(nz):
        uy, uz = -nz, ny
    elif abs(ny) <= abs(nz):
        ux, uz = nz, -nx
    else:
        ux, uy = -ny, nx
    norm = math.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux / norm, uy / norm, uz / norm
    vx, vy, vz = ny * uz - nz * uy, nz * ux - nx * uz, nx * uy - ny * ux
    polygon[0, 0], polygon[0, 1] = half, half
    polygon[1, 0], polygon[1, 1] = -half, half
    polygon[2, 0], polygon[2, 1] = -half, -half
    polygon[3, 0], polygon[3, 1] = half, -half
    corners = 4
    farthest = height * height + 2 * half * half
    for other in range(atoms.shape[0]):
        if other == index:
            continue
        qx, qy, qz = atoms[other, 0], atoms[other, 1], atoms[other, 2]
        square = qx * qx + qy * qy + qz * qz
        if 0.25 * square >= farthest:
            break
        a = qx * ux + qy * uy + qz * uz
        b = qx * vx + qy * vy + qz * vz
        c = 0.5 * square - height * (qx * nx + qy * ny + qz * nz)
        kept = 0
        cut = False
        previous = a * polygon[corners - 1, 0] + b * polygon[corners - 1, 1] - c
        for corner in range(corners):
            value = a * polygon[corner, 0] + b * polygon[corner, 1] - c
            if (value > 0) != (previous > 0):
                cut = True
                before = corner - 1 if corner > 0 else corners - 1
                part = previous / (previous - value)
                spare[kept, 0] = polygon[before, 0] + part * (polygon[corner, 0] - polygon[before, 0])
                spare[kept, 1] = polygon[before, 1] + part * (polygon[corner, 1] - polygon[before, 1])
                kept += 1
            if value <= 0:
                spare[kept, 0], spare[kept, 1] = polygon[corner, 0], polygon[corner, 1]
                kept += 1
            else:
                cut = True
            previous = value
        if kept < 3:
            return 0, 0.0, 0.0
        if kept > MAX_CORNERS - 2:
            return -2, 0.0, 0.0
        if cut:
            polygon, spare = spare, polygon
            corners = kept
            farthest = 0.0
            for corner in range(corners):
                farthest = max(farthest, polygon[corner, 0] ** 2 + polygon[corner, 1] ** 2)
            farthest += height * height
    for corner in range(corners):
        if abs(polygon[corner, 0]) > 0.9 * half or abs(polygon[corner, 1]) > 0.9 * half:
            return -1, 0.0, 0.0
    angle, area = 0.0, 0.0
    ax, ay = polygon[0, 0], polygon[0, 1]
    ra = math.sqrt(ax * ax + ay * ay + height * height)
    for corner in range(1, corners - 1):
        bx, by = polygon[corner, 0], polygon[corner, 1]
        cx, cy = polygon[corner + 1, 0], polygon[corner + 1, 1]
        doubled = abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        rb = math.sqrt(bx * bx + by * by + height * height)
        rc = math.sqrt(cx * cx + cy * cy + height * height)
        below = (
            ra * rb * rc
            + rc * (ax * bx + ay * by + height * height)
            + rb * (ax * cx + ay * cy + height * height)
            + ra * (bx * cx + by * cy + height * height)
        )
        # van Oosterom and Strackee (1983); doubled · height is the triple product of the corners
        angle += 2 * math.atan2(doubled * height, below)
        area += 0.5 * doubled
    return corners, angle, area


@compiled
def _cell(
    lattice: Array, frac_coords: Array, spacings: Array, site: int, cutoff: float
) -> tuple[Array, Integers, Array, Array, int]:
    """Neighbours (vectors in Å and origins), solid angles and areas of the cell of a site, and how it went."""
    atoms, sources, state = _sphere(lattice, frac_coords, spacings, site, cutoff)
    vectors, origins = np.empty((MAX_FACES, 3)), np.empty((MAX_FACES, 4), np.int64)
    angles, areas = np.empty(MAX_FACES), np.empty(MAX_FACES)
    if state != CLOSED:
        return vectors[:0], origins[:0], angles[:0], areas[:0], state
    if atoms.shape[0] < 4:
        return vectors[:0], origins[:0], angles[:0], areas[:0], OPEN
    if math.sqrt(atoms[0, 0] ** 2 + atoms[0, 1] ** 2 + atoms[0, 2] ** 2) < MIN_DISTANCE:
        return vectors[:0], origins[:0], angles[:0], areas[:0], COINCIDENT
    polygon, spare = np.empty((MAX_CORNERS, 2)), np.empty((MAX_CORNERS, 2))
    for half in SQUARES:
        faces, state = 0, CLOSED
        for index in range(atoms.shape[0]):
            corners, angle, area = _face(atoms, index, half, polygon, spare)
            if corners == -1:
                state = OPEN
                break
            if corners == -2 or faces == MAX_FACES:
                return vectors[:0], origins[:0], angles[:0], areas[:0], TOO_COMPLEX
            if corners == 0 or area < MIN_AREA:
                continue
            vectors[faces], origins[faces] = atoms[index], sources[index]
            angles[faces], areas[faces] = angle, area
            faces += 1
        if state == CLOSED:
            return vectors[:faces], origins[:faces], angles[:faces], areas[:faces], CLOSED
    return vectors[:0], origins[:0], angles[:0], areas[:0], OPEN


@dataclass(frozen=True)
class Cells:
    """What a search for Voronoi cells needs to know of a crystal.

    :param lattice: lattice vectors as rows, shape (3, 3), in Å.
    :param frac_coords: fractional coordinates, shape (n, 3).
    """

    lattice: Array
    frac_coords: Array

    @cached_property
    def spacings(self) -> Array:
        """Distance in Å between the lattice planes of each axis, shape (3,)."""
        return np.asarray(1 / np.linalg.norm(np.linalg.inv(self.lattice), axis=0))

    @cached_property
    def max_cutoff(self) -> float:
        """Å; at most this far are atoms looked for: the longest diagonal of the cell."""
        corners = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]]) @ self.lattice
        return float(np.linalg.norm(corners, axis=1).max()) + 0.01

    def cell(self, site: int) -> tuple[Array, Integers, Array, Array]:
        """The neighbours that share a face with a site.

        :returns: vectors to them, shape (m, 3), in Å; index and lattice translation of each, shape (m, 4);
            solid angle of each face, shape (m,), in sr; its area in Å².
        :raises VoronoiError: if the cell is not closed within the longest diagonal, or too many atoms are within
            the cutoff, or two atoms share a position.
        """
        cutoff = CUTOFF
        while True:
            vectors, origins, angles, areas, state = _cell(self.lattice, self.frac_coords, self.spacings, site, cutoff)
            if state == CLOSED:
                return vectors, origins, angles, areas
            if state != OPEN:
                raise VoronoiError(REASONS[state].format(site=site, cutoff=cutoff))
            if cutoff >= self.max_cutoff:
                raise VoronoiError(REASONS[OPEN].format(site=site, cutoff=cutoff))
            cutoff = min(2 * cutoff, self.max_cutoff + 0.001)
