"""Formulas near a point of a kernel mean descriptor's space: few elements, small integers, possible charges."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import gcd
from typing import Literal

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.formulas import parse_ratio
from aiida_inversedesign.chemistry.kmd.inverse import NEGLIGIBLE, Inverse
from aiida_inversedesign.chemistry.oxidation import charge_score
from aiida_inversedesign.chemistry.validity import charge_neutral

Charge = Literal['off', 'prefer', 'require']
#: a formula by the indices of its elements in :attr:`Inverse.elements`, in order, and their counts
Placed = tuple[tuple[int, int], ...]

#: most elements of a formula when no ratios are given
MOST = 4
#: most atoms of a formula when no ratios are given
LARGEST = 20
#: formulas whose oxidation states are looked at, for each one wanted
WEIGHED = 5
#: replacements of one element that are kept as neighbours of an assignment
REPLACEMENTS = 3


@dataclass(frozen=True)
class Inverted:
    """A formula near a point of the descriptor's space.

    :param counts: element counts of the reduced formula.
    :param residual: ‖KMD(formula) − κ‖.
    :param charge: score of the oxidation states (:func:`aiida_inversedesign.chemistry.oxidation.charge_score`).
    """

    counts: dict[str, int]
    residual: float
    charge: float


def nearest_formulas(
    inverse: Inverse,
    point: Array,
    ratios: Sequence[str] | None = None,
    most: int = MOST,
    largest: int = LARGEST,
    charge: Charge = 'prefer',
    number: int = 1,
) -> list[Inverted]:
    """Formulas of the inverse's elements near a point, the best first.

    Without ratios, the point's fractions are made sparse and rounded to every integer formula around them; with
    ratios, their counts are assigned to elements, improved by exchanges. The formulas found come in the order of
    their residuals; with ``charge`` ``prefer`` or ``require`` in the order of residual × (2 − score of the oxidation
    states): a formula of impossible charges must lie twice as near as one of usual charges, and one that lies exactly
    at the point always comes first.

    :param point: shape (d,).
    :param ratios: ratio labels a formula may have; default: any.
    :param most: most elements where no ratios are given.
    :param largest: most atoms of the formula where no ratios are given, the largest denominator of its fractions.
    :param charge: ``require`` leaves out what cannot be neutral with common oxidation states.
    :param number: most formulas to return.
    :returns: empty if no formula around may be neutral, or every ratio needs more elements than there are.
    :raises KmdError: if the point does not belong to the descriptor.
    """
    target, apart = inverse.project(point)
    near = sorted(_of_ratios(inverse, target, ratios) if ratios else _rounded(inverse, target, most, largest))
    if charge == 'require':
        near = [placed for placed in near if charge_neutral(_counts(inverse, placed))]
    if not near:
        return []
    residuals = _residuals(inverse, near, target, apart)
    order = np.argsort(residuals, kind='stable')
    # a penalty of at most 2 cannot bring anything farther than this to the front
    limit = 2 * residuals[order[min(number, len(near)) - 1]] + NEGLIGIBLE
    weighed = number if charge == 'off' else WEIGHED * number
    found = []
    for index in order[:weighed]:
        if residuals[index] > limit:
            break
        counts, residual = _counts(inverse, near[index]), float(residuals[index])
        score = charge_score(counts)
        found.append((residual * (1.0 if charge == 'off' else 2.0 - score), Inverted(counts, residual, score)))
    found.sort(key=lambda pair: pair[0])
    return [item for _, item in found[:number]]


def nearest_counts(fractions: Array, largest: int) -> list[tuple[int, ...]]:
    """Reduced integer counts near the fractions: for every number of atoms each way to round up or down.

    :param fractions: shape (k,), sum 1.
    :param largest: most atoms.
    :returns: without repeats; a count may be 0.
    """
    found: dict[tuple[int, ...], None] = {}
    for atoms in range(1, largest + 1):
        # 2.9999999999 is 3
        lower = np.floor(fractions * atoms + 1e-9).astype(int)
        for raised in combinations(range(len(lower)), atoms - int(lower.sum())):
            counts = lower.copy()
            counts[list(raised)] += 1
            divisor = functools.reduce(gcd, counts.tolist())
            found[tuple(int(count) // divisor for count in counts)] = None
    return list(found)


def _counts(inverse: Inverse, placed: Placed) -> dict[str, int]:
    return {inverse.elements[index]: count for index, count in placed}


def _residuals(inverse: Inverse, formulas: Sequence[Placed], target: Array, apart: float) -> Array:
    fractions = np.zeros((len(formulas), len(inverse.elements)))
    for row, placed in enumerate(formulas):
        for index, count in placed:
            fractions[row, index] = count
    fractions /= fractions.sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(((fractions @ inverse.rows - target) ** 2).sum(axis=1) + apart))


def _rounded(inverse: Inverse, target: Array, most: int, largest: int) -> set[Placed]:
    support, values = inverse.sparse(target, most)
    return {
        tuple(sorted((index, count) for index, count in zip(support, counts, strict=True) if count))
        for counts in nearest_counts(values, largest)
    }


def _of_ratios(inverse: Inverse, target: Array, ratios: Sequence[str]) -> set[Placed]:
    """For each ratio the assignments of elements on the way to the best one, and those around them."""
    found: set[Placed] = set()
    starts: dict[int, list[int]] = {}
    for label in ratios:
        counts = parse_ratio(label)
        if len(counts) > len(inverse.elements):
            continue
        if len(counts) not in starts:
            starts[len(counts)] = _start(inverse, target, len(counts))
        indices, best = starts[len(counts)], np.inf
        while True:
            around = _around(inverse, target, counts, indices)
            found |= {tuple(sorted(zip(other, counts, strict=True))) for _, other in around}
            distance, indices = min(around)
            if distance >= best * (1 - NEGLIGIBLE):
                break
            best = distance
    return found


def _around(
    inverse: Inverse, target: Array, counts: tuple[int, ...], indices: list[int]
) -> list[tuple[float, list[int]]]:
    """An assignment and those with one element replaced or two exchanged, each with its squared distance."""
    rows, fractions = inverse.rows, np.array(counts) / sum(counts)
    offset = fractions @ rows[indices] - target
    around = [(float(offset @ offset), indices)]
    lengths = (rows**2).sum(axis=1)
    for position, fraction in enumerate(fractions):
        # ‖offset + f (r_new − r_old)‖² for every new element
        rest = offset - fraction * rows[indices[position]]
        squares = rest @ rest + 2 * fraction * (rows @ rest) + fraction**2 * lengths
        squares[indices] = np.inf
        around += [
            (float(squares[index]), [*indices[:position], int(index), *indices[position + 1 :]])
            for index in np.argsort(squares, kind='stable')[:REPLACEMENTS]
            if np.isfinite(squares[index])
        ]
    for first, second in combinations(range(len(indices)), 2):
        if counts[first] != counts[second]:
            swapped = list(indices)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            around.append((float(((fractions @ rows[swapped] - target) ** 2).sum()), swapped))
    return around


def _start(inverse: Inverse, target: Array, number: int) -> list[int]:
    """So many different elements: those of the sparse answer, the most abundant first, then the nearest others."""
    support, values = inverse.sparse(target, number)
    indices = [support[position] for position in np.argsort(-values, kind='stable')]
    nearest = np.argsort(((inverse.rows - target) ** 2).sum(axis=1), kind='stable')
    return (indices + [int(index) for index in nearest if index not in indices])[:number]
