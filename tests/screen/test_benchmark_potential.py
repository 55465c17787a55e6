"""``benchmark potential`` and the estimates that it gives to ``benchmark search``."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from aiida_inversedesign.benchmarks.search.pool import PoolError, read_pool, with_estimates
from aiida_inversedesign.cli import cli

#: lattice constants (Å) and bulk moduli (GPa) as experiments have them
METALS = {'Cu': (3.61, 137), 'Al': (4.05, 76), 'Ni': (3.52, 186), 'Ag': (4.09, 104), 'Pt': (3.92, 283)}


@pytest.fixture
def structures(tmp_path: Path) -> Path:
    path = tmp_path / 'metals.jsonl'
    with path.open('w') as handle:
        for symbol, (a, modulus) in METALS.items():
            lattice = (a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])).tolist()
            record = {'id': symbol, 'lattice': lattice, 'species': [symbol], 'frac_coords': [[0, 0, 0]], 'K': modulus}
            handle.write(json.dumps(record) + '\n')
    return path


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(cli, ['benchmark', 'potential', '--potential', 'emt', *map(str, arguments)])


def test_figures_lines_and_estimates(structures: Path, tmp_path: Path) -> None:
    lines, estimates = tmp_path / 'lines.jsonl', tmp_path / 'estimates.csv'
    arguments = ['--structures', structures, '--property', 'bulk_modulus=K', '--lines', lines, '--format', 'json']
    result = run(*arguments, '--estimates', estimates)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data['n'] == data['properties']['bulk_modulus']['n'] == 5
    assert data['failed'] == {}
    # the potential was fitted to these metals
    assert data['properties']['volume']['median_relative_error'] < 0.03
    assert data['properties']['bulk_modulus']['median_relative_error'] < 0.2
    assert data['properties']['bulk_modulus']['rank_correlation'] > 0.8
    low, high = data['properties']['bulk_modulus']['mae_interval']
    assert low <= data['properties']['bulk_modulus']['mae'] <= high
    with estimates.open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row['id'] for row in rows] == list(METALS)
    assert all(20 < float(row['K']) < 400 for row in rows)

    # what is there is not computed again
    kept = [json.loads(line) for line in lines.read_text().splitlines()]
    lines.write_text(''.join(json.dumps({**record, 'bulk_modulus': 100.0}) + '\n' for record in kept) + '{"id": "br')
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    again = json.loads(result.stdout)
    assert again['properties']['bulk_modulus']['mae'] == pytest.approx(
        np.mean([abs(modulus - 100) for _, modulus in METALS.values()])
    )

    pool = with_estimates(read_pool(structures, ['K']), estimates)
    assert pool.names[-1] == 'estimated_K'
    assert pool.features[:, -1].tolist() == [float(row['K']) for row in rows]
    strange = tmp_path / 'strange.csv'
    strange.write_text('id,K\nXy,1\n')
    with pytest.raises(PoolError, match='no number for any candidate'):
        with_estimates(read_pool(structures, ['K']), strange)


def test_what_is_asked_wrongly_is_said(structures: Path, tmp_path: Path) -> None:
    assert 'name crystals' in run().output
    assert 'write OURS=COLUMN' in run('--structures', structures, '--property', 'K').output
    assert 'no row has a number' in run('--structures', structures, '--property', 'bulk_modulus=G').output
    assert "there is no potential 'emtt'" in run('--structures', structures, '--potential', 'emtt').output
    assert 'no xsfs-' in run('--acwf', tmp_path).output
