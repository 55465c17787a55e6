"""Imports from files: what is taken, what is skipped and why, and files that mean harm."""

from __future__ import annotations

import csv
import gzip
import json
import time
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries import bounded, collect
from aiida_inversedesign.libraries.cif import crystal_of_cif
from aiida_inversedesign.libraries.collect import Filter, count_kinds
from aiida_inversedesign.libraries.entries import Raw, RefusedError, plain_crystal
from aiida_inversedesign.libraries.importers import read_cif, read_csv, read_jsonl
from aiida_inversedesign.libraries.library import LibraryError


def record(crystal, **more):
    return crystal.to_dict() | more


def write_lines(path, *items):
    path.write_text('\n'.join(item if isinstance(item, str) else json.dumps(item) for item in items))
    return path


def test_jsonl_skips_with_reasons(tmp_path, rocksalt):
    good = record(rocksalt, id='one', e_above_hull=0.02, hardness=2.5, comment='text', stable=True)
    nan = record(rocksalt, id='two')
    nan['frac_coords'] = [[float('nan'), 0, 0], [0.5, 0.5, 0.5]]
    bare = {'id': 'three', 'species': ['Na'], 'frac_coords': [[0, 0, 0]]}
    far = record(rocksalt, id='four', e_above_hull=0.5)
    alien = record(rocksalt.with_species({'Na': 'Og', 'Cl': 'Cl'}), id='five', e_above_hull=0)
    lines = [json.dumps(item) for item in (good, nan, bare, far, good, alien)] + ['{broken', '[]', '']
    path = tmp_path / 'data.jsonl.gz'
    with gzip.open(path, 'wt') as handle:
        handle.write('\n'.join(lines))
    library, skipped = read_jsonl(path, source='mine', license='CC0', date='2026-11-21', max_e_above_hull=0.1)
    assert [template.id for template in library] == ['one']
    assert library[0].properties == {'e_above_hull': 0.02, 'hardness': 2.5}
    assert library[0].e_above_hull == 0.02
    assert (library[0].source, library[0].license, library[0].date) == ('mine', 'CC0', '2026-11-21')
    told = {item.source.split('line ')[1]: (item.kind, item.reason) for item in skipped}
    assert {number: kind for number, (kind, _) in told.items()} == {
        '2': 'not finite',
        '3': 'no lattice',
        '4': 'hull',
        '5': 'duplicate id',
        '6': 'no element data',
        '7': 'unreadable',
        '8': 'unreadable',
    }
    assert 'above the hull' in told['4'][1]
    assert 'Og' in told['6'][1]
    assert 'JSON object' in told['8'][1]


def test_every_kind_of_bad_entry_is_counted(tmp_path, rocksalt):
    cell = rocksalt.to_dict()
    path = write_lines(
        tmp_path / 'data.jsonl',
        record(rocksalt, id='good'),
        record(rocksalt, id='again'),
        cell | {'id': 'mixed', 'species': [{'Na': 0.5, 'K': 0.5}, 'Cl']},
        cell | {'id': 'no cell', 'lattice': None},
        cell | {'id': 'flat', 'lattice': [[1, 0, 0], [0, 1, 0]]},
        cell | {'id': 'infinite', 'lattice': [[1e999, 0, 0], [0, 1, 0], [0, 0, 1]]},
        cell | {'id': 'dense', 'lattice': (0.1 * np.eye(3)).tolist()},
        cell | {'id': 'long', 'lattice': np.diag([2000, 2, 2]).tolist()},
        cell | {'id': 'thin', 'lattice': np.diag([100, 100, 0.01]).tolist()},
        cell | {'id': 'many', 'species': ['H'] * 501, 'frac_coords': [[0, 0, 0]] * 501},
        cell | {'id': 'x' * 1000},
        cell | {'id': 'uneven', 'species': ['Na']},
        cell | {'id': 'text', 'frac_coords': 'none'},
        cell | {'id': 'string', 'species': 'NaCl'},
    )
    library, skipped = read_jsonl(path)
    assert [template.id for template in library] == ['good']
    assert count_kinds(skipped) == {
        'absurd cell': 4,
        'unreadable': 4,
        'no lattice': 2,
        'duplicate structure': 1,
        'partial occupancy': 1,
        'not finite': 1,
    }
    assert '501 sites' in next(item.reason for item in skipped if 'line 10' in item.source)
    assert len(read_jsonl(path, largest_cell=None)[0]) == 1


