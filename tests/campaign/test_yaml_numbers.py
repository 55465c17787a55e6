"""Numbers of campaign files: what the author meant, or an error with line and key."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from aiida_inversedesign.campaign.load import parse_campaign, read_campaign
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.campaign.text.problems import CampaignFileError

FILE = """name: numbers
seed: {seed}
goal:
  objectives:
    - {{property: lattice_constant, target: {target}, tolerance: 0.08}}
space:
  elements: {elements}
  ratios: ["1", "1:1"]
propose: {{library: aflow}}
evaluate: {{engine: ase, code: pyase@localhost, calculator: emt}}
budget:
  evaluations: {evaluations}
"""


def written(seed: str = '1', target: str = '5.4', elements: str = '[Cu, Ni]', evaluations: str = '6') -> str:
    return FILE.format(seed=seed, target=target, elements=elements, evaluations=evaluations)


def read(**values: str) -> CampaignSpec:
    return parse_campaign(written(**values))


@pytest.mark.parametrize(
    ('text', 'number'),
    [
        *(('.5', 0.5), ('5.', 5.0), ('+.5', 0.5), ('5e-1', 0.5), ('1e-3', 1e-3), ('5E+1', 50.0), ('1_000.5', 1000.5)),
        *(('05.4', 5.4), ('"5.4"', 5.4), ('+5', 5.0), ('5', 5.0), ('1e2', 100.0)),
    ],
)
def test_targets(text: str, number: float) -> None:
    assert read(target=text).goal.objectives[0].target == number


@pytest.mark.parametrize(
    ('text', 'number'), [('6.0', 6), ('1_000', 1000), ('1e3', 1000), ('+5', 5), ('0', 0), ('"010"', 10)]
)
def test_whole_numbers(text: str, number: int) -> None:
    assert read(seed=text).seed == number


@pytest.mark.parametrize('elements', ['[No, Y]', '[N, O]', '[Y, N, Os]', '["No", N]'])
def test_elements_that_yaml_takes_for_truth_values(elements: str) -> None:
    assert read(elements=elements).space.elements[-1] in ('Y', 'O', 'Os', 'N')


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('010', 'seed = 010 begins with a zero: write 10'),
        ('08', 'seed = 08 begins with a zero: write 8'),
        ('007', 'write 7'),
        ('-010', 'write -10'),
        ('0_1', 'begins with a zero'),
        ('0o10', "seed = '0o10': expected a number: write the decimal number 8"),
        ('0x1F', 'write the decimal number 31'),
        ('0b11', 'write the decimal number 3'),
        ('1:30', 'a number with colons'),
        ('190:20:30', 'a number with colons'),
        ('2024-01-01', 'a date'),
        ('1,000', 'write 1.000 or 1000'),
        ('6,5', 'write 6.5'),
        ('1 000', 'write it without separators: 1000'),
        ("1'000", 'write it without separators: 1000'),
        ('−5', 'write -5'),
        ('１２', 'write 12'),
        ('\t5', r'line 2, column 7 \(seed\).*a tab'),
        ('5\t', r'line 2, column 8 \(seed\).*a tab'),
        ('1e400', 'too large'),
        ('yes', 'valid integer'),
    ],
)
def test_seeds_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(CampaignFileError, match=why) as caught:
        read(seed=text)
    assert 'line 2' in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'why'),
    [
        ('5,47', 'target = 5,47: a comma is not a decimal point: write 5.47'),
        ('0,08', 'target = 0,08: .*write 0.08'),
        ('-5,4', 'write -5.4'),
        ('"5,4"', 'goal.objectives.0..target.*write 5.4'),
        ('"1.234,5"', 'goal.objectives.0..target'),
        ('5.4 Å', 'write the number without its unit'),
        ('12 GPa', 'without its unit.*: 12'),
        ('5.4(2)', 'without its uncertainty: 5.4'),
        ('5.4 ± 0.2', 'without its uncertainty: 5.4'),
        ('5d-1', 'write 5e-1'),
        ('−5.4', 'write -5.4'),
        ('<5', 'write a number alone'),
        ('½', 'valid number'),
        ('1:30.5', 'a number with colons'),
        ('.inf', 'finite'),
        ('.nan', 'finite'),
        ('nan', 'finite'),
        ('1e999', 'too large'),
        ('1e251', 'between -1e.100 and 1e.100'),
        ('true', 'not true or false'),
    ],
)
def test_targets_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(CampaignFileError, match=why) as caught:
        read(target=text)
    assert 'line 5' in str(caught.value)


def test_lists_of_decimal_commas() -> None:
    text = 'name: x\nspace: {variables: {x: {values: [0,5, 1,0, 1,5]}}}\n'
    with pytest.raises(CampaignFileError, match=r'line 2: values = \[0,5, …\]: .*write 0.5'):
        parse_campaign(text)
    with pytest.raises(CampaignFileError, match='is missing'):
        parse_campaign(text.replace('0,5, 1,0, 1,5', '0, 5, 1, 0, 1, 5'))


@pytest.mark.parametrize(
    'content',
    [
        codecs.BOM_UTF8 + written(seed='7').encode(),
        written(seed='7').encode('utf-16'),
        codecs.BOM_UTF16_BE + written(seed='7').encode('utf-16-be'),
        written(seed='7').replace('\n', '\r\n').encode(),
    ],
)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'campaign.yaml'
    path.write_bytes(content)
    assert read_campaign(path).seed == 7


def test_lines_are_those_of_the_key() -> None:
    with pytest.raises(CampaignFileError) as caught:
        parse_campaign(written(evaluations='six', elements='[Cu,\n    Xx]'))
    assert [(item.line, item.path) for item in caught.value.problems] == [
        (8, 'space.elements[1]'),
        (13, 'budget.evaluations'),
    ]


@pytest.mark.parametrize('name', ['c_deccomma', 'o_octal010', 't-huge'])
def test_shared_cases(shared: Path, name: str) -> None:
    path = shared / 'cases' / 'campaigns' / f'{name}.yaml'
    if not path.exists():
        pytest.skip('no such case')
    with pytest.raises(CampaignFileError, match=r'write 5.47|write 10|1e\+100') as caught:
        read_campaign(path)
    assert 'line ' in str(caught.value)
