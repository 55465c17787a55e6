"""Shares with their intervals, success by rank, and paired tests: the statistics of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_inversedesign.arrays import Integers, Mask

#: position of a hit that did not come
NEVER = np.iinfo(np.int64).max

Positions = Integers


@dataclass(frozen=True)
class Share:
    """A share of n with its 95 % Wilson interval; all None if n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def interval(self) -> list[float | None]:
        """Its ends."""
        return [self.low, self.high]


def share(hits: int, n: int) -> Share:
    """``hits`` of ``n``."""
    if n == 0:
        return Share(None, None, None, 0)
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method='wilson')
    return Share(hits / n, float(interval.low), float(interval.high), n)


def first_hit(hits: Mask) -> int:
    """Position of the first hit, from 0; :data:`NEVER` if there is none."""
    found = np.flatnonzero(hits)
    return int(found[0]) if len(found) else NEVER


def success(positions: Positions, ks: Sequence[int]) -> dict[int, Share]:
    """Share of the queries with a hit among their first K, for each K.

    :param positions: of the first hit of each query, from 0, shape (n,).
    """
    return {k: share(int((positions < k).sum()), len(positions)) for k in ks}


def recall(positions: Positions, findable: Mask, ks: Sequence[int]) -> dict[int, Share]:
    """Success among the queries that some template answers (the findable): independent of the library's size."""
    return success(positions[findable], ks)


@dataclass(frozen=True)
class Paired:
    """McNemar's exact test of two rankings on the same queries.

    :param first_only: queries that only the first ranking answers.
    :param second_only: queries that only the second one answers.
    :param p: two-sided probability of a difference as large, if both were equally good.
    """

    first_only: int
    second_only: int
    p: float


def mcnemar(first: Mask, second: Mask) -> Paired:
    """Compare two rankings by the queries that exactly one of them answers.

    :param first: whether the first ranking answers each query, shape (n,); ``second`` likewise.
    """
    only, other = int((first & ~second).sum()), int((second & ~first).sum())
    return Paired(only, other, sign_test(only, other))


def sign_test(more: int, fewer: int) -> float:
    """The two-sided probability of such a split of signs that are equally likely; 1 without any."""
    from scipy.stats import binomtest

    return float(binomtest(more, more + fewer, 0.5).pvalue) if more + fewer else 1.0


def median_p90(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Median and 90th percentile; None of nothing."""
    if not len(values):
        return None, None
    array = np.asarray(values, dtype=np.float64)
    return float(np.median(array)), float(np.quantile(array, 0.9))
