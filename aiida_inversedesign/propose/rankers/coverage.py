"""Chooses K templates for a formula: likely prototypes, and what else its distribution over structures holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: fingerprint distance at which two structures are as likely the same as not; how sharp that is, and what a template
#: covers of a structure it is like
CENTRE, WIDTH, LIKE = 0.1, 0.05, 0.8
#: what a template covers of its own structure, and the distance within which that holds
EQUAL, NARROW = 0.99, 0.04
#: what covering the distribution counts beside the probability of a prototype. Chosen on the 695 held-out compounds of
#: the shipped model: 0.05 to 0.5 change the right prototype among the first five by 1.5 points, and the fingerprint
#: within 0.1 among the first ten by 1.2 points the other way.
COVERED = 0.1
#: the likeliest templates are looked at for a rank: at least so many, and for later ranks a multiple of the rank
LOOKED_AT, LATER = 192, 2
#: templates of one prototype within this fingerprint distance are one proposal
SAME = 0.1


def similarity(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far a template stands for a structure at a fingerprint distance, 0 to :data:`EQUAL`; elementwise.

    The numbers were chosen on held-out compounds of the Materials Project library (docs/decisions.md).
    """
    like = LIKE / (1 + np.exp(np.minimum((distance - CENTRE) / WIDTH, 50)))
    return np.asarray(np.maximum(like, EQUAL * np.exp(-(np.minimum(distance / NARROW, 10) ** 2))))


def distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distances between rows, shapes (n, p) and (m, p) → (n, m); infinite where a row is NaN."""
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2 * (a @ b.T)
    out: NDArray[np.float32] = np.sqrt(np.maximum(squared, 0))
    return np.nan_to_num(out, nan=np.inf)


def looked_at(template_indices: int) -> int:
    """How many templates are looked at for the last of so many ranks."""
    return max(LOOKED_AT, LATER * template_indices)


def cover(
    distance: NDArray[np.float32],
    weights: NDArray[np.float32],
    number: int,
    prints: NDArray[np.float32],
    prototypes: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose templates one by one, each by the probability of its prototype and by what of the distribution it covers.

    The probability of a prototype counts once, for the first template that has it; structures that may be the right one
    are covered as in the maximum-coverage problem (Nemhauser, Wolsey and Fisher, Math. Program. 14, 265 (1978)), which
    decides between templates of one prototype and brings other structures of a likely prototype. A template that has
    the prototype of a chosen one and is within :data:`SAME` of it comes only when no other is left. Templates of
    different prototypes never stand in each other's way, however alike their fingerprints are: orderings of one lattice
    differ by nothing else. What comes first does not depend on how many are asked for.

    :param distance: fingerprint distance of each template (row), likeliest first, to each structure, shape (n, m).
    :param weights: probability of each structure, shape (m,).
    :param prints: fingerprints of the templates, shape (n, p); NaN where there is none.
    :param prototypes: number of the prototype of each template, shape (n,).
    :param shares: probability of each prototype, shape (q,).
    :returns: positions of at most ``number`` templates in the order of choice, and what each of them added.
    """
    number = min(number, len(distance))
    chosen = np.empty(number, dtype=np.int64)
    gains = np.empty(number)
    order = np.ones(len(distance))
    stands_for = similarity(distance)
    left, open_shares = weights.astype(np.float32, copy=True), shares.astype(np.float64, copy=True)
    for index in range(number):
        added = open_shares[prototypes] + COVERED * (stands_for @ left)
        best = int(np.argmax(((added + 1e-12) * order)[: looked_at(index + 1)]))
        chosen[index], gains[index] = best, float(added[best])
        difference = prints - prints[best]
        near = np.einsum('np,np->n', difference, difference) < SAME**2
        order[near & (prototypes == prototypes[best])] *= 1e-12
        order[best] = 0
        left = left * (1 - stands_for[best])
        open_shares[prototypes[best]] = 0
    return chosen, gains
