"""The equations of state as physical models: energies per atom (eV) of volumes per atom (Å³). Imports no aiida."""

from __future__ import annotations

from typing import Any

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.engines.common.eos import FORMS, GPA
from aiida_inversedesign.learn.physics.model import Parameter, PhysicalModel, Prior


def _model(name: str) -> PhysicalModel:
    """The model of a form of ``ase.eos``; its priors span solids, and energies against those of free atoms or more."""
    function, words = FORMS[name]

    def energies(x: Array, E0: Array, B0: Array, B0_prime: Array, V0: Array) -> Any:
        import ase.eos

        return getattr(ase.eos, function)(x, E0, B0 / GPA, B0_prime, V0)

    return PhysicalModel(
        name,
        energies,
        (
            Parameter('E0', 'eV/atom', Prior('uniform', -1e5, 1e3), 'energy at the minimum'),
            Parameter('B0', 'GPa', Prior('uniform', 0.1, 1000.0), 'bulk modulus'),
            Parameter('B0_prime', '', Prior('uniform', 1.01, 15.0), 'pressure derivative of the bulk modulus'),
            Parameter('V0', 'Å^3/atom', Prior('uniform', 1.0, 200.0), 'volume at the minimum'),
        ),
        ('volumes', 'Å^3/atom'),
        ('energies', 'eV/atom'),
        f'{words} equation of state',
    )


BIRCH_MURNAGHAN = _model('birch_murnaghan')
VINET = _model('vinet')
MURNAGHAN = _model('murnaghan')
