"""``benchmark explain`` on a small pool whose rule is known."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import command_line
import numpy as np


def pool(folder: Path, rows: int = 160) -> Path:
    """y is large where a is large and b small, with as much noise; c matters little."""
    rng = np.random.default_rng(0)
    table = rng.random((rows, 3))
    y = table[:, 0] - table[:, 1] + 0.1 * table[:, 2] + 0.4 * rng.normal(size=rows)
    lines = ['a,b,c,y', *(','.join(f'{value:.6f}' for value in (*row, one)) for row, one in zip(table, y, strict=True))]
    path = folder / 'pool.csv'
    path.write_text('\n'.join(lines))
    return path


call = partial(command_line.call, 'benchmark', 'explain')


def test_rules_hold_and_importances_rank(tmp_path: Path) -> None:
    arguments = ('--pool', str(pool(tmp_path)), '--property', 'y', '--top', '0.15', '--splits', '2')
    found = json.loads(call(*arguments, '--format', 'json').stdout)
    assert found['base_rate'] == 0.15
    assert found['ranks'][0]['n'] == 2
    assert found['ranks'][0]['ratio']['value'] > 1.5
    assert {rule['words'][0][:3] for rule in found['ranks'][0]['rules']} <= {'a ≥', 'b ≤'}
    ranks = found['importances']
    assert ranks['planted']['rank'] == 1
    assert ranks['planted']['first']['n'] == 2
    assert ranks['shuffled']['rank'] >= 3
    assert ranks['shuffled']['importance']['value'] < 0.1 * ranks['planted']['importance']['value']


def test_too_few_hits_are_refused(tmp_path: Path) -> None:
    result = call('--pool', str(pool(tmp_path, 60)), '--property', 'y', '--top', '0.03')
    assert result.exit_code == 1
    assert 'too few to halve: raise --top' in result.output
