"""Libraries survive their file."""

from dataclasses import replace

import numpy as np
import pytest

from aiida_inversedesign.libraries.library import Library, LibraryError, Template, aflow_library


def test_round_trip(small_library):
    data = small_library.to_bytes()
    copy = Library.from_bytes(data)
    assert copy.content_hash == small_library.content_hash
    assert copy.to_bytes() == data
    assert copy[1].properties == {'hardness': 1.0}
    assert copy.by_ratio('1:1') == [0, 1, 2]
    assert copy.by_ratio('2:1') == []
    assert copy.sources == {'textbook': {'license': 'none', 'templates': 3}}


def test_dates_survive_the_file_and_leave_the_hash_as_it_is(small_library):
    dated = Library(replace(item, date='2026-11-21' if item.id == 'rocksalt' else '') for item in small_library)
    copy = Library.from_bytes(dated.to_bytes())
    assert [item.date for item in copy] == ['2026-11-21', '', '']
    assert copy.content_hash == small_library.content_hash


def test_a_file_without_dates_is_read_and_written_unchanged(small_library):
    import io

    import pyarrow.parquet as pq

    data = small_library.to_bytes()
    assert 'date' not in pq.read_table(io.BytesIO(data)).column_names
    assert {item.date for item in Library.from_bytes(data)} == {''}


def test_fingerprints_and_dates_go_through_the_file_together(small_library):
    values = np.arange(3 * 244, dtype=np.float32).reshape(3, 244)
    values[1] = np.nan
    dated = Library((replace(item, date='2026-11-21') for item in small_library), values)
    copy = Library.from_bytes(dated.to_bytes()).subset([2, 1])
    np.testing.assert_array_equal(copy.fingerprints, values[[2, 1]])
    assert {item.date for item in copy} == {'2026-11-21'}


def test_hash_ignores_order_and_sees_data(small_library, rocksalt):
    assert small_library.subset([2, 0, 1]).content_hash == small_library.content_hash
    other = Library([Template('rocksalt', rocksalt, 'textbook', 'none', properties={'hardness': 2.0})])
    assert other.content_hash != small_library.subset([0]).content_hash


def test_repeated_id(rocksalt):
    with pytest.raises(LibraryError, match="'a'"):
        Library([Template('a', rocksalt, '', ''), Template('a', rocksalt, '', '')])


@pytest.mark.parametrize('data', [b'', b'nonsense', b'PAR1'])
def test_no_library_file(data):
    with pytest.raises(LibraryError):
        Library.from_bytes(data)


def test_aflow_has_the_known_prototypes():
    library = aflow_library()
    assert 270 < len(library) <= 288
    names = {template.prototype for template in library}
    assert {'diamond', 'Lonsdaleite', 'Wurtzite', 'Halite, Rock Salt', 'Zincblende, Sphalerite', 'Graphite'} <= names
    diamond = next(template for template in library if template.prototype == 'diamond')
    assert diamond.crystal.nsites == 2
    assert diamond.spacegroup == 227


@pytest.mark.slow
def test_aflow_file_is_what_pymatgen_has():
    from aiida_inversedesign.libraries.aflow import read_aflow

    library, skipped = read_aflow()
    assert len(library) + len(skipped) == 288
    assert {template.id for template in library} == {template.id for template in aflow_library()}
