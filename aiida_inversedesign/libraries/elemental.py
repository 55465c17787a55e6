"""Elemental reference crystals for formation energies. Imports no aiida.

The crystals are starting points: each is relaxed at the settings of the campaign before its energy is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.errors import InverseDesignError

#: element → AFLOW prototype, the element it is named after, and the volume (Å³/atom) where that is another.
#: These are the ground states that a simple lattice does not describe; carbon is graphite, not ASE's diamond.
AFLOW: dict[str, tuple[str, str, float | None]] = {
    'B': ('A_hR12_166_2h', 'B', None),  # alpha boron
    'C': ('A_hP4_194_bc', 'C', None),  # graphite
    'N': ('A_cP8_205_c', 'N', None),  # alpha nitrogen
    'O': ('A_mC4_12_i', 'O', None),  # alpha oxygen; antiferromagnetic, which a run without spin does not see
    'P': ('A_oC8_64_f', 'P', None),  # black phosphorus
    'S': ('A_oF128_70_4h', 'S', None),
    'Cl': ('A_oC8_64_f', 'I', 28.9),  # the molecular crystal of iodine, as chlorine and bromine form it too
    'Mn': ('A_cI58_217_ac2g', 'Mn', None),
    'Ga': ('A_oC8_64_f', 'Ga', None),
    'Se': ('A_hP3_152_a', 'Se', None),
    'Br': ('A_oC8_64_f', 'I', 32.6),
    'Te': ('A_hP3_152_a', 'Se', 33.8),
    'I': ('A_oC8_64_f', 'I', None),
    'Pa': ('A_tI2_139_a', 'Pa', None),
    'U': ('A_oC4_63_c', 'U', None),
}


class ElementalReferenceError(InverseDesignError):
    """An element without a reference crystal."""


@dataclass(frozen=True)
class Reference:
    """A reference crystal and where it comes from."""

    crystal: Crystal
    source: str


@cache
def reference(symbol: str) -> Reference:
    """The reference crystal of an element with its source.

    :raises ElementalReferenceError: if the element has none; it says which do.
    """
    if symbol in AFLOW:
        return _from_aflow(symbol)
    from ase.build import bulk
    from ase.data import atomic_numbers

    # ase.data.reference_states (C. Kittel, Introduction to Solid State Physics): bcc, fcc, hcp, diamond, tin, arsenic …
    try:
        atoms = bulk(symbol) if symbol in atomic_numbers else None
    except (ValueError, RuntimeError, NotImplementedError):
        atoms = None
    if atoms is None:
        raise ElementalReferenceError(
            f'there is no reference crystal of {symbol}: leave it out of space.elements, or ask for another property '
            'than formation_energy'
        )
    crystal = Crystal(atoms.cell[:], tuple(atoms.get_chemical_symbols()), atoms.get_scaled_positions())
    return Reference(crystal, 'ase.data.reference_states')


def reference_crystal(symbol: str) -> Crystal:
    """The reference crystal of an element: its ground state where that is known to ASE or AFLOW.

    :raises ElementalReferenceError: if the element has none.
    """
    return reference(symbol).crystal


def _from_aflow(symbol: str) -> Reference:
    """The crystal of one of the AFLOW prototypes inside pymatgen (Mehl et al., Comput. Mater. Sci. 136, S1 (2017))."""
    prototype, namesake, volume = AFLOW[symbol]
    for name, structure in _aflow_elements():
        if name == prototype and structure.species[0] == namesake:
            crystal = structure.with_species({namesake: symbol})
            if volume is not None:
                crystal = crystal.scaled_to(volume * crystal.nsites)
            return Reference(crystal, f'AFLOW {prototype} ({namesake})')
    raise ElementalReferenceError(
        f'this pymatgen has no prototype {prototype} of {namesake}: {symbol} has no reference'
    )


@cache
def _aflow_elements() -> list[tuple[str, Crystal]]:
    """The elemental prototypes by AFLOW name, as primitive cells."""
    from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

    return [
        (entry['tags']['aflow'], Crystal.from_pymatgen(entry['snl'].structure.get_primitive_structure()))
        for entry in AFLOW_PROTOTYPE_LIBRARY
        if entry['snl'].structure.n_elems == 1
    ]
