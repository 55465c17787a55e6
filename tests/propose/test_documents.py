"""Documents of materials as JSON: what pymatgen, emmet and OPTIMADE write."""

from __future__ import annotations

import gzip
import json

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

from aiida_inversedesign.libraries.collect import count_kinds
from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import LibraryError

SALT = Structure.from_spacegroup(
    'Fm-3m', Lattice.cubic(5.64), ['Na', 'Cl'], [[0, 0, 0], [0.5] * 3]
).get_primitive_structure()
CAESIUM = Structure.from_spacegroup('Pm-3m', Lattice.cubic(4.12), ['Cs', 'Cl'], [[0, 0, 0], [0.5] * 3])


def summary(number=1, structure=SALT, **more):
    return {
        'material_id': f'mp-{number}',
        'structure': structure.as_dict(),
        'energy_above_hull': 0.02,
        'formation_energy_per_atom': -2.1,
        'symmetry': {'number': 225, 'symbol': 'Fm-3m'},
        'bulk_modulus': {'voigt': 25.0, 'vrh': 24.5},
        'builder_meta': {'license': 'BY-C'},
        'deprecated': False,
        **more,
    }


def read(tmp_path, content, name='a.jsonl'):
    path = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith('.gz') else text.encode())
    return read_jsonl(path)


BARE = [SALT.as_dict(), CAESIUM.as_dict()]


@pytest.mark.parametrize(
    ('content', 'ids'),
    [
        ('\n'.join(map(json.dumps, BARE)), ['a.jsonl:1', 'a.jsonl:2']),
        (json.dumps(BARE, indent=1), ['a.jsonl:1', 'a.jsonl:2']),
        (json.dumps(BARE), ['a.jsonl:1:1', 'a.jsonl:1:2']),
        ('\ufeff' + json.dumps(BARE, indent=2), ['a.jsonl:1', 'a.jsonl:2']),
        (
            json.dumps({'data': [{**item, 'id': str(n)} for n, item in enumerate(BARE, 1)], 'meta': {}}, indent=1),
            ['1', '2'],
        ),
        (json.dumps({'data': [{'material_id': 'mp-1', 'structure': BARE[0]}]}), ['mp-1']),
        (json.dumps({'mp-1': BARE[0], 'mp-2': {'structure': BARE[1]}}, indent=1), ['mp-1', 'mp-2']),
        (json.dumps(BARE[0], indent=1), ['a.jsonl:1']),
        (json.dumps({'material_id': 'mp-aaaaaaft', 'structure': BARE[0]}), ['mp-149']),
        (json.dumps({'task_id': 'mp-5', 'final_structure': BARE[0]}), ['mp-5']),
        (json.dumps({**BARE[0], 'properties': None}), ['a.jsonl:1']),
    ],
)
def test_structures_in_every_wrapping(tmp_path, content, ids):
    library, skipped = read(tmp_path, content)
    assert skipped == []
    assert [template.id for template in library] == ids
    assert library[0].crystal.formula == 'NaCl'


@pytest.mark.parametrize('indent', [None, 1])
def test_computed_entries(tmp_path, indent):
    entry = ComputedStructureEntry(
        SALT, -6.8, correction=-0.2, entry_id='mp-22862', data={'e_above_hull': 0.01}, parameters={'run_type': 'GGA'}
    )
    library, skipped = read(
        tmp_path, json.dumps([entry.as_dict(), ComputedEntry('NaCl', -6.8, entry_id='bare').as_dict()], indent=indent)
    )
    assert library[0].id == 'mp-22862'
    assert library[0].e_above_hull == 0.01
    assert library[0].properties['energy_per_atom'] == pytest.approx(-3.5)
    assert [(item.kind, 'no structure' in item.reason) for item in skipped] == [('no_structure', True)]


def test_summaries_and_what_was_withdrawn(tmp_path):
    documents = [
        summary(),
        summary(2, CAESIUM, deprecated=True, deprecation_reasons=['wrong']),
        {**summary(3), 'structure': None},
    ]
    library, skipped = read(tmp_path, '\n'.join(map(json.dumps, documents)), 'a.jsonl.gz')
    (template,) = library
    assert (template.id, template.spacegroup, template.license) == ('mp-1', 225, 'CC BY 4.0')
    assert (template.e_above_hull, template.formation_energy) == (0.02, -2.1)
    assert template.properties['bulk_modulus_vrh'] == 24.5
    assert count_kinds(skipped) == {'deprecated': 1, 'no_structure': 1}
    assert 'wrong' in skipped[0].reason
    taken, _ = read_jsonl(tmp_path / 'a.jsonl.gz', accept=['deprecated'])
    assert [item.remarks[:1] != () for item in taken] == [False, True]


def test_a_summary_as_emmet_writes_it(tmp_path):
    emmet = pytest.importorskip('emmet.core.summary')
    document = emmet.SummaryDoc.model_construct(**{**summary(149), 'structure': SALT})
    written = json.loads(document.model_dump_json(warnings=False))
    assert [item.id for item in read(tmp_path, {'data': [written]})[0]] == ['mp-149']


def test_what_is_no_list_of_materials(tmp_path):
    with pytest.raises(LibraryError, match='one JSON array'):
        read(tmp_path, '[\n {"a": 1},\n')
    mixed = SALT.copy()
    mixed[0] = {'Na': 0.5, 'K': 0.5}
    slab = SALT.as_dict()
    slab['lattice']['pbc'] = [True, True, False]
    library, skipped = read(tmp_path, [mixed.as_dict(), slab, 1, {'a': 1}, {'sites': []}, []])
    assert len(library) == 0
    assert [item.kind for item in skipped] == [
        'partial occupancy', 'no lattice', 'unreadable', 'no lattice', 'no lattice', 'unreadable'
    ]  # fmt: skip
    assert skipped[0].source == 'a.jsonl, line 1, entry 1'


def test_the_shared_cases(shared):
    bare, pretty = (
        read_jsonl(shared / 'cases' / 'jsonl' / name) for name in ('a_bare_structure.jsonl', 'i_pretty.jsonl')
    )
    for library, skipped in (bare, pretty):
        assert [template.crystal.formula for template in library] == ['NaCl', 'MgO']
        assert skipped == []
    _, skipped = read_jsonl(shared / 'cases' / 'optimade' / 'entries.json')
    assert [item.kind for item in skipped] == ['site_attachments', 'assemblies']
