"""CIFs as they are written: what is read, by which operations, and what is refused because it contradicts itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.symmetry import space_group_number
from aiida_inversedesign.libraries.cif import crystal_of_cif, structure_blocks
from aiida_inversedesign.libraries.cif.names import settings_of_name, settings_of_number
from aiida_inversedesign.libraries.cif.statements import formula_of
from aiida_inversedesign.libraries.entries import Notes, RefusedError
from aiida_inversedesign.libraries.importers import read_cif

SALT = 'Na1 Na 0 0 0\nCl1 Cl 0.5 0.5 0.5'
FM3M = "_symmetry_space_group_name_H-M 'F m -3 m'"
NACL = "_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4"


def cif(atoms=SALT, head=FM3M, cell=(5.64,), columns='', name='x'):
    """A CIF: one length stands for a cube; columns are those between type and coordinates or after them."""
    lengths = (list(cell) * 3)[:3] if len(cell) == 1 else list(cell[:3])
    angles = list(cell[3:]) or [90, 90, 90]
    rows = [f'_cell_length_{axis} {value}' for axis, value in zip('abc', lengths, strict=True)]
    rows += [f'_cell_angle_{axis} {value}' for axis, value in zip(('alpha', 'beta', 'gamma'), angles, strict=True)]
    tags = ['label', 'type_symbol', 'fract_x', 'fract_y', 'fract_z', *columns.split()]
    return '\n'.join(
        [f'data_{name}', *rows, head, 'loop_', *(f'_atom_site_{tag}' for tag in tags if tag != 'none'), atoms, '']
    )


def untyped(atoms, head=FM3M, cell=(5.64,)):
    """The same without type symbols."""
    return cif(atoms, head, cell).replace('_atom_site_type_symbol\n', '')


def read(text, *accept):
    notes = Notes(frozenset(accept))
    crystal = crystal_of_cif(text, notes=notes)
    return crystal, notes.remarks


def told(text):
    """Formula, volume per atom, space group."""
    crystal, _ = read(text)
    return crystal.formula, round(crystal.volume / crystal.nsites, 2), space_group_number(crystal)


def refusal(text, *accept):
    with pytest.raises(RefusedError) as error:
        read(text, *accept)
    return error.value.kind


ROCK_SALT = ('NaCl', 22.43, 225)


@pytest.mark.parametrize(
    'name',
    [
        'F m -3 m', 'Fm-3m', 'F m 3 m', 'Fm3m', 'FM-3M', 'f m -3 m', 'F_m_-3_m', 'F 4/m -3 2/m', "Fm\\bar{3}m",
        'F m 3- m', 'F m -3 m (225)', 'Fm-3m #225', 'F m −3 m', 'F m 3\u0304 m', 'F m -3 m :1',
    ],
)  # fmt: skip
def test_every_spelling_of_a_name(name):
    assert told(cif(head=f'_symmetry_space_group_name_H-M "{name}"')) == ROCK_SALT


@pytest.mark.parametrize(
    'head',
    [
        "_space_group_name_H-M_alt 'F m -3 m'", "_space_group.name_H-M_alt 'F m -3 m'", '_space_group_IT_number 225',
        '_symmetry_Int_Tables_number 225', "_space_group_name_Hall '-F 4 2 3'",
        "_symmetry_space_group_name_Hall '-f 4 2 3'", "_SPACE_GROUP_NAME_h-m_ALT 'F m -3 m'",
        "_symmetry_space_group_name_H-M 'nonsense'\n_symmetry_Int_Tables_number 225",
        "_symmetry_space_group_name_H-M ?\n_symmetry_Int_Tables_number 225",
        "_symmetry_space_group_name_H-M\n;\nF m -3 m\n;",
    ],
)  # fmt: skip
def test_every_tag_of_a_group(head):
    assert told(cif(head=head)) == ROCK_SALT


@pytest.mark.parametrize(
    ('name', 'number', 'settings'),
    [
        ('P2_1/c', 14, 2), ('P 2(1)/c', 14, 2), ('P 1 21/n 1', 14, 1), ('P 21/n', 14, 3), ('P2~1~/a', 14, 2),
        ('P 1 1 21/b', 14, 1), ('P 21/b', 14, 2), ('P 63/M M C', 194, 1), ('P6_3/mmc', 194, 1), ('Pa3', 205, 1),
        ('I a 3 d', 230, 1), ('F d 3 m', 227, 2), ('F d -3 m S', 227, 1), ('F d -3 m Z', 227, 1), ('Fd-3m:2', 227, 1),
        ('F d -3 m (origin choice 2)', 227, 1), ('F d -3 m O1', 227, 1), ('R -3 m', 166, 2), ('R-3m:R', 166, 1),
        ('R -3 m H', 166, 1), ('R -3 c HR', 167, 1), ('R3R', 146, 1), ('R 3 2 :h', 155, 1), ('I41/amd:2', 141, 1),
        ('P 2/m 2/m 2/m', 47, 1), ('P 42/n m c Z', 137, 1), ('C m c e', 64, 1), ('Aem2', 39, 1), ('C c c e', 68, 2),
        ('P 1 21/c 1:b1', 14, 1), ('A 1 2/a 1', 15, 1), ('C -1', 2, 1), ('P n m n', 58, 1), ('P b n m', 62, 1),
        ('R -3 m {hexagonal axes}', 166, 1), ('R -3 m (rhombohedral axes)', 166, 1), ('Q 1', 0, 0), ('P 7', 0, 0),
    ],
)  # fmt: skip
def test_names_of_groups(name, number, settings):
    found = settings_of_name(name)
    assert {group.number for group in found} == ({number} if number else set())
    assert len(found) == settings


def test_every_setting_of_gemmi_and_spglib_is_found_by_its_name():
    import gemmi
    import spglib

    for group in gemmi.spacegroup_table():
        assert group.number in {item.number for item in settings_of_name(group.xhm())}, group.xhm()
        assert group.number in {item.number for item in settings_of_name(group.hm)}, group.hm
    for number in range(1, 531):
        kind = spglib.get_spacegroup_type(number)
        assert kind.number in {item.number for item in settings_of_name(kind.international_short)}, kind
        assert kind.number in {item.number for item in settings_of_name(kind.international_full)}, kind
    assert all(settings_of_number(number) for number in range(1, 231))


SILICON = '_chemical_formula_sum Si\n_cell_formula_units_Z 8\n'


@pytest.mark.parametrize(
    ('suffix', 'place'),
    [(':1', 0), (':2', 0.125), (' S', 0), (' Z', 0.125), (':2', 0.875), ('', 0.125), ('', 0)],
)
def test_origin_choices(suffix, place):
    """Without a suffix the stated content tells which."""
    head = f"{SILICON}_symmetry_space_group_name_H-M 'F d -3 m{suffix}'"
    assert told(cif(f'Si1 Si {place} {place} {place}', head, (5.43,))) == ('Si', 20.01, 227)


@pytest.mark.parametrize('head', ["_space_group_name_H-M_alt 'F d -3 m'", '_space_group_IT_number 227'])
def test_an_origin_that_nothing_tells_is_refused(head):
    text = cif('Si1 Si 0 0 0', head, (5.43,))
    assert refusal(text) == 'ambiguous_setting'
    crystal, remarks = read(text, 'ambiguous_setting')
    assert crystal.nsites in (8, 16)
    assert remarks[0].startswith('ambiguous_setting: ')
    # a density tells it as well
    assert told(cif('Si1 Si 0 0 0', f'{head}\n_exptl_crystal_density_diffrn 2.33', (5.43,))) == ('Si', 20.01, 227)


BISMUTH = "_chemical_formula_sum Bi\n_cell_formula_units_Z {z}\n_symmetry_space_group_name_H-M 'R -3 m{suffix}'"


@pytest.mark.parametrize('suffix', [':R', ' R', '', ':r'])
def test_rhombohedral_axes(suffix):
    cell = (4.746, 4.746, 4.746, 57.23, 57.23, 57.23)
    text = cif('Bi1 Bi 0.234 0.234 0.234', BISMUTH.format(z=2, suffix=suffix), cell)
    assert told(text) == ('Bi', 35.38, 166)
    assert read(text)[0].nsites == 2


@pytest.mark.parametrize('suffix', [':H', ' H', '', ':h'])
def test_hexagonal_axes(suffix):
    cell = (4.546, 4.546, 11.862, 90, 90, 120)
    text = cif('Bi1 Bi 0 0 0.234', BISMUTH.format(z=6, suffix=suffix), cell)
    assert told(text) == ('Bi', 35.38, 166)
    assert read(text)[0].nsites == 6


def test_axes_that_the_cell_contradicts():
    cell = (4.746, 4.746, 4.746, 57.23, 57.23, 57.23)
    assert refusal(cif('Bi1 Bi 0.234 0.234 0.234', BISMUTH.format(z=6, suffix=':H'), cell)) == 'group_mismatch'
    assert refusal(cif(cell=(5.64, 5.64, 5.9))) == 'group_mismatch'
    assert refusal(cif(cell=(5.64, 5.64, 5.9), head="_space_group_symop_operation_xyz 'z,x,y'\n")) == 'group_mismatch'


@pytest.mark.parametrize('head', ['', '_symmetry_space_group_name_H-M ?', "_symmetry_space_group_name_H-M 'Q 7'", NACL])
def test_p1_is_never_guessed(head):
    text = cif(head=head)
    assert refusal(text) == 'no_symmetry_operations'
    if head != NACL:
        crystal, remarks = read(text, 'no_symmetry_operations')
        assert crystal.nsites == 2
        assert remarks[0].startswith('no_symmetry_operations: ')


def test_a_group_of_which_only_the_identity_is_listed():
    alone = f"{FM3M}\n_symmetry_equiv_pos_as_xyz 'x,y,z'"
    assert refusal(cif(head=alone)) == 'group_mismatch'
    assert read(cif(head=alone), 'group_mismatch')[0].nsites == 2
    # the stated content says that the name is right
    crystal, remarks = read(cif(head=f'{alone}\n{NACL}'))
    assert (crystal.nsites, crystal.formula) == (8, 'NaCl')
    assert remarks[0].startswith('operations derived: of F m -3 m')
    # the whole cell is listed, and has the symmetry of the name
    shifts = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    atoms = '\n'.join(
        f'{symbol} {symbol} {x + start} {y + start} {z + start}'
        for symbol, start in (('Na', 0), ('Cl', 0.5)) for x, y, z in shifts
    )  # fmt: skip
    for head in (alone, f'{alone}\n{NACL}'):
        assert told(cif(atoms, head)) == ROCK_SALT


def test_operations_that_contradict_the_name():
    operations = 'loop_\n_space_group_symop_operation_xyz\nx,y,z\n-x,-y,-z\n'
    assert refusal(cif(head=operations + "_symmetry_space_group_name_H-M 'P 4/m m m'")) == 'group_mismatch'
    assert refusal(cif(head="_space_group_name_Hall '-F 4 2 3'\n_space_group_IT_number 221")) == 'group_mismatch'
    assert refusal(cif(head=FM3M + '\n_symmetry_Int_Tables_number 227')) == 'group_mismatch'
    three = 'loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-y,x-y,z\n'
    assert refusal(cif(head=three, cell=(5, 5, 6, 90, 90, 120))) == 'group_mismatch'
    assert refusal(cif(head="_symmetry_equiv_pos_as_xyz 'x,y,2*z'")) == 'unreadable'


@pytest.mark.parametrize('digits', [2, 3, 4, 5, 6])
@pytest.mark.parametrize('cut', [False, True], ids=['rounded', 'cut off'])
def test_special_positions_of_few_digits(digits, cut):
    def short(value):
        return f'{int(value * 10**digits) / 10**digits:.{digits}f}' if cut else f'{value:.{digits}f}'

    head = "_chemical_formula_sum Mg\n_cell_formula_units_Z 2\n_symmetry_space_group_name_H-M 'P 63/m m c'"
    text = cif(f'Mg1 Mg {short(1 / 3)} {short(2 / 3)} 0.25', head, (3.209, 3.209, 5.211, 90, 90, 120))
    assert told(text) == ('Mg', 23.24, 194)
    crystal, remarks = read(text)
    np.testing.assert_allclose(sorted(crystal.frac_coords[:, 0]), [1 / 3, 2 / 3], atol=1e-6)
    assert (len(remarks) == 1) == (digits < 5)
    assert all(remark.startswith('coordinates idealised: Mg1 moved by') for remark in remarks)


def test_thirds_of_two_digits_beside_others():
    head = "_space_group_name_H-M_alt 'P 63 m c'"
    text = cif('Zn1 Zn 0.33 0.67 0\nO1 O 0.33 0.67 0.3821', head, (3.25, 3.25, 5.21, 90, 90, 120))
    assert told(text) == ('ZnO', 11.91, 186)


def test_a_number_alone_means_the_standard_setting():
    text = cif('Li1 Li 0.1 0.25 0.3', '_symmetry_Int_Tables_number 62', (5, 6, 7))
    crystal, remarks = read(text)
    assert crystal.nsites == 4
    assert remarks == ['operations derived: of P n m a from the number 62: its standard setting']


def test_two_lists_of_operations():
    older = "_symmetry_equiv_pos_as_xyz 'x,y,z'\n"
    newer = 'loop_\n_space_group_symop_operation_xyz\nx,y,z\n-x,-y,-z\n'
    assert refusal(cif('Li1 Li 0.1 0.25 0.3', older + newer, (5,))) == 'group_mismatch'
    assert read(
        cif('Li1 Li 0.1 0.25 0.3', newer + newer.replace('space_group_symop_operation', 'symmetry_equiv_pos_as'), (5,))
    )


def test_a_structural_formula_alone_is_compared():
    text = cif(head=FM3M + "\n_chemical_formula_structural 'Na (O H)'")
    assert refusal(text) == 'formula_mismatch'
    assert told(text.replace('Na (O H)', 'Na Cl')) == ROCK_SALT


def test_a_general_position_near_a_special_one_is_left_there():
    head = "_symmetry_space_group_name_H-M 'P -1'"
    crystal, remarks = read(cif('H1 H 0.0410 0 0\nLi1 Li 0.5 0.5 0.5', head, (8,)))
    assert (crystal.counts, remarks) == ({'H': 2, 'Li': 1}, [])
    assert refusal(cif('Li1 Li 0.0100 0 0\nF1 F 0.5 0.5 0.5', head, (8,))) == 'atoms_too_close'


@pytest.mark.parametrize(
    'place', ['-0.5 1.5 0.5', '0.50 0.50 -0.50', '1/2 1/2 1/2', '.5 .5 +.5', '5.0e-1 0.5(2) 0.50(1)']
)
def test_coordinates_as_they_are_written(place):
    assert told(cif(f'Na1 Na 0. 0 -0.0\nCl1 Cl {place}')) == ROCK_SALT


@pytest.mark.parametrize('occupancy', ['1', '1.', '1.0', '.', '?', '1.0(2)', '1.000(5)', '0.9995', "'1.0'"])
def test_occupancies_of_one(occupancy):
    assert told(cif(f'Na1 Na 0 0 0 {occupancy}\nCl1 Cl 0.5 0.5 0.5 1', columns='occupancy')) == ROCK_SALT


@pytest.mark.parametrize(
    ('occupancy', 'kind'), [('0.5', 'partial occupancy'), ('2', 'partial occupancy'), ('-1', 'partial occupancy'),
                            ('nan', 'unreadable'), ('1e400', 'not finite'), ('0,5', 'unreadable'),
                            ('0.95(3)', 'partial occupancy')]
)  # fmt: skip
def test_other_occupancies(occupancy, kind):
    assert refusal(cif(f'Na1 Na 0 0 0 {occupancy}\nCl1 Cl 0.5 0.5 0.5 1', columns='occupancy')) == kind


def test_empty_and_dummy_sites_are_left_out():
    atoms = 'Na1 Na 0 0 0 1 .\nCl1 Cl 0.5 0.5 0.5 1 .\nLi1 Li 0.25 0.25 0.25 0 .\nC1 C 0.1 0.1 0.1 1 dum'
    crystal, remarks = read(cif(atoms, columns='occupancy calc_flag'))
    assert (crystal.formula, len(remarks)) == ('NaCl', 2)


@pytest.mark.parametrize(
    ('types', 'formula'),
    [
        (('Na1+', 'Cl1-'), 'NaCl'), (('Na+', 'Cl-'), 'NaCl'), (('NA', 'CL'), 'NaCl'), (('na', 'cl'), 'NaCl'),
        (('Fe2+', 'O2-'), 'FeO'), (('Fe+2', 'O-2'), 'FeO'), (('Li', 'D'), 'LiH'), (('Li', '2H'), 'LiH'),
        (('Na_pv', 'Cl'), 'NaCl'), (('Li', 'T'), 'LiH'), (('Co', 'O'), 'CoO'),
    ],
)  # fmt: skip
def test_type_symbols(types, formula):
    assert read(cif(f'A {types[0]} 0 0 0\nB {types[1]} 0.5 0.5 0.5'))[0].formula == formula


@pytest.mark.parametrize(
    ('labels', 'formula', 'found'),
    [
        (('Na1', 'Cl1'), '', 'NaCl'), (('Na', 'Cl2A'), '', 'NaCl'), (('CA1', 'O1'), 'Ca O', 'CaO'),
        (('NA1', 'CL1'), 'Na Cl', 'NaCl'), (('FeM1', 'OA1'), '', 'FeO'), (('Co1', 'O1'), '', 'CoO'),
        (('Mg(1)', 'O(1)'), '', 'MgO'), (('HO1', 'N1'), 'Ho N', 'HoN'), (('Ho1', 'N1'), '', 'HoN'), (('MGM1', 'O'),
        '', 'MgO'),
    ],
)  # fmt: skip
def test_elements_from_labels(labels, formula, found):
    head = f"{FM3M}\n_chemical_formula_sum '{formula}'" if formula else FM3M
    assert read(untyped(f'{labels[0]} 0 0 0\n{labels[1]} 0.5 0.5 0.5', head))[0].formula == found


@pytest.mark.parametrize(
    ('labels', 'kind'),
    [
        (('CA1', 'O1'), 'unclear_element'), (('Li1', 'OH1'), 'attached_hydrogens'), (('Li1', 'Ow1'),
        'attached_hydrogens'),
        (('Cl1', 'NH4'), 'attached_hydrogens'), (('Cl1', 'Wat1'), 'attached_hydrogens'), (('Li1', 'Qq1'),
        'no element data'),
        (('Li1', 'H2O'), 'attached_hydrogens'), (('Li1', 'Va1'), 'unreadable'), (('Li1', 'M1'), 'no element data'),
        (('Cl1', 'CH3'), 'attached_hydrogens'), (('Li1', 'OD'), 'attached_hydrogens'),
    ],
)  # fmt: skip
def test_labels_that_are_no_elements(labels, kind):
    assert refusal(untyped(f'{labels[0]} 0 0 0\n{labels[1]} 0.5 0.5 0.5')) == kind


LIOH = 'Li1 Li 0 0 0 {0}\nO1 O2- 0 0.5 0.19 {1}'


def test_hydrogens_without_sites():
    head = "_symmetry_space_group_name_H-M 'P 1'"
    cell = (3.55, 3.55, 4.33)
    attached = cif(LIOH.format(0, 1), head, cell, 'attached_hydrogens')
    assert refusal(attached) == 'attached_hydrogens'
    assert read(attached, 'attached_hydrogens')[0].formula == 'Li2O2'
    stated = cif(LIOH.format('', ''), f"{head}\n_chemical_formula_sum 'H Li O'", cell)
    assert refusal(stated) == 'formula_mismatch'
    crystal, remarks = read(stated, 'formula_mismatch')
    assert (crystal.counts, len(remarks)) == ({'Li': 1, 'O': 1}, 1)
    assert 'H Li O' in remarks[0]
    assert 'Li1 O1' in remarks[0]
    unplaced = cif(LIOH.format('', '') + '\nH1 H ? ? ?', head, cell)
    assert refusal(unplaced) == 'no_coordinates'
    # a hydroxyl whose hydrogen is listed
    full = untyped('Li1 0 0 0\nOH1 0 0.5 0.19\nH1 0 0.5 0.41', f"{head}\n_chemical_formula_sum 'H Li O'", cell)
    assert read(full)[0].counts == {'Li': 1, 'O': 1, 'H': 1}


@pytest.mark.parametrize(
    ('stated', 'kind'),
    [
        ("_chemical_formula_sum 'Na Cl2'", 'formula_mismatch'),
        ("_chemical_formula_sum 'Na Cl H0.01'", 'formula_mismatch'),
        ("_chemical_formula_sum 'Na4 Cl4'\n_cell_formula_units_Z 2", 'z_mismatch'),
        ("_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 2", 'z_mismatch'),
        ('_cell_volume 200', 'volume_mismatch'),
        ('_exptl_crystal_density_diffrn 2.05', 'density_mismatch'),
        ('_chemical_formula_weight 59.5\n_cell_formula_units_Z 4', 'weight_mismatch'),
    ],
)
def test_a_file_that_contradicts_itself(stated, kind):
    text = cif(head=f'{FM3M}\n{stated}')
    assert refusal(text) == kind
    crystal, remarks = read(text, kind)
    assert crystal.nsites == 8
    assert remarks[0].startswith(f'{kind}: ')


@pytest.mark.parametrize(
    'stated',
    [
        "_chemical_formula_sum 'Na4 Cl4'\n_cell_formula_units_Z 4", "_chemical_formula_sum NaCl",
        '_cell_volume 179.4(1)',
        "_chemical_formula_sum 'Cl1.00 Na1.00'", '_exptl_crystal_density_diffrn 2.2',
        '_exptl_crystal_density_diffrn 2164',
        '_exptl_crystal_density_meas 1.9', '_cell_volume ?', "_chemical_formula_sum 'see text'",
        '_chemical_formula_weight 58.44\n_cell_formula_units_Z 4', "_chemical_formula_sum 'NA CL'",
        "_chemical_formula_sum 'Na4 Cl4'\n_cell_formula_units_Z 4\n_chemical_formula_structural 'Na Cl'",
    ],
)  # fmt: skip
def test_a_file_that_does_not(stated):
    assert told(cif(head=f'{FM3M}\n{stated}')) == ROCK_SALT


def test_multiplicities():
    right = cif('Na1 Na 0 0 0 4\nCl1 Cl 0.5 0.5 0.5 4', columns='symmetry_multiplicity')
    assert told(right) == ROCK_SALT
    assert refusal(right.replace('0.5 4', '0.5 8')) == 'sites_mismatch'
    assert (
        refusal(right.replace('F m -3 m', 'P m -3 m').replace('symmetry_mult', 'site_symmetry_mult'))
        == 'sites_mismatch'
    )


def test_two_atoms_on_one_site():
    assert refusal(cif(f'{SALT}\nK1 K 0 0 0')) == 'atoms_too_close'
    assert refusal(cif(f'{SALT}\nNa2 Na 0 0.5 0.5')) == 'duplicate_sites'
    crystal, remarks = read(cif(f'{SALT}\nNa2 Na 0 0.5 0.5', f'{FM3M}\n{NACL}'))
    assert (crystal.counts, len(remarks)) == ({'Na': 4, 'Cl': 4}, 1)
    # that each site has one image says nothing of how many there are
    many = cif(
        'Po1 Po 0 0 0 1\nPo2 Po 0 0 0 1', "_symmetry_space_group_name_H-M 'P 1'", (3.35,), 'symmetry_multiplicity'
    )
    assert refusal(many) == 'duplicate_sites'
    assert refusal(cif(f'{SALT}\nK1 K 0.03 0 0')) == 'atoms_too_close'
    p1 = "_symmetry_space_group_name_H-M 'P 1'"
    assert refusal(cif('Po1 Po 0 0 0\nPo2 Po 1 0 0', p1, (3.35,))) == 'duplicate_sites'


@pytest.mark.parametrize(
    ('groups', 'kind'),
    [
        ('1 2', 'disordered'),
        ('-1 .', 'disordered'),
        ('A B', 'disordered'),
        ('. .', ''),
        ('0 0', ''),
        ('1 1', ''),
        ('? .', ''),
    ],
)
def test_disorder_groups(groups, kind):
    first, second = groups.split()
    text = cif(f'Na1 Na 0 0 0 {first}\nCl1 Cl 0.5 0.5 0.5 {second}', columns='disorder_group')
    assert refusal(text) == kind if kind else told(text) == ROCK_SALT


@pytest.mark.parametrize(
    ('cell', 'kind'),
    [
        ((-5.64,), 'no lattice'), ((0,), 'no lattice'), (('?',), 'no lattice'), (('5,64',), 'no lattice'),
        ((5, 5, 5, 90, 90, 180), 'no lattice'), ((5, 5, 5, 40, 40, 170), 'no lattice'), (('nan',), 'no lattice'),
        (("''",), 'no lattice'), (('1e300',), 'absurd cell'), ((0.5,), 'absurd cell'),
    ],
)  # fmt: skip
def test_impossible_cells(cell, kind):
    assert refusal(cif(cell=cell, head="_symmetry_space_group_name_H-M 'P 1'")) == kind


def test_a_large_cell_of_few_sites():
    crystal, _ = read(cif('Si1 Si 0.053 0.104 0.187', cell=(29.0,)))
    assert crystal.nsites == 192


def test_cells_as_they_are_written():
    assert told(cif(cell=('5.640(2)',))) == ROCK_SALT
    assert told(cif(cell=("'5.64'",))) == ROCK_SALT
    assert refusal(cif().replace('_cell_angle_gamma 90\n', '')) == 'no lattice'
    assert refusal(cif() + '\n_cell_length_a 6.0\n') == 'repeated_items'
    assert told(cif() + '\n_cell_length_a 5.64\n') == ROCK_SALT


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
    assert told(change(cif())) == ROCK_SALT


def test_items_without_a_loop():
    atoms = ''.join(
        f'_atom_site_{tag} {value}\n'
        for tag, value in {'label': 'Po1', 'type_symbol': 'Po', 'fract_x': 0, 'fract_y': 0, 'fract_z': 0}.items()
    )
    text = cif('', "_symmetry_space_group_name_H-M 'P m -3 m'", (3.35,)).partition('loop_')[0] + atoms
    assert told(text) == ('Po', 37.6, 221)


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
