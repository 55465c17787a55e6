"""Relax a crystal with an ASE calculator, scan its energy over volumes, strain it and compute its phonons.

``input.json`` → ``results.json``.

Runs on any computer with ASE; imports neither aiida nor this package.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

STARTED = time.monotonic()

#: Å, by which atoms are moved for phonons, and the tolerance of symmetries: phonopy's defaults, and that of strains.
DISPLACEMENT, SYMPREC = 0.01, 0.01
#: Å, phonopy's length of the mesh of wave vectors: about 30 per axis of a small cell.
MESH_LENGTH = 100.0

#: eV/Å, or what the settings ask if it is smaller: a strain of 1 % moves ions with forces of about 50 meV/Å, of which a
#: remainder would be missing in the stress.
LARGEST_FORCE_UNDER_STRAIN = 0.001


#: Calculators that ASE does not list and that may be named without being set up, and arguments that they need here.
LISTED = {'tblite': ('tblite.ase:TBLite', {'verbosity': 0})}


class MissingCalculatorError(Exception):
    """The calculator cannot be made on this computer."""


def imported(path):
    """The class of an import path, ``package.module:Class`` or ``package.module.Class``."""
    module, _, name = path.replace(':', '.').rpartition('.')
    return getattr(importlib.import_module(module), name)


def make_calculator(job):
    """A new calculator, by its import path where the code has one, else by its ASE name.

    :raises MissingCalculatorError: if ASE does not know it, or what it needs is not installed.
    """
    from ase.calculators.calculator import get_calculator_class

    try:
        path, arguments = (job['importable'], {}) if job['importable'] else LISTED.get(job['calculator'], ('', {}))
        if path:
            return imported(path)(**{**arguments, **job['arguments']})
        return get_calculator_class(job['calculator'])(**job['arguments'])
    except Exception as error:  # whatever a calculator needs and does not find, it says in its own way
        raise MissingCalculatorError(f'{type(error).__name__}: {error}') from error


def main(job):
    """Run the whole job."""
    import ase
    import numpy as np
    from ase import Atoms, units
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    molecule = job.get('molecule')
    atoms = Atoms(job['species'], cell=job['lattice'], scaled_positions=job['frac_coords'], pbc=molecule is None)
    if molecule is not None:
        # calculators of ASE take the charge and the spin of a molecule from those of its atoms
        atoms.set_initial_charges([molecule['charge'] / len(atoms)] * len(atoms))
        atoms.set_initial_magnetic_moments([molecule['unpaired'] / len(atoms)] * len(atoms))
    atoms.calc = make_calculator(job)
    target = FrechetCellFilter(atoms) if job['relax_cell'] else atoms
    optimizer = BFGS(target, logfile='relax.log')
    converged = optimizer.run(fmax=job['fmax'], steps=job['steps'])
    results = {
        'converged': bool(converged),
        'steps': int(optimizer.nsteps),
        'lattice': atoms.cell[:].tolist(),
        'species': atoms.get_chemical_symbols(),
        'frac_coords': atoms.get_scaled_positions().tolist(),
        'energy': float(atoms.get_potential_energy() / len(atoms)),
        'max_force': float(np.linalg.norm(atoms.get_forces(), axis=1).max()),
        'versions': {'ase': ase.__version__, 'python': sys.version.split()[0]},
    }
    if molecule is not None:
        return results | of_molecule(job, atoms)
    if job['relax_cell'] or 'stress' in atoms.calc.implemented_properties:
        results['pressure'] = float(-np.trace(atoms.get_stress(voigt=False)) / 3 / units.GPa)
    if job['volume_factors'] and converged:
        volumes, energies = [], []
        for factor in job['volume_factors']:
            scaled = atoms.copy()
            scaled.set_cell(atoms.cell * factor ** (1 / 3), scale_atoms=True)
            scaled.calc = make_calculator(job)
            volumes.append(float(scaled.get_volume() / len(scaled)))
            energies.append(float(scaled.get_potential_energy() / len(scaled)))
        results['scan'] = {'volumes': volumes, 'energies': energies}
    if job.get('strains') and converged:
        results['deformed'] = strained(job, atoms)
    if job.get('phonons') and converged:
        results['phonons'] = phonons(job, atoms)
    return results


def of_molecule(job, atoms):
    """Positions (Å), frontier orbitals (eV), dipole (e Å), energy of the separate atoms (eV), as far as it has them."""
    from ase import Atoms
    from ase.data import atomic_numbers, ground_state_magnetic_moments

    found = {'positions': atoms.positions.tolist()}
    levels = frontier(atoms)
    if levels is not None:
        found['homo'], found['lumo'] = levels
        found['homo_lumo_gap'] = levels[1] - levels[0]
    if 'dipole' in atoms.calc.implemented_properties:
        found['dipole'] = atoms.get_dipole_moment().tolist()
    separated = 0.0
    for symbol in sorted(set(job['species'])):
        atom = Atoms([symbol], magmoms=[ground_state_magnetic_moments[atomic_numbers[symbol]]])
        atom.calc = make_calculator(job)
        try:
            separated += atom.get_potential_energy() * job['species'].count(symbol)
        except Exception as error:  # a calculator may know an element in molecules only
            print(f'no energy of a single {symbol}: {type(error).__name__}: {error}')
            return found
    found['separated'] = float(separated)
    return found


def frontier(atoms):
    """Energies of the highest occupied and the lowest empty orbital in eV, or None if the calculator has none."""
    import numpy as np
    from ase.units import Hartree

    calculator = atoms.calc
    if type(calculator).__module__.startswith('tblite.'):
        # its interface to ASE has no orbitals
        from ase.units import Bohr
        from tblite.interface import Calculator

        made = Calculator(
            calculator.parameters['method'],
            atoms.numbers,
            atoms.positions / Bohr,
            charge=float(atoms.get_initial_charges().sum()),
            uhf=round(abs(float(atoms.get_initial_magnetic_moments().sum()))),
        )
        made.set('verbosity', 0)
        result = made.singlepoint()
        energies, filled = (
            np.ravel(result.get('orbital-energies')) * Hartree,
            np.ravel(result.get('orbital-occupations')),
        )
    else:
        try:
            energies, filled = np.ravel(calculator.get_eigenvalues()), np.ravel(calculator.get_occupation_numbers())
        except (AttributeError, NotImplementedError):
            return None
    occupied = filled > filled.max() / 2
    if occupied.all() or not occupied.any():
        return None
    return float(energies[occupied].max()), float(energies[~occupied].min())


def strained(job, atoms):
    """Stresses (GPa) of a relaxed crystal under strains, with the ions relaxed; the reason where that fails."""
    import numpy as np
    from ase import units
    from ase.optimize import BFGS

    stresses = []
    for number, strain in enumerate(job['strains']):
        deformed = atoms.copy()
        deformed.set_cell(atoms.cell[:] @ (np.eye(3) + np.array(strain)), scale_atoms=True)
        deformed.calc = make_calculator(job)
        try:
            if not BFGS(deformed, logfile='strain.log').run(
                fmax=min(job['fmax'], LARGEST_FORCE_UNDER_STRAIN), steps=job['steps']
            ):
                return {'reason': f'strain_{number:02d}: the ions did not relax within {job["steps"]} steps'}
            stresses.append((deformed.get_stress(voigt=False) / units.GPa).tolist())
        except Exception as error:  # the calculator's own, whatever it is
            return {'reason': f'strain_{number:02d}: the calculator stopped with {type(error).__name__}: {error}'}
    return {'strains': job['strains'], 'stresses': stresses}


def phonons(job, atoms):
    """Phonons of a relaxed crystal by finite displacements, or the reason why they are missing; the rest is kept.

    :param job: its ``phonons`` have ``supercell`` (Å, least length of each axis), ``first``, ``last`` and ``points``
        (THz) of the axis.
    :param atoms: the relaxed crystal.
    :returns: ``lowest`` frequency (THz, negative if imaginary) on the mesh, and ``density`` (states/THz and cell).
    """
    import numpy as np
    from ase import Atoms
    from ase.optimize import BFGS

    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError:
        return {'reason': 'the Python of the code has no phonopy: pip install phonopy'}
    asked, atoms = job['phonons'], atoms.copy()
    atoms.calc = make_calculator(job)
    try:
        if not BFGS(atoms, logfile='phonons.log').run(
            fmax=min(job['fmax'], LARGEST_FORCE_UNDER_STRAIN), steps=job['steps']
        ):
            return {'reason': f'the ions did not relax within {job["steps"]} steps'}
        cell = PhonopyAtoms(
            atoms.get_chemical_symbols(), cell=atoms.cell[:], scaled_positions=atoms.get_scaled_positions()
        )
        repeats = np.ceil(asked['supercell'] / atoms.cell.lengths() - 1e-6).astype(int)
        found: Any = Phonopy(cell, np.diag(repeats), primitive_matrix=np.eye(3), symprec=SYMPREC)
        found.generate_displacements(distance=DISPLACEMENT)
        forces = []
        for moved in found.supercells_with_displacements:
            supercell = Atoms(moved.symbols, cell=moved.cell, scaled_positions=moved.scaled_positions, pbc=True)
            supercell.calc = make_calculator(job)
            forces.append(supercell.get_forces())
    except Exception as error:  # calculators raise errors of any type
        return {'reason': f'the calculator stopped with {type(error).__name__}: {error}'}
    found.forces = forces
    return {**summed_phonons(found, asked), 'supercells': len(forces)}


def summed_phonons(found, asked):
    """Frequencies and density of states of a ``Phonopy`` with its forces (eV/Å).

    :param asked: ``first``, ``last`` and ``points`` (THz) of the axis.
    :returns: ``lowest`` and ``highest`` frequency (THz) on the mesh, and ``density`` (states/THz and cell).
    """
    found.produce_force_constants()
    # translations cost nothing, and forces are symmetric
    found.symmetrize_force_constants()
    found.run_mesh(MESH_LENGTH, is_gamma_center=True)
    step = (asked['last'] - asked['first']) / (asked['points'] - 1)
    found.run_total_dos(freq_min=asked['first'], freq_max=asked['last'] + step / 2, freq_pitch=step)
    return {
        'lowest': float(found.mesh.frequencies.min()),
        'highest': float(found.mesh.frequencies.max()),
        'density': found.total_dos.dos[: asked['points']].tolist(),
    }


def unknown_arguments(job):
    """Arguments that a calculator of ASE would take without a word and ignore, and those that it has."""
    from ase.calculators.calculator import FileIOCalculator, get_calculator_class

    if job['importable']:
        return [], []
    if job['calculator'] in LISTED:
        made = imported(LISTED[job['calculator']][0])
    else:
        made = get_calculator_class(job['calculator'])
    known = dict(getattr(made, 'default_parameters', {}))
    if not known or not isinstance(made, type) or issubclass(made, FileIOCalculator):
        return [], []
    own = set(known) | set(inspect.signature(made).parameters) | {'label', 'atoms', 'directory', 'restart'}
    return sorted(set(job['arguments']) - own), sorted(known)


def make_trial(job):
    """Make the calculator and compute an energy of each element, to see whether a job could; what is wrong, or ''."""
    from ase import Atoms
    from ase.data import atomic_numbers, covalent_radii

    try:
        make_calculator(job)
        unknown, known = unknown_arguments(job)
    except MissingCalculatorError as error:
        return str(error)
    if unknown:
        return f'the calculator {job["calculator"]} has no argument {", ".join(unknown)}; it has {", ".join(known)}'
    failed = {}
    for symbol in job['elements']:
        side = 2.2 * covalent_radii[atomic_numbers[symbol]]
        atoms = Atoms([symbol], cell=[side] * 3, pbc=job['periodic'], calculator=make_calculator(job))
        try:
            atoms.get_potential_energy()
        except Exception as error:  # whatever a calculator cannot do, it says in its own way
            failed[symbol] = f'{type(error).__name__}: {error}'
    if failed and len(failed) == len(job['elements']):
        return 'no element of the space can be computed: ' + next(iter(failed.values()))
    if failed:
        print(f'warning: {", ".join(failed)} cannot be computed ({next(iter(failed.values()))}): evaluations will fail')
    return ''


def main_of_trial():
    """Say ``ready``, or what is wrong."""
    job = json.loads(Path('input.json').read_text())
    problem = make_trial(job)
    if not problem and job.get('phonons') and importlib.util.find_spec('phonopy') is None:
        problem = 'phonons need phonopy in the Python of the code: pip install phonopy'
    if problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
    print('ready')


if __name__ == '__main__' and '--try' in sys.argv:
    main_of_trial()
elif __name__ == '__main__':
    from guard import sole_attempt

    job = json.loads(Path('input.json').read_text())
    with sole_attempt(job.get('earlier_attempts', []), ['results.json']) as taken:
        if taken is None:
            try:
                outcome = main(job)
            except MissingCalculatorError as error:
                outcome = {'missing_calculator': str(error)}
            except Exception as error:  # the reason has to reach the parser, whatever it is
                traceback.print_exc()
                outcome = {'crash': f'{type(error).__name__}: {error}'}
            outcome['wall_time_seconds'] = time.monotonic() - STARTED
            Path('results.json').write_text(json.dumps(outcome))
