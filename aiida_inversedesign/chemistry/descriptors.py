"""Composition descriptors: five statistics of the element features over a formula (290 numbers).

Source: Kusaba, Liu and Yoshida, Comput. Mater. Sci. 211, 111496 (2022), after XenonPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import parse_formula

STATISTICS = ('mean', 'sum', 'variance', 'max', 'min')

#: formulas handled at once: bounds the memory of the gathered features to about 50 MB
CHUNK = 8192

Counts = Mapping[str, int] | Mapping[str, float]


def descriptor_names() -> list[str]:
    """Names of the columns of :func:`describe`: ``mean_atomic_number`` … ``min_hhi_reserves``."""
    return [f'{statistic}_{name}' for statistic in STATISTICS for name in element_table().names]


def describe(formulas: Sequence[str | Counts]) -> NDArray[np.float64]:
    """Weighted mean, sum, weighted variance, maximum and minimum of each element feature.

    Counts are reduced first, so that ``C2`` and ``C`` are the same: the sum depends on how a formula is written.
    Amounts that are not whole numbers are taken as they are: the way from one formula to another leads over them.

    :param formulas: formulas or element counts (or amounts), n of them.
    :returns: shape (n, 5 p) with p features of the element table.
    :raises ElementError: if the element table has no data for an element.
    """
    table = element_table()
    counts = [parse_formula(item) if isinstance(item, str) else item for item in formulas]
    out = np.empty((len(counts), len(STATISTICS) * len(table.names)))
    for start in range(0, len(counts), CHUNK):
        out[start : start + CHUNK] = _describe(counts[start : start + CHUNK])
    return out


def _describe(counts: Sequence[Counts]) -> NDArray[np.float64]:
    table = element_table()
    width = max((len(item) for item in counts), default=1)
    rows = np.zeros((len(counts), width), dtype=int)
    amounts = np.zeros((len(counts), width))
    for position, item in enumerate(counts):
        found = table.rows(item)
        rows[position, : len(found)] = found
        # a shorter formula repeats its first element with amount 0: neither maximum nor minimum change
        rows[position, len(found) :] = found[0]
        amounts[position, : len(found)] = list(item.values())
    whole = (amounts == np.rint(amounts)).all(axis=1)
    amounts[whole] /= np.gcd.reduce(amounts[whole].astype(int), axis=1)[:, None]
    features = table.values[rows]
    total = np.einsum('nk,nkp->np', amounts, features)
    weights = amounts / amounts.sum(axis=1, keepdims=True)
    mean = np.einsum('nk,nkp->np', weights, features)
    variance = np.einsum('nk,nkp->np', weights, (features - mean[:, None, :]) ** 2)
    return np.asarray(np.concatenate([mean, total, variance, features.max(axis=1), features.min(axis=1)], axis=1))


@dataclass(frozen=True, eq=False)
class Scaler:
    """Mean and standard deviation of each column of a data set, for z-scores.

    :param mean: shape (p,).
    :param std: shape (p,); 1 where a column is constant, so that it scales to 0 and not to NaN.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, data: NDArray[np.float64]) -> Scaler:
        """The statistics of ``data``, shape (n, p)."""
        std = data.std(axis=0)
        return cls(data.mean(axis=0), np.where(std > 1e-12 * (1 + np.abs(data).max(axis=0)), std, 1.0))

    def transform(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """z-scores of ``data``, shape (n, p)."""
        return np.asarray((data - self.mean) / self.std)
