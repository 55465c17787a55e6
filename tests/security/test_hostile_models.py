"""Model files and libraries are data: no pickles, and no more memory than their bytes let expect."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.libraries.library import Library, LibraryError, aflow_library
from aiida_inversedesign.propose.npz import ModelError, pack, unpack


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ('trapped', 'w')


def npz(header: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('a.npy', b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header + bytes(80))
    return buffer.getvalue()


def test_arrays_of_numbers_and_texts_come_back() -> None:
    arrays = unpack(pack({'a': np.arange(6.0).reshape(2, 3), 'b': np.array('text'), 'c': np.array([])}))
    assert arrays['a'][1, 2] == 5
    assert str(arrays['b']) == 'text'
    assert arrays['c'].size == 0


def test_pickles_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([Trap()], dtype=object))
    for data in (pickle.dumps(Trap()), buffer.getvalue()):
        with pytest.raises(ModelError):
            unpack(data)
    assert not Path('trapped').exists()


@pytest.mark.parametrize(
    'header',
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
        b"__import__('os').system('true')\n",
        b'(' * 9000,
    ],
)
def test_a_header_that_promises_too_much_is_refused(header: bytes) -> None:
    with pytest.raises(ModelError):
        unpack(npz(header))


def test_a_header_that_keeps_its_promise_is_read() -> None:
    assert unpack(npz(b"{'descr': '<f8', 'fortran_order': False, 'shape': (10,), }\n"))['a'].tolist() == [0.0] * 10


def changed(**columns: Any) -> bytes:
    """The library of five templates with other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(aflow_library().subset(range(5)).to_bytes()))
    for name, values in columns.items():
        column = values if isinstance(values, pa.Array) else pa.array(values)
        table = table.set_column(table.column_names.index(name), name, column)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression='zstd')
    return buffer.getvalue()


def test_a_library_that_was_not_changed_is_read() -> None:
    assert len(Library.from_bytes(changed())) == 5


@pytest.mark.parametrize(
    ('columns', 'words'),
    [
        ({'lattice': [[0.0] * 8] * 5}, 'not a library file'),
        ({'lattice': [[float('nan')] * 9] * 5}, 'NaN'),
        ({'lattice': ['x'] * 5}, 'not a library file'),
        ({'species': [['Qq']] * 5}, "'Qq', which is not an element"),
        ({'formula': ['[red]'] * 5}, 'the column formula'),
        ({'formula': [None, 'C', 'C', 'C', 'C']}, 'the column formula'),
        ({'ratio_label': ['1:x'] * 5}, 'the column ratio_label'),
    ],
)
def test_a_library_that_does_not_fit_is_refused(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(InverseDesignError) as error:
        Library.from_bytes(changed(**columns))
    assert words in str(error.value)


def test_a_library_that_unfolds_is_refused() -> None:
    import pyarrow as pa

    zeros = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3, 4, 4_000_000], pa.int32()), pa.array(np.zeros(4_000_000)))
    data = changed(frac_coords=zeros)
    assert len(data) < 30_000
    with pytest.raises(LibraryError, match='refused: possible decompression bomb'):
        Library.from_bytes(data)