def test_structures_as_pymatgen_writes_them(tmp_path, rocksalt):
    mixed = rocksalt.to_pymatgen()
    mixed[0] = {'Na': 0.5, 'K': 0.5}
    path = write_lines(
        tmp_path / 'data.jsonl',
        {'material_id': 'mp-1', 'structure': rocksalt.to_pymatgen().as_dict()},
        {'material_id': 'mp-2', 'structure': mixed.as_dict()},
        {'material_id': 'mp-3', 'structure': {'sites': [1]}},
    )
    library, skipped = read_jsonl(path)
    assert library[0].crystal.content_hash == rocksalt.content_hash
    assert [item.kind for item in skipped] == ['partial occupancy', 'unreadable']


def test_filters_take_what_was_asked_for(tmp_path, small_library):
    path = write_lines(
        tmp_path / 'data.jsonl',
        *(record(item.crystal, id=item.id, e_above_hull=0.1 * n) for n, item in enumerate(small_library)),
    )

    def ids(**options):
        return [template.id for template in read_jsonl(path, **options)[0]]

    assert ids() == ['rocksalt', 'zincblende', 'caesium chloride']
    assert ids(exclude_formulas=['NaCl']) == ['zincblende', 'caesium chloride']
    assert ids(max_e_above_hull=0.1) == ['rocksalt', 'zincblende']
    assert ids(max_sites=1) == []


def test_supercells_become_primitive(tmp_path, rocksalt):
    doubled = rocksalt.to_pymatgen().make_supercell([1, 1, 2], in_place=False)
    lattice, species = doubled.lattice.matrix.tolist(), [site.specie.symbol for site in doubled]
    coords = doubled.frac_coords.tolist()
    path = write_lines(
        tmp_path / 'data.jsonl', {'id': 'x', 'lattice': lattice, 'species': species, 'frac_coords': coords}
    )
    assert read_jsonl(path)[0][0].crystal.nsites == 2
    assert read_jsonl(path, primitive=False)[0][0].crystal.nsites == 4


