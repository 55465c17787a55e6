"""Relax a bundle of crystals with one interatomic potential: ``input.json`` → ``results.jsonl`` and ``results.json``.

Runs on any computer with ASE and the potential; imports neither aiida nor this package. Each crystal is written as soon
as it is done: what a job that is cut down has finished is not computed again.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import sys
import time
import traceback
from importlib import metadata, util
from pathlib import Path

STARTED = time.monotonic()
LINES = 'results.jsonl'
#: A program that died with one and the same crystal so often is not asked a third time.
DEATHS = 2
#: Steps of the ions in a strained cell: forces are small there, and more than ten are rarely needed.
ION_STEPS = 20
#: Relative change of the volume by which the pressure is differentiated: the bulk modulus is then that of a parabola
#: to 0.1 %, and rounding in single precision stays below 1 %.
VOLUME_STEP = 0.01
#: Å, by which atoms are moved for the frequencies: phonopy's default.
DISPLACEMENT = 0.01
#: Strain by which the stress is differentiated.
STRAIN_STEP = 0.005
#: A relaxed volume outside of these multiples of the first one is not a relaxation of the same crystal.
VOLUMES = (0.5, 2.5)
#: Å; atoms nearer than this have fallen into each other, which potentials reward beyond what they were trained on.
NEAREST = 0.5


class MissingPotentialError(Exception):
    """The potential cannot be used on this computer."""


def digest_of(file):
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with open(file, 'rb') as handle:
        for block in iter(lambda: handle.read(1 << 20), b''):
            found.update(block)
    return found.hexdigest()


def weights_file(potential):
    """Where the weights of a potential lie, or None if it has none."""
    if not potential['weights']:
        return None
    package, _, name = potential['weights'].partition('/')
    spec = util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPotentialError(f'the package {package} is not installed')
    file = Path(next(iter(spec.submodule_search_locations))) / name
    if not file.is_file():
        raise MissingPotentialError(f'{potential["distribution"]} is installed without its weights {name}')
    return file


def make_calculator(potential):
    """The calculator of a potential, and what identifies it: versions and SHA-256 of its weights.

    :raises MissingPotentialError: if its package is not installed, or is another than the one asked for.
    """
    versions = {'python': sys.version.split()[0]}
    for name in dict.fromkeys((potential['distribution'], 'ase', 'numpy', 'torch')):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            if name == potential['distribution']:
                raise MissingPotentialError(f'the package {name} is not installed') from None
    file = weights_file(potential)
    digest = digest_of(file) if file else ''
    if potential['sha256'] and digest != potential['sha256']:
        raise MissingPotentialError(f'the weights in {file} have the SHA-256 {digest}, not {potential["sha256"]}')
    module, _, name = potential['calculator'].partition(':')
    try:
        calculator = getattr(importlib.import_module(module), name)(**potential['arguments'])
    except Exception as error:  # whatever a potential needs and does not find, it says in its own way
        raise MissingPotentialError(f'{type(error).__name__}: {error}') from error
    return calculator, {'versions': versions, 'weights_sha256': digest, 'threads': threads()}


def threads():
    """Threads of one crystal: as many as the job was given."""
    number = int(os.environ.get('OMP_NUM_THREADS') or 1)
    if 'torch' in sys.modules or util.find_spec('torch') is not None:
        import torch

        torch.set_num_threads(number)
    return number


def nearest(atoms):
    """The shortest distance between two atoms, periodic images included, Å; infinite beyond 2 Å."""
    from ase.neighborlist import neighbor_list

    found = neighbor_list('d', atoms, 2.0)
    return float(found.min()) if len(found) else math.inf


def make_exact(atoms, symprec):
    """Take out of the lattice and the positions what rounding left of an exact symmetry, and move it to the origin.

    Plane-wave codes find symmetry operations within 1e-5 or less, and only those whose translations fit their grid:
    coordinates with five digits leave hexagonal carbon 2 of its 24 operations, and its relaxation then breaks.
    """
    import numpy as np
    import spglib
    from ase.spacegroup.symmetrize import refine_symmetry

    exact = atoms.copy()
    try:
        refine_symmetry(exact, symprec=symprec, verbose=False)
        cell = (exact.cell[:], exact.get_scaled_positions(), exact.numbers)
        found = spglib.get_symmetry_dataset(cell, symprec=symprec)
        away = np.linalg.solve(found.transformation_matrix, found.origin_shift)
        cell = (cell[0], cell[1] - away, cell[2])
        found = spglib.get_symmetry(cell, symprec=symprec)
    except Exception:  # spglib finds no symmetry: there is nothing to make exact
        return
    # spglib knows the origin as well as its tolerance: the last digits follow from all translations together, which are
    # multiples of 1/24 in every space group
    moves = np.eye(3) - found['rotations']
    rest = np.round(found['translations'] * 24) / 24 - found['translations']
    shift = np.linalg.lstsq(moves.reshape(-1, 3), rest.ravel(), rcond=None)[0]
    exact.set_scaled_positions(cell[1] + shift)
    atoms.set_cell(exact.cell)
    atoms.set_positions(exact.positions)


def relax(atoms, job):
    """Relax with the symmetry kept; a reason if what comes of it is not a crystal any more, else an empty string."""
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS, FIRE

    volume, begun = atoms.get_volume(), time.monotonic()
    atoms.set_constraint(FixSymmetry(atoms, symprec=job['symprec'], verbose=False))
    # large forces first: a quasi-Newton step from a strained start goes too far
    stages = ((FIRE, 0.5, job['steps'] // 3), (BFGS, job['fmax'], job['steps'])) if job['steps'] > 1 else ()
    done, converged = 0, False
    for optimizer, fmax, steps in stages:
        run = optimizer(FrechetCellFilter(atoms), logfile=None)
        for rested in run.irun(fmax=fmax, steps=min(steps, job['steps'] - done)):
            converged = rested
            energy, ratio = atoms.get_potential_energy(), atoms.get_volume() / volume
            if not math.isfinite(energy):
                return 'its energy is not a number', done, False
            if not VOLUMES[0] <= ratio <= VOLUMES[1]:
                word = 'collapses' if ratio < 1 else 'falls apart'
                return f'it {word}: {ratio:.2f} times its first volume', done, False
            if time.monotonic() - begun > job['seconds']:
                return f'it did not relax within {job["seconds"]} s', done + run.nsteps, False
        done += run.nsteps
    atoms.set_constraint()
    make_exact(atoms, job['symprec'])
    if (least := nearest(atoms)) < NEAREST:
        return f'two of its atoms come as near as {least:.2f} Å', done, False
    return '', done, bool(converged)


def relax_ions(atoms, job):
    """Relax the ions in a fixed cell, as far as that goes within a few steps."""
    from ase.optimize import BFGS

    if job['relax'] and len(atoms) > 1:
        BFGS(atoms, logfile=None).run(fmax=job['fmax'], steps=ION_STEPS)


def bulk_modulus(atoms, job):
    """−V dP/dV in GPa from the pressures at two volumes, the shape scaled and the ions relaxed.

    With ions that only move with the cell a molecular crystal would be as stiff as its molecules.
    """
    import numpy as np
    from ase import units

    pressures = []
    for factor in (1 - VOLUME_STEP, 1 + VOLUME_STEP):
        scaled = atoms.copy()
        scaled.set_cell(atoms.cell * factor ** (1 / 3), scale_atoms=True)
        scaled.calc = atoms.calc
        relax_ions(scaled, job)
        pressures.append(-np.trace(scaled.get_stress(voigt=False)) / 3 / units.GPa)
    return float((pressures[0] - pressures[1]) / (2 * VOLUME_STEP))


def elastic_tensor(atoms, job):
    """The tensor in GPa, 6 × 6 in Voigt's order, from stresses at ± each strain with the ions relaxed."""
    import numpy as np
    from ase import units

    columns = []
    for index, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        stresses = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] = strain[j, i] = sign * STRAIN_STEP * (1.0 if index < 3 else 0.5)
            strained = atoms.copy()
            strained.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
            strained.calc = atoms.calc
            relax_ions(strained, job)
            stresses.append(strained.get_stress(voigt=True) / units.GPa)
        columns.append((stresses[0] - stresses[1]) / (2 * STRAIN_STEP))
    tensor = np.array(columns).T
    return ((tensor + tensor.T) / 2).tolist()


