"""The program that relaxes candidates with a potential, run as the job runs it, with ASE's effective medium theory."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.processes import guard
from aiida_inversedesign.screen.potentials import relax_bundle

POTENTIAL = {
    'calculator': 'ase.calculators.emt:EMT',
    'arguments': {},
    'distribution': 'ase',
    'weights': '',
    'sha256': '',
}


def fcc(symbol: str, a: float, name: str = '') -> dict[str, Any]:
    lattice = (a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])).tolist()
    return {
        'id': name or symbol,
        'digest': f'{symbol}{a}',
        'species': [symbol],
        'lattice': lattice,
        'frac_coords': [[0.0, 0.0, 0.0]],
    }


def job_of(structures: Any, **changes: Any) -> dict[str, Any]:
    job = {
        'potential': POTENTIAL,
        'relax': True,
        'fmax': 0.01,
        'steps': 100,
        'seconds': 60,
        'symprec': 0.01,
        'properties': [],
        'structures': structures,
    }
    return job | changes


def run(folder: Path, *structures: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The results of the program in a folder of its own."""
    folder.mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        results: dict[str, Any] = relax_bundle.main(job_of(structures, **changes))
    return results


def test_the_program_reads_and_writes_files(tmp_path: Path) -> None:
    """As the job runs it: two modules and the input in a folder."""
    for module in (relax_bundle, guard):
        shutil.copy(str(module.__file__), tmp_path)
    for name, symbol in (('EMT', 'Cu'), ('NoSuch', 'Cu')):
        potential = POTENTIAL | {'calculator': f'ase.calculators.emt:{name}'}
        (tmp_path / 'input.json').write_text(json.dumps(job_of([fcc(symbol, 3.6)], potential=potential)))
        subprocess.run([sys.executable, 'relax_bundle.py'], cwd=tmp_path, check=True, capture_output=True)
        results = json.loads((tmp_path / 'results.json').read_text())
        assert results['wall_time_seconds'] > 0
        assert ('missing' in results) == (name == 'NoSuch')
        assert len((tmp_path / 'results.jsonl').read_text().splitlines()) == 2


def test_relaxes_and_computes_what_is_asked(tmp_path: Path) -> None:
    found = run(tmp_path, fcc('Cu', 3.8), fcc('Al', 3.7), properties=['bulk_modulus', 'elastic_tensor'])
    copper, aluminium = found['records']
    lattice = abs(np.linalg.det(copper['lattice'])) * 4
    # lattice constant and bulk modulus of Cu in effective medium theory: Jacobsen, Stoltze and Nørskov 1996
    assert lattice ** (1 / 3) == pytest.approx(3.59, abs=0.02)
    assert copper['bulk_modulus'] == pytest.approx(134, abs=5)
    tensor = np.array(copper['elastic_tensor'])
    assert (tensor[0, 0] + 2 * tensor[0, 1]) / 3 == pytest.approx(copper['bulk_modulus'], rel=0.01)
    # C11, C12 and C44 of the same potential, found with plain finite differences
    assert [tensor[0, 0], tensor[0, 1], tensor[3, 3]] == pytest.approx([173, 116, 90], abs=2)
    assert copper['converged']
    assert aluminium['bulk_modulus'] == pytest.approx(40, abs=5)
    assert set(found['versions']) >= {'ase', 'python'}


def test_the_symmetry_is_kept(tmp_path: Path) -> None:
    record = run(tmp_path, fcc('Pt', 4.3))['records'][0]
    lengths = np.linalg.norm(record['lattice'], axis=1)
    assert np.ptp(lengths) < 1e-9


def test_the_symmetry_is_exact(tmp_path: Path) -> None:
    """A hexagonal cell with the digits that a file leaves it; pw.x stops at what is almost a symmetry."""
    a, c = 2.6, 4.2
    lattice = np.round([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]], 4)
    places = [[0.3333, 0.6667, 0.25], [0.6667, 0.3333, 0.75]]
    cell = {'id': 'x', 'digest': '', 'species': ['Cu', 'Cu'], 'lattice': lattice.tolist(), 'frac_coords': places}
    record = run(tmp_path, cell)['records'][0]
    first, second, third = np.array(record['lattice'])
    assert np.linalg.norm(first) == pytest.approx(np.linalg.norm(second), rel=1e-10)
    assert first @ second == pytest.approx(-(first @ first) / 2, rel=1e-10)
    assert third @ first == pytest.approx(0, abs=1e-10)
    shift = np.array(record['frac_coords'][1]) - record['frac_coords'][0]
    assert shift % 1 == pytest.approx([1 / 3, 2 / 3, 0.5], abs=1e-10)


def test_symmetry_elements_pass_through_the_origin() -> None:
    """Hexagonal carbon with the five digits of its template: all operations fit the grid of a plane-wave code."""
    import spglib
    from ase import Atoms

    from aiida_inversedesign.libraries.library import aflow_library

    crystal = next(item.crystal for item in aflow_library() if 'onsdaleite' in item.prototype)
    atoms = Atoms(list(crystal.species), cell=crystal.lattice, scaled_positions=crystal.frac_coords, pbc=True)
    distances = np.sort(atoms.get_all_distances(mic=True), axis=None)
    relax_bundle.make_exact(atoms, 0.01)
    assert np.sort(atoms.get_all_distances(mic=True), axis=None) == pytest.approx(distances, abs=1e-3)
    cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
    translations = spglib.get_symmetry(cell, symprec=1e-6)['translations']
    assert len(translations) == 24
    assert translations * 24 == pytest.approx(np.round(translations * 24), abs=1e-6)