def test_cif_folder_and_disorder(tmp_path, rocksalt):
    from pymatgen.core import Structure

    (tmp_path / 'inner').mkdir()
    rocksalt.to_pymatgen().to(str(tmp_path / 'inner' / 'salt.cif'))
    Structure([[4, 0, 0], [0, 4, 0], [0, 0, 4]], [{'Fe': 0.5, 'Ni': 0.5}], [[0, 0, 0]]).to(str(tmp_path / 'mix.cif'))
    (tmp_path / 'empty.cif').write_text('')
    (tmp_path / 'cell-less.cif').write_text('data_x\nloop_\n_atom_site_label\n_atom_site_fract_x\nNa1 0\n')
    caesium = Crystal(4.12 * np.eye(3), ('Cs', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    (tmp_path / 'packed.cif.gz').write_bytes(gzip.compress(caesium.to_pymatgen().to(fmt='cif').encode()))
    library, skipped = read_cif(tmp_path)
    assert {template.id: template.crystal.formula for template in library} == {'inner/salt': 'NaCl', 'packed': 'CsCl'}
    assert {item.source.rsplit('/', 1)[1]: item.kind for item in skipped} == {
        'mix.cif': 'partial occupancy',
        'empty.cif': 'unreadable',
        'cell-less.cif': 'no lattice',
    }


def test_every_structure_of_a_cif(tmp_path, rocksalt):
    caesium = Crystal([[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]], ('Cs', 'Cl'), [[0, 0, 0], [0.5, 0.5, 0.5]])
    salt, other = (crystal.to_pymatgen().to(fmt='cif') for crystal in (rocksalt, caesium))
    (tmp_path / 'two.cif').write_text(f'{salt}\ndata_publication\n_title none\n{other}\n{salt}')
    library, skipped = read_cif(tmp_path)
    assert {template.id: template.crystal.formula for template in library} == {'two': 'NaCl', 'two:2': 'CsCl'}
    assert [(Path(item.source).name, item.kind) for item in skipped] == [('two.cif:3', 'duplicate structure')]


def test_what_the_parser_would_mend_is_refused(tmp_path, rocksalt):
    text = rocksalt.to_pymatgen().to(fmt='cif')
    length = next(line for line in text.splitlines() if line.startswith('_cell_length_a'))
    (tmp_path / 'negative.cif').write_text(text.replace(length, '_cell_length_a -4.0'))
    (tmp_path / 'vacancy.cif').write_text(text.replace('Na', 'Va'))
    labels = (
        'loop_\n_atom_site_type_symbol\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n'
    )
    cell = ''.join(f'_cell_length_{axis} 3.0\n' for axis in 'abc') + ''.join(
        f'_cell_angle_{angle} 90\n' for angle in ('alpha', 'beta', 'gamma')
    )
    (tmp_path / 'vanadium.cif').write_text(
        f"data_v\n_symmetry_space_group_name_H-M 'P 1'\n{cell}{labels}V Va 0 0 0\nV Vb 0.5 0.5 0.5\n"
    )
    library, skipped = read_cif(tmp_path)
    assert [template.crystal.formula for template in library] == ['V']
    assert {Path(item.source).name: item.kind for item in skipped} == {
        'negative.cif': 'no lattice',
        'vacancy.cif': 'unreadable',
    }


def test_csv_with_cif_and_json_columns(tmp_path, rocksalt):
    cif = rocksalt.to_pymatgen().to(fmt='cif')
    with (tmp_path / 'a.csv').open('w', newline='') as handle:
        csv.writer(handle).writerows([['id', 'cif', 'gap'], ['s', cif, '5.0'], ['t', '', '1']])
    library, skipped = read_csv(tmp_path / 'a.csv')
    assert (library[0].id, library[0].properties) == ('s', {'gap': 5.0})
    assert [item.reason for item in skipped] == ['the CIF is empty']
    data = {key: json.dumps(value) for key, value in rocksalt.to_dict().items()}
    with (tmp_path / 'b.csv').open('w', newline='', encoding='utf-8-sig') as handle:
        writer = csv.DictWriter(handle, ['id', *data])
        writer.writeheader()
        writer.writerow({'id': 'u', **data})
        writer.writerow({'id': 'v', **data, 'lattice': '[' * 100_000})
    library, skipped = read_csv(tmp_path / 'b.csv')
    assert library[0].crystal.content_hash == rocksalt.content_hash
    assert 'not JSON' in skipped[0].reason
    (tmp_path / 'c.csv').write_text('a,b\n1,2\n')
    with pytest.raises(LibraryError, match='cif'):
        read_csv(tmp_path / 'c.csv')


@pytest.mark.parametrize('reader', [read_jsonl, read_csv, read_cif])
def test_missing_file(reader, tmp_path):
    with pytest.raises(LibraryError, match='nowhere'):
        reader(tmp_path / 'nowhere')


@pytest.mark.parametrize('content', [b'plain', gzip.compress(b'{}' * 1000, mtime=0)[:-20]], ids=['plain', 'cut off'])
def test_file_that_is_not_gzip(tmp_path, content):
    (tmp_path / 'data.jsonl.gz').write_bytes(content)
    with pytest.raises(LibraryError, match='cannot be read'):
        read_jsonl(tmp_path / 'data.jsonl.gz')


def test_progress_tells_the_fraction_of_the_file(tmp_path, rocksalt):
    lines = [json.dumps(record(rocksalt, id=str(number))) for number in range(1000)]
    path = write_lines(tmp_path / 'data.jsonl', *lines)
    seen = []
    read_jsonl(path, progress=lambda number, fraction: seen.append((number, fraction)))
    assert [number for number, _ in seen] == list(range(64, 1001, 64))
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.7


class TestHarm:
    """Files that would take memory or time without end."""

    @pytest.mark.parametrize(('reader', 'start'), [(read_jsonl, b''), (read_csv, b'id,cif')])
    def test_zip_bomb_of_lines(self, tmp_path, reader, start):
        path = tmp_path / 'bomb.gz'
        path.write_bytes(gzip.compress(start + b'\n' * 64 * bounded.MIB))
        started = time.monotonic()
        with pytest.raises(LibraryError, match='decompression bomb'):
            reader(path)
        assert time.monotonic() - started < 60

    def test_zip_bomb_in_one_line_and_as_cif(self, tmp_path):
        bomb = gzip.compress(b'0' * 128 * bounded.MIB, 1)
        (tmp_path / 'bomb.jsonl.gz').write_bytes(bomb)
        (tmp_path / 'bomb.cif.gz').write_bytes(bomb)
        tracemalloc.start()
        with pytest.raises(LibraryError, match='decompression bomb'):
            read_jsonl(tmp_path / 'bomb.jsonl.gz')
        assert count_kinds(read_cif(tmp_path)[1]) == {'too large': 1}
        assert tracemalloc.get_traced_memory()[1] < 100 * bounded.MIB
        tracemalloc.stop()

    def test_a_file_without_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr(bounded, 'LARGEST_FILE', bounded.MIB)
        path = tmp_path / 'data.jsonl'
        path.write_bytes((b' ' * 99 + b'\n') * 20_000)
        with pytest.raises(LibraryError, match='split the file'):
            read_jsonl(path)

    def test_a_file_of_another_kind(self, tmp_path, monkeypatch):
        monkeypatch.setattr(collect, 'MOST_UNREADABLE', 1000)
        path = tmp_path / 'data.jsonl'
        path.write_bytes(b'{}\n' * 1001)
        with pytest.raises(LibraryError, match='right kind of file'):
            read_jsonl(path)

    def test_a_line_without_end_is_passed_over(self, tmp_path, rocksalt, monkeypatch):
        monkeypatch.setattr(bounded, 'LONGEST_LINE', bounded.MIB)
        good = json.dumps(record(rocksalt, id='good'))
        path = write_lines(tmp_path / 'data.jsonl', '{"id": "' + 'x' * 3 * bounded.MIB, good, 'x' * 2 * bounded.MIB)
        library, skipped = read_jsonl(path)
        assert [template.id for template in library] == ['good']
        assert [(item.source, item.kind) for item in skipped] == [
            ('data.jsonl, line 1', 'too large'),
            ('data.jsonl, line 3', 'too large'),
        ]

    def test_deep_nesting_huge_numbers_and_bytes_that_are_no_text(self, tmp_path, rocksalt):
        good = record(rocksalt, id='good', spacegroup=10**30, charge=10**400, size=1e300)
        path = tmp_path / 'data.jsonl'
        lines = [
            json.dumps(good).encode(),
            b'[' * 1_000_000,
            b'{"a":' * 100_000,
            b'{"id": ' + b'9' * 1_000_000 + b'}',
            b'\xff\xfe{}',
            json.dumps(record(rocksalt, id='big') | {'frac_coords': [[10**4000, 0, 0], [0, 0, 0]]}).encode(),
            json.dumps(record(rocksalt, id='species') | {'species': [10**30, 'Cl']}).encode(),
        ]
        path.write_bytes(b'\n'.join(lines))
        library, skipped = read_jsonl(path)
        assert [template.id for template in library] == ['good']
        assert library[0].spacegroup == 0
        assert library[0].properties == {}
        assert len([item for item in skipped if item.column is None]) == 6
        assert {item.column for item in skipped} == {None, 'charge', 'size'}
        assert all(len(item.reason) <= 500 for item in skipped)
        assert library.to_bytes()

    def test_too_many_properties(self, tmp_path, rocksalt):
        path = write_lines(tmp_path / 'data.jsonl', record(rocksalt, id='x') | {f'p{n}': n for n in range(300)})
        with pytest.raises(LibraryError, match='256'):
            read_jsonl(path)

    def test_cif_of_absurd_size(self, rocksalt):
        head = rocksalt.to_pymatgen().to(fmt='cif')
        atoms = ''.join(f'  Na  Na{n}  1  {n / 5000}  0  0  1\n' for n in range(5000))
        with pytest.raises(RefusedError, match='500'):
            crystal_of_cif(head + atoms)
        with pytest.raises(RefusedError, match='MiB'):
            crystal_of_cif(head + '#' * 5 * bounded.MIB)
        operations = ''.join(f"  {n}  'x, y, z+{n}/30000'\n" for n in range(2, 30_000))
        many = head.replace("  1  'x, y, z'\n", "  1  'x, y, z'\n" + operations)
        assert many != head
        started = time.monotonic()
        with pytest.raises(RefusedError, match='symmetry images'):
            crystal_of_cif(many)
        assert time.monotonic() - started < 10

    def test_only_the_first_block_of_a_cif_is_parsed(self, rocksalt):
        text = rocksalt.to_pymatgen().to(fmt='cif').split('\n', 1)[1]
        blocks = '\n'.join(text.replace('data_', f'data_{n}', 1) for n in range(300))
        started = time.monotonic()
        assert crystal_of_cif(f'data_comment\n_title none\n{blocks}').formula == 'NaCl'
        assert time.monotonic() - started < 2


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(lattice=_JSON, species=_JSON, coords=_JSON)
def test_any_plain_data_is_a_crystal_or_a_reason(lattice, species, coords):
    data = {'lattice': lattice, 'species': species, 'frac_coords': coords}
    library, skipped = collect.collect(iter([Raw('here', 'x', partial(plain_crystal, data), data)]), Filter(), 'source')
    assert len(library) + len(skipped) == 1
    assert all(item.reason and item.kind for item in skipped)
