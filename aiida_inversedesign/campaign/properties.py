"""The properties a campaign can ask for, each with its fixed unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Property:
    """One property: its unit, what it is, and the DFT stage of the engine that yields it."""

    unit: str
    description: str
    #: ``relax`` comes with the relaxation, ``eos`` needs the equation of state, ``references`` the elements
    stage: str = 'relax'


#: The properties with a fixed meaning and unit; the ``table`` engine may add columns of its own.
PROPERTIES: dict[str, Property] = {
    'energy': Property('eV/atom', 'total energy of the relaxed crystal'),
    'volume': Property('Å^3/atom', 'volume of the relaxed crystal'),
    'density': Property('g/cm^3', 'mass density of the relaxed crystal'),
    'lattice_constant': Property('Å', 'length a of the conventional standard cell'),
    'lattice_constant_b': Property('Å', 'length b of the conventional standard cell'),
    'lattice_constant_c': Property('Å', 'length c of the conventional standard cell'),
    'space_group': Property('', 'space-group number (spglib, symprec 0.1 Å)'),
    'pressure': Property('GPa', 'residual pressure after the relaxation'),
    'max_force': Property('eV/Å', 'largest residual force after the relaxation'),
    'band_gap': Property('eV', 'Kohn–Sham gap on the k-points of the final calculation; 0 for a metal'),
    'magnetization': Property('μB/atom', 'absolute magnetisation of the final calculation'),
    'bulk_modulus': Property('GPa', 'B0 of a Birch–Murnaghan fit to single points at fixed shape', 'eos'),
    'bulk_modulus_derivative': Property('', "B0' of the same fit", 'eos'),
    'eos_residual': Property('eV/atom', 'root mean square residual of the Birch–Murnaghan fit', 'eos'),
    'formation_energy': Property('eV/atom', 'energy against the elements at the same settings', 'references'),
    'e_above_hull': Property(
        'eV/atom', "energy above the convex hull of the campaign's own calculations and the elements", 'references'
    ),
}

#: What depends on electrons, of which a calculator of energies and forces need not know anything.
ELECTRONIC = frozenset({'band_gap', 'magnetization'})

#: The property that no single evaluation has: it stands against all others and changes as they come.
STABILITY = 'e_above_hull'


def unit_of(name: str, declared: dict[str, str] | None = None) -> str | None:
    """The unit of a property, from the fixed list or else as declared in the campaign file; None if unknown."""
    if name in PROPERTIES:
        return PROPERTIES[name].unit
    return (declared or {}).get(name)


#: what an engine has to compute
Stage = Literal['relax', 'eos', 'references']

#: the relaxation of ``quantumespresso`` is two jobs: a loose one, then one in the basis and k-mesh of its result
RELAX_JOBS = 2


def required_stages(properties: Iterable[str]) -> set[Stage]:
    """What has to be computed for these properties; always ``relax``, further ``eos`` and ``references``.

    Names that no engine knows (columns of a table) need nothing beyond the evaluation itself.
    """
    stages = {PROPERTIES[name].stage for name in properties if name in PROPERTIES}
    return {'relax', *(stage for stage in ('eos', 'references') if stage in stages)}


def dft_calculations_needed(settings: Mapping[str, Any], properties: Iterable[str]) -> int:
    """How many calculation jobs one evaluation launches if nothing has to be restarted.

    References are not counted here: each is an evaluation of its own.

    :param settings: the ``evaluate`` section of the campaign file.
    """
    if settings['engine'] == 'quantumespresso':
        return RELAX_JOBS + (int(settings['eos_points']) if 'eos' in required_stages(properties) else 0)
    return 1 if settings['engine'] == 'ase' else 0
