"""The 61 features of a site: how likely each coordination number is, and that times its order parameters.

What matminer's ``CrystalNNFingerprint`` with the preset ``ops``, no distance cutoffs and no electronegativity weights
gives. Two of its parts do not depend on the geometry alone: some order parameters jump at angles that occur in
crystals of high symmetry (90°, 135°), and the body-centred one depends on the order in which equally near neighbours
stand, which is that of the faces in Qhull's output. There the last digits decide; such sites (4 in 100) are found by
the compiled code and done again with numpy's and pymatgen's arithmetic, so that they come out as matminer's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.fingerprints.coordination import coordination
from aiida_inversedesign.chemistry.fingerprints.motifs import TABLE, labels
from aiida_inversedesign.chemistry.fingerprints.order_parameters import MOST, ORDER, UNIQUE, features
from aiida_inversedesign.chemistry.fingerprints.voronoi import CUTOFF, Cells

if TYPE_CHECKING:
    from pymatgen.core import Structure


#: number of features of a site
FEATURES = len(labels())
_COMPUTE = np.empty((0, 0))


def site_features(crystal: Crystal, sites: Iterable[int] | None = None) -> Array:
    """The features of some sites of a crystal, shape (number of sites, 61), in the order of ``motifs.labels()``.

    :param sites: which; default: all.
    :raises VoronoiError: if a site has no closed Voronoi cell, or the atoms are too dense to look for it.
    """
    lattice = np.ascontiguousarray(crystal.lattice)
    frac_coords = np.ascontiguousarray(crystal.frac_coords)
    cells = Cells(lattice, frac_coords)
    chosen = range(crystal.nsites) if sites is None else list(sites)
    out = np.empty((len(chosen), FEATURES))
    structure: Structure | None = None
    for row, site in enumerate(chosen):
        vectors, origins, angles, areas = cells.cell(site)
        order, weights, likelihood = coordination(angles, areas)
        state = features(vectors[order], weights, likelihood, _COMPUTE, TABLE, out[row])
        if state == UNIQUE:
            continue
        if state == ORDER and structure is None:
            structure = crystal.to_pymatgen()
        exact = _as_qhull(structure, site, len(order)) if structure is not None and state == ORDER else None
        if exact is None:
            exact = _as_numpy(lattice, frac_coords, site, origins[order])
        features(exact, weights, likelihood, _polar_angles(exact), TABLE, out[row])
    return out


def _as_numpy(lattice: Array, frac_coords: Array, site: int, origins: Integers) -> Array:
    """Vectors to the neighbours with the rounding of pymatgen's sites."""
    centre = np.dot(frac_coords[site], lattice)
    return np.array([np.dot(frac_coords[other] + image, lattice) - centre for other, *image in origins])


def _as_qhull(structure: Structure, site: int, number: int) -> Array | None:
    """Vectors to the first neighbours in the order in which pymatgen's CrystalNN has them; None if it has fewer."""
    from pymatgen.analysis.local_env import VoronoiNN

    try:
        cell = VoronoiNN(cutoff=CUTOFF, compute_adj_neighbors=False).get_voronoi_polyhedra(structure, site)
    except (RuntimeError, ValueError):
        return None
    faces = list(cell.values())
    if len(faces) < number:
        return None
    largest = max(face['solid_angle'] for face in faces)
    # the operations and their order are those of CrystalNN: the last digit of a weight puts the neighbours in order
    weights = [face['solid_angle'] / largest * (face['solid_angle'] / face['area']) for face in faces]
    order = sorted(range(len(faces)), key=weights.__getitem__, reverse=True)
    return np.array([faces[index]['site'].coords - structure[site].coords for index in order[:number]])


def _polar_angles(vectors: Array) -> Array:
    """Angles in rad between the vectors that a motif can have, with numpy's rounding, shape (m, m)."""
    unit = [vector / float(np.linalg.norm(vector)) for vector in vectors[:MOST]]
    return np.array([[math.acos(max(-1.0, min(float(np.inner(a, b)), 1.0))) for b in unit] for a in unit])