def lowest_frequency(atoms):
    """The lowest frequency at Γ in THz, the three translations left out; negative if it is imaginary.

    From forces at ± each displacement; 0 for a cell of one atom, which has no other modes.
    """
    import numpy as np
    from ase import units

    number = len(atoms)
    if number == 1:
        return 0.0
    hessian = np.empty((3 * number, 3 * number))
    for index in range(3 * number):
        forces = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[index // 3, index % 3] += sign * DISPLACEMENT
            moved.calc = atoms.calc
            forces.append(moved.get_forces().ravel())
        hessian[index] = (forces[1] - forces[0]) / (2 * DISPLACEMENT)
    # translations change no force, but for rounding: their part is taken out
    away = np.eye(3 * number) - np.kron(np.full((number, number), 1 / number), np.eye(3))
    masses = np.repeat(atoms.get_masses(), 3)
    dynamical = away @ ((hessian + hessian.T) / 2) @ away / np.sqrt(np.outer(masses, masses))
    squares = np.sort(np.linalg.eigvalsh(dynamical))
    # the translations are the three that are nearest to zero
    squares = np.delete(squares, np.argsort(np.abs(squares))[:3])
    lowest = squares[0]
    hertz = np.sqrt(abs(lowest) * units._e / units._amu * 1e20) / (2 * np.pi)
    return float(np.sign(lowest) * hertz / 1e12)


def look_at(structure, calculator, job):
    """What the potential says of one crystal; ``failed`` has the reason where it says nothing."""
    import numpy as np
    from ase import Atoms

    begun = time.monotonic()
    atoms = Atoms(structure['species'], cell=structure['lattice'], scaled_positions=structure['frac_coords'], pbc=True)
    atoms.calc = calculator
    found = {'id': structure['id'], 'digest': structure['digest']}
    try:
        if structure.get('relax', job['relax']):
            reason, steps, converged = relax(atoms, job)
            found |= {'steps': steps, 'converged': converged}
            if reason:
                return found | {'failed': reason, 'seconds': time.monotonic() - begun}
        found |= {
            'energy': float(atoms.get_potential_energy() / len(atoms)),
            'max_force': float(np.linalg.norm(atoms.get_forces(), axis=1).max()),
            'species': atoms.get_chemical_symbols(),
            'lattice': atoms.cell[:].tolist(),
            'frac_coords': atoms.get_scaled_positions().tolist(),
        }
        properties = structure.get('properties', job['properties'])
        if 'bulk_modulus' in properties:
            found['bulk_modulus'] = bulk_modulus(atoms, job)
        if 'elastic_tensor' in properties:
            found['elastic_tensor'] = elastic_tensor(atoms, job)
        if 'lowest_frequency' in properties:
            found['lowest_frequency'] = lowest_frequency(atoms)
    except Exception as error:  # an element that it lacks, numbers that overflow: it says so in its own way
        traceback.print_exc()
        found['failed'] = f'{type(error).__name__}: {error}'
    return found | {'seconds': time.monotonic() - begun}


def earlier(folders):
    """Results of earlier attempts by id, and how often each crystal was begun and not finished."""
    done: dict[str, object] = {}
    deaths: dict[str, int] = {}
    for folder in folders:
        begun = None
        try:
            lines = (Path(folder) / LINES).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if 'begun' in record:
                begun = record['begun']
            else:
                done[record['id']], begun = record, None
        if begun is not None:
            deaths[begun] = deaths.get(begun, 0) + 1
    return done, deaths


def main(job):
    """Run the whole bundle."""
    done, deaths = earlier(job.get('earlier_attempts', []))
    calculator, identity = make_calculator(job['potential'])
    records = []
    with open(LINES, 'w') as lines:

        def write(record):
            lines.write(json.dumps(record) + '\n')
            lines.flush()

        for structure in job['structures']:
            name = structure['id']
            record = done.get(name)
            if record is None or record['digest'] != structure['digest']:
                if deaths.get(name, 0) >= DEATHS:
                    record = {'id': name, 'digest': structure['digest'], 'failed': f'the program died {DEATHS} times'}
                else:
                    write({'begun': name})
                    record = look_at(structure, calculator, job)
            record['identity'] = identity
            write(record)
            records.append(record)
    return {'records': records, **identity}


def main_of_trial(job):
    """Say ``ready``, or what is wrong."""
    try:
        make_calculator(job['potential'])
    except MissingPotentialError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print('ready')


if __name__ == '__main__':
    job = json.loads(Path('input.json').read_text())
    if '--try' in sys.argv:
        main_of_trial(job)
        sys.exit(0)
    from guard import sole_attempt

    with sole_attempt(job.get('earlier_attempts', []), ['results.json']) as taken:
        if taken is None:
            try:
                outcome = main(job)
            except MissingPotentialError as error:
                outcome = {'missing': str(error)}
            outcome['wall_time_seconds'] = time.monotonic() - STARTED
            Path('results.json').write_text(json.dumps(outcome))
