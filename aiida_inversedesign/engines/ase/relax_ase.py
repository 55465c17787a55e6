"""Relax a crystal with an ASE calculator and scan its energy over volumes: ``input.json`` → ``results.json``.

Runs on any computer with ASE; imports neither aiida nor this package.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from pathlib import Path

from guard import sole_attempt

STARTED = time.monotonic()


class MissingCalculatorError(Exception):
    """The calculator cannot be made on this computer."""


def make_calculator(job):
    """A new calculator, by its import path where the code has one, else by its ASE name.

    :raises MissingCalculatorError: if ASE does not know it, or what it needs is not installed.
    """
    from ase.calculators.calculator import get_calculator_class

    try:
        if job['importable']:
            module, _, name = job['importable'].replace(':', '.').rpartition('.')
            return getattr(importlib.import_module(module), name)(**job['arguments'])
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

    atoms = Atoms(job['species'], cell=job['lattice'], scaled_positions=job['frac_coords'], pbc=True)
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
    return results


if __name__ == '__main__':
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
