"""Chooses K templates that together cover the likely structures of a formula."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: fingerprint distance at which two structures are as likely the same prototype as not, and how sharp that is
CENTRE, WIDTH = 0.1, 0.05
#: what a template covers of a structure it equals: below 1, because an equal fingerprint is no proof
COVER = 0.8


def similarity(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far a template stands for a structure at a fingerprint distance, 0 to :data:`COVER`."""
    out: NDArray[np.float32] = COVER / (1 + np.exp((distance - CENTRE) / WIDTH))
    return out


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances between rows, shapes (n, p) and (m, p) → (n, m); infinite where a row is NaN."""
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    out: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0))
    return np.nan_to_num(out, nan=np.inf)


def cover(
    stands_for: NDArray[np.float32], weights: NDArray[np.float32], number: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose templates one by one, each covering as much as it can of what is not covered yet.

    The structures that may be the right one are covered as in the maximum-coverage problem, whose greedy solution is
    within 1 - 1/e of the best one (Nemhauser, Wolsey and Fisher, Math. Program. 14, 265 (1978)).

    :param stands_for: :func:`similarity` of each template (row) to each structure, shape (n, m).
    :param weights: probability of each structure, shape (m,).
    :returns: positions of at most ``number`` templates in the order of choice, and what each of them added.
    """
    left = weights.astype(np.float32, copy=True)
    number = min(number, len(stands_for))
    chosen = np.empty(number, dtype=np.int64)
    gains = np.empty(number)
    open_ = np.ones(len(stands_for), dtype=np.float32)
    for place in range(number):
        gain = (stands_for @ left + np.float32(1e-12)) * open_
        best = int(np.argmax(gain))
        chosen[place], gains[place] = best, gain[best]
        open_[best] = 0
        left *= 1 - stands_for[best]
    return chosen, gains
