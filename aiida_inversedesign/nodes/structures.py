"""Crystals and their nodes: the one conversion between them."""

from __future__ import annotations

from aiida.orm import StructureData

from aiida_inversedesign.chemistry.crystal import Crystal


def crystal_of(structure: StructureData) -> Crystal:
    """The crystal of a structure node."""
    return Crystal.from_pymatgen(structure.get_pymatgen())


def structure_of(crystal: Crystal) -> StructureData:
    """An unstored structure node of a crystal, labelled with its formula (the label is not part of the content)."""
    return StructureData(pymatgen_structure=crystal.to_pymatgen(), label=crystal.formula)


#: The names that the contract of a space asks for.
content_of, node_of = crystal_of, structure_of
