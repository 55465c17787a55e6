"""Groups of descriptors that say the same: one of them cannot be judged without the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array

Mask = NDArray[np.bool_]

#: Mean rank correlation from which descriptors belong together: half of the variance of ranks in common.
CORRELATED = 0.7


@dataclass(frozen=True)
class Group:
    """Descriptors that go together.

    :param name: the descriptor that is closest to all of them.
    :param columns: theirs, that of ``name`` first.
    """

    name: str
    columns: tuple[int, ...]


def correlated_groups(X: Array, names: Sequence[str]) -> tuple[list[Group], list[str]]:
    """Descriptors grouped by the size of their Spearman correlation (average linkage), and those that do not vary.

    :param X: descriptors of candidates, shape (n, d).
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    varying = np.flatnonzero(np.ptp(X, axis=0) > 1e-9)
    constant = [name for column, name in enumerate(names) if column not in varying]
    if len(varying) < 2:
        return [Group(names[int(column)], (int(column),)) for column in varying], constant
    size = np.abs(np.corrcoef(rankdata(X[:, varying], axis=0), rowvar=False))
    distance = np.clip(1 - size, 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    labels = fcluster(linkage(squareform((distance + distance.T) / 2), 'average'), 1 - CORRELATED, 'distance')
    groups = []
    for label in dict.fromkeys(labels.tolist()):
        members = np.flatnonzero(labels == label)
        order = members[np.argsort(-size[np.ix_(members, members)].sum(axis=1), kind='stable')]
        groups.append(Group(names[int(varying[order[0]])], tuple(int(varying[member]) for member in order)))
    return groups, constant
