"""CIFs as they are written: space groups, their settings and operations."""

from __future__ import annotations

import numpy as np
import pytest
from cif_texts import FM3M, NACL, ROCK_SALT, cif, read, refusal, summary

from aiida_inversedesign.libraries.cif.names import settings_of_name, settings_of_number


@pytest.mark.parametrize(
    'name',
    [
        'F m -3 m', 'Fm-3m', 'F m 3 m', 'Fm3m', 'FM-3M', 'f m -3 m', 'F_m_-3_m', 'F 4/m -3 2/m', "Fm\\bar{3}m",
        'F m 3- m', 'F m -3 m (225)', 'Fm-3m #225', 'F m −3 m', 'F m 3\u0304 m', 'F m -3 m :1',
    ],
)  # fmt: skip
def test_every_spelling_of_a_name(name):
    assert summary(cif(head=f'_symmetry_space_group_name_H-M "{name}"')) == ROCK_SALT


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
    assert summary(cif(head=head)) == ROCK_SALT


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
    assert summary(cif(f'Si1 Si {place} {place} {place}', head, (5.43,))) == ('Si', 20.01, 227)


@pytest.mark.parametrize('head', ["_space_group_name_H-M_alt 'F d -3 m'", '_space_group_IT_number 227'])
def test_an_origin_that_nothing_tells_is_refused(head):
    text = cif('Si1 Si 0 0 0', head, (5.43,))
    assert refusal(text) == 'ambiguous_setting'
    crystal, remarks = read(text, 'ambiguous_setting')
    assert crystal.nsites in (8, 16)
    assert remarks[0].startswith('ambiguous_setting: ')
    # a density tells it as well
    assert summary(cif('Si1 Si 0 0 0', f'{head}\n_exptl_crystal_density_diffrn 2.33', (5.43,))) == ('Si', 20.01, 227)


BISMUTH = "_chemical_formula_sum Bi\n_cell_formula_units_Z {z}\n_symmetry_space_group_name_H-M 'R -3 m{suffix}'"


@pytest.mark.parametrize('suffix', [':R', ' R', '', ':r'])
def test_rhombohedral_axes(suffix):
    cell = (4.746, 4.746, 4.746, 57.23, 57.23, 57.23)
    text = cif('Bi1 Bi 0.234 0.234 0.234', BISMUTH.format(z=2, suffix=suffix), cell)
    assert summary(text) == ('Bi', 35.38, 166)
    assert read(text)[0].nsites == 2


@pytest.mark.parametrize('suffix', [':H', ' H', '', ':h'])
def test_hexagonal_axes(suffix):
    cell = (4.546, 4.546, 11.862, 90, 90, 120)
    text = cif('Bi1 Bi 0 0 0.234', BISMUTH.format(z=6, suffix=suffix), cell)
    assert summary(text) == ('Bi', 35.38, 166)
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
        assert summary(cif(atoms, head)) == ROCK_SALT


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
    assert summary(text) == ('Mg', 23.24, 194)
    crystal, remarks = read(text)
    np.testing.assert_allclose(sorted(crystal.frac_coords[:, 0]), [1 / 3, 2 / 3], atol=1e-6)
    assert (len(remarks) == 1) == (digits < 5)
    assert all(remark.startswith('coordinates idealised: Mg1 moved by') for remark in remarks)


def test_thirds_of_two_digits_beside_others():
    head = "_space_group_name_H-M_alt 'P 63 m c'"
    text = cif('Zn1 Zn 0.33 0.67 0\nO1 O 0.33 0.67 0.3821', head, (3.25, 3.25, 5.21, 90, 90, 120))
    assert summary(text) == ('ZnO', 11.91, 186)


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
    assert summary(text.replace('Na (O H)', 'Na Cl')) == ROCK_SALT


def test_a_general_position_near_a_special_one_is_left_there():
    head = "_symmetry_space_group_name_H-M 'P -1'"
    crystal, remarks = read(cif('H1 H 0.0410 0 0\nLi1 Li 0.5 0.5 0.5', head, (8,)))
    assert (crystal.counts, remarks) == ({'H': 2, 'Li': 1}, [])
    assert refusal(cif('Li1 Li 0.0100 0 0\nF1 F 0.5 0.5 0.5', head, (8,))) == 'atoms_too_close'
