"""Values of properties that are not numbers are listed, those that overflow refused, indices and copies told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.search.csv_pool import read_csv as read_pool_csv
from aiida_inversedesign.benchmarks.search.pool import PoolError
from aiida_inversedesign.libraries.collect import count_kinds
from aiida_inversedesign.libraries.importers import read_csv, read_jsonl
from aiida_inversedesign.libraries.points import PointsError, PointSet
from aiida_inversedesign.libraries.values import copies, counts_up, why_unreadable
from aiida_inversedesign.spaces.parameters.point import PointReader

CELL = {'lattice': [[4.0, 0, 0], [0, 4.0, 0], [0, 0, 4.0]], 'species': ['Na'], 'frac_coords': [[0, 0, 0]]}


def entry(number: int, **fields: object) -> dict[str, object]:
    size = 4.0 + number / 100
    lattice = [[size, 0, 0], [0, size, 0], [0, 0, size]]
    return {**CELL, 'lattice': lattice, 'id': f'n{number}', **fields}


def written(path: Path, values: list[object]) -> Path:
    path.write_text('\n'.join(json.dumps(entry(number, K=value)) for number, value in enumerate(values)))
    return path


@pytest.mark.parametrize(
    ('value', 'why'),
    [
        ('51,2', 'write 51.2'),
        ('1,234', 'write 1.234 or 1234'),
        ('12 GPa', 'without its unit'),
        ('1.2(3)', 'without its uncertainty: 1.2'),
        ('1.2 ± 0.3', 'without its uncertainty'),
        ('−3.4', 'write -3.4'),
        ('1.5d-3', 'write 1.5e-3'),
        ('<5', 'number alone'),
        ('n/a', 'missing value'),
        ('-', 'missing value'),
        ('abc', 'is not a number'),
        ('1:30', 'colons'),
        (float('nan'), 'not finite'),
        (float('inf'), 'not finite'),
        (12345678901234567891, 'more digits'),
    ],
)
def test_unreadable_values_are_listed(tmp_path: Path, value: object, why: str) -> None:
    library, skipped = read_jsonl(written(tmp_path / 'a.jsonl', [1.0, 2.5, value, '3.5', None]))
    assert len(library) == 5
    assert [item.properties.get('K') for item in library] == [1.0, 2.5, None, 3.5, None]
    (only,) = skipped
    assert (only.source, only.kind, only.column) == ('a.jsonl, line 3, K', 'unreadable value', 'K')
    assert why in only.reason


@pytest.mark.parametrize('value', [5.5, '5.5', ' 5.5 ', None, '', True, '1e3', -1e99])
def test_what_can_be_read_or_is_not_there_is_not_listed(value: object) -> None:
    assert why_unreadable(value) == ''


def test_columns_of_words_are_not_listed(tmp_path: Path) -> None:
    rows = [entry(number, name=f'{number}H2O', date='2024-01-01', K=1.0) for number in range(4)]
    (tmp_path / 'a.jsonl').write_text('\n'.join(map(json.dumps, [*rows[:3], {**rows[3], 'name': 'NaCl'}])))
    _, skipped = read_jsonl(tmp_path / 'a.jsonl')
    assert {item.column for item in skipped} <= {'name', 'date'}
    rows = [entry(number, prototype2='halite', spacegroup='Fm-3m') for number in range(4)]
    (tmp_path / 'b.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    assert read_jsonl(tmp_path / 'b.jsonl')[1] == []


@pytest.mark.parametrize('value', [6e251, -1e101, '1e200', 10**120])
def test_values_that_overflow_are_refused(tmp_path: Path, value: object) -> None:
    library, skipped = read_jsonl(written(tmp_path / 'a.jsonl', [1.0, value]))
    assert [dict(item.properties) for item in library] == [{'K': 1.0}, {}]
    (only,) = skipped
    assert (only.source, only.kind, only.column) == ('a.jsonl, line 2, K', 'unreadable value', 'K')
    assert 'larger than 1e+100' in only.reason


def test_shared_cases(shared: Path) -> None:
    folder = shared / 'cases' / 'jsonl'
    if not folder.is_dir():
        pytest.skip('no cases')
    library, skipped = read_jsonl(folder / 'comma.jsonl')
    assert (len(library), count_kinds(skipped)) == (20, {'unreadable value': 10})
    library, skipped = read_jsonl(folder / 'huge.jsonl')
    assert (len(library), count_kinds(skipped)) == (20, {'unreadable value': 20})
    assert not any(item.properties for item in library)


def test_an_index_without_a_name_is_not_a_property(tmp_path: Path) -> None:
    columns = ['', 'Unnamed: 0', 'id', 'lattice', 'species', 'frac_coords', 'K']
    item = [json.dumps(CELL[name]).replace('"', '""') for name in ('lattice', 'species', 'frac_coords')]
    (tmp_path / 'a.csv').write_text(
        ','.join(columns) + '\n' + '0,0,x,' + ','.join(f'"{cell}"' for cell in item) + ',"51,2"\n'
    )
    library, skipped = read_csv(tmp_path / 'a.csv')
    assert [dict(item.properties) for item in library] == [{}]
    assert count_kinds(skipped) == {'index column': 2, 'unreadable value': 1}


# ---- pools


def pool(tmp_path: Path, text: str, **options: object):
    (tmp_path / 'p.csv').write_text(text)
    settings = {'properties': ['y'], 'ignore': [], 'variables': [], **options}
    return read_pool_csv(tmp_path / 'p.csv', report=lambda step, done: None, **settings)  # type: ignore[arg-type]


RNG = np.random.default_rng(0)
X, Y = RNG.uniform(size=12), RNG.uniform(1, 2, size=12)


def table(**columns: object) -> str:
    rows = zip(*columns.values(), strict=True)  # type: ignore[call-overload]
    return '\n'.join([','.join(columns), *(','.join(map(str, row)) for row in rows)]) + '\n'


@pytest.mark.parametrize(
    ('name', 'cells'),
    [('', range(12)), ('Unnamed: 0', range(5, 17)), ('index', range(12)), ('No.', range(1, 13)), ('sample', range(12))],
)
def test_an_index_is_not_a_variable(tmp_path: Path, name: str, cells: range) -> None:
    found = pool(tmp_path, table(**{name: cells, 'x': X, 'y': Y}))
    assert list(found.variables) == ['x']
    assert [why.startswith('an index') for why in found.ignored.values()] == [True]


def test_a_variable_that_only_has_the_name_of_an_index_stays(tmp_path: Path) -> None:
    assert set(pool(tmp_path, table(number=RNG.permutation(12) * 2.5, x=X, y=Y)).variables) == {'number', 'x'}


@pytest.mark.parametrize(
    'copy', [Y, 1000 * Y, Y * 0.0103 + 273.15, -Y, np.round(Y, 4), np.log(Y), np.argsort(np.argsort(Y)) * 1.5 + 0.25]
)
def test_copies_of_the_target_are_left_out_and_told(tmp_path: Path, copy: np.ndarray) -> None:
    found = pool(tmp_path, table(x=X, copy=copy, y=Y))
    assert list(found.variables) == ['x']
    assert found.ignored == {'copy': 'copies y'}
    assert set(pool(tmp_path, table(x=X, copy=copy, y=Y), variables=['copy', 'x']).variables) == {'copy', 'x'}
    with pytest.raises(PoolError, match='every variable copies'):
        pool(tmp_path, table(copy=copy, y=Y))


def test_what_is_only_alike_is_no_copy() -> None:
    assert not copies(Y, Y + 0.1 * RNG.normal(size=12))
    assert not copies(X, Y)
    assert not copies(np.arange(4.0), np.arange(4.0))
    assert counts_up(['1', '2', '3'])
    assert not counts_up(['1', '2', '4'])


def test_unreadable_answers_of_a_pool_are_counted_with_the_first(tmp_path: Path) -> None:
    text = table(x=X, y=[*Y[:8], '"51,2"', '"12 GPa"', 'n/a', '1.2(3)'])
    (reason, count), *rest = pool(tmp_path, text).left_out.items()
    assert (count, rest) == (3, [('without y', 1)])
    assert reason.startswith("with an unreadable y ('51,2' is not a number: a comma")


def test_answers_of_a_pool_that_overflow(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r'p.csv, row 13: y = 1e\+251 is larger'):
        pool(tmp_path, table(x=X, y=[*Y[:11], 1e251]))


# ---- points of campaigns


def test_points() -> None:
    cells = [*Y[:9], '"51,2"', 'n/a', '']
    data = PointSet.from_bytes(table(**{'': range(12), 'x': X, 'twice': 2 * Y, 'y': cells}).encode())
    assert data.numeric == ('x', 'twice', 'y')
    (text,) = data.unreadable(['y'])
    assert text.startswith("2 of 12 values of y are not read: '51,2' in row 11 (is not a number: a comma")
    assert data.copied(['x', 'twice'], ['y']) == [('twice', 'y')]
    assert sum('y' in item.values for item in data.listed(PointReader({'x': False})).measured.values()) == 9
    with pytest.raises(PointsError, match=r'line 3: y = 1e251 is larger'):
        PointSet.from_bytes(b'x,y\n1,2\n2,1e251\n')


def test_words_that_are_long_numbers_stay_apart() -> None:
    data = PointSet.from_bytes(b'batch,y\n1234567,1\n1234568,2\n')
    assert len(data.listed(PointReader({'batch': True})).measured) == 2
