"""Pictures of crystals: the conventional cell with atoms, bonds and edges as an inline SVG, seen from a little above.

Atoms on faces, edges and corners are repeated, as textbooks draw them. Elements have Jmol's colours. What is nearer is
drawn later, so that no library and no script is needed, and the picture prints sharply.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from markupsafe import Markup, escape

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import covalent_radii
from aiida_inversedesign.chemistry.symmetry import conventional_cell

#: Directions from which the crystal is seen, in degrees: turned about the vertical, and from above.
AZIMUTH, ELEVATION = 72.0, 14.0
#: Bonds are drawn up to this many sums of covalent radii, and up to this many times the nearest neighbour's distance.
REACH, SPREAD = 1.15, 1.25
#: Share of the covalent radius with which an atom is drawn.
SIZE = 0.42
#: Atoms beyond which the conventional cell is not drawn, and beyond which no atom is repeated and no bond drawn.
MOST_CONVENTIONAL, MOST_REPEATED = 64, 96
#: Atoms of a hexagonal cell up to which four cells are drawn.
MOST_TILED = 6
#: Size of the picture in its own units, and of its margin.
WIDTH, MARGIN = 240.0, 8.0
#: Pieces of an edge of the cell, each drawn at its own depth.
PIECES = 6
#: How much larger the front is drawn than the back.
PERSPECTIVE = 0.12


#: How near something is, and what is drawn.
Item = tuple[float, str]


def picture(crystal: Crystal, identifier: str, title: str) -> Markup:
    """The SVG of a crystal.

    :param identifier: unique in the page: gradients are named after it.
    :param title: read by those who do not see the picture; escaped here.
    """
    cell = conventional(crystal)
    small = cell.nsites <= MOST_REPEATED
    species, positions = _repeated(cell) if small else (list(cell.species), (cell.frac_coords % 1.0) @ cell.lattice)
    # named by numbers: whatever a species is called, it is not part of the markup
    names = {symbol: f'{identifier}-{index}' for index, symbol in enumerate(dict.fromkeys(species))}
    corners = np.array(list(product((0.0, 1.0), repeat=3))) @ cell.lattice
    view = _View.of(np.vstack([positions, corners]))
    items = [*_edges(cell.lattice, view)]
    if small:
        items += _bonds(species, positions, view)
    items += _atoms(species, positions, view, names)
    items.sort(key=lambda item: item[0])
    gradients = ''.join(_gradient(symbol, name) for symbol, name in names.items())
    heading = f'{identifier}-title'
    drawn = ''.join(markup for _, markup in items)
    return Markup(  # noqa: S704 (numbers and colours only; the title is escaped)
        f'<svg class="crystal" viewBox="0 0 {WIDTH:g} {view.height:.0f}" role="img" aria-labelledby="{heading}">'
        f'<title id="{heading}">{escape(title)}</title><defs>{gradients}</defs>{drawn}</svg>'
    )


def legend(crystal: Crystal) -> list[tuple[str, str]]:
    """Each element of a crystal with the colour it is drawn in."""
    return [(symbol, _colour(symbol)) for symbol in dict.fromkeys(crystal.species)]


def conventional(crystal: Crystal) -> Crystal:
    """The conventional standard cell (spglib, symprec 0.1 Å); the crystal as it is where that is not found or large."""
    cell = conventional_cell(crystal)
    if cell is None or cell.nsites > MOST_CONVENTIONAL:
        return crystal
    # textbooks put an atom at the corners
    coords = cell.frac_coords
    cornered = (np.abs(coords - np.round(coords)) < 1e-3).all(axis=1).any()
    return cell if cornered else Crystal(cell.lattice, cell.species, coords - coords[0])


@dataclass(frozen=True)
class _View:
    """How points in Å become points of the picture.

    :param rotation: rows are right, up and towards the reader.
    """

    rotation: Array
    centre: Array
    depth: float
    scale: float
    offset: Array
    height: float

    @classmethod
    def of(cls, points: Array) -> _View:
        """The view that shows all points, shape (n, 3), Å."""
        azimuth, elevation = np.radians([AZIMUTH, ELEVATION])
        towards = np.array(
            [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        )
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        rotation = np.array([right, np.cross(towards, right), towards])
        centre = points.mean(axis=0)
        seen = (points - centre) @ rotation.T
        depth = float(np.abs(seen[:, 2]).max()) or 1.0
        flat = seen[:, :2] * (1 + PERSPECTIVE * seen[:, 2] / depth)[:, None]
        room = SIZE * 1.6
        low, high = flat.min(axis=0) - room, flat.max(axis=0) + room
        size = high - low
        # a long cell would make a tall picture
        scale = min((WIDTH - 2 * MARGIN) / size[0], 1.15 * WIDTH / size[1])
        height = float(size[1] * scale + 2 * MARGIN)
        offset = np.array([WIDTH / 2 - scale * (low[0] + high[0]) / 2, height / 2 + scale * (low[1] + high[1]) / 2])
        return cls(rotation, centre, depth, float(scale), offset, height)

    def project(self, points: Array) -> tuple[Array, Array]:
        """Positions in the picture, shape (n, 2), and depths in Å (larger is nearer)."""
        seen = (np.atleast_2d(points) - self.centre) @ self.rotation.T
        flat = seen[:, :2] * (1 + PERSPECTIVE * seen[:, 2] / self.depth)[:, None] * self.scale
        return np.column_stack([flat[:, 0] + self.offset[0], self.offset[1] - flat[:, 1]]), seen[:, 2]


def _repeated(cell: Crystal) -> tuple[list[str], Array]:
    """The atoms of the cell, those on its boundary wherever they touch it.

    Of small hexagonal cells four are shown: one alone shows neither layers nor tetrahedra.
    """
    first, second, _ = cell.lattice
    hexagonal = cell.nsites <= MOST_TILED and abs(np.linalg.norm(first + second) - np.linalg.norm(first)) < 0.1
    cells = (2, 2, 1) if hexagonal else (1, 1, 1)
    species, indices = [], []
    for symbol, position in zip(cell.species, cell.frac_coords % 1.0, strict=True):
        choices = [_indices(float(value), number) for value, number in zip(position, cells, strict=True)]
        for index in product(*choices):
            species.append(symbol)
            indices.append(index)
    return species, np.array(indices) @ cell.lattice


def _indices(value: float, cells: int) -> list[float]:
    """Where a coordinate is found in so many cells, both ends included."""
    if min(value, 1 - value) < 1e-3:
        return [float(number) for number in range(cells + 1)]
    return [value + number for number in range(cells)]


def _edges(lattice: Array, view: _View) -> list[Item]:
    """The twelve edges of the cell, in pieces."""
    items = []
    for axis in range(3):
        for first, second in product((0.0, 1.0), repeat=2):
            start = np.insert(np.array([first, second]), axis, 0.0)
            steps = start + np.linspace(0, 1, PIECES + 1)[:, None] * np.eye(3)[axis]
            flat, depth = view.project(steps @ lattice)
            for (x1, y1), (x2, y2), one, other in zip(flat, flat[1:], depth, depth[1:], strict=False):
                path = f'<path class="edge" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'
                items.append((float(one + other) / 2, path))
    return items


def _bonds(species: list[str], positions: Array, view: _View) -> list[Item]:
    """Two halves for each bond, each in the colour of its atom."""
    radii = np.array([_radius(symbol) for symbol in species])
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.min(axis=1)
    close = (distances <= REACH * (radii[:, None] + radii[None])) & (
        distances <= SPREAD * np.minimum(nearest[:, None], nearest[None])
    )
    items = []
    for one, other in zip(*np.nonzero(close), strict=True):
        middle = (positions[one] + positions[other]) / 2
        flat, depth = view.project(np.array([positions[one], middle]))
        (x1, y1), (x2, y2) = flat
        path = f'd="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"'
        # behind the atom that it begins in, whatever the angle
        near = min(float(depth.mean()), float(depth[0]) - 1e-3)
        width = 0.16 * view.scale
        edge = f'<path class="bond-edge" {path} stroke-width="{width + 1.2:.1f}"/>'
        half = f'<path {path} stroke="{_colour(species[one])}" stroke-width="{width:.1f}"/>'
        items.append((near, edge + half))
    return items


def _atoms(species: list[str], positions: Array, view: _View, names: Mapping[str, str]) -> list[Item]:
    flat, depth = view.project(positions)
    items = []
    for symbol, (x, y), near in zip(species, flat, depth, strict=True):
        radius = SIZE * _radius(symbol) * view.scale * (1 + PERSPECTIVE * near / view.depth)
        place = f'cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"'
        items.append((float(near), f'<circle class="atom" {place} fill="url(#{names[symbol]})"/>'))
    return items


def _gradient(symbol: str, name: str) -> str:
    """The shading of an element's spheres."""
    colour = _colour(symbol)
    return (
        f'<radialGradient id="{name}" cx="35%" cy="30%" r="75%">'
        f'<stop offset="0" stop-color="{_mixed(colour, 255, 0.65)}"/><stop offset="0.45" stop-color="{colour}"/>'
        f'<stop offset="1" stop-color="{_mixed(colour, 0, 0.45)}"/></radialGradient>'
    )


def _mixed(colour: str, with_value: int, share: float) -> str:
    """A colour mixed with white (255) or black (0)."""
    parts = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return '#' + ''.join(f'{round(part + share * (with_value - part)):02x}' for part in parts)


def _radius(symbol: str) -> float:
    """Covalent radius in Å."""
    return covalent_radii().get(symbol, 1.5)


@functools.cache
def _colour(symbol: str) -> str:
    """Jmol's colour of an element."""
    from ase.data import atomic_numbers
    from ase.data.colors import jmol_colors

    red, green, blue = jmol_colors[atomic_numbers.get(symbol, 0)]
    return f'#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}'
