"""``benchmark molecules`` as a user runs it, on a few molecules."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from some_smiles import SMILES

from aiida_inversedesign.benchmarks.molecules import run
from aiida_inversedesign.cli import cli
from aiida_inversedesign.spaces.molecules.molecule import Molecule
from aiida_inversedesign.spaces.molecules.space import MoleculeSpace


def test_every_generator_has_its_shares(tmp_path: Path) -> None:
    rows = [f'{text},{len(text)},{len(text) % 3}' for text in SMILES[:12]]
    (tmp_path / 'm.csv').write_text('\n'.join(['smiles,size,rest', *rows, 'C1CC,1,1']))
    arguments = ['benchmark', 'molecules', str(tmp_path / 'm.csv'), '--window', 'size:4,7', '--seeds', '2']
    arguments += ['--number', '6', '--arms', 'language,iqspr,mutation', '--output', str(tmp_path / 'out.json')]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / 'out.json').read_text())
    assert (found['molecules'], found['in_region']) == (12, sum(4 <= len(text) <= 7 for text in SMILES[:12]))
    assert set(found['arms']) == {'language', 'iqspr', 'mutation'}
    for arm in found['arms'].values():
        assert arm['valid']['value'] > 0.9
        assert all(0 <= item['value'] <= 1 and item['n'] == 2 for item in arm.values())
    assert 'R² of size' in result.output
    assert '80% intervals hold' in result.output
    held = [found['coverage'][level]['value'] for found in found['regressions'].values() for level in ('0.5', '0.95')]
    assert 0 <= held[0] <= held[1] <= 1


def test_a_window_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / 'm.csv').write_text('smiles,size\nCC,1\n')
    arguments = ['benchmark', 'molecules', str(tmp_path / 'm.csv'), '--window', 'size']
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert 'homo_lumo_gap:1,2' in result.output


def test_a_process_fitted_to_some_rows_learns_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, 'MOST_FITTED', 10)
    molecules = [Molecule.of(text) for text in SMILES[:20]]
    sizes = np.array([item.mol.GetNumHeavyAtoms() for item in molecules], dtype=np.float64)
    space = MoleculeSpace(kind='molecules')
    model = run.Ours(run.Data(molecules, {'size': sizes}), range(20), space, 'gp', lambda *_: None)
    process = model.surrogate.models['size']
    np.testing.assert_array_equal(process.y, sizes)
    means, deviations = process.left_out()
    # its 80 % intervals of rows left out hold about as many, as far as 20 rows tell
    assert 0.6 <= np.mean(np.abs(sizes - means) < 1.2816 * deviations) <= 1.0
    fewer = run.Ours(run.Data(molecules, {'size': sizes}), range(10), space, 'gp', lambda *_: None)
    assert np.abs(model.mean('size', molecules) - sizes).mean() < np.abs(fewer.mean('size', molecules) - sizes).mean()
