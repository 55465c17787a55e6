"""Chooses K templates that together cover the likely structures of a formula."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: fingerprint distance at which two structures are as likely the same prototype as not, for the first templates and
#: for later ones, which shall reach further; how sharp that is, and what a template covers of a structure it is like
CENTRE, LATER, WIDTH, LIKE = 0.1, 0.15, 0.05, 0.8
#: templates chosen before the later centre holds
FIRST = 3
#: what a template covers of its own structure, and the distance within which that holds: it is not chosen twice
EQUAL, NARROW = 0.99, 0.04


def similarity(distance: NDArray[np.float32], centre: float = CENTRE) -> NDArray[np.float32]:
    """How far a template stands for a structure at a fingerprint distance, 0 to :data:`EQUAL`.

    The numbers were chosen on held-out compounds of the Materials Project library (docs/decisions.md).
    """
    like = LIKE / (1 + np.exp(np.minimum((distance - centre) / WIDTH, 50)))
    out: NDArray[np.float32] = np.maximum(like, EQUAL * np.exp(-(np.minimum(distance / NARROW, 10) ** 2)))
    return out


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances between rows, shapes (n, p) and (m, p) → (n, m); infinite where a row is NaN."""
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    out: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0))
    return np.nan_to_num(out, nan=np.inf)


def cover(
    distance: NDArray[np.float32], weights: NDArray[np.float32], number: int, prints: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose templates one by one, each covering as much as it can of what is not covered yet.

    The structures that may be the right one are covered as in the maximum-coverage problem, whose greedy solution is
    within 1 - 1/e of the best one (Nemhauser, Wolsey and Fisher, Math. Program. 14, 265 (1978)). A template that equals
    a chosen one (fingerprints within :data:`NARROW`) comes only when no other is left.

    :param distance: fingerprint distance of each template (row) to each structure, shape (n, m).
    :param weights: probability of each structure, shape (m,).
    :param prints: fingerprints of the templates, shape (n, p); NaN where there is none.
    :returns: positions of at most ``number`` templates in the order of choice, and what each of them added.
    """
    number = min(number, len(distance))
    chosen = np.empty(number, dtype=np.int64)
    gains = np.empty(number)
    order = np.ones(len(distance), dtype=np.float32)
    stands_for = similarity(distance)
    left = weights.astype(np.float32, copy=True)
    for place in range(number):
        if place == FIRST:
            stands_for = similarity(distance, LATER)
            left = weights * np.prod(1 - stands_for[chosen[:place]], axis=0)
        added = stands_for @ left
        best = int(np.argmax((added + np.float32(1e-12)) * order))
        chosen[place], gains[place] = best, float(added[best])
        difference = prints - prints[best]
        equal = np.einsum('np,np->n', difference, difference) < NARROW**2
        order[equal] = np.minimum(order[equal], 1e-12)
        order[best] = 0
        left = left * (1 - stands_for[best])
    return chosen, gains
