"""``library import`` and ``library merge`` as a user calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from aiida.orm import load_node
from command_line import call
from servers import optimade_server

from aiida_inversedesign.decisions import library_imports as imports

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')

METALS = {'Cu': 3.61, 'Al': 4.05, 'Ni': 3.52, 'Pd': 3.89}


def records(**more: Any) -> list[dict[str, Any]]:
    """Face-centred cubic metals, 0.1 eV/atom further above the hull each."""
    return [
        {
            'id': symbol,
            'lattice': [[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]],
            'species': [symbol],
            'frac_coords': [[0, 0, 0]],
            'e_above_hull': 0.1 * number,
            **more,
        }
        for number, (symbol, a) in enumerate(METALS.items())
    ]


def write(path: Path, *items: Any) -> Path:
    path.write_text('\n'.join(item if isinstance(item, str) else json.dumps(item) for item in items))
    return path


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of what was skipped are written to the current folder."""
    monkeypatch.chdir(tmp_path)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline='') as handle:
        return list(csv.DictReader(handle))


def stored() -> list[dict[str, Any]]:
    return json.loads(call('library', 'list', '--format', 'json').output)


def test_import_counts_by_kind_and_lists_in_the_current_folder(tmp_path: Path) -> None:
    path = write(tmp_path / 'metals.jsonl', *records(), *records()[:2], '{', {'id': 'x', 'species': ['H']})
    result = call('library', 'import', 'jsonl', str(path), '--label', 'me/tals', '--date', '2026-01-31')
    assert 'imported 4 templates, skipped 4' in result.output
    assert 'duplicate id: 2, unreadable: 1, no lattice: 1' in result.output
    listed = rows(tmp_path / 'me_tals-skipped.csv')
    assert [row['kind'] for row in listed] == ['duplicate id', 'duplicate id', 'unreadable', 'no lattice']
    assert listed[0]['source'] == 'metals.jsonl, line 5'
    shown = json.loads(call('library', 'show', 'me/tals', '--entries', '--format', 'json').output)
    assert (shown['retrieved'], shown['fingerprints']) == (['2026-01-31'], True)
    assert shown['entries'][0]['date'] == '2026-01-31'
    assert len(shown['entries'][0]['hash']) == 64
    assert 'Cu' in call('library', 'show', 'me/tals', '--entries').output


