"""Libraries survive their file, and imports report what they skip."""

import csv
import gzip
import json

import pytest

from aiida_inversedesign.propose.importers import read_cif, read_csv, read_jsonl
from aiida_inversedesign.propose.library import Library, LibraryError, Template, aflow_library


def test_round_trip(small_library):
    data = small_library.to_bytes()
    copy = Library.from_bytes(data)
    assert copy.content_hash == small_library.content_hash
    assert copy.to_bytes() == data
    assert copy[1].properties == {'hardness': 1.0}
    assert copy.by_ratio('1:1') == [0, 1, 2]
    assert copy.by_ratio('2:1') == []
    assert copy.sources == {'textbook': {'license': 'none', 'templates': 3}}


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
    from aiida_inversedesign.propose.aflow import read_aflow

    library, skipped = read_aflow()
    assert len(library) + len(skipped) == 288
    assert {template.id for template in library} == {template.id for template in aflow_library()}


def record(crystal, **more):
    return crystal.to_dict() | more


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
    library, skipped = read_jsonl(path, source='mine', license='CC0', max_e_above_hull=0.1)
    assert [template.id for template in library] == ['one']
    assert library[0].properties == {'e_above_hull': 0.02, 'hardness': 2.5}
    assert library[0].e_above_hull == 0.02
    reasons = {item.source.split('line ')[1]: item.reason for item in skipped}
    assert 'NaN' in reasons['2']
    assert 'lattice' in reasons['3']
    assert 'above the hull' in reasons['4']
    assert 'used before' in reasons['5']
    assert 'Og' in reasons['6']
    assert 'JSON' in reasons['7']
    assert 'JSON object' in reasons['8']
    assert len(skipped) == 7


def test_supercells_become_primitive(tmp_path, rocksalt):
    doubled = rocksalt.to_pymatgen().make_supercell([1, 1, 2], in_place=False)
    path = tmp_path / 'data.jsonl'
    lattice, species = doubled.lattice.matrix.tolist(), [site.specie.symbol for site in doubled]
    coords = doubled.frac_coords.tolist()
    path.write_text(json.dumps({'id': 'x', 'lattice': lattice, 'species': species, 'frac_coords': coords}))
    assert read_jsonl(path)[0][0].crystal.nsites == 2
    assert read_jsonl(path, primitive=False)[0][0].crystal.nsites == 4


def test_cif_folder_and_disorder(tmp_path, rocksalt):
    from pymatgen.core import Structure

    (tmp_path / 'inner').mkdir()
    rocksalt.to_pymatgen().to(str(tmp_path / 'inner' / 'salt.cif'))
    Structure([[4, 0, 0], [0, 4, 0], [0, 0, 4]], [{'Fe': 0.5, 'Ni': 0.5}], [[0, 0, 0]]).to(str(tmp_path / 'mix.cif'))
    (tmp_path / 'empty.cif').write_text('')
    library, skipped = read_cif(tmp_path)
    assert [template.crystal.formula for template in library] == ['NaCl']
    assert {item.source.rsplit('/', 1)[1]: item.reason for item in skipped}.keys() == {'mix.cif', 'empty.cif'}
    assert any('partially occupied' in item.reason for item in skipped)


def test_csv_with_cif_and_json_columns(tmp_path, rocksalt):
    cif = rocksalt.to_pymatgen().to(fmt='cif')
    with (tmp_path / 'a.csv').open('w', newline='') as handle:
        csv.writer(handle).writerows([['id', 'cif', 'gap'], ['s', cif, '5.0'], ['t', '', '1']])
    library, skipped = read_csv(tmp_path / 'a.csv')
    assert (library[0].id, library[0].properties) == ('s', {'gap': 5.0})
    assert [item.reason for item in skipped] == ['the CIF is empty']
    data = {key: json.dumps(value) for key, value in rocksalt.to_dict().items()}
    with (tmp_path / 'b.csv').open('w', newline='') as handle:
        writer = csv.DictWriter(handle, ['id', *data])
        writer.writeheader()
        writer.writerow({'id': 'u', **data})
    assert read_csv(tmp_path / 'b.csv')[0][0].crystal.content_hash == rocksalt.content_hash
    (tmp_path / 'c.csv').write_text('a,b\n1,2\n')
    with pytest.raises(LibraryError, match='cif'):
        read_csv(tmp_path / 'c.csv')


@pytest.mark.parametrize('reader', [read_jsonl, read_csv, read_cif])
def test_missing_file(reader, tmp_path):
    with pytest.raises(LibraryError, match='nowhere'):
        reader(tmp_path / 'nowhere')


def test_file_that_is_not_gzip(tmp_path):
    (tmp_path / 'data.jsonl.gz').write_text('plain')
    with pytest.raises(LibraryError, match='cannot be read'):
        read_jsonl(tmp_path / 'data.jsonl.gz')
