"""Which element of a formula replaces which element of a template."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.errors import InverseDesignError

#: equal counts up to this many are solved by trying every order for all templates at once (5! = 120)
ENUMERATED = 5


class AssignmentError(InverseDesignError):
    """A formula and a template of different ratio labels."""


def assign_elements(query: Mapping[str, int], template: Mapping[str, int]) -> tuple[dict[str, str], float]:
    """The assignment with the least total element dissimilarity.

    Only elements of equal count can replace each other. The dissimilarity of two elements is their distance in
    the z-scored element features.

    :param query: reduced element counts of the formula.
    :param template: reduced element counts of the template.
    :returns: element of the template → element of the formula, and the dissimilarity per atom.
    :raises AssignmentError: if the counts differ.
    """
    from scipy.optimize import linear_sum_assignment

    table = element_table()
    wanted, given = _by_count(query), _by_count(template)
    if {count: len(symbols) for count, symbols in wanted.items()} != {
        count: len(symbols) for count, symbols in given.items()
    }:
        raise AssignmentError(f'{dict(query)} and {dict(template)} have different ratio labels')
    mapping: dict[str, str] = {}
    total = 0.0
    for count, symbols in wanted.items():
        cost = table.dissimilarity[np.ix_(table.rows(given[count]), table.rows(symbols))]
        rows, columns = linear_sum_assignment(cost)
        mapping |= {given[count][row]: symbols[column] for row, column in zip(rows, columns, strict=True)}
        total += count * float(cost[rows, columns].sum())
    return mapping, total / sum(query.values())


def element_rows(templates: Sequence[Mapping[str, int]]) -> NDArray[np.int64]:
    """Rows of the element table for templates of one ratio label, by falling count, shape (n, elements)."""
    table = element_table()
    return np.array([table.rows(_ordered(counts)) for counts in templates], dtype=np.int64)


def dissimilarities(query: Mapping[str, int], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Element dissimilarity per atom between a formula and many templates, each at its best assignment.

    :param query: reduced element counts of the formula.
    :param rows: :func:`element_rows` of the templates, shape (n, k).
    :returns: shape (n,); the second value of :func:`assign_elements` for each template.
    """
    table = element_table()
    symbols = _ordered(query)
    counts = [query[symbol] for symbol in symbols]
    own = table.rows(symbols)
    # each element of the formula against each site of the templates, shape (k, n, k)
    distance = table.dissimilarity[own][:, rows]
    total = np.zeros(len(rows))
    start = 0
    for count, members in _by_count(query).items():
        indices = range(start, start + len(members))
        start += len(members)
        total += count * _least(distance[indices[0] : start, :, indices[0] : start])
    return np.asarray(total / sum(counts))


def _least(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least sum over one-to-one assignments, shape (g, n, g) → (n,)."""
    size = len(distance)
    if size <= ENUMERATED:
        sums = [np.sum([distance[i, :, j] for i, j in enumerate(order)], axis=0) for order in permutations(range(size))]
        return np.asarray(np.min(sums, axis=0), dtype=np.float64)
    from scipy.optimize import linear_sum_assignment

    out = np.empty(distance.shape[1])
    for row in range(distance.shape[1]):
        i, j = linear_sum_assignment(distance[:, row, :])
        out[row] = distance[i, row, j].sum()
    return out


def _by_count(counts: Mapping[str, int]) -> dict[int, list[str]]:
    """Elements of each count, largest count first, sorted by symbol."""
    groups: dict[int, list[str]] = defaultdict(list)
    for symbol in sorted(counts):
        groups[counts[symbol]].append(symbol)
    return dict(sorted(groups.items(), reverse=True))


def _ordered(counts: Mapping[str, int]) -> list[str]:
    return [symbol for symbols in _by_count(counts).values() for symbol in symbols]