def test_filters_and_json(tmp_path: Path) -> None:
    from datetime import date

    path = write(tmp_path / 'metals.jsonl', *records())
    (tmp_path / 'out.txt').write_text('Al4, Cu # both are known\n')
    result = call(
        'library', 'import', 'jsonl', str(path), '--label', 'metals', '--exclude-formulas', f'@{tmp_path / "out.txt"}',
        '--e-above-hull', '0.25', '--no-fingerprints',
        '--format', 'json', '--skipped', str(tmp_path / 'list.csv'),
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert (told['templates'], told['kinds'], told['fingerprints']) == (1, {'excluded formula': 2, 'hull': 1}, False)
    assert told['skipped_file'] == str(tmp_path / 'list.csv')
    shown = json.loads(call('library', 'show', 'metals', '--format', 'json').output)
    assert (shown['retrieved'], shown['fingerprints']) == ([date.today().isoformat()], False)


@pytest.mark.parametrize(
    ('options', 'says'),
    [
        (['--exclude-formulas', 'Xx2'], 'Xx2'),
        (['--exclude-formulas', '@nowhere.txt'], 'nowhere.txt'),
        (['--date', 'yesterday'], '2026-01-31'),
        (['--max-sites', '1', '--exclude-formulas', 'H', '--e-above-hull', '0'], ''),
    ],
)
def test_wrong_options_are_answered(tmp_path: Path, options: list[str], says: str) -> None:
    path = write(tmp_path / 'metals.jsonl', *records(e_above_hull=None))
    result = call('library', 'import', 'jsonl', str(path), '--label', 'metals', *options)
    assert result.exit_code == 1
    assert says in result.output
    assert stored() == []


def test_nothing_usable_stores_nothing_and_is_listed(tmp_path: Path) -> None:
    path = write(tmp_path / 'metals.jsonl', '{', '[]')
    result = call('library', 'import', 'jsonl', str(path), '--label', 'metals')
    assert result.exit_code == 1
    assert 'none of 2 entries' in result.output
    assert len(rows(tmp_path / 'metals-skipped.csv')) == 2
    assert stored() == []
    assert call('library', 'import', 'cif', str(tmp_path), '--label', 'x').exit_code == 1


def test_optimade(tmp_path: Path) -> None:
    with optimade_server(tmp_path) as address:
        result = call('library', 'import', 'optimade', address, '--label', 'example', '--filter', 'nsites<=4')
        refused = call('library', 'import', 'optimade', address, '--label', 'none', '--filter', 'nsites<=')
    assert 'imported 5 templates, skipped 0' in result.output
    assert 'no fingerprint: 3' in result.output
    assert {row['kind'] for row in rows(tmp_path / 'example-skipped.csv')} == {'no fingerprint'}
    shown = json.loads(call('library', 'show', 'example', '--format', 'json').output)
    assert list(shown['sources']) == [f'Example provider ({address}/v1)']
    assert refused.exit_code == 1
    assert 'Unable to parse filter' in refused.output
    assert 'Traceback' not in refused.output


def test_materials_project_asks_for_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('MP_API_KEY', raising=False)
    result = call('library', 'import', 'mp', '--label', 'mp', '--elements', 'Si,O')
    assert result.exit_code == 1
    assert 'MP_API_KEY' in result.output or 'aiida-inversedesign[mp]' in result.output
    assert 'not an element' in call('library', 'import', 'mp', '--label', 'mp', '--elements', 'Si,Qq').output


def group_of_metals(label: str = 'mine') -> list[Any]:
    """A group with four metals, an alloy, a molecule, a copy and something else."""
    from aiida.orm import Group, Int, StructureData

    nodes: list[Any] = []
    for symbol, a in METALS.items():
        node = StructureData(cell=[[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]])
        node.append_atom(position=(0, 0, 0), symbols=symbol)
        nodes.append(node.store())
    nodes[1].base.extras.set('e_above_hull', 0.2)
    nodes[0].base.extras.set('e_above_hull', 0.0)
    alloy = StructureData(cell=[[4, 0, 0], [0, 4, 0], [0, 0, 4]])
    alloy.append_atom(position=(0, 0, 0), symbols=('Fe', 'Ni'), weights=(0.5, 0.5))
    molecule = StructureData(cell=[[9, 0, 0], [0, 9, 0], [0, 0, 9]], pbc=(False, False, False))
    molecule.append_atom(position=(0, 0, 0), symbols='He')
    nodes += [alloy.store(), molecule.store(), nodes[0].clone().store(), Int(1).store()]
    group = Group(label=label).store()
    group.add_nodes(nodes)
    return nodes


def test_group_keeps_the_provenance() -> None:
    nodes = group_of_metals()
    result = call('library', 'import', 'group', 'mine', '--label', 'own', '--format', 'json')
    told = json.loads(result.stdout)
    assert told['templates'] == 4
    assert told['kinds'] == {'partial occupancy': 1, 'no lattice': 1, 'duplicate structure': 1, 'unreadable': 1}
    library = load_node(told['uuid'])
    assert library.label == 'own'
    assert library.creator.process_type == 'aiida.calculations:inversedesign.import_group'
    linked = {link.node.uuid for link in library.creator.base.links.get_incoming() if link.link_label != 'settings'}
    assert linked == {node.uuid for node in nodes[:7]}
    templates = {template.id: template for template in library.get_library()}
    assert templates[nodes[1].uuid].e_above_hull == 0.2
    assert templates[nodes[2].uuid].crystal.formula == 'Ni'
    assert templates[nodes[2].uuid].source == 'AiiDA group mine'


def test_a_large_group_is_made_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, 'PART', 3)
    nodes = group_of_metals()
    arguments = ('library', 'import', 'group', 'mine', '--label', 'own', '--no-fingerprints', '--format', 'json')
    library = load_node(json.loads(call(*arguments).stdout)['uuid'])
    assert library.count == 4
    assert library.creator.process_type == 'aiida.calculations:inversedesign.merge'
    ancestors = {node.uuid for link in library.creator.base.links.get_incoming() for node in _inputs(link.node)}
    assert {node.uuid for node in nodes[:4]} <= ancestors


def _inputs(node: Any) -> list[Any]:
    return [link.node for link in node.creator.base.links.get_incoming()] if node.creator else []


def test_groups_that_cannot_be_used() -> None:
    from aiida.orm import Group

    Group(label='empty').store()
    assert "did you mean 'empty'" in call('library', 'import', 'group', 'empti', '--label', 'x').output
    result = call('library', 'import', 'group', 'empty', '--label', 'x')
    assert result.exit_code == 1
    assert 'nothing was imported' in result.output
    group_of_metals('far')
    assert call('library', 'import', 'group', 'far', '--label', 'x', '--max-sites', '1').exit_code == 0
    assert call('library', 'import', 'group', 'far', '--label', 'y', '--exclude-formulas', 'Cu', '--e-above-hull',
                '0.1').exit_code == 1  # fmt: skip
    assert [entry['label'] for entry in stored()] == ['x']


