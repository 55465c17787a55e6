"""The properties of crystals that this package brings, one group for each subject. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida_inversedesign.campaign.contracts.property import Property, Stage
from aiida_inversedesign.campaign.section import ContradictionError
from aiida_inversedesign.chemistry.density_of_states import HIGHEST, LOWEST
from aiida_inversedesign.chemistry.elasticity import LEAST_DEFORMATIONS, MOST_DEFORMATIONS

STRUCTURE = (
    Property('volume', 'Å^3/atom', 'volume of the relaxed crystal', cell=True),
    Property('density', 'g/cm^3', 'mass density of the relaxed crystal', cell=True),
    Property('lattice_constant', 'Å', 'length a of the conventional standard cell', cell=True),
    Property('lattice_constant_b', 'Å', 'length b of the conventional standard cell', cell=True),
    Property('lattice_constant_c', 'Å', 'length c of the conventional standard cell', cell=True),
    Property('space_group', '', 'space-group number (spglib, symprec 0.1 Å)'),
)

#: GPa: with a pressure derivative of about 4 a bulk modulus is off by 2 GPa.
PRESSURE = 0.5
#: eV/Å: what data sets of relaxed crystals commonly stop at.
FORCE = 0.05
#: Solids lie between 2 and 8 (O. L. Anderson, Equations of State of Solids, Oxford (1995)).
DERIVATIVE = (1.0, 10.0)
#: eV/atom: fits to smooth energies leave ten times less; more is a jump, of the basis or between phases.
RESIDUAL = 0.001

RELAXATION = (
    Property('energy', 'eV/atom', 'total energy of the relaxed crystal'),
    Property('pressure', 'GPa', 'residual pressure after the relaxation', stress=True, credible=(-PRESSURE, PRESSURE)),
    Property('max_force', 'eV/Å', 'largest residual force after the relaxation', credible=(0, FORCE)),
)

ELECTRONS = (
    Property(
        'band_gap',
        'eV',
        'Kohn–Sham gap on the k-points of the final calculation; 0 for a metal',
        electronic=True,
        bands=True,
    ),
    Property('magnetization', 'μB/atom', 'absolute magnetisation of the final calculation', electronic=True, spin=True),
)

#: GPa; diamond, the stiffest crystal known, has 443 (PBE 430).
STIFFEST = 600.0

EQUATION_OF_STATE = (
    Property(
        'bulk_modulus',
        'GPa',
        'B0 of a Birch–Murnaghan fit to single points at fixed shape',
        stage='eos',
        credible=(0, STIFFEST),
    ),
    Property('bulk_modulus_derivative', '', "B0' of the same fit", stage='eos', credible=DERIVATIVE),
    Property(
        'eos_residual',
        'eV/atom',
        'root mean square residual of the Birch–Murnaghan fit',
        stage='eos',
        credible=(0, RESIDUAL),
    ),
)
_COMMON = 'aiida_inversedesign.engines.common.elastic'

#: Stresses of deformed crystals with relaxed ions. The engine ``ase`` computes them in its own job.
ELASTIC = Stage(
    name='elastic',
    crystals=f'{_COMMON}:deformed_structures',
    inputs='aiida_inversedesign.engines.quantumespresso.deformed:relaxation_of_ions',
    gather=f'{_COMMON}:elastic_constants',
    outputs=('output_trajectory',),
    jobs=MOST_DEFORMATIONS,
    least=LEAST_DEFORMATIONS,
)


def _elastic(name: str, unit: str, description: str) -> Property:
    engines = ('quantumespresso', 'ase')
    return Property(name, unit, description, stage=ELASTIC, cell=True, stress=True, engines=engines)


ELASTICITY = (
    _elastic('elastic_bulk_modulus', 'GPa', 'bulk modulus of the elastic tensor (Hill average)'),
    _elastic('shear_modulus', 'GPa', 'shear modulus of the elastic tensor (Hill average)'),
    _elastic('young_modulus', 'GPa', "Young's modulus, from both Hill averages"),
    _elastic('poisson_ratio', '', "Poisson's ratio, from both Hill averages"),
    _elastic('elastic_anisotropy', '', 'universal anisotropy index of the elastic tensor; 0 if isotropic'),
    _elastic('hardness', 'GPa', 'Vickers hardness by the model of Chen et al. (2011); 0 where the model is negative'),
    _elastic('elastic_stability', 'GPa', 'smallest eigenvalue of the elastic tensor; positive if stable'),
)

_DENSITY = 'aiida_inversedesign.engines.quantumespresso.density_of_states'

#: pw.x twice, which is charged; dos.x and projwfc.x, which take little and are not.
DENSITY_OF_STATES = Stage(
    name='density_of_states',
    inputs=f'{_DENSITY}:density_of_states_inputs',
    gather=f'{_DENSITY}:density_of_states',
    outputs=('parameters', 'bands', 'dos', 'projections', 'projections_up', 'projections_down'),
    codes=('dos_code', 'projwfc_code'),
    jobs=2,
    uncharged=2,
)


def _density(name: str, description: str, *codes: str, spin: bool = False, scalar: bool = False) -> Property:
    return Property(
        name,
        'states/eV/atom',
        description,
        kind='scalar' if scalar else 'function',
        axis='' if scalar else 'energy',
        axis_unit='' if scalar else 'eV',
        span=(LOWEST, HIGHEST),
        stage=DENSITY_OF_STATES,
        electronic=True,
        spin=spin,
        codes=('dos', *codes),
        engines=('quantumespresso',),
    )


_FROM = 'energies from the Fermi level of a metal or the valence band maximum'

DENSITIES_OF_STATES = (
    _density('density_of_states', f'density of states of both spins; {_FROM}'),
    _density('density_of_states_up', 'the same of the majority spin', spin=True),
    _density('density_of_states_down', 'the same of the minority spin', spin=True),
    *(
        _density(
            f'density_of_states_{letter}', f'density of states projected onto {letter} orbitals; {_FROM}', 'projwfc'
        )
        for letter in 'spdf'
    ),
    _density('dos_at_fermi', 'density of states at the Fermi level, of both spins; 0 with a gap', scalar=True),
)

#: Of molecules in vacuum; those of orbitals need a calculator that has them.
MOLECULES = (
    Property('total_energy', 'eV', 'total energy of the relaxed molecule', engines=('ase', 'quantumespresso')),
    Property(
        'atomization_energy',
        'eV/atom',
        'energy of the separate atoms, in their ground states, minus that of the molecule, by the same calculator',
        engines=('ase',),
    ),
    Property(
        'homo_lumo_gap',
        'eV',
        'gap between frontier orbitals of the relaxed molecule',
        engines=('ase', 'quantumespresso'),
    ),
    Property('homo', 'eV', 'energy of the highest occupied orbital', engines=('ase', 'quantumespresso')),
    Property('lumo', 'eV', 'energy of the lowest empty orbital', engines=('ase', 'quantumespresso')),
    Property('dipole_moment', 'D', 'dipole moment of the relaxed molecule', engines=('ase',)),
)

_PHONONS = 'aiida_inversedesign.engines.quantumespresso.phonons'

#: Displaced supercells of one crystal at most; by judgement: eight atoms of the usual symmetry, or four of any.
MOST_DISPLACEMENTS = 24

#: Forces of displaced supercells. The engine ``ase`` computes them in its own job.
PHONONS = Stage(
    name='phonons',
    crystals=f'{_PHONONS}:displaced_supercells',
    inputs=f'{_PHONONS}:forces_of_supercell',
    gather=f'{_PHONONS}:phonons_of_forces',
    outputs=('output_trajectory',),
    jobs=MOST_DISPLACEMENTS,
    least=1,
    with_settings=True,
)

#: THz; imaginary frequencies count as negative. Above vibrate hydrogen and little else.
FREQUENCIES = (-10.0, 60.0)

PHONON_PROPERTIES = (
    Property(
        'phonon_density_of_states',
        'states/THz/atom',
        'density of phonon states in the harmonic approximation; imaginary frequencies are negative',
        kind='function',
        axis='frequency',
        axis_unit='THz',
        span=FREQUENCIES,
        stage=PHONONS,
        engines=('quantumespresso', 'ase'),
    ),
    Property(
        'lowest_frequency',
        'THz',
        'lowest phonon frequency on a mesh of wave vectors; negative if imaginary, 0 if dynamically stable',
        stage=PHONONS,
        engines=('quantumespresso', 'ase'),
    ),
)

STABILITY = (
    Property('formation_energy', 'eV/atom', 'energy against the elements at the same settings', stage='references'),
    Property(
        'e_above_hull',
        'eV/atom',
        "energy above the convex hull of the campaign's own calculations and the elements",
        stage='references',
        collective=True,
    ),
)


def names(*groups: tuple[Property, ...], electronic: bool = True) -> frozenset[str]:
    """The names of groups of properties that one evaluation yields.

    :param electronic: whether those that depend on electrons are among them.
    """
    return frozenset(
        item.name for group in groups for item in group if not item.collective and (electronic or not item.electronic)
    )


#: What every engine yields that relaxes, knows energies and makes an equation of state.
MECHANICAL = names(STRUCTURE, RELAXATION, EQUATION_OF_STATE, STABILITY)


def not_of_the_space(
    others: Mapping[str, Any], engine: str, known: frozenset[str], of_molecules: frozenset[str]
) -> Iterator[ContradictionError]:
    """Crystals have no frontier orbitals, molecules no volume.

    :param others: the sections of a campaign file, ``goal`` and ``space`` among them.
    :param known: what the engine computes. :param of_molecules: what it computes of molecules.
    """
    space = others['space']
    able = known - names(MOLECULES) if space.of_crystals else of_molecules
    for key, items in (('objectives', others['goal'].objectives), ('constraints', others['goal'].constraints)):
        for index, item in enumerate(items):
            if item.of in known | of_molecules and item.of not in able:
                yield ContradictionError(
                    f'is not a property of {space.nouns}; the engine {engine} has for them {", ".join(sorted(able))}',
                    ('goal', key, index, 'property'),
                    sorted(able),
                )
