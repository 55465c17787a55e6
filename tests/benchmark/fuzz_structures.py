"""Hostile files of structures and models: CIF, JSON lines, CSV, template libraries (Parquet), models (npz)."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_base import HOSTILE, Case, damage

CIF = """\
data_NaCl
_symmetry_space_group_name_H-M   'P 1'
_cell_length_a   5.64
_cell_length_b   5.64
_cell_length_c   5.64
_cell_angle_alpha   90
_cell_angle_beta   90
_cell_angle_gamma   90
loop_
 _symmetry_equiv_pos_site_id
 _symmetry_equiv_pos_as_xyz
  1  'x, y, z'
loop_
 _atom_site_type_symbol
 _atom_site_label
 _atom_site_symmetry_multiplicity
 _atom_site_fract_x
 _atom_site_fract_y
 _atom_site_fract_z
 _atom_site_occupancy
  Na  Na0  1  0.0  0.0  0.0  1
  Na  Na1  1  0.0  0.5  0.5  1
  Na  Na2  1  0.5  0.0  0.5  1
  Na  Na3  1  0.5  0.5  0.0  1
  Cl  Cl4  1  0.5  0.5  0.5  1
  Cl  Cl5  1  0.5  0.0  0.0  1
  Cl  Cl6  1  0.0  0.5  0.0  1
  Cl  Cl7  1  0.0  0.0  0.5  1
