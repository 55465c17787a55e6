"""``benchmark functions`` as a user calls it: figures with their definitions, and a message for each bad pool."""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path

import command_line
import numpy as np
import pytest

from aiida_inversedesign.benchmarks.functions.pool import artificial_pool, parse_axis, read_curve_pool
from aiida_inversedesign.benchmarks.functions.run import run_functions
from aiida_inversedesign.benchmarks.search.pool import PoolError
from aiida_inversedesign.campaign.curves.curve import CurveError

call = partial(command_line.call, 'benchmark', 'functions')


def rows(number: int = 40) -> list[dict]:
    pool = artificial_pool(number, points=11)
    return [
        {'id': str(index), **dict(zip('abcde', map(float, X), strict=True)), 'y': Y.tolist()}
        for index, (X, Y) in enumerate(zip(pool.features, pool.Y, strict=True))
    ]


def written(path: Path, data: list[dict]) -> Path:
    path.write_text('\n'.join(json.dumps(row) for row in data) + '\n')
    return path


def test_json_has_figures_with_definitions_intervals_and_n(tmp_path: Path) -> None:
    file, output = written(tmp_path / 'pool.jsonl', rows()), tmp_path / 'found.json'
    result = call(
        '--pool', file, '--property', 'y', '--axis', 't [s]:0:2', '--arms', 'krfd,linear,pointwise,auto',
        '--folds', 3, '--format', 'json', '--output', output,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    data = json.loads(output.read_text())
    assert json.loads(result.stdout) == data
    assert (data['schema'], data['property'], data['folds']) == ('inversedesign/1', 'y', 3)
    assert (data['axis']['name'], data['axis']['unit'], len(data['axis']['grid'])) == ('t', 's', 11)
    assert (data['pool']['n'], data['pool']['values'], data['pool']['inputs']) == (40, 440, 5)
    assert {'mae', 'rmse', 'r2', 'coverage', 'reduction'} <= set(data['definitions'])
    for arm in data['arms'].values():
        for key in ('mae', 'rmse', 'r2', 'reduction'):
            assert arm[key]['low'] <= arm[key]['value'] <= arm[key]['high']
        assert set(arm['coverage']) == {'50', '80', '95'}
        assert len(arm['coverage_by_point']['80']) == 11
        assert arm['seconds'] > 0
        assert arm['n'] == 40
    assert set(data['paired']['mae_more']) == set(data['arms']) - {data['paired']['best']}
    text = call('--pool', file, '--property', 'y', '--arms', 'krfd,linear', '--folds', 2).stdout
    assert max(map(len, text.splitlines())) <= 80


def test_figures_are_those_of_their_definitions() -> None:
    pool = artificial_pool(30, points=9)
    data = run_functions(pool, ['linear'], 5)
    fold = np.random.default_rng(0).permutation(30) % 5
    mean = np.stack([pool.Y[fold != own].mean(axis=0) for own in fold])
    assert data['mean_curve']['mae']['value'] == pytest.approx(np.abs(mean - pool.Y).mean())
    assert data['mean_curve']['rmse']['value'] == pytest.approx(np.sqrt(((mean - pool.Y) ** 2).mean()))
    total = ((pool.Y - pool.Y.mean()) ** 2).sum()
    assert data['mean_curve']['r2']['value'] == pytest.approx(1 - ((mean - pool.Y) ** 2).sum() / total)
    arm = data['arms']['linear']
    assert arm['reduction']['value'] == pytest.approx(1 - arm['mae']['value'] / data['mean_curve']['mae']['value'])


def test_an_arm_that_cannot_run_says_why_and_the_others_do() -> None:
    data = run_functions(artificial_pool(30, points=9), ['krfd/root', 'linear'], 3)
    assert data['arms']['krfd/root']['mae'] is None
    assert 'negative' in data['arms']['krfd/root']['reason']
    assert data['arms']['linear']['mae']['value'] > 0


def test_curves_come_with_an_axis_of_their_own_or_a_common_one(tmp_path: Path) -> None:
    data, grid = rows(12), np.linspace(0, 2, 11)
    own = [
        {**row, 'y': {'axis': grid[: 8 + n % 4].tolist(), 'values': row['y'][: 8 + n % 4]}}
        for n, row in enumerate(data)
    ]
    beside = [{**row, 'y_axis': grid.tolist()} for row in data]
    common = read_curve_pool(written(tmp_path / 'a.jsonl', data), 'y', 't [s]:0:2')
    assert np.array_equal(common.Y, read_curve_pool(written(tmp_path / 'b.jsonl', beside), 'y').Y)
    sparse = read_curve_pool(written(tmp_path / 'c.jsonl', own), 'y')
    assert np.isnan(sparse.Y).sum() == 3 * (3 + 2 + 1)
    assert run_functions(sparse, ['krfd'], 3)['pool']['values'] == 12 * 11 - 18
    with gzip.open(tmp_path / 'd.jsonl.gz', 'wt') as file:
        file.write((tmp_path / 'a.jsonl').read_text())
    assert len(read_curve_pool(tmp_path / 'd.jsonl.gz', 'y')) == 12


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'y': [1.0, 2.0]}, 'different lengths: curve 3 has 2 points, most have 11'),
        ({'y': [float('nan')] * 11}, 'pool.jsonl:3: y: the values contain 11'),
        ({'y': 3.0}, r"pool.jsonl:3: y is '3.0', not a list"),
        ({'y': ['a'] * 11}, 'pool.jsonl:3: y: the values are not a list of numbers'),
        ({'y': {'axis': [1, 0], 'values': [1, 2]}}, 'pool.jsonl:3: y: the axis position is not increasing'),
        ({'y': {'axis': [0, 1], 'values': [1, 2, 3]}}, 'pool.jsonl:3: y: 3 values on an axis of 2 points'),
        ({'y': {'v': [1]}}, 'neither a list nor'),
    ],
)
def test_a_bad_curve_is_named_with_its_line(tmp_path: Path, change: dict, words: str) -> None:
    data = rows(12)
    data[2].update(change)
    with pytest.raises(CurveError, match=words):
        read_curve_pool(written(tmp_path / 'pool.jsonl', data), 'y')


