"""Pools are read whole, and what is left out is counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError, read_pool
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.spaces.crystals.features import featurize


def test_columns_that_are_not_asked_for_are_the_descriptors(pool: Pool, pool_file: Path) -> None:
    found = read_pool(pool_file, ['y'], ignore=['z'])
    assert found.names == ('a', 'b', 'c')
    assert found.ids == pool.ids
    np.testing.assert_allclose(found.features, pool.features)
    np.testing.assert_allclose(found.values['y'], pool.values['y'])
    assert found.left_out == {'without y': 1}
    assert found.ignored == {'id': 'names the row', 'z': 'as asked for'}
    assert read_pool(pool_file, ['z']).names == ('a', 'b', 'c', 'y')


def test_rows_without_a_descriptor_are_counted_and_columns_of_words_ignored(tmp_path: Path) -> None:
    path = tmp_path / 'a.csv'
    path.write_text('﻿a,b,kind,y\n1,2,x,3\n,2,x,4\n5,nan,x,6\n7,8,x,9\n1,2\n\n', encoding='utf-8')
    found = read_pool(path, ['y'])
    assert found.names == ('a', 'b')
    assert found.values['y'].tolist() == [3, 9]
    assert found.left_out == {'with another number of cells than the header': 1, 'without a': 1, 'without b': 1}
    assert found.ignored == {'kind': 'less than half of its cells are numbers'}
    assert found.ids == ('row 2', 'row 5')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'first line must name the columns'),
        ('a,a,y\n1,2,3\n', 'each once'),
        ('a,b\n1,2\n', "no column 'y'; columns are a, b"),
        ('y\n1\n2\n', 'no column is left as a descriptor'),
        ('a,y\n1,2\n3,\n', '1 row\\(s\\) have y, a search needs at least 2 \\(left out: 1 without y\\)'),
    ],
)
def test_unusable_files_say_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'a.csv'
    path.write_text(text)
    with pytest.raises(PoolError, match=message):
        read_pool(path, ['y'])


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
