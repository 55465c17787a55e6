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
