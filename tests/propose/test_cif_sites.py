"""CIFs as they are written: cells, coordinates, occupancies and elements, and what contradicts itself."""

from __future__ import annotations

import pytest
from cif_texts import FM3M, NACL, ROCK_SALT, SALT, cif, read, refusal, summary, untyped


@pytest.mark.parametrize(
    'place', ['-0.5 1.5 0.5', '0.50 0.50 -0.50', '1/2 1/2 1/2', '.5 .5 +.5', '5.0e-1 0.5(2) 0.50(1)']
)
def test_coordinates_as_they_are_written(place):
    assert summary(cif(f'Na1 Na 0. 0 -0.0\nCl1 Cl {place}')) == ROCK_SALT


@pytest.mark.parametrize('occupancy', ['1', '1.', '1.0', '.', '?', '1.0(2)', '1.000(5)', '0.9995', "'1.0'"])
def test_occupancies_of_one(occupancy):
    assert summary(cif(f'Na1 Na 0 0 0 {occupancy}\nCl1 Cl 0.5 0.5 0.5 1', columns='occupancy')) == ROCK_SALT


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
    assert summary(cif(head=f'{FM3M}\n{stated}')) == ROCK_SALT


def test_multiplicities():
    right = cif('Na1 Na 0 0 0 4\nCl1 Cl 0.5 0.5 0.5 4', columns='symmetry_multiplicity')
    assert summary(right) == ROCK_SALT
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
    assert refusal(text) == kind if kind else summary(text) == ROCK_SALT


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
    assert summary(cif(cell=('5.640(2)',))) == ROCK_SALT
    assert summary(cif(cell=("'5.64'",))) == ROCK_SALT
    assert refusal(cif().replace('_cell_angle_gamma 90\n', '')) == 'no lattice'
    assert refusal(cif() + '\n_cell_length_a 6.0\n') == 'repeated_items'
    assert summary(cif() + '\n_cell_length_a 5.64\n') == ROCK_SALT