"""
ATOMS = CIF.index('  Na  Na0')
THIN = CIF.replace('_cell_length_c   5.64', '_cell_length_c   0.2')
OPERATION = "  1  'x, y, z'\n"
META = b'{"export_version": "main_0001", "aiida_version": "2.9.4"}'
RECORD: dict[str, Any] = {
    'id': 'a',
    'lattice': [[0, 2.82, 2.82], [2.82, 0, 2.82], [2.82, 2.82, 0]],
    'species': ['Na', 'Cl'],
    'frac_coords': [[0, 0, 0], [0.5, 0.5, 0.5]],
    'e_above_hull': 0.0,
}


def _line(**changes: Any) -> bytes:
    return json.dumps({**RECORD, **changes}).encode()


def _rows(number: int, step: float = 0.1) -> str:
    return ''.join(
        f'  H  H{n}  1  {n * step % 1:.6f}  {n * step / 7 % 1:.6f}  {n * step / 77 % 1:.6f}  1\n' for n in range(number)
    )


def _cif_cases() -> list[tuple[str, bytes | Callable[[Path], None]]]:
    operations = ''.join(f"  {n}  'x+{n}/9999, y, z'\n" for n in range(5000))
    nested = "  1  '" + '(' * 50_000 + 'x' + ')' * 50_000 + ", y, z'\n"
    return [
        ('million sites', lambda path: path.write_text(CIF[:ATOMS] + _rows(1_000_000))),
        ('70 000 sites', (CIF[:ATOMS] + _rows(70_000)).encode()),
        ('500 sites in one place', (CIF[:ATOMS] + _rows(500, 0)).encode()),
        ('500 sites in a thin cell', (THIN[: THIN.index('  Na  Na0')] + _rows(500)).encode()),
        ('5000 symmetry operations', CIF.replace(OPERATION, operations).encode()),
        ('an operation of many brackets', CIF.replace(OPERATION, nested).encode()),
        ('an operation that is code', CIF.replace('x, y, z', '__import__("os").system("touch pwned"), y, z').encode()),
        ('an operation with a power tower', CIF.replace('x, y, z', '9**9**9**9, y, z').encode()),
        ('an operation divided by zero', CIF.replace('x, y, z', 'x+1/0, y, z').encode()),
        ('nan coordinates', CIF.replace('0.0  0.5  0.5', 'nan nan nan').encode()),
        ('infinite coordinates', CIF.replace('0.0  0.5  0.5', '1e400 0 0').encode()),
        ('question marks', CIF.replace('0.0  0.5  0.5', '? . ?').encode()),
        ('nan cell', CIF.replace('_cell_length_a   5.64', '_cell_length_a   nan').encode()),
        ('zero cell', CIF.replace('5.64', '0').encode()),
        ('negative cell', CIF.replace('_cell_length_a   5.64', '_cell_length_a   -5.64').encode()),
        ('endless cell', CIF.replace('_cell_length_a   5.64', '_cell_length_a   1e300').encode()),
        ('tiny cell', CIF.replace('5.64', '1e-9').encode()),
        ('flat cell', CIF.replace('_alpha   90', '_alpha   0.0001').encode()),
        ('angles that do not close', CIF.replace('_alpha   90', '_alpha   179').encode()),
        ('angle of 1e308', CIF.replace('_alpha   90', '_alpha   1e308').encode()),
        ('no cell', CIF.replace('_cell_length_a', '_x').encode()),
        ('unknown element', CIF.replace('Na  Na', 'Qq  Qq').encode()),
        ('partial occupancy', CIF.replace('0.0  1\n', '0.0  0.3\n').encode()),
        ('occupancy of nan', CIF.replace('0.5  1\n', '0.5  nan\n').encode()),
        ('occupancy of 1e9', CIF.replace('0.5  1\n', '0.5  1e9\n').encode()),
        ('10 000 blocks', (CIF * 3000)[: 4 * 2**20 - 1].encode()),
        ('10 000 empty blocks', b'data_x\n' * 10_000),
        ('4 MiB of one line', b'data_x\n_atom_site_label ' + b'x' * (4 * 2**20 - 100)),
        ('text that never ends', CIF.encode() + b'\n;' + b'x\n' * 1_000_000),
        ('quotes that never end', CIF.replace("'P 1'", "'" + "' '" * 500_000).encode()),
        ('a loop of a million empty columns', b'data_x\nloop_\n' + b'_atom_site_x\n' * 300_000 + b'1 2 3\n'),
        ('a space group of digits', CIF.replace("'P 1'", "'" + '9' * 100_000 + "'").replace(OPERATION, '').encode()),
        ('no UTF-8', CIF.encode().replace(b'NaCl', b'\xff\xfe\x00')),
        ('huge numbers', CIF.replace('5.64', '9' * 100_000).encode()),
        ('brackets of uncertainty', CIF.replace('5.64', '5.64' + '(' * 30_000 + '1' + ')' * 30_000).encode()),
        ('empty', b''),
        ('a pipe', os.mkfifo),
    ]  # fmt: skip


def _jsonl_cases() -> list[tuple[str, bytes | Callable[[Path], None]]]:
    box = [[20, 0, 0], [0, 20, 0], [0, 0, 20]]
    many = {'species': ['Na', 'Cl'] * 500_000, 'frac_coords': [[0, 0, 0]] * 1_000_000}
    return [
        ('million sites', _line(**many)),
        ('500 sites in one place', _line(species=['H'] * 500, frac_coords=[[0] * 3] * 500, lattice=box)),
        ('deep nesting', b'{"lattice": ' + b'[' * 200_000 + b']' * 200_000 + b'}'),
        ('deep objects', b'{"a":' * 100_000 + b'1' + b'}' * 100_000),
        ('nan', _line(lattice=[[float('nan')] * 3] * 3)),
        ('infinite coordinates', _line(frac_coords=[[float('inf'), 0, 0], [0, 0, 0]])),
        ('a number of a million digits', b'{"e_above_hull": ' + b'9' * 1_000_000 + b'}'),
        ('zero volume', _line(lattice=[[1, 0, 0], [1, 0, 0], [0, 0, 1]])),
        ('huge volume', _line(lattice=[[1e200, 0, 0], [0, 1e200, 0], [0, 0, 1e200]])),
        ('ragged', _line(lattice=[[1, 2], [3]])),
        ('text for numbers', _line(lattice='eval')),
        ('complex', _line(frac_coords=[['1+1j', 0, 0], [0, 0, 0]])),
        ('an id that is an object', _line(id={'a': [1] * 1000})),
        ('an id of 10 MB', _line(id='x' * 10_000_000)),
        ('same key twice', b'{"id": "a", "id": "b", ' + _line()[1:]),
        ('100 000 properties', _line(**{f'p{n}': 1.0 for n in range(100_000)})),
        ('surrogates', b'{"id": "\\ud800", ' + _line()[1:]),
        ('markup', _line(id='[/red]', species=['[/red]', 'Cl'])),
        ('escape sequences', _line(id='\x1b[2J', species=['\x1b[31m', 'Cl'])),
        ('path as id', _line(id='../../../../tmp/x')),
        ('no object', b'[1, 2]\n"x"\n3\nnull\n'),
        ('a pipe', os.mkfifo),
        ('an endless device', lambda path: path.symlink_to('/dev/zero')),
        ('a folder', lambda path: path.mkdir()),
        ('no JSON', b'\x80\x04\x95' + pickle.dumps({'a': 1}) * 100),
        ('100 000 bad lines', b'{\n' * 100_001),
        ('prototype of 10 MB', _line(prototype='x' * 10_000_000)),
        ('null bytes', _line().replace(b'Na', b'\\u0000')),
    ]  # fmt: skip


def _bomb(line: bytes, megabytes: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with gzip.open(path, 'wb', compresslevel=9) as stream:
            for _ in range(megabytes):
                stream.write(line * (2**20 // len(line)))

    return write


def _csv_cases() -> list[tuple[str, bytes]]:
    header = b'id,cif\n'
    quoted = '"' + CIF.replace('"', '""') + '"'
    return [
        ('no column', b'a,b\n1,2\n'),
        ('quotes that never end', header + b'a,"' + b'x\n' * 1_000_000),
        ('a field of 20 MB', header + b'a,"' + b'x' * 20_000_000 + b'"\n'),
        ('a million columns', b','.join(b'c%d' % n for n in range(1_000_000)) + b'\n' + b'1,' * 100),
        ('null bytes', header.replace(b'id', b'i\x00d') + b'a,' + quoted.encode()),
        ('no UTF-8', header + b'a,\xff\xfe\n'),
        ('deep JSON', b'lattice,species,frac_coords\n"' + b'[' * 100_000 + b'","[]","[]"\n'),
        ('nan', b'id,cif,gap\na,' + quoted.encode() + b',nan\n'),
        ('formula of a spreadsheet', header + b'=cmd|x,' + quoted.encode() + b'\n'),
        ('more fields than columns', header + b'a,' + quoted.encode() + b',1,2,3,4\n'),
    ]


def _model(change: Callable[[dict[str, np.ndarray]], Any]) -> bytes:
    arrays = {'schema': np.array('inversedesign.proposal/1'), 'record': np.array('{}'), 'features': np.array(['a'])}
    change(arrays)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


class Pwned:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ('pwned', 'w')


def _npy(header: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        archive.writestr('schema.npy', b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header)
    return buffer.getvalue()


def _zip_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('a.npy', 'w', force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, {'descr': '<f8', 'fortran_order': False, 'shape': (2**28,)})
        for _ in range(2048):
            stream.write(bytes(2**20))


def _quiet_zip_bomb(path: Path) -> None:
    """A bomb whose directory says that it is small."""
    buffer = io.BytesIO()
    content = io.BytesIO()
    np.lib.format.write_array(content, np.zeros(2**24))
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('schema.npy', content.getvalue())
    data = bytearray(buffer.getvalue())
    for signature, offset in ((b'PK\x01\x02', 24), (b'PK\x03\x04', 22)):
        place = data.index(signature) + offset
        data[place : place + 4] = (128).to_bytes(4, 'little')
    path.write_bytes(bytes(data))


def _many_members(path: Path) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        for number in range(100_000):
            archive.writestr(f'{number}.npy', b'')


def _model_cases() -> list[tuple[str, bytes | Callable[[Path], None]]]:
    evil = pickle.dumps(Pwned())
    return [
        ('a pickle', evil),
        ('pickled objects in an array', _model(lambda a: a.update(schema=np.array([Pwned()], dtype=object)))),
        ('objects among the arrays', _model(lambda a: a.update(features=np.array([{}, []], dtype=object)))),
        ('decompression bomb', _zip_bomb),
        ('decompression bomb that says it is small', _quiet_zip_bomb),
        ('100 000 members', _many_members),
        ('shape of 10^12', _npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n")),
        ('negative shape', _npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }\n")),
        ('code as header', _npy(b"__import__('os').system('touch pwned')\n")),
        ('deep header', _npy(b'(' * 9000 + b')' * 9000)),
        ('void record type', _npy(b"{'descr': [('a', '|V1000000000')], 'fortran_order': False, 'shape': (1,), }\n")),
        ('only a schema', _model(lambda a: None)),
        ('record is no JSON', _model(lambda a: a.update(record=np.array('[' * 100_000)))),
        ('record is a list', _model(lambda a: a.update(record=np.array('[]')))),
        ('published recipe without arrays', _model(lambda a: a.update(schema=np.array('inversedesign.cspml/1')))),
        ('empty', b''),
        ('empty zip', b'PK\x05\x06' + bytes(18)),
        ('a link to a device', lambda path: path.symlink_to('/dev/zero')),
    ]


def _parquet(changes: dict[str, Any], metadata: dict[bytes, bytes] | None = None, rows: int = 1) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        'id': pa.array(['a'] * rows), 'formula': pa.array(['NaCl'] * rows), 'ratio_label': pa.array(['1:1'] * rows),
        'lattice': pa.array([[0.0, 2.8, 2.8, 2.8, 0.0, 2.8, 2.8, 2.8, 0.0]] * rows),
        'species': pa.array([['Na', 'Cl']] * rows), 'frac_coords': pa.array([[0.0, 0.0, 0.0, 0.5, 0.5, 0.5]] * rows),
        'source': pa.array(['s'] * rows), 'license': pa.array(['l'] * rows), 'prototype': pa.array([''] * rows),
        'spacegroup': pa.array([0] * rows, pa.int16()), 'e_above_hull': pa.array([0.0] * rows),
        'formation_energy': pa.array([0.0] * rows),
    }  # fmt: skip
    columns.update(changes)
    columns = {name: column for name, column in columns.items() if column is not None}
    about = {b'schema': b'inversedesign.library/1', b'properties': b'[]'} if metadata is None else metadata
    table = pa.table(columns).replace_schema_metadata(about)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression='zstd')
    return buffer.getvalue()


def _library_cases() -> list[tuple[str, bytes | Callable[[Path], None]]]:
    import pyarrow as pa

    schema = b'inversedesign.library/1'
    floats = pa.list_(pa.float64())

    def bomb(path: Path) -> None:
        zeros = pa.ListArray.from_arrays(pa.array([0, 50_000_000], pa.int32()), pa.array(np.zeros(50_000_000)))
        path.write_bytes(_parquet({'frac_coords': zeros}))

    def rows(path: Path) -> None:
        path.write_bytes(_parquet({}, rows=3_000_000))

    return [
        ('few bytes, 50 million coordinates', bomb),
        ('few bytes, 3 million rows', rows),
        ('lattice of 8 numbers', _parquet({'lattice': pa.array([[0.0] * 8])})),
        ('nan lattice', _parquet({'lattice': pa.array([[float('nan')] * 9])})),
        ('no lattice', _parquet({'lattice': pa.array([None], floats)})),
        ('flat lattice', _parquet({'lattice': pa.array([[0.0] * 9])})),
        ('lattice as text', _parquet({'lattice': pa.array(['x'])})),
        ('species as numbers', _parquet({'species': pa.array([[1, 2]])})),
        ('unknown element', _parquet({'species': pa.array([['Qq', '[/red]']])})),
        ('formula that lies', _parquet({'formula': pa.array(['[/red]'])})),
        ('a formula that is missing', _parquet({'formula': pa.array([None], pa.string())})),
        ('no species', _parquet({'species': None})),
        ('null id', _parquet({'id': pa.array([None], pa.string())})),
        ('properties that are not there', _parquet({}, {b'schema': schema, b'properties': b'["K"]'})),
        ('properties are no JSON', _parquet({}, {b'schema': schema, b'properties': b'[' * 100_000})),
        ('properties are an object', _parquet({}, {b'schema': schema, b'properties': b'{"a": 1}'})),
        ('no properties', _parquet({}, {b'schema': schema})),
        ('other schema', _parquet({}, {b'schema': b'x'})),
        ('fingerprint of another length', _parquet({'fingerprint': pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))})),
        ('fingerprint as text', _parquet({'fingerprint': pa.array(['x'])})),
        ('nan fingerprint', _parquet({'fingerprint': pa.array([[float('nan')] * 244], pa.list_(pa.float32(), 244))})),
        ('energy as text', _parquet({'e_above_hull': pa.array(['x'])})),
        ('no Parquet', b'PAR1' + bytes(1000) + b'PAR1'),
        ('empty', b''),
    ]


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _archive_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('metadata.json', META)
        with archive.open('db.sqlite3', 'w', force_zip64=True) as stream:
            for _ in range(1500):
                stream.write(bytes(2**20))


def _archive_cases() -> list[tuple[str, bytes | Callable[[Path], None]]]:
    return [
        ('empty zip', b'PK\x05\x06' + bytes(18)),
        ('no zip', b'SQLite format 3\x00' + bytes(5000)),
        ('no database', _archive({'metadata.json': META})),
        ('no metadata', _archive({'db.sqlite3': b'SQLite format 3\x00' + bytes(5000)})),
        ('database of zeros', _archive({'metadata.json': META, 'db.sqlite3': bytes(5000)})),
        ('database of noise', _archive({'metadata.json': META, 'db.sqlite3': b'SQLite format 3\x00' + b'x' * 9000})),
        ('deep metadata', _archive({'metadata.json': b'[' * 200_000, 'db.sqlite3': bytes(500)})),
        ('metadata of 100 MB', _archive({'metadata.json': b' ' * 10**8, 'db.sqlite3': bytes(500)})),
        ('metadata is a list', _archive({'metadata.json': b'[]', 'db.sqlite3': bytes(500)})),
        ('path out of the folder', _archive({'metadata.json': META, '../../db.sqlite3': bytes(500)})),
        ('bomb', _archive_bomb),
    ]


def structure_cases(number: int, seed: int = 0) -> list[Case]:
    """So many hostile structure, library and model files: the crafted ones evenly first, then damaged ones."""
    kinds: tuple[tuple[str, str, list[tuple[str, Any]]], ...] = (
        ('cif', 'a.cif', _cif_cases()),
        ('cif.gz', 'a.cif.gz', [('decompression bomb', _bomb(b'x' * 1023 + b'\n', 2000)), ('not gzip', CIF.encode())]),
        ('jsonl', 'a.jsonl', _jsonl_cases()),
        (
            'jsonl.gz',
            'a.jsonl.gz',
            [
                ('decompression bomb of one line', _bomb(b' ' * 1024, 2000)),
                ('decompression bomb of lines', _bomb(b' ' * 1023 + b'\n', 2000)),
                ('decompression bomb of empty lines', _bomb(b'\n', 300)),
                ('cut off', gzip.compress(_line() * 100)[:60]),
                ('checksum', gzip.compress(_line())[:-8] + bytes(8)),
            ],
        ),
        ('csv', 'a.csv', _csv_cases()),
        ('model', 'a.npz', _model_cases()),
        ('library', 'a.parquet', _library_cases()),
        ('archive', 'a.aiida', _archive_cases()),
    )
    cases = [Case(f'{kind}, crafted', name, file, content) for kind, file, found in kinds for name, content in found]
    draw = random.Random(seed)
    if len(cases) > number:
        return draw.sample(cases, number)
    small = _line() + b'\n' + _line(id='b') + b'\n'
    table = b'id,cif,gap\na,"' + CIF.encode() + b'",1.0\nb,"' + CIF.encode() + b'",2.0\n'
    bases = (
        ('cif', 'a.cif', CIF.encode()),
        ('cif', 'a.cif', CIF.encode()),
        ('jsonl', 'a.jsonl', small),
        ('csv', 'a.csv', table),
        ('library', 'a.parquet', files('aiida_inversedesign.libraries').joinpath('aflow.parquet').read_bytes()),
        ('library', 'a.parquet', _parquet({})),
        ('model', 'a.npz', _model(lambda arrays: arrays.update(x=np.arange(20)))),
    )
    while len(cases) < number:
        kind, file, base = draw.choice(bases)
        if kind == 'cif' and draw.random() < 0.3:
            name, content = (
                'hostile number',
                CIF.replace(draw.choice(('5.64', '90', '0.5', '1\n')), draw.choice(HOSTILE[:8])).encode(),
            )
        else:
            name, content = damage(base, draw)
        cases.append(Case(f'{kind}, damaged', name, file, content))
    return cases
