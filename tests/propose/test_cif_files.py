"""CIFs as they are written: the tokenizer, several blocks and files, and crystals that come back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from cif_texts import FM3M, ROCK_SALT, cif, read, refusal, summary

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import space_group_number
from aiida_inversedesign.libraries.cif import structure_blocks
from aiida_inversedesign.libraries.cif.statements import formula_of
from aiida_inversedesign.libraries.importers import read_cif

MAGNETIC = (
    'loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,-y,-z,-1\n'
    'loop_\n_space_group_symop_magn_centering.xyz\nx,y,z,+1\nx,y+1/2,z+1/2,+1\nx+1/2,y,z+1/2,+1\nx+1/2,y+1/2,z,-1\n'
)


def test_magnetic_and_modulated_structures():
    text = cif(head=MAGNETIC)
    assert refusal(text) == 'magnetic'
    crystal, remarks = read(text, 'magnetic')
    assert (crystal.counts, remarks[0].split(':')[0]) == ({'Na': 4, 'Cl': 4}, 'magnetic')
    assert refusal(cif(head=f'{FM3M}\n_cell_modulation_dimension 1')) == 'modulated'
    assert read(cif(head=f'{FM3M}\n_cell_modulation_dimension 1'), 'modulated')[0].nsites == 8


TEXT = '_publ_section_comment\n;\nThe frames lie in\ndata_2021/frames\nloop_\n_atom_site_label\n  _cell_length_a 3\n;\n'


@pytest.mark.parametrize(
    'change',
    [
        lambda text: '\ufeff' + text, lambda text: text.replace('\n', '\r\n'), lambda text: text.replace('\n', '\r'),
        lambda text: text + TEXT, lambda text: text.replace('_cell_', '_CELL_').replace('_atom_site', '_Atom_Site'),
        lambda text: text.replace('data_x', 'DATA_X').replace('loop_', 'LOOP_'),
        lambda text: TEXT.join(['data_x\n', text[7:]]),
        lambda text: '# comment: data_none\n\n' + text, lambda text: text.replace('_cell_length_a', '_cell.length_a'),
        lambda text: text + "\n_publ_author_name 'O''Neill' \n_journal_name_full 'It's'\n_a 'é'\n",
        lambda text: text.replace('Na1 Na 0 0 0', 'Na1\nNa 0\n 0 # here\n0'), lambda text: 'data_global\n_a b\n' + text,
        lambda text: text + 'loop_\n_refln_index_h\n_refln_index_k\n' + '1 2\n' * 10_000,
        lambda text: text + 'loop_\n_atom_site_aniso_label\n_atom_site_aniso_U_11\nNa1 0.1\n',
    ],
)  # fmt: skip
def test_the_tokenizer(change):
    assert summary(change(cif())) == ROCK_SALT


def test_items_without_a_loop():
    atoms = ''.join(
        f'_atom_site_{tag} {value}\n'
        for tag, value in {'label': 'Po1', 'type_symbol': 'Po', 'fract_x': 0, 'fract_y': 0, 'fract_z': 0}.items()
    )
    text = cif('', "_symmetry_space_group_name_H-M 'P m -3 m'", (3.35,)).partition('loop_')[0] + atoms
    assert summary(text) == ('Po', 37.6, 221)


def test_one_bad_block_does_not_cost_the_others(tmp_path):
    bad = cif(name='bad').replace('0.5 0.5 0.5', '0.5 0.5')
    caesium = cif('Cs1 Cs 0 0 0\nCl1 Cl .5 .5 .5', "_symmetry_space_group_name_H-M 'P m -3 m'", (4.12,), name='cs')
    bare = 'data_cell_only\n_cell_length_a 5\n'
    (tmp_path / 'all.cif').write_text(f'{cif()}\n{bad}\n{caesium}\n{bare}')
    library, skipped = read_cif(tmp_path)
    assert {template.id: template.crystal.formula for template in library} == {'all': 'NaCl', 'all:3': 'CsCl'}
    assert [(item.source.rsplit(':', 1)[1], item.kind) for item in skipped] == [
        ('2', 'unreadable'),
        ('4', 'no_coordinates'),
    ]


def test_files_of_a_folder_in_any_case(tmp_path):
    metals = {'Cu': 3.61, 'Al': 4.05, 'Ni': 3.52, 'Pd': 3.89, 'Ag': 4.09, 'Au': 4.08}
    names = ('a.cif', 'B.CIF', 'c.mcif', 'd.Cif.gz', 'E.CIF.GZ', 'f.MCIF')
    for name, (symbol, a) in zip(names, metals.items(), strict=True):
        text = cif(f'{symbol}1 {symbol} 0 0 0', cell=(a,)).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.lower().endswith('.gz') else text)
    (tmp_path / 'wide.cif').write_bytes(cif('Pt1 Pt 0 0 0', cell=(3.92,)).encode('utf-16'))
    (tmp_path / 'latin.cif').write_bytes(cif('Pb1 Pb 0 0 0', cell=(4.95,)).encode() + "_a 'é'\n".encode('latin-1'))
    (tmp_path / 'notes.txt').write_text('no CIF')
    (tmp_path / 'old.cif.bz2').write_bytes(b'BZh9')
    (tmp_path / 'old.cif~').write_text(cif())
    library, skipped = read_cif(tmp_path)
    assert {template.id for template in library} == {'a', 'B', 'c', 'd', 'E', 'f', 'wide', 'latin'}
    assert sorted(Path(item.source).name for item in skipped) == ['old.cif.bz2', 'old.cif~']


def test_remarks_are_kept_in_the_file_of_the_library(tmp_path):
    from aiida_inversedesign.libraries.library import Library

    (tmp_path / 'a.cif').write_text(cif(head=f'{FM3M}\n_cell_volume 200'))
    library, skipped = read_cif(tmp_path, accept=['volume_mismatch'])
    assert skipped == []
    again = Library.from_bytes(library.to_bytes())
    assert again[0].remarks == library[0].remarks != ()
    assert '200' in again[0].remarks[0]
    assert again.content_hash == library.content_hash


def test_formulas():
    assert formula_of('C6 H12 O6').amounts == {'C': 6, 'H': 12, 'O': 6}
    assert formula_of('D2 O').amounts == {'H': 2, 'O': 1}
    assert formula_of('Al0.5 Ga0.5 N').matches({'Al': 1, 'Ga': 1, 'N': 2})
    assert formula_of('Si0.33 O0.67').matches({'Si': 1, 'O': 2})
    assert not formula_of('C60 H61').matches({'C': 60, 'H': 60})
    assert formula_of('NaCl').amounts == {'Na': 1, 'Cl': 1}
    assert [formula_of(text) for text in ('', 'see text', 'Qq2')] == [None] * 3


CASES = {
    'a_noops': 'no_symmetry_operations', 'b_hm1': ROCK_SALT, 'c_origin1': ('Si', 20.01, 227),
    'd_rhomb': ('Bi', 35.38, 166),
    'f_OH': 'attached_hydrogens', 'f_UPPER': ('NaBr', 22.43, 225), 'f_attached': 'attached_hydrogens',
    'f_mag': ('NaF', 22.43, 225), 'g_textdata_after': ROCK_SALT, 'h_bom': ROCK_SALT, 'h_upper': ROCK_SALT,
    'i_thirds3': ('Mg', 23.24, 194), 'k_occq': ROCK_SALT, 'l_4486': 'partial occupancy', 'n_nonloop': ('Po', 37.6, 221),
    'p_parts': 'disordered',
}  # fmt: skip


def test_the_shared_cases(shared):
    files = sorted((shared / 'cases' / 'cif').iterdir())
    assert {file.stem for file in files} == set(CASES)
    for file in files:
        library, skipped = read_cif(file)
        if isinstance(CASES[file.stem], str):
            assert [item.kind for item in skipped] == [CASES[file.stem]], file
            continue
        crystal: Crystal = library[0].crystal
        found = (crystal.formula, round(crystal.volume / crystal.nsites, 2), space_group_number(crystal))
        assert found == CASES[file.stem], file


def test_written_crystals_come_back(shared: Path, tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / 'benchmark'))
    import cif_writers

    monkeypatch.setattr(cif_writers, 'SHARED', shared)
    outcomes = cif_writers.run(60, tmp_path)
    assert sum(len(outcome.different) for outcome in outcomes.values()) == 0, outcomes
    equal, total = (sum(getattr(outcome, name) for outcome in outcomes.values()) for name in ('equal', 'total'))
    assert equal >= 0.98 * total


def test_blocks_are_plain_data():
    (block,) = structure_blocks(cif())
    assert block.number('_cell_length_a').value == 5.64
    assert json.dumps(block.columns)
