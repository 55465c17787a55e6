"""Local order parameters: how much the neighbours of an atom look like a given motif, compiled.

Each lets every neighbour in turn be the north pole and every other one the prime meridian, and weighs the angles of
the remaining ones to these two with Gaussians. Source: Zimmermann et al., Front. Mater. 4, 34 (2017); Zimmermann and
Jain, RSC Adv. 10, 6063 (2020); thresholds and the treatment of special cases are those of pymatgen's
``LocalStructOrderParams``.
"""

from __future__ import annotations

import math

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.chemistry.compiled import compiled

#: kinds of order parameter: how the angles are weighed; their parameters are described in ``motifs.py``
SINGLE_BOND, BENT, TARGET, PYRAMID, BIPYRAMID, SEE_SAW, HEXAGON, PENTAGON, BCC, CUBOCTAHEDRON = range(10)
Q2, Q4, Q6 = 10, 11, 12

#: the largest coordination number with a motif, and the largest of a fingerprint
MOST, MAX_COORDINATION = 12, 24
#: what the features of a site may depend on: on its geometry alone, on rounding, on the order of its neighbours
UNIQUE, ROUNDING, ORDER = 0, 1, 2
#: neighbours whose weights differ relatively by less are in no particular order
TIE = 1e-9
#: rad; angles that are nearer to a threshold are on either side of it by rounding
CLOSE = 1e-9
#: change of a feature that matters
TOLERANCE = 1e-9
#: below this length a vector across an axis has no direction
SMALL = 1e-12


@compiled
def _polar_angles(unit: Array, polar: Array) -> None:
    """Angle between the directions to j and to k."""
    for j in range(unit.shape[0]):
        for k in range(unit.shape[0]):
            cosine = unit[j, 0] * unit[k, 0] + unit[j, 1] * unit[k, 1] + unit[j, 2] * unit[k, 2]
            polar[j, k] = math.acos(max(-1.0, min(cosine, 1.0)))


@compiled
def _across(unit: Array, across: Array, flat: Array) -> None:
    """Unit vector of k across the axis j; ``flat`` is 1 where it has no direction."""
    count = unit.shape[0]
    for j in range(count):
        square = unit[j, 0] ** 2 + unit[j, 1] ** 2 + unit[j, 2] ** 2
        for k in range(count):
            if k == j:
                continue
            cosine = unit[j, 0] * unit[k, 0] + unit[j, 1] * unit[k, 1] + unit[j, 2] * unit[k, 2]
            x = unit[k, 0] - cosine / square * unit[j, 0]
            y = unit[k, 1] - cosine / square * unit[j, 1]
            z = unit[k, 2] - cosine / square * unit[j, 2]
            norm = math.sqrt(x * x + y * y + z * z)
            flat[j, k] = 1.0 if norm < SMALL else 0.0
            if norm >= SMALL:
                across[j, k, 0], across[j, k, 1], across[j, k, 2] = x / norm, y / norm, z / norm


@compiled
def _azimuths(across: Array, flat: Array, azimuth: Array) -> None:
    """Angle between the planes of axis j with k and with m."""
    count = flat.shape[0]
    for j in range(count):
        for k in range(count):
            for m in range(k):
                if k == j or m == j or flat[j, k] or flat[j, m]:
                    continue
                cosine = (
                    across[j, k, 0] * across[j, m, 0]
                    + across[j, k, 1] * across[j, m, 1]
                    + across[j, k, 2] * across[j, m, 2]
                )
                angle = math.acos(max(-1.0, min(cosine, 1.0)))
                azimuth[j, k, m] = angle
                azimuth[j, m, k] = angle


@compiled
def _gauss(value: float) -> float:
    return math.exp(-0.5 * value * value)


@compiled
def _pair(kind: int, p: Array, theta: float) -> tuple[float, float]:
    """Contribution and weight of the angle between the north pole and the prime meridian's neighbour."""
    part = theta / math.pi
    if kind in (BENT, TARGET):
        return _gauss(p[1] * (part - p[0])), 1.0
    if kind == PYRAMID:
        return _gauss(p[0] * (part - 0.5)), 1.0
    if kind in (BIPYRAMID, SEE_SAW):
        return (_gauss(p[2] * (part - 0.5)), 1.0) if theta < p[0] else (0.0, 0.0)
    if kind == HEXAGON:
        return (_gauss(p[2] * (abs(part - 0.5) - p[4])), 1.0) if theta < p[0] else (0.0, 0.0)
    if kind == PENTAGON:
        return _gauss(p[0] * (part - (0.4 if theta <= 0.6 * math.pi else 0.8))), 1.0
    if kind in (BCC, CUBOCTAHEDRON):
        return (p[2] * _gauss(p[1] * (part - 1.0)), p[2]) if theta >= p[0] else (0.0, 0.0)
    return 0.0, 0.0


