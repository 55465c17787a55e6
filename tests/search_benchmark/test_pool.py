"""Pools are read whole, and what is left out is counted."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.common import add_lines, read_lines
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError, read_pool
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.spaces.crystals.features import featurize


def test_columns_that_are_not_asked_for_are_the_descriptors(pool: Pool, pool_file: Path) -> None:
    found = read_pool(pool_file, ['y'], ignore=['z'])
    assert found.names == ('a', 'b', 'c')
    assert found.ids == pool.ids
    low, high = pool.features.min(axis=0), pool.features.max(axis=0)
    np.testing.assert_allclose(found.features, (pool.features - low) / (high - low), atol=1e-8)
    np.testing.assert_allclose(found.values['y'], pool.values['y'])
    assert found.left_out == {'without y': 1}
    assert found.ignored == {'id': 'names the row', 'z': 'as asked for'}
    assert read_pool(pool_file, ['z']).names == ('a', 'b', 'c', 'y')


def test_rows_without_a_variable_are_counted_and_constant_columns_ignored(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('﻿a,b,kind,y\n1,2,x,3\n,2,x,4\n5,nan,x,6\n7,8,x,9\n1,2\n\n', encoding='utf-8')
    found = read_pool(path, ['y'])
    assert found.names == ('a', 'b')
    assert found.values['y'].tolist() == [3, 9]
    assert found.left_out == {'with another number of cells than the header': 1, 'without a': 1, 'without b': 1}
    assert found.ignored == {'kind': 'the same in every row'}
    assert found.ids == ('a=1, b=2', 'a=7, b=8')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'first line must name the columns'),
        ('a,a,y\n1,2,3\n', 'each once'),
        ('a,b\n1,2\n', "no column 'y'; columns are a, b"),
        ('y\n1\n2\n', 'no column remains as a variable'),
        ('a,y\n1,2\n3,\n', '1 row\\(s\\) have y, a search needs at least 2 \\(left out: 1 without y\\)'),
    ],
)
def test_unusable_files_say_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'a.csv'
    path.write_text(text)
    with pytest.raises(PoolError, match=message):
        read_pool(path, ['y'])


PUBLISHED = """;n;shape;note (mm);strength;toughness
0;6;round;a;1.5;10
1;6;round;b;1.7;14
2;6;square;c;1.2;3
3;8;round;d;2.5;20
4;8;round;e;2.6;
5;8;round;f;2.4;22
6;8;round;g;2.4;27
7;8;12;h;2.4;5
"""


def test_experiments_are_read_as_they_are_published(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text(PUBLISHED)
    found = read_pool(path, ['toughness'], variables=['n', 'shape'])
    assert found.ids == ('n=6, shape=round', 'n=6, shape=square', 'n=8, shape=round', 'n=8, shape=12')
    assert found.names == ('n', 'shape=12', 'shape=round', 'shape=square')
    assert found.features.tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]]
    assert found.values['toughness'].tolist() == [12, 3, 23, 5]
    np.testing.assert_allclose(found.errors['toughness'], [2, np.nan, np.sqrt(13 / 3), np.nan])
    assert (found.rows, found.left_out) == (7, {'without toughness': 1})
    assert found.variables == {'n': '6, 8', 'shape': '12, round, square'}
    assert set(found.ignored) == {'without a name', 'note (mm)', 'strength'}
    # by default everything but the property and the index describes a candidate: nothing is a replicate
    whole = read_pool(path, ['toughness'])
    assert list(whole.variables) == ['n', 'shape', 'note (mm)', 'strength']
    assert (len(whole), whole.errors) == (7, {})


def test_a_named_row_is_a_candidate_unless_variables_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('id,a,y\np,1,2\nq,1,4\nr,2,5\n')
    assert read_pool(path, ['y']).ids == ('p', 'q', 'r')
    found = read_pool(path, ['y'], variables=['a'])
    assert (found.ids, found.values['y'].tolist()) == (('a=1', 'a=2'), [3, 5])


def test_a_text_is_not_a_variable_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('a,remark,y\n' + ''.join(f'{n % 7},words {n},{n}\n' for n in range(40)))
    found = read_pool(path, ['y'])
    assert found.ignored == {'remark': '40 different words: a text'}
    assert len(found) == 7
    assert len(read_pool(path, ['y'], variables=['a', 'remark'])) == 40


@pytest.mark.parametrize(
    ('variables', 'message'),
    [(['b'], "no column 'b'; columns are a, y"), (['a', 'y'], "'y' is named as a variable and as a property")],
)
def test_variables_that_cannot_be_say_why(tmp_path: Path, variables: list[str], message: str) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('a,y\n1,2\n2,3\n')
    with pytest.raises(PoolError, match=message):
        read_pool(path, ['y'], variables=variables)


def test_the_ending_tells_how_a_pool_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    path.write_text('a,y\n1,2\n')
    with pytest.raises(PoolError, match='a pool is a file'):
        read_pool(path, ['y'])


def line(**fields: object) -> str:
    base = {'lattice': (4.0 * np.eye(3)).tolist(), 'species': ['Na', 'Cl'], 'frac_coords': [[0, 0, 0], [0.5] * 3]}
    return json.dumps({**base, **fields})


def test_structures_are_described_as_campaigns_describe_them_and_only_once(tmp_path: Path) -> None:
    path, cache = tmp_path / 'a.jsonl.gz', tmp_path / 'state'
    lines = [
        line(id='one', gap=1.0, heat=0.5),
        line(id='two', gap=2.0, heat=0.1, species=['K', 'Cl']),
        line(id='two', gap=2.5, heat=0.1, species=['Rb', 'Cl']),
        line(id='none', heat=0.1),
        line(id='text', gap='NaN', heat=0.1),
        line(id='gas', gap=1.0, heat=0.1, species=['Xx', 'Cl']),
        line(id='mixed', gap=1.0, heat=0.1, species=[{'Na': 0.5}, 'Cl']),
        'no JSON',
    ]
    with gzip.open(path, 'wt') as stream:
        stream.write('\n'.join(lines))
    found = read_pool(path, ['gap', 'heat'], cache=cache, crystals=True)
    assert found.ids == ('one', 'two')
    assert found.values['heat'].tolist() == [0.5, 0.1]
    assert found.left_out == {
        'duplicate id': 1, 'without gap': 2, 'no element data': 1, 'partial occupancy': 1, 'unreadable': 1
    }  # fmt: skip
    assert found.crystals is not None
    np.testing.assert_array_equal(found.features, featurize(found.crystals, [None, None])[0])
    again = read_pool(path, ['gap', 'heat'], cache=cache)
    assert again.crystals is None
    assert again.digest == found.digest
    assert again.left_out == found.left_out
    assert len(list(cache.iterdir())) == 1


def test_an_unknown_property_names_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    path.write_text(line(id='one', gap=1.0))
    with pytest.raises(PoolError, match=r"no row has a number 'gpa'; numbers there are: gap"):
        read_pool(path, ['gpa'])
    with pytest.raises(InverseDesignError, match='no such file'):
        read_pool(tmp_path / 'b.jsonl', ['gap'])


def test_the_digest_tells_pools_apart(pool: Pool, pool_file: Path) -> None:
    first, second = read_pool(pool_file, ['y'], ignore=['z']), read_pool(pool_file, ['y'])
    assert first.digest == read_pool(pool_file, ['y'], ignore=['z']).digest
    assert first.digest != second.digest
    assert replace(first, errors={'y': np.ones(len(first))}).digest != first.digest


def test_real_structures(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / 'some.jsonl'
    with gzip.open(shared / 'data' / 'perov5_structures.jsonl.gz', 'rt') as stream:
        lines = list(stream)
    labelled = [row for row in lines if '"dir_gap"' in row and '"heat_all"' in row][:20]
    others = [row for row in lines if '"dir_gap"' not in row][:10]
    path.write_text(''.join([*labelled, *others]))
    found = read_pool(path, ['dir_gap', 'heat_all'])
    assert (len(found), found.left_out) == (len(labelled), {'without dir_gap': 10})
    assert np.isfinite(found.features).all()


def test_a_result_that_was_cut_off_swallows_no_other(tmp_path: Path) -> None:
    file = tmp_path / 'state' / 'runs.jsonl'
    assert list(read_lines(file)) == []
    add_lines(file, [{'seed': 0}])
    with file.open('a') as stream:
        stream.write('{"seed": 1, "ord')
    add_lines(file, [{'seed': 2}, {'seed': 3}])
    assert [record['seed'] for record in read_lines(file)] == [0, 2, 3]
