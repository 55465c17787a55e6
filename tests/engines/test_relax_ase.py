"""The script of the ``ase`` engine as it runs on a computer: its wall time, and calculators without stress."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk

#: A calculator of energies and forces alone.
PLAIN = """
from ase.calculators.emt import EMT


class Plain(EMT):
    implemented_properties = ['energy', 'free_energy', 'energies', 'forces']

    def get_stress(self, atoms=None):
        raise NotImplementedError('no stress')
"""


def run(folder: Path, **changes: Any) -> dict[str, Any]:
    """What the script writes for a job in a folder."""
    atoms = bulk('Cu', 'fcc', 3.6)
    job = {
        'lattice': atoms.cell[:].tolist(),
        'species': atoms.get_chemical_symbols(),
        'frac_coords': atoms.get_scaled_positions().tolist(),
        'calculator': 'emt',
        'importable': '',
        'arguments': {},
        'fmax': 0.05,
        'steps': 50,
        'relax_cell': True,
        'volume_factors': [],
        **changes,
    }
    (folder / 'input.json').write_text(json.dumps(job))
    (folder / 'plain.py').write_text(PLAIN)
    for package, name in (('engines.ase', 'relax_ase.py'), ('processes', 'guard.py')):
        (folder / name).write_text(files(f'aiida_inversedesign.{package}').joinpath(name).read_text())
    subprocess.run([sys.executable, 'relax_ase.py'], cwd=folder, check=True, capture_output=True, timeout=300)
    results: dict[str, Any] = json.loads((folder / 'results.json').read_text())
    return results


@pytest.mark.parametrize(
    ('changes', 'key'),
    [
        ({}, 'energy'),
        ({'calculator': 'nonsense'}, 'missing_calculator'),
        ({'importable': 'plain:Plain'}, 'crash'),
    ],
)
def test_every_end_has_a_wall_time(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    results = run(tmp_path, **changes)
    assert key in results
    assert 0 < results['wall_time_seconds'] < 300


def test_with_a_fixed_cell_no_stress_is_needed(tmp_path: Path) -> None:
    results = run(tmp_path, importable='plain:Plain', relax_cell=False, volume_factors=[0.98, 1.0, 1.02])
    assert 'pressure' not in results
    assert results['converged']
    assert len(results['scan']['energies']) == 3


#: A calculator that fails as soon as the cell is sheared.
BRITTLE = """
import numpy as np
from ase.calculators.emt import EMT


class Brittle(EMT):
    def calculate(self, atoms=None, *args, **kwargs):
        if abs(atoms.cell.angles() - 60).max() > 0.1:
            raise ValueError('broken bonds')
        super().calculate(atoms, *args, **kwargs)
"""


def test_strains_and_stresses(tmp_path: Path) -> None:
    strains = [[[0.01, 0, 0], [0, 0, 0.005], [0, 0.005, 0]], [[-0.01, 0, 0], [0, 0, -0.005], [0, -0.005, 0]]]
    found = run(tmp_path, strains=strains)['deformed']
    assert found['strains'] == strains
    # C44 of copper with EMT is some 90 GPa: half of the difference is its part of 1 %
    assert 0.5 < (found['stresses'][0][1][2] - found['stresses'][1][1][2]) / 2 < 1.2


def test_a_strain_that_fails_loses_nothing_else(tmp_path: Path) -> None:
    (tmp_path / 'brittle.py').write_text(BRITTLE)
    strain = [[0.01, 0, 0], [0, 0, 0.005], [0, 0.005, 0]]
    found = run(tmp_path, importable='brittle:Brittle', strains=[strain], volume_factors=[0.98, 1.0])
    assert found['deformed'] == {'reason': 'strain_00: the calculator stopped with ValueError: broken bonds'}
    assert len(found['scan']['energies']) == 2


def test_ions_that_do_not_relax_under_strain_are_a_reason(tmp_path: Path) -> None:
    gold = bulk('Au', 'hcp', a=2.9, c=4.75)
    crystal = {'lattice': gold.cell[:].tolist(), 'species': ['Au', 'Au']}
    crystal['frac_coords'] = gold.get_scaled_positions().tolist()
    found = run(tmp_path, **crystal, fmax=3.0, steps=1, strains=[[[0.05, 0, 0], [0, 0, 0], [0, 0, 0]]])
    assert found['deformed'] == {'reason': 'strain_00: the ions did not relax within 1 steps'}