@compiled
def _triple(kind: int, p: Array, theta_k: float, theta_m: float, phi: float) -> tuple[float, float]:
    """Contribution and weight of a third neighbour at the angles ``theta_m`` and ``phi``."""
    part = theta_m / math.pi
    if kind == TARGET:
        return _gauss(p[1] * (part - p[0])) * math.cos(p[2] * phi) ** 2, 1.0
    if kind == PYRAMID:
        return _gauss(p[0] * (part - 0.5)) * math.cos(p[1] * phi) ** 2, 1.0
    if kind == PENTAGON:
        return _gauss(p[0] * (part - (0.4 if theta_m <= 0.6 * math.pi else 0.8))) * math.cos(phi) ** 2, 1.0
    if kind == BCC:
        if theta_k >= p[0]:
            return 0.0, 0.0
        sign = 1.0 if theta_k > 0.5 * math.pi else -1.0
        off = (theta_m - 0.5 * math.pi) / math.asin(1 / 3)
        return sign * math.cos(3 * phi) * off * _gauss(off) / math.exp(-0.5), 1.0
    if kind == CUBOCTAHEDRON:
        if theta_m >= p[0] or not p[3] < theta_k < p[4]:
            return 0.0, 0.0
        if p[3] < theta_m < p[4]:
            return math.cos(phi) ** 2 * _gauss(p[5] * (part - 0.5)), 1.0
        if theta_m == p[3] or theta_m == p[4]:
            return 0.0, 0.0
        target = 1 / 3 if theta_m < p[3] else 2 / 3
        return _gauss(0.0556 * (math.cos(phi - 0.5 * math.pi) - 0.81649658)) * _gauss(p[6] * (part - target)), 1.0
    if theta_m >= p[0] or theta_k >= p[0]:
        return 0.0, 0.0
    if kind == SEE_SAW and phi >= 0.75 * math.pi:
        return 0.0, 0.0
    off = p[2] * (abs(part - 0.5) - p[4]) if kind == HEXAGON else p[2] * (part - 0.5)
    return math.cos(p[3] * phi) ** 2 * _gauss(off), 1.0


@compiled
def _motif(kind: int, p: Array, count: int, polar: Array, azimuth: Array, flat: Array) -> float:
    """Order parameter of the first ``count`` neighbours."""
    poles = kind in (BIPYRAMID, SEE_SAW, HEXAGON)
    largest, total, weights = 0.0, 0.0, 0.0
    for j in range(count):
        for k in range(count):
            if k == j or (kind == BCC and k < j):
                continue
            value, weight = _pair(kind, p, polar[j, k])
            if kind != BENT and not flat[j, k]:
                for m in range(count):
                    if m in (j, k):
                        continue
                    if poles and polar[j, m] >= p[0]:
                        value += _gauss(p[1] * (polar[j, m] / math.pi - 1.0))
                        weight += 1.0
                    if not flat[j, m]:
                        more, extra = _triple(kind, p, polar[j, k], polar[j, m], azimuth[j, k, m])
                        value += more
                        weight += extra
            total += value
            weights += weight
            if weight > SMALL:
                largest = max(largest, value / weight)
    if kind == BENT:
        return total / weights
    if kind == BCC:
        return total / (0.5 * count * (6 + (count - 2) * (count - 3)))
    return largest


@compiled
def _bond_order(degree: int, unit: Array, count: int) -> float:
    """Steinhardt's bond-orientational order q2, q4 or q6 of the first neighbours (Phys. Rev. B 28, 784 (1983))."""
    real, imaginary = np.zeros(7), np.zeros(7)
    for j in range(count):
        x, y, z = unit[j, 0], unit[j, 1], max(-1.0, min(unit[j, 2], 1.0))
        if not -(1 - SMALL) < z < 1 - SMALL:
            x, y = math.sqrt(1 - z * z), 0.0
        c2 = z * z
        c4 = c2 * c2
        re, im = 1.0, 0.0
        for m in range(degree + 1):
            if degree == 2:
                if m == 0:
                    factor = 0.25 * math.sqrt(5.0) * (3 * c2 - 1)
                elif m == 1:
                    factor = 0.5 * math.sqrt(7.5) * z
                else:
                    factor = 0.25 * math.sqrt(7.5)
            elif degree == 4:
                if m == 0:
                    factor = 3 / 16 * (35 * c4 - 30 * c2 + 3)
                elif m == 1:
                    factor = 3 / 8 * math.sqrt(5.0) * z * (7 * c2 - 3)
                elif m == 2:
                    factor = 3 / 8 * math.sqrt(2.5) * (7 * c2 - 1)
                elif m == 3:
                    factor = 3 / 8 * math.sqrt(35.0) * z
                else:
                    factor = 3 / 16 * math.sqrt(17.5)
            elif m == 0:
                factor = math.sqrt(13.0) / 32 * (231 * c4 * c2 - 315 * c4 + 105 * c2 - 5)
            elif m == 1:
                factor = math.sqrt(136.5) / 16 * z * (33 * c4 - 30 * c2 + 5)
            elif m == 2:
                factor = math.sqrt(1365.0) / 64 * (33 * c4 - 18 * c2 + 1)
            elif m == 3:
                factor = math.sqrt(1365.0) / 32 * z * (11 * c2 - 3)
            elif m == 4:
                factor = 3 / 32 * math.sqrt(45.5) * (11 * c2 - 1)
            elif m == 5:
                factor = 3 / 32 * math.sqrt(1001.0) * z
            else:
                factor = math.sqrt(3003.0) / 64
            real[m] += factor * re
            imaginary[m] += factor * im
            re, im = re * x - im * y, re * y + im * x
    total = 0.0
    for m in range(degree + 1):
        total += (real[m] ** 2 + imaginary[m] ** 2) * (1 if m == 0 else 2)
    # the factor 1/√π of every harmonic is left out above
    return math.sqrt(4 * total / ((2 * degree + 1) * count**2))


