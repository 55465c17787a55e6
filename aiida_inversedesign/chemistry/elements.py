"""The element table: 58 features of the elements H to Cm, and what is derived from it.

The table is ``elements.csv``; ``elements_columns.csv`` gives the unit and source of every feature and
``elements_imputed.csv`` lists the values that no source had. ``compile_elements.py`` makes all three.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.errors import InverseDesignError


class ElementError(InverseDesignError):
    """An element the table has no data for."""


@dataclass(frozen=True, eq=False)
class ElementTable:
    """Features of the elements.

    :param symbols: element symbols, in order of their atomic number, length m.
    :param names: feature names, length p.
    :param units: unit of each feature; empty if it has none.
    :param values: the table, shape (m, p), without gaps.
    :param imputed: where a value was filled in because no source had it, shape (m, p).
    """

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    units: dict[str, str]
    sources: dict[str, str]
    values: Array
    imputed: NDArray[np.bool_]

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """Row of each symbol."""
        return {symbol: row for row, symbol in enumerate(self.symbols)}

    @functools.cached_property
    def zscored(self) -> Array:
        """The features with mean 0 and standard deviation 1 over the elements, shape (m, p)."""
        return np.asarray((self.values - self.values.mean(axis=0)) / self.values.std(axis=0))

    @functools.cached_property
    def dissimilarity(self) -> Array:
        """Euclidean distance between the z-scored features of every two elements, shape (m, m)."""
        difference = self.zscored[:, None, :] - self.zscored[None, :, :]
        return np.asarray(np.sqrt((difference**2).sum(axis=2)))

    def column(self, name: str) -> dict[str, float]:
        """One feature by element symbol."""
        values = self.values[:, self.names.index(name)]
        return dict(zip(self.symbols, values.tolist(), strict=True))

    def rows(self, symbols: Iterable[str]) -> list[int]:
        """Rows of the symbols.

        :raises ElementError: if the table has no data for one of them.
        """
        symbols = list(symbols)
        unknown = [symbol for symbol in symbols if symbol not in self.index]
        if unknown:
            raise ElementError(
                f'no data for {", ".join(unknown)}: the element table covers {self.symbols[0]} to {self.symbols[-1]}'
            )
        return [self.index[symbol] for symbol in symbols]


def _read(name: str) -> list[dict[str, str]]:
    text = files('aiida_inversedesign.chemistry').joinpath(name).read_text(encoding='utf-8')
    return list(csv.DictReader(text.splitlines()))


@functools.cache
def element_table() -> ElementTable:
    """The table shipped with the package."""
    rows, columns = _read('elements.csv'), _read('elements_columns.csv')
    names = tuple(column['column'] for column in columns)
    symbols = tuple(row['symbol'] for row in rows)
    values = np.array([[float(row[name]) for name in names] for row in rows])
    imputed = np.zeros(values.shape, dtype=bool)
    for gap in _read('elements_imputed.csv'):
        imputed[symbols.index(gap['symbol']), names.index(gap['column'])] = True
    units = {column['column']: column['unit'] for column in columns}
    sources = {column['column']: column['source'] for column in columns}
    return ElementTable(symbols, names, units, sources, values, imputed)


@functools.cache
def covalent_radii() -> dict[str, float]:
    """Covalent radius of each element in Å (Cordero et al., Dalton Trans. 2008, 2832)."""
    return {symbol: radius / 100 for symbol, radius in element_table().column('covalent_radius_cordero').items()}


def unknown_elements(counts: Mapping[str, int] | Iterable[str]) -> list[str]:
    """The elements among these that the table has no data for, sorted."""
    return sorted(set(counts) - set(element_table().index))
