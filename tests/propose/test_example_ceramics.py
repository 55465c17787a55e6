"""The example that predicts ceramics, run as a user runs it."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Structure

from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.elements import element_table
from aiida_inversedesign.libraries.library import aflow_library
from aiida_inversedesign.propose.rankers.cspml import CspmlModel

EXAMPLE = Path(__file__).parents[2] / 'examples' / 'predict_ceramics.py'


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An untrained network that likes near descriptors."""
    raw = describe([item.crystal.counts for item in aflow_library()])
    layer = (np.full((raw.shape[1], 1), -0.01, dtype=np.float32), np.zeros(1, dtype=np.float32))
    path = tmp_path / 'model.npz'
    path.write_bytes(CspmlModel(Scaler.of(raw), ((layer,),), element_table().names, {}).to_bytes())
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', [str(EXAMPLE), *arguments])
    runpy.run_path(str(EXAMPLE), run_name='__main__')


def test_the_example_writes_cifs_with_lineage_and_a_table(monkeypatch, tmp_path, capsys, model):
    run(monkeypatch, 'CaCO3', 'LiFePO4', '--model', str(model), '--top', '3', '--output', str(tmp_path))
    with (tmp_path / 'summary.csv').open() as handle:
        rows = list(csv.DictReader(handle))
    assert {row['formula'] for row in rows} == {'CaCO3', 'LiFePO4'}
    written = [row for row in rows if row['cif']]
    assert written
    for row in written:
        text = (tmp_path / row['cif']).read_text()
        assert f'# template: "{row["template"]}"' in text
        assert '# assignment:' in text
        assert Structure.from_str(text, fmt='cif').composition.reduced_formula == row['formula']
    assert f'{len(written)} CIF files' in capsys.readouterr().out


def test_own_entries_can_be_left_out(monkeypatch, tmp_path, model):
    found = []
    for arguments in ((), ('--exclude-own',)):
        run(monkeypatch, 'CaCO3', '--model', str(model), '--output', str(tmp_path), *arguments)
        with (tmp_path / 'summary.csv').open() as handle:
            found.append([row['template_formula'] for row in csv.DictReader(handle)])
    assert 'CaCO3' in found[0]
    assert 'CaCO3' not in found[1]
