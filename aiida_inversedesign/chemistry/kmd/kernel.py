"""Kernel mean descriptors of formulas: the distribution of element features over the atoms, without loss.

An element's row of the kernel matrix ``K`` (elements × columns) says how near its features lie to fixed points; a
formula's descriptor is the mean over its atoms, ``w K`` with the atomic fractions ``w``. Two kinds:

- ``1d``: every feature is scaled to 0 … 1 over the element table and compared with n equally spaced points,
  k = exp(−d²/Δ²) with their spacing Δ; the features follow one another.
- ``md``: the features are z-scored over the table and every element is compared with every element,
  k = exp(−‖·‖²/D²) with the median D² of the squared distance to the nearest neighbour.

The scaling is that of the whole element table, whatever the campaign's elements are, so that descriptors of two
campaigns are comparable. The way back is :mod:`aiida_inversedesign.chemistry.kmd.inverse`.

Source: Kusaba, Hayashi, Liu, Wakiuchi and Yoshida, Phys. Rev. B 108, 134107 (2023).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.errors import InverseDesignError

Counts = Mapping[str, int]
Kind = Literal['1d', 'md']

#: grid points per feature of the descriptor "1d"
GRID = 10


class KmdError(InverseDesignError):
    """A kernel mean descriptor that cannot be made, or not be inverted."""


@dataclass(frozen=True, eq=False)
class KernelMean:
    """A kernel mean descriptor over the element table.

    :param kind: ``1d`` or ``md``.
    :param grid: grid points per feature; None for ``md``.
    :param features: names of the element features it is made of, p of them.
    :param kernel: K, shape (m, d): m elements of the table; d = p × grid columns for ``1d``, m for ``md``.
    """

    kind: Kind
    grid: int | None
    features: tuple[str, ...]
    kernel: Array

    @property
    def names(self) -> list[str]:
        """Names of the columns: ``kmd_en_pauling_0`` … or ``kmd_H`` …"""
        if self.grid is None:
            return [f'kmd_{symbol}' for symbol in element_table().symbols]
        return [f'kmd_{feature}_{point}' for feature in self.features for point in range(self.grid)]

    def describe(self, formulas: Sequence[str | Counts]) -> Array:
        """The descriptors of formulas, shape (n, d).

        :raises ElementError: if the element table has no data for an element.
        """
        return np.asarray(atomic_fractions(formulas) @ self.kernel)


def atomic_fractions(formulas: Sequence[str | Counts]) -> Array:
    """Atomic fractions of formulas over the element table, shape (n, m).

    :raises ElementError: if the element table has no data for an element.
    """
    table = element_table()
    fractions = np.zeros((len(formulas), len(table.symbols)))
    for row, item in enumerate(formulas):
        counts = parse_formula(item) if isinstance(item, str) else item
        fractions[row, table.rows(counts)] = np.array(list(counts.values())) / sum(counts.values())
    return fractions


def kernel_mean(kind: Kind = '1d', grid: int = GRID, features: Sequence[str] | None = None) -> KernelMean:
    """The descriptor of a kind.

    :param grid: grid points per feature of ``1d``, at least 2; ``md`` has none and does not look at it.
    :param features: names of columns of the element table; default: all.
    :raises KmdError: if the kind, the grid or a feature is none.
    """
    names = element_table().names if features is None else tuple(dict.fromkeys(features))
    return _kernel_mean(kind, grid, names)


@functools.lru_cache(maxsize=64)
def _kernel_mean(kind: Kind, grid: int, features: tuple[str, ...]) -> KernelMean:
    table = element_table()
    if unknown := [name for name in features if name not in table.names]:
        raise KmdError(f'the element table has no feature {", ".join(unknown)}: it has {", ".join(table.names)}')
    if not features:
        raise KmdError('a kernel mean descriptor needs at least one element feature')
    columns = [table.names.index(name) for name in features]
    if kind == 'md':
        return KernelMean(kind, None, features, _frozen(_distances_to_elements(table.zscored[:, columns])))
    if kind != '1d':
        raise KmdError(f'unknown kernel mean descriptor {kind!r}: use 1d or md')
    if grid < 2:
        raise KmdError(f'{grid} grid point(s): the descriptor 1d needs at least 2 per feature')
    return KernelMean(kind, grid, features, _frozen(_distances_to_grid(table.values[:, columns], grid)))


def _distances_to_grid(values: Array, grid: int) -> Array:
    """exp(−d²/Δ²) of scaled features and grid points, shape (m, p × grid)."""
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / (high - low)
    steps = (scaled[:, :, None] - np.linspace(0.0, 1.0, grid)) * (grid - 1)
    return np.asarray(np.exp(-(steps**2)).reshape(len(values), -1))


def _distances_to_elements(zscored: Array) -> Array:
    """exp(−‖·‖²/D²) of every two elements, shape (m, m)."""
    squared = ((zscored[:, None, :] - zscored[None, :, :]) ** 2).sum(axis=2)
    nearest = np.where(np.eye(len(squared), dtype=bool), np.inf, squared).min(axis=1)
    width = float(np.median(nearest))
    if width == 0.0:
        raise KmdError('most elements share these features with another element: name more features')
    return np.asarray(np.exp(-squared / width))


def _frozen(kernel: Array) -> Array:
    """The kernel is shared by all who ask for the same descriptor: nobody may write to it."""
    kernel.setflags(write=False)
    return kernel