@compiled
def _order_matters(p: Array, weights: Array, share: float, polar: Array, azimuth: Array, flat: Array) -> bool:
    """Whether the body-centred order parameter depends on how neighbours of the same weight are put in order.

    It lets only the earlier of two neighbours be the pole, so that it does not depend on the geometry alone.
    """
    count = 8
    for j in range(count):
        for k in range(j):
            if abs(weights[j] - weights[k]) > TIE * weights[0]:
                continue
            difference = 0.0
            for m in range(count):
                if m in (j, k):
                    continue
                if not flat[j, k] and not flat[j, m]:
                    difference += _triple(BCC, p, polar[j, k], polar[j, m], azimuth[j, k, m])[0]
                if not flat[k, j] and not flat[k, m]:
                    difference -= _triple(BCC, p, polar[k, j], polar[k, m], azimuth[k, j, m])[0]
            if share * abs(difference) > TOLERANCE:
                return True
    return False


@compiled
def _near_threshold(kind: int, p: Array, count: int, polar: Array) -> bool:
    """Whether an angle is where the order parameter jumps, so that the last digits decide."""
    for j in range(count):
        for k in range(j):
            theta = polar[j, k]
            if kind == PENTAGON:
                if abs(theta - 0.6 * math.pi) < CLOSE:
                    return True
            elif kind in (BIPYRAMID, SEE_SAW, HEXAGON, BCC, CUBOCTAHEDRON):
                if abs(theta - p[0]) < CLOSE or (kind == BCC and abs(theta - 0.5 * math.pi) < CLOSE):
                    return True
                if kind == CUBOCTAHEDRON and (abs(theta - p[3]) < CLOSE or abs(theta - p[4]) < CLOSE):
                    return True
    return False


@compiled
def features(
    vectors: Array,
    weights: Array,
    likelihood: Array,
    given: Array,
    motifs: tuple[Integers, Integers, Array],
    out: Array,
) -> int:
    """The features of a site: likelihood of each coordination number, and that times its order parameters.

    :param vectors: to the neighbours, in Å, shape (n, 3); a coordination number has the first of them.
    :param weights: of the neighbours, shape (n,), the largest first.
    :param likelihood: of each coordination number from 0, shape (25,).
    :param given: angles between the neighbours in rad, shape (m, m), m = min(n, 12), to be used as
        they are; computed if empty.
    :param motifs: coordination number, kind and parameters of each, shapes (l,), (l,) and (l, 7), by number.
    :param out: takes the features, shape (61,).
    :returns: :data:`UNIQUE`; or what the features depend on beyond the geometry: :data:`ROUNDING` or :data:`ORDER`.
    """
    numbers, kinds, parameters = motifs
    count = 0
    for number in range(1, MOST + 1):
        if likelihood[number] != 0:
            count = number
    unit = np.empty((count, 3))
    for j in range(count):
        unit[j] = vectors[j] / math.sqrt(vectors[j, 0] ** 2 + vectors[j, 1] ** 2 + vectors[j, 2] ** 2)
    polar, flat = np.zeros((count, count)), np.zeros((count, count))
    across, azimuth = np.zeros((count, count, 3)), np.zeros((count, count, count))
    if given.size > 0:
        polar[:] = given[:count, :count]
    else:
        _polar_angles(unit, polar)
    _across(unit, across, flat)
    _azimuths(across, flat, azimuth)
    column, motif, state = 0, 0, UNIQUE
    for number in range(1, MAX_COORDINATION + 1):
        weight = likelihood[number]
        out[column] = weight
        column += 1
        while motif < numbers.size and numbers[motif] == number:
            kind, value = kinds[motif], 0.0
            if weight != 0:
                if kind == SINGLE_BOND:
                    value = 1.0
                elif kind >= Q2:
                    value = _bond_order(2 * (kind - Q2 + 1), unit, number)
                else:
                    value = _motif(kind, parameters[motif], number, polar, azimuth, flat)
                    if _near_threshold(kind, parameters[motif], number, polar):
                        state = max(state, ROUNDING)
                    if kind == BCC and _order_matters(parameters[motif], weights, weight / 132, polar, azimuth, flat):
                        state = max(state, ORDER)
            out[column] = weight * value
            column += 1
            motif += 1
    return state
