"""Starting data of a CSV file: what is read, and what is refused with its line and column."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from aiida_inversedesign.campaign.load import parse_campaign
from aiida_inversedesign.campaign.replicates import mean_of, pooled_noise
from aiida_inversedesign.campaign.row import best_row, count_statuses
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.libraries.known import Known, KnownError, known_file, read_known

CAMPAIGN = """
name: brass
goal: {objectives: [{property: hardness, maximize: true, hit: 180}], constraints: [{property: elongation, min: 5}]}
space:
  kind: parameters
  variables:
    copper: {min: 0.5, max: 1}
    zinc: {min: 0, max: 0.5}
    temperature: {min: 250, max: 650, step: 25, unit: "°C"}
    Cooling Rate (K/s): {min: 1, max: 100}
    shape: {choices: [wire, sheet]}
  mixtures: [{variables: [copper, zinc], total: 1}]
evaluate: {engine: external, units: {hardness: HV, elongation: "%"}}
budget: {evaluations: 10}
"""
HEADINGS = 'copper,zinc,temperature (°C),Cooling Rate (K/s),shape,hardness (HV),elongation'


def read(*lines: str, headings: str = HEADINGS) -> Known:
    return read_known('\n'.join([headings, *lines]).encode(), 'data.csv', parse_campaign(CAMPAIGN))


def problems(*lines: str, headings: str = HEADINGS) -> list[str]:
    with pytest.raises(KnownError, match='nothing was recorded') as caught:
        read(*lines, headings=headings)
    return caught.value.problems


def test_rows_cost_nothing_and_are_not_counted() -> None:
    rows = read('0.6,0.4,400,10,wire,150 ± 3,8', '0.7,0.3,425,10,sheet,190,12').rows
    assert [(row.candidate, row.arm, row.generation, row.dft_calculations) for row in rows] == [
        ('known_0001', 'known', 0, 0),
        ('known_0002', 'known', 0, 0),
    ]
    assert rows[0].properties == {'hardness': 150, 'elongation': 8}
    assert rows[0].errors == {'hardness': 3}
    assert rows[1].hit is True
    assert not rows[1].is_distinct_hit
    assert count_statuses(rows) == {
        **dict.fromkeys(('total', 'completed', 'failed', 'hits', 'distinct_hits'), 0),
        'known': 2,
    }
    assert best_row(parse_campaign(CAMPAIGN).goal, rows) == rows[1]


def test_replicates_are_one_row_with_their_scatter() -> None:
    found = read(*(f'0.6,0.4,400,10,wire,{value},8' for value in (150, 156, 153)), '0.60,0.4,400.0,1e1,wire,,9')
    [row] = found.rows
    assert found.words == '1 points of 4 rows, replicates averaged'
    assert row.properties['hardness'] == pytest.approx(153)
    assert row.errors['hardness'] == pytest.approx(3 / math.sqrt(3))
    assert row.replicates['hardness'] == (3, pytest.approx(3))
    assert row.replicates['elongation'][0] == 4


def test_headings_as_published_and_other_columns() -> None:
    headings = '\ufeffCOPPER;zinc;Temperature [degC];cooling_rate (k/s);Shape;hardness;hardness_error;operator;'
    found = read('0.6;0.4;400;10;wire;150;2.5;me;', headings=headings)
    assert found.rows[0].errors == {'hardness': 2.5}
    assert found.remarks == ['columns that are not used: operator, column 9 without a heading']


def test_failures_and_rows_without_a_value() -> None:
    found = read(
        '0.6,0.4,400,10,wire,,,cracked',
        '0.7,0.3,400,10,wire,n/a,,',
        '0.8,0.2,400,10,wire,1,,',
        headings=HEADINGS + ',failed',
    )
    assert [(row.status, row.reason) for row in found.rows] == [('failed', 'cracked'), ('completed', '')]
    assert found.remarks == ['1 rows without a value of hardness or elongation are left out (line 3)']


@pytest.mark.parametrize(
    ('line', 'told'),
    [
        ('0.6,0.4,400,10,wire,"8,5",8', "line 2: hardness = '8,5' is not a number: a comma is not a decimal point"),
        ('0,6,0.4,400,10,wire,85,8', 'line 2: 8 cells for 7 columns; a decimal comma? write a point'),
        ('"0,6",0.4,400,10,wire,85,8', "line 2: copper = '0,6' is not a number: a comma is not a decimal point"),
        ('0.6,0.4,400,10,wire,85 GPa,8', "line 2: hardness is given in 'GPa'; the campaign has it in HV"),
        ('0.6,0.4,800,10,wire,85,8', 'line 2: temperature = 800 is outside 250 … 650: it lies outside of the space'),
        ('0.6,0.4,410,10,wire,85,8', 'line 2: temperature = 410 is not on its grid'),
        ('0.6,0.3,400,10,wire,85,8', 'line 2: copper + zinc = 0.9, not 1'),
        ('0.6,0.4,400,10,tube,85,8', 'line 2: shape = tube is not among wire, sheet'),
        ('0.6,,400,10,wire,85,8', 'line 2: no value of the variable zinc'),
        ('0.6,0.4,400,inf,wire,85,8', "line 2: Cooling Rate (K/s) = 'inf' is not a number"),
        ('0.6,0.4,400,10,wire,1e300,8', 'line 2: hardness = 1e300 is larger than 1e+100'),
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_column(line: str, told: str) -> None:
    [problem] = problems(line)
    assert problem.startswith(told)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_taken() -> None:
    found = problems('0.6,0.4,400,10,wire,x,8', '0.6,0.4,400,10,wire,150,8', '0.6,0.4,400,10,pipe,150,8')
    assert [text.partition(':')[0] for text in found] == ['line 2', 'line 4']


@pytest.mark.parametrize(
    ('headings', 'told'),
    [
        (HEADINGS + ',Zinc', "line 1: the column 'zinc' is there twice (columns 2 and 8): remove or rename one"),
        (
            HEADINGS.replace('zinc', 'zink'),
            "line 1: no column 'zinc' for the variable of that name; did you mean 'zink'?",
        ),
        (HEADINGS.replace('°C', 'K'), "line 1, column 3: temperature is given in 'K'; the campaign has it in °C"),
        ('copper,zinc,temperature,Cooling Rate (K/s),shape,yield', 'line 1: no column of the goal: add hardness or'),
    ],
)
def test_wrong_headings(headings: str, told: str) -> None:
    assert any(text.startswith(told) for text in problems('', headings=headings))


def test_empty_files_and_other_encodings() -> None:
    spec = parse_campaign(CAMPAIGN)
    for content, told in (
        (b'', 'the file is empty: the first line names the columns, e.g. `copper,zinc,'),
        (b'\n\n', 'the file is empty'),
        (HEADINGS.encode(), 'no row has a value of hardness or elongation'),
        (b'copper\xff\xff,zinc', 'data.csv line 1: not UTF-8 text'),
    ):
        with pytest.raises(KnownError) as caught:
            read_known(content, 'data.csv', spec)
        assert caught.value.problems[0].startswith(told)
    text = '\ufeff' + HEADINGS + '\n0.6,0.4,400,10,wire,150,8\n'
    assert len(read_known(text.encode('utf-16-le'), 'data.csv', spec).rows) == 1
    with pytest.raises(KnownError, match='cannot be read'):
        known_file('/nowhere/data.csv', spec)


CRYSTALS = """
name: oxides
goal: {objectives: [{property: bulk_modulus, maximize: true, hit: 200}]}
space: {elements: [Mg, O, Ca], ratios: ["1:1"]}
evaluate: {engine: table, data: some}
budget: {evaluations: 10}
"""


def rocksalt(metal: str, length: float) -> dict[str, Any]:
    lattice = [[0, length / 2, length / 2], [length / 2, 0, length / 2], [length / 2, length / 2, 0]]
    return {'lattice': lattice, 'species': [metal, 'O'], 'frac_coords': [[0, 0, 0], [0.5, 0.5, 0.5]]}


def as_csv(spec: CampaignSpec, *crystals: dict[str, Any]) -> Known:
    lines = ['lattice;species;frac_coords;bulk_modulus']
    lines += [
        ';'.join([*('"' + json.dumps(item[key]).replace('"', '""') + '"' for key in item), '150']) for item in crystals
    ]
    return read_known('\n'.join(lines).encode(), 'crystals.csv', spec)


def test_crystals_by_their_structures() -> None:
    spec = parse_campaign(CRYSTALS)
    found = as_csv(spec, rocksalt('Mg', 4.21), rocksalt('Ca', 4.81), rocksalt('Mg', 4.21))
    assert [(row.key, row.replicates['bulk_modulus'][0] if row.replicates else 1) for row in found.rows] == [
        ('MgO', 2),
        ('CaO', 1),
    ]
    with pytest.raises(KnownError, match='BaO has Ba: it lies outside of the space'):
        as_csv(spec, rocksalt('Ba', 5.5))
    with pytest.raises(KnownError, match='no column of structures: add a column "cif"'):
        read_known(b'formula,bulk_modulus\nMgO,160', 'crystals.csv', spec)


def test_molecules_by_their_smiles() -> None:
    pytest.importorskip('rdkit')
    spec = parse_campaign(
        'name: m\ngoal: {objectives: [{property: gap, minimize: true, hit: 3}]}\nspace: {kind: molecules}\n'
        'propose: {method: library, library: m.csv}\nevaluate: {engine: external, units: {gap: eV}}\n'
        'budget: {evaluations: 9}\n'
    )
    found = read_known(b'name;smiles;gap (eV)\nphenol;Oc1ccccc1;4.5\nagain;c1ccc(O)cc1;4.7\n', 'm.csv', spec)
    assert [(row.key, row.properties['gap']) for row in found.rows] == [('Oc1ccccc1', pytest.approx(4.6))]
    assert found.remarks == ['columns that are not used: name']
    with pytest.raises(KnownError, match='line 2: '):
        read_known(b'smiles,gap\nC(C,4.5\n', 'm.csv', spec)


def test_cifs_within_cells() -> None:
    cif = (
        'data_MgO\n_cell_length_a 4.21\n_cell_length_b 4.21\n_cell_length_c 4.21\n_cell_angle_alpha 90\n'
        "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n"
        '_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nMg 0 0 0\nO 0.5 0.5 0.5\n'
    )
    text = f'cif,bulk_modulus\n"{cif}",160\n"{cif}",x\n'
    spec = parse_campaign(CRYSTALS)
    with pytest.raises(KnownError) as caught:
        read_known(text.encode(), 'cifs.csv', spec)
    # the line in which the row begins
    assert caught.value.problems[0].startswith(f'line {3 + cif.count(chr(10))}: bulk_modulus')
    [row] = read_known(text.replace(',x', ',162').encode(), 'cifs.csv', spec).rows
    assert (row.key, row.properties['bulk_modulus']) == ('MgO', 161)


def test_the_pooled_variance_is_that_of_the_handbook() -> None:
    groups = [[1.0, 2.0, 4.0], [10.0, 10.5], [7.0]]
    noise = pooled_noise([[(value, 1, 0.0) for value in group] for group in groups])
    squares = sum((value - sum(group) / len(group)) ** 2 for group in groups for value in group)
    assert (noise.variance, noise.degrees) == (pytest.approx(squares / 3), 3)
    assert not noise.is_known
    means = [mean_of([{'value': value, 'unit': ''} for value in group]) for group in groups]
    whole = pooled_noise([[(item['value'], *item.get('replicates', (1, 0.0)))] for item in means])
    assert (whole.variance, whole.degrees) == (pytest.approx(noise.variance), 3)
    # two rows that speak of one point: within them and between them
    split = pooled_noise([[(1.5, 2, math.sqrt(0.5)), (4.0, 1, 0.0)], [(10.25, 2, math.sqrt(0.125))]])
    assert split.variance == pytest.approx(noise.variance)


CURVES = """
name: spectra
goal: {objectives: [{property: spectrum, functional: mean, range: [0, 4], maximize: true}]}
propose: {method: library, library: x}
evaluate: {engine: table, data: x, functions: {spectrum: {axis: energy, axis_unit: eV, first: 0, last: 4}}}
budget: {evaluations: 10}
"""
SALT = {
    'lattice': [[0, 3, 3], [3, 0, 3], [3, 3, 0]],
    'species': ['Na', 'Cl'],
    'frac_coords': [[0, 0, 0], [0.5, 0.5, 0.5]],
}
WITH_AXIS = {'axis': {'name': 'energy', 'unit': 'eV', 'grid': [0, 2, 4]}, 'values': [0, 6, 0]}


def spectra(*items: dict[str, Any], suffix: str = 'jsonl') -> Known:
    text = '\n'.join(json.dumps({**SALT, **item}) for item in items)
    return read_known(text.encode(), f'data.{suffix}', parse_campaign(CURVES))


def test_curves_of_json_lines_and_numbers_alone() -> None:
    other = {**SALT, 'lattice': [[0, 4, 4], [4, 0, 4], [4, 4, 0]]}
    found = spectra({'spectrum': [0, 2, 4, 2, 0]}, {'spectrum': WITH_AXIS}, {**other, 'spectrum_mean_0_to_4': 1.5})
    first, second = found.rows
    assert first.properties['spectrum_mean_0_to_4'] == pytest.approx(2.5)
    assert first.replicates['spectrum_mean_0_to_4'][0] == 2
    assert first.curves['spectrum'].at([0.0, 2.0]) == pytest.approx([0, 5])
    assert first.curves['spectrum'].name == 'spectrum'
    assert second.properties == {'spectrum_mean_0_to_4': 1.5}
    assert not second.curves
    assert found.remarks[0].startswith('1 of 2 points of the starting data have spectrum_mean_0_to_4 without the curve')


@pytest.mark.parametrize(
    ('item', 'told'),
    [
        ({'spectrum': [1, 2, 3], 'spectrum_mean_0_to_4': 2}, 'follows from the curve spectrum: leave one of them out'),
        ({'spectrum': 'high'}, "spectrum = 'high' is not JSON"),
        ({'spectrum': [1, None, 3]}, 'line 1: spectrum: the values'),
        ({'spectrum': {**WITH_AXIS, 'values': [1, 2]}}, '2 values on an axis of 3 points'),
        ({'spectrum': {'values': [1, 2]}}, 'expected {"name"'),
        (
            {'spectrum': {**WITH_AXIS, 'axis': {'name': 'energy', 'unit': 'Ry', 'grid': [0, 2, 4]}}},
            "differ in the unit of the axis energy: 'Ry' and 'eV'",
        ),
        (
            {'spectrum': {**WITH_AXIS, 'axis': {'name': 'energy', 'unit': 'eV', 'grid': [0, 1, 2]}}},
            'nothing is extrapolated',
        ),
    ],
)
def test_a_wrong_curve_is_told_with_its_line(item: dict[str, Any], told: str) -> None:
    with pytest.raises(KnownError) as caught:
        spectra(item)
    [problem] = caught.value.problems
    assert problem.startswith('line 1: ')
    assert told in problem


@pytest.mark.parametrize(
    ('text', 'told'), [('{"a": 1\n', 'line 1: not JSON'), ('[1]\n', 'line 1: expected an object'), ('', 'empty')]
)
def test_lines_that_are_not_objects_are_refused(text: str, told: str) -> None:
    with pytest.raises(KnownError, match=told):
        read_known(text.encode(), 'data.jsonl', parse_campaign(CURVES))
