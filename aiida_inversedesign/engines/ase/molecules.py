"""Molecules of the engine ``ase``: coordinates before its job, properties after it."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_inversedesign.engines.common.molecules import embedded, record_of

#: Å of vacuum around a molecule in the box of its node; the calculation itself has no box.
VACUUM = 10.0


@calcfunction
def embed(molecule: orm.Dict, settings: orm.Dict) -> dict[str, orm.Data] | ExitCode:
    """The lowest conformer of a molecule, and its charge and unpaired electrons."""
    return embedded(molecule, settings, lambda found: in_vacuum(found.symbols, found.positions))


def in_vacuum(symbols: Any, positions: Any) -> orm.StructureData:
    """An unstored node of a molecule without periodic boundaries, in the middle of a box."""
    from ase import Atoms

    atoms = Atoms(symbols, positions=positions, pbc=False)
    atoms.center(vacuum=VACUUM / 2)
    return orm.StructureData(ase=atoms)


@calcfunction
def molecule_properties(molecule: orm.Dict, structure: orm.StructureData, results: orm.Dict) -> orm.Dict | ExitCode:
    """Every property that a job yields for a molecule.

    :param structure: as it was relaxed; if its bonds are not those of the molecule there are no properties.
    """
    return record_of(molecule, structure, results.get_dict())
