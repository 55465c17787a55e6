"""A periodic crystal as plain arrays: what the pure core passes around instead of heavy objects."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.formulas import ratio_label, reduced_formula
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from pymatgen.core import Structure


class CrystalError(InverseDesignError):
    """A structure that cannot be used, with the reason in words for the person who supplied it."""


@dataclass(frozen=True, eq=False)
class Crystal:
    """An ordered periodic structure.

    :param lattice: lattice vectors as rows, shape (3, 3), in Å.
    :param species: element symbol of each site, length n.
    :param frac_coords: fractional coordinates, shape (n, 3).
    :raises CrystalError: if a shape is wrong, a number is not finite, or the cell has no volume.
    """

    lattice: NDArray[np.float64]
    species: tuple[str, ...]
    frac_coords: NDArray[np.float64]

    def __post_init__(self) -> None:
        try:
            lattice = np.asarray(self.lattice, dtype=np.float64)
            coords = np.asarray(self.frac_coords, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CrystalError(f'lattice and coordinates must be numbers ({error})') from error
        if lattice.shape != (3, 3):
            raise CrystalError(f'the lattice must be 3 × 3 vectors in Å, got shape {lattice.shape}')
        if len(self.species) == 0:
            raise CrystalError('the structure has no sites')
        if coords.shape != (len(self.species), 3):
            raise CrystalError(f'{len(self.species)} species but coordinates of shape {coords.shape}')
        if not (np.isfinite(lattice).all() and np.isfinite(coords).all()):
            raise CrystalError('lattice or coordinates contain NaN or infinity')
        if abs(np.linalg.det(lattice)) < 1e-3:
            raise CrystalError('the cell volume is zero')
        object.__setattr__(self, 'lattice', lattice)
        object.__setattr__(self, 'frac_coords', coords)
        object.__setattr__(self, 'species', tuple(str(symbol) for symbol in self.species))

    @property
    def nsites(self) -> int:
        """Number of sites in the cell."""
        return len(self.species)

    @cached_property
    def volume(self) -> float:
        """Cell volume in Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of atoms of each element in the cell."""
        return dict(Counter(self.species))

    @cached_property
    def formula(self) -> str:
        """Reduced formula in pymatgen's ordering, e.g. ``CaCO3``."""
        return reduced_formula(self.counts)

    @property
    def key(self) -> str:
        """What candidates with this crystal are called: the reduced formula."""
        return self.formula

    @cached_property
    def ratio_label(self) -> str:
        """Integer counts of the reduced formula, largest first, e.g. ``3:1:1``."""
        return ratio_label(self.counts)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of species, lattice (1e-4 Å) and coordinates (1e-4, modulo the cell), sites sorted.

        Insensitive to the order of sites and to noise below the rounding; sensitive to the choice of cell.
        """
        # adding 0.0 turns -0.0 into 0.0, which would otherwise hash differently
        lattice = np.round(self.lattice, 4) + 0.0
        wrapped = np.round(self.frac_coords % 1.0, 4) % 1.0 + 0.0
        sites = sorted(zip(self.species, map(tuple, wrapped.tolist()), strict=True))
        return hashlib.sha256(repr((lattice.tolist(), sites)).encode()).hexdigest()

    def scaled_to(self, volume: float) -> Crystal:
        """The same crystal with every lattice vector scaled so that the cell has ``volume`` (Å³)."""
        if not volume > 0:
            raise CrystalError(f'the volume must be positive, got {volume} Å³')
        return Crystal(self.lattice * (volume / self.volume) ** (1 / 3), self.species, self.frac_coords)

    def with_species(self, mapping: Mapping[str, str]) -> Crystal:
        """The same crystal with each element replaced by ``mapping[element]``."""
        return Crystal(self.lattice, tuple(mapping[symbol] for symbol in self.species), self.frac_coords)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: ``lattice``, ``species``, ``frac_coords``."""
        return {
            'lattice': self.lattice.tolist(),
            'species': list(self.species),
            'frac_coords': self.frac_coords.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Crystal:
        """The crystal of plain data as written by :meth:`to_dict`; other keys are ignored."""
        missing = [key for key in ('lattice', 'species', 'frac_coords') if data.get(key) is None]
        if missing:
            raise CrystalError(f'missing key(s): {", ".join(missing)}')
        return cls(data['lattice'], tuple(data['species']), data['frac_coords'])

    def to_pymatgen(self) -> Structure:
        """The crystal as a pymatgen ``Structure``."""
        from pymatgen.core import Structure

        return Structure(self.lattice, self.species, self.frac_coords)

    @classmethod
    def from_pymatgen(cls, structure: Structure) -> Crystal:
        """The crystal of an ordered pymatgen ``Structure``; oxidation states and properties are dropped.

        :raises CrystalError: if a site is partially occupied.
        """
        if not structure.is_ordered:
            raise CrystalError('partially occupied sites: only ordered structures can be used')
        species = tuple(site.specie.symbol for site in structure)
        return cls(structure.lattice.matrix, species, structure.frac_coords)
