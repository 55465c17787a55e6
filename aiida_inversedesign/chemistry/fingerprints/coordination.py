"""How likely each coordination number of a site is, from the faces of its Voronoi cell (CrystalNN).

Source: Pan et al., Inorg. Chem. 60, 1590 (2021), in pymatgen's ``CrystalNN`` without distance cutoffs and without
electronegativity weights.
"""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.fingerprints.order_parameters import MAX_COORDINATION


def _quarter(x: Array) -> Array:
    """Share of a quarter of the unit disc between 0 and ``x``."""
    return np.asarray(2 / math.pi * (x * np.sqrt(1 - x * x) + np.arcsin(x)))


def coordination(angles: Array, areas: Array) -> tuple[Integers, Array, Array]:
    """Neighbours by weight, and the likelihood of each coordination number.

    A neighbour's weight is its solid angle, corrected for open structures by solid angle over area, relative to the
    largest and rounded to 3 digits; a coordination number is as likely as the part of a quarter disc between its
    weight and the next smaller one is large.

    :param angles: solid angle of each face, shape (n,), in sr.
    :param areas: area of each face, in Å².
    :returns: indices of the neighbours with a weight, the largest first; their weights before rounding; the likelihood
        of each coordination number from 1 to 24, shape (25,), 0 for 0.
    """
    raw = angles * angles / areas
    order = np.argsort(-raw, kind='stable')
    weights = np.rint(raw[order] / raw[order[0]] * 1000)
    order, weights = order[weights > 0], weights[weights > 0]
    # the last neighbour of each distinct weight tells how many there are at least that near
    last = np.flatnonzero(np.append(weights[1:] != weights[:-1], True))
    shares = _quarter(np.append(weights[last], 0) / 1000)
    likelihood = np.zeros(MAX_COORDINATION + 1)
    within = last < MAX_COORDINATION
    likelihood[last[within] + 1] = (shares[:-1] - shares[1:])[within]
    return order, raw[order], likelihood
