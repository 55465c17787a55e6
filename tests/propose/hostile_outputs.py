"""Outputs of broken and of malicious generators, by the hundred: seeded, each made in memory."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable

Files = dict[str, bytes]

GOOD = (
    'data_{name}\n_cell_length_a 5.6\n_cell_length_b 5.6\n_cell_length_c 5.6\n_cell_angle_alpha 90\n'
    "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\n"
    'loop_\n_symmetry_equiv_pos_as_xyz\n'
    "'x, y, z'\nloop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n"
    '_atom_site_fract_z\nNa1 Na 0 0 0\nCl1 Cl 0.5 0.5 {z}\n'
)


def cif(name: str = 'a', z: str = '0.5') -> bytes:
    """A crystal of NaCl in the cell of CsCl."""
    return GOOD.format(name=name, z=z).encode()


def frame(symbols: str = 'Na Cl', second: str = '2.8 2.8 2.8', lattice: str = '5.6 0 0 0 5.6 0 0 0 5.6') -> bytes:
    """The same as extended XYZ."""
    first, other = symbols.split()
    head = f'2\nLattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"\n'
    return f'{head}{first} 0 0 0\n{other} {second}\n'.encode()


def record(**changes: object) -> bytes:
    """The same as a line of JSON."""
    data = {
        'id': 'one', 'lattice': [[5.6, 0, 0], [0, 5.6, 0], [0, 0, 5.6]], 'species': ['Na', 'Cl'],
        'frac_coords': [[0, 0, 0], [0.5, 0.5, 0.5]], **changes,
    }  # fmt: skip
    return json.dumps(data).encode() + b'\n'


def zipped(files: Files, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def _bytes(rng: random.Random, number: int) -> bytes:
    return rng.randbytes(number)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.randrange(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _odd(rng: random.Random) -> str:
    return rng.choice(['nan', 'inf', '-inf', '1e400', '1e-400', '?', '.', '', '0x10', '1_000', '٣', '9' * 5000, '1e5'])


def _zip64(rng: random.Random) -> bytes:
    content = zipped({'a.cif': cif()})
    end = content.rfind(b'PK\x05\x06')
    return content[:end] + b'PK\x06\x07' + bytes(16) + content[end:]


def _lying_directory(rng: random.Random) -> bytes:
    content = bytearray(zipped({'a.cif': cif()}))
    end = content.rfind(b'PK\x05\x06')
    content[end + 12 : end + 16] = struct.pack('<L', rng.choice([0, 7, 2**31, 2**32 - 1]))
    return bytes(content)


def _overlapping(rng: random.Random) -> bytes:
    """Many names for one member."""
    content = zipped({'a.cif': cif() + b'#' * 10**6})
    start = content.rfind(b'PK\x01\x02')
    end = content.rfind(b'PK\x05\x06')
    entry = content[start:end]
    number = rng.randrange(500, 3000)
    tail = bytearray(content[end:])
    tail[8:12] = struct.pack('<HH', number % 65536, number % 65536)
    tail[12:16] = struct.pack('<L', number * len(entry))
    return content[:start] + entry * number + bytes(tail)


MAKERS: tuple[Callable[[random.Random], Files], ...] = (
    lambda rng: {'a.extxyz': frame('Cl Cl') + frame('Na Na')},
    lambda rng: {'a.cif': _cut(cif(), rng)},
    lambda rng: {'a.cif': _flipped(cif(), rng)},
    lambda rng: {'a.cif': cif(z=_odd(rng))},
    lambda rng: {'a.extxyz': frame(second=f'{_odd(rng)} 2.8 2.8')},
    lambda rng: {'a.extxyz': frame(lattice=f'{_odd(rng)} 0 0 0 5.6 0 0 0 5.6')},
    lambda rng: {'a.jsonl': record(frac_coords=[[0, 0, 0], [0.5, 0.5, rng.choice([float('nan'), float('inf'), 'x'])]])},
    lambda rng: {'a.extxyz': frame(second='{0} {0} {0}'.format(rng.uniform(0, 0.3)))},
    lambda rng: {'a.jsonl': record(frac_coords=[[0, 0, 0], [rng.uniform(0, 0.05)] * 3])},
    lambda rng: {'a.extxyz': frame(rng.choice(['Na F', 'Cl Cl', 'Xx Cl', 'Na+ Cl-', '11 17', 'na cl']))},
    lambda rng: {'a.jsonl': record(species=rng.choice([['Na'], 'NaCl', [1, 2], [None, 'Cl'], [['Na'], {}]]))},
    lambda rng: {'a.jsonl': record(lattice=rng.choice([None, 5, [[0] * 3] * 3, [[1e-9, 0, 0]] * 3, 'x', [[]], {}]))},
    lambda rng: {'a.jsonl': b''.join(record(id=str(n)) for n in range(rng.randrange(2_000, 10_001)))},
    lambda rng: {'a.extxyz': frame() * rng.randrange(2_000, 10_001)},
    lambda rng: {f'{n}.cif': cif(str(n)) for n in range(rng.randrange(300, 1500))},
    lambda rng: {'a.zip': zipped({f'{n}.cif': cif(str(n)) for n in range(rng.randrange(300, 1500))})},
    lambda rng: {'a.zip': zipped({'a.cif': cif() + b'#' * rng.randrange(2**24, 2**25)})},
    lambda rng: {'a.zip': zipped({'a.jsonl': b' ' * rng.randrange(2**23, 2**25)}, zipfile.ZIP_LZMA)},
    lambda rng: {'a.zip': _overlapping(rng)},
    lambda rng: {'a.zip': _lying_directory(rng)},
    lambda rng: {'a.zip': _zip64(rng)},
    lambda rng: {'a.zip': _cut(zipped({'a.cif': cif(), 'b.cif': cif()}), rng)},
    lambda rng: {'a.zip': _flipped(zipped({'a.cif': cif(), 'b.cif': cif()}), rng)},
    lambda rng: {'a.zip': zipped({'deep.zip': zipped({'a.cif': cif()}), '../../x.cif': cif()})},
    lambda rng: {f'a.{rng.choice(["cif", "jsonl", "extxyz", "zip", "xyz"])}': _bytes(rng, rng.randrange(0, 5000))},
    lambda rng: {'a.jsonl': b'[' * rng.randrange(10**3, 10**6) + b'\n' + record()},
    lambda rng: {'a.jsonl': b'{"id": "' + b'x' * rng.randrange(2**20, 2**22) + b'"}\n' + record()},
    lambda rng: {'a.extxyz': f'{rng.choice([10**8, 0, -1, 999_999_999])}\nLattice="1"\nNa 0 0 0\n'.encode()},
    lambda rng: {'a.extxyz': f'{(n := rng.randrange(21, 5000))}\nLattice="90 0 0 0 90 0 0 0 90"\n'.encode()
                 + b'Na 1 2 3\n' * n + frame()},
    lambda rng: {'a.cif': cif().replace(b"'x, y, z'", b"x,y,z\n" + b"'-x,y,z+1/97'\n" * rng.randrange(2_000, 9_000))},
    lambda rng: {'a.cif': cif() + b''.join(b'Na%d Na 0 0 %f\n' % (n, n / 1e4) for n in range(rng.randrange(50, 9000)))},
    lambda rng: {'a.cif': rng.choice([b'', b'data_\n', b'loop_\n' * 10**4, b'data_a\n;\n' * 10**4, b'\xff\xfe' * 500])},
    lambda rng: {'a.jsonl': record(id='\x00\x1b[31m' * 500, parent=['x'] * 99, score='1e999')},
)  # fmt: skip


def hostile_outputs(number: int, seed: int) -> list[tuple[str, Files]]:
    """So many outputs, of all kinds in turn."""
    rng = random.Random(seed)
    return [(f'{n:03d}_kind{n % len(MAKERS):02d}', MAKERS[n % len(MAKERS)](rng)) for n in range(number)]