def test_merge(tmp_path: Path) -> None:
    better = [item | {'id': f'new-{item["id"]}', 'e_above_hull': 0.15} for item in records()[1:3]]
    for label, items in (('a', records()), ('b', better)):
        path = write(tmp_path / f'{label}.jsonl', *items)
        assert call('library', 'import', 'jsonl', str(path), '--label', label).exit_code == 0
    result = call('library', 'merge', 'a', 'b', '--label', 'both', '--format', 'json')
    told = json.loads(result.stdout)
    assert (told['templates'], told['kinds']) == (4, {'duplicate structure': 2})
    assert {row['source'] for row in rows(tmp_path / 'both-skipped.csv')} == {'a: Ni', 'b: new-Al'}
    node = load_node(told['uuid'])
    assert {template.id for template in node.get_library()} == {'Cu', 'Al', 'new-Ni', 'Pd'}
    assert node.get_library().fingerprints is not None
    assert node.creator.process_type == 'aiida.calculations:inversedesign.merge'
    assert {link.node.label for link in node.creator.base.links.get_incoming()} >= {'a', 'b'}

    filtered = call('library', 'merge', 'a', 'b', '--label', 'near', '--e-above-hull', '0.05', '--no-fingerprints')
    assert "kept 1 templates, dropped 5: library 'near'" in filtered.output
    for wrong, says in ((['a'], 'at least two'), (['a', 'nil'], "no library 'nil'")):
        assert says in call('library', 'merge', *wrong, '--label', 'x').output
    nothing = call('library', 'merge', 'a', 'b', '--label', 'x', '--exclude-formulas', 'Cu', '--e-above-hull', '0.01')
    assert 'nothing was merged' in nothing.output
    assert 'x' not in {entry['label'] for entry in stored()}


CIF = """\
data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
_chemical_formula_sum 'Na Cl'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na1 0 0 0
Cl1 0.5 0.5 0.5
"""


def test_contradictions_are_skipped_listed_and_accepted(tmp_path: Path) -> None:
    folder = tmp_path / 'cifs'
    folder.mkdir()
    (folder / 'a.cif').write_text(CIF)
    (folder / 'B.CIF').write_text(CIF.replace('Cl1', 'Br1').replace('Na Cl', 'Na Br H'))
    (folder / 'c.cif').write_text(CIF.replace("_symmetry_space_group_name_H-M 'F m -3 m'\n", ''))
    (folder / 'd.cif').write_text('data_x\n_a')
    arguments = ('library', 'import', 'cif', str(folder), '--no-fingerprints')
    result = call(*arguments, '--label', 'strict')
    assert 'imported 1 templates, skipped 3' in result.output
    assert '--accept formula_mismatch --accept no_symmetry_operations' in result.output
    shown = json.loads(call('library', 'show', 'strict', '--entries', '--format', 'json').output)
    (entry,) = shown['entries']
    assert (entry['formula'], round(entry['volume'], 2), entry['space_group']) == ('NaCl', 22.43, 225)
    assert {Path(item['file']).name: item['kind'] for item in shown['skipped']} == {
        'B.CIF': 'formula_mismatch', 'c.cif': 'no_symmetry_operations', 'd.cif': 'unreadable',
    }  # fmt: skip
    assert 'Na Br H' in next(item['reason'] for item in shown['skipped'] if item['file'].endswith('B.CIF'))
    assert shown['skipped_kinds'] == {'formula_mismatch': 1, 'no_symmetry_operations': 1, 'unreadable': 1}

    told = json.loads(call(*arguments, '--label', 'mild', '--accept', 'formula-mismatch', '--format', 'json').stdout)
    assert (told['templates'], told['remarks']) == (2, {'formula_mismatch': 1})
    shown = json.loads(call('library', 'show', 'mild', '--entries', '--format', 'json').output)
    assert [len(item['remarks']) for item in shown['entries']] == [1, 0]
    table = call('library', 'show', 'mild', '--entries').output
    assert 'skipped (unreadable)' in table

    wrong = call(*arguments, '--label', 'x', '--accept', 'anything')
    assert wrong.exit_code == 1
    assert 'density_mismatch' in wrong.output


def test_a_group_keeps_what_was_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {'partial occupancy': 1, 'no lattice': 1, 'duplicate structure': 1, 'unreadable': 1}
    group_of_metals()
    assert call('library', 'import', 'group', 'mine', '--label', 'one', '--no-fingerprints').exit_code == 0
    monkeypatch.setattr(imports, 'PART', 3)
    assert call('library', 'import', 'group', 'mine', '--label', 'parts', '--no-fingerprints').exit_code == 0
    for label in ('one', 'parts'):
        assert json.loads(call('library', 'show', label, '--format', 'json').output)['skipped_kinds'] == kinds