def test_pools_without_anything_to_learn_are_refused(tmp_path: Path) -> None:
    data = rows(12)
    with pytest.raises(PoolError, match="no row has a curve 'z'; lists there are: y"):
        read_curve_pool(written(tmp_path / 'pool.jsonl', data), 'z')
    with pytest.raises(CurveError, match=r'1 curve\(s\)'):
        read_curve_pool(written(tmp_path / 'pool.jsonl', data[:1]), 'y')
    with pytest.raises(CurveError, match='are equal'):
        read_curve_pool(written(tmp_path / 'pool.jsonl', [{**row, 'y': [1.0, 2.0]} for row in data]), 'y')
    with pytest.raises(PoolError, match='neither a structure nor numbers'):
        read_curve_pool(written(tmp_path / 'pool.jsonl', [{'id': row['id'], 'y': row['y']} for row in data]), 'y')
    with pytest.raises(PoolError, match=r'\.jsonl'):
        read_curve_pool(tmp_path / 'pool.csv', 'y')
    left = read_curve_pool(written(tmp_path / 'pool.jsonl', [*data, {'a': 1}, {**data[0], 'a': None}]), 'y')
    assert (len(left), left.left_out) == (12, {'without y': 1, 'without an input': 1})


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('--property', 'y', '--arms', 'kfrd'), "no arm is called 'kfrd'"),
        (('--property', 'y', '--arms', 'krfd,krfd'), 'once'),
        (('--property', 'y', '--folds', 41), '41 folds of 40 curves'),
        (('--property', 'y', '--axis', 't'), 'write NAME [UNIT]:FIRST:LAST'),
        (('--property', 'y', '--axis', 't:2:0'), 'write NAME [UNIT]:FIRST:LAST'),
        ((), '--property is needed'),
    ],
)
def test_a_wrong_call_says_what_to_write(tmp_path: Path, arguments: tuple, words: str) -> None:
    result = call('--pool', written(tmp_path / 'pool.jsonl', rows()), *arguments)
    assert result.exit_code != 0
    assert words in f'{result.output} {result.exception}'


def test_an_axis_has_a_name_and_a_unit() -> None:
    axis, first, last = parse_axis('frequency [cm^-1]:-300:1000')
    assert (axis.name, axis.unit, first, last) == ('frequency', 'cm^-1', -300, 1000)


def test_structures_are_described(shared: Path, tmp_path: Path) -> None:
    with gzip.open(shared / 'data' / 'phonon_dos.jsonl.gz', 'rt') as lines:
        some = [next(lines) for _ in range(30)]
    (tmp_path / 'pool.jsonl').write_text(''.join(some))
    pool = read_curve_pool(tmp_path / 'pool.jsonl', 'phonon_dos', 'frequency [cm^-1]:-300:1000')
    assert (len(pool), len(pool.grid), pool.features.shape[1]) == (30, 66, len(pool.names))
    assert 'packing_fraction' in pool.names