def test_frequencies_tell_what_is_not_at_rest(tmp_path: Path) -> None:
    """Against ASE's own vibrations; CuAu on the lattice of CsCl is not a minimum of the potential."""
    from ase import Atoms
    from ase.calculators.emt import EMT
    from ase.vibrations import Vibrations

    def pair(first: str, second: str, a: float) -> dict[str, Any]:
        places = [[0, 0, 0], [0.5, 0.5, 0.5]]
        return {**fcc(first, a), 'species': [first, second], 'lattice': (a * np.eye(3)).tolist(), 'frac_coords': places}

    records = [pair('Cu', 'Pd', 2.95), fcc('Cu', 3.6)]
    found = run(tmp_path, *records, relax=False, properties=['lowest_frequency'])['records']
    assert found[1]['lowest_frequency'] == 0
    cell = records[0]
    atoms = Atoms(cell['species'], cell=cell['lattice'], scaled_positions=cell['frac_coords'], pbc=True)
    atoms.calc = EMT()
    with contextlib.chdir(tmp_path):
        vibrations = Vibrations(atoms, name='vibrations', delta=relax_bundle.DISPLACEMENT)
        vibrations.run()
        energies = np.sort(np.real(vibrations.get_energies() ** 2))
    lowest = np.delete(energies, np.argsort(np.abs(energies))[:3])[0]
    # eV to THz: 241.8
    expected = float(np.sign(lowest) * np.sqrt(abs(lowest)) * 241.799)
    assert found[0]['lowest_frequency'] == pytest.approx(expected, rel=0.02)


def test_what_the_potential_lacks_fails_alone(tmp_path: Path) -> None:
    found = run(tmp_path, fcc('Cu', 3.6), fcc('U', 3.6), fcc('Ni', 3.5))['records']
    assert ['failed' in record for record in found] == [False, True, False]
    assert 'No EMT-potential for U' in found[1]['failed']


def test_what_falls_apart_has_a_reason(tmp_path: Path) -> None:
    record = run(tmp_path, fcc('Cu', 2.3))['records'][0]
    assert record['failed'].startswith('it falls apart: ')
    assert 'energy' not in record


def test_single_points_leave_the_crystal_as_it_is(tmp_path: Path) -> None:
    record = run(tmp_path, fcc('Cu', 3.8), relax=False)['records'][0]
    assert record['lattice'] == fcc('Cu', 3.8)['lattice']
    assert 'steps' not in record


def test_nothing_is_computed_twice(tmp_path: Path) -> None:
    """Lines of an attempt that died, one of them cut off, are taken over."""
    first = tmp_path / 'first'
    records = run(first, fcc('Cu', 3.8), fcc('Ni', 3.5))['records']
    marked = json.dumps({**records[0], 'energy': -123.0})
    (first / 'results.jsonl').write_text(f'{{"begun": "Cu"}}\n{marked}\n{{"begun": "Ni"}}\n{{"id": "Ni", "ener')
    found = run(tmp_path / 'second', fcc('Cu', 3.8), fcc('Ni', 3.5), earlier_attempts=[str(first)])['records']
    assert found[0]['energy'] == -123.0
    assert found[1]['energy'] == pytest.approx(records[1]['energy'])
    # another crystal under the same name is another task
    other = run(tmp_path / 'third', fcc('Ag', 4.1, 'Cu'), earlier_attempts=[str(first)])['records']
    assert other[0]['species'] == ['Ag']


def test_a_crystal_that_kills_the_program_twice_is_left_out(tmp_path: Path) -> None:
    folders = [tmp_path / 'one', tmp_path / 'two']
    for folder in folders:
        folder.mkdir()
        (folder / 'results.jsonl').write_text('{"begun": "Cu"}\n')
    found = run(tmp_path / 'three', fcc('Cu', 3.6), fcc('Ni', 3.5), earlier_attempts=list(map(str, folders)))['records']
    assert found[0]['failed'] == 'the program died 2 times'
    assert 'energy' in found[1]


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'distribution': 'no-such-package'}, 'the package no-such-package is not installed'),
        ({'weights': 'ase/calculators/emt.py', 'sha256': '0' * 64}, 'not 0000'),
        ({'weights': 'ase/weights.pth'}, 'without its weights'),
        ({'weights': 'no_such_package/weights.pth'}, 'no_such_package is not installed'),
        ({'calculator': 'ase.calculators.emt:NoSuch'}, 'AttributeError'),
    ],
)
def test_another_potential_than_the_one_asked_for_is_refused(change: Any, words: str) -> None:
    with pytest.raises(relax_bundle.MissingPotentialError, match=words):
        relax_bundle.make_calculator(POTENTIAL | change)
