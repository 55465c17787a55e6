"""The campaign file: what is accepted, and what is said about what is not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.campaign.load import CampaignFileError, parse_campaign, read_campaign, validate_campaign

WORKFLOWS = sorted((Path(__file__).parents[2] / 'workflows').glob('*.yaml'))

VALID: dict[str, Any] = {
    'name': 'lattice-matched-to-silicon',
    'goal': {
        'objectives': [{'property': 'lattice_constant', 'target': 5.43, 'tolerance': 0.06}],
        'constraints': [{'property': 'band_gap', 'min': 0.2}],
    },
    'space': {'elements': ['B', 'C', 'N', 'Si'], 'ratios': ['1', '1:1']},
    'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'debian-pbe'},
    'budget': {'evaluations': 16},
}


def broken(path: str, value: Any) -> dict[str, Any]:
    """A valid campaign with one value replaced, or removed if ``value`` is ``...``."""
    data = copy.deepcopy(VALID)
    target: Any = data
    *parents, last = [int(part) if part.isdigit() else part for part in path.split('.')]
    for part in parents:
        target = target[part]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return data


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_that_comes_with_the_package_is_valid(path: Path) -> None:
    assert read_campaign(path).budget.evaluations > 0


def test_a_valid_file_keeps_its_values_and_fills_in_defaults() -> None:
    spec = validate_campaign(VALID)
    assert spec.goal.objectives[0].hit_range == pytest.approx((5.37, 5.49))
    assert spec.goal.properties == ['lattice_constant', 'band_gap']
    assert spec.evaluate.eos_points == 7
    assert 'budget' not in spec.settings()


@pytest.mark.parametrize(
    ('path', 'value', 'where', 'says', 'nearest'),
    [
        ('goal.objectives.0.property', 'latice_constant', 'goal.objectives[0].property', 'unknown', 'lattice_constant'),
        ('goal.objectives.0.maximise', True, 'goal.objectives[0].maximise', 'unknown key', 'maximize'),
        ('goal.objectives.0.tolerance', ..., 'goal.objectives[0]', 'belong together', None),
        ('goal.objectives.0.tolerance', -1, 'goal.objectives[0].tolerance', 'greater than 0', None),
        ('goal.constraints.0.property', 'bandgap', 'goal.constraints[0].property', 'unknown', 'band_gap'),
        ('goal.constraints.0.min', float('nan'), 'goal.constraints[0].min', 'finite', None),
        (
            'goal.composition',
            [{'element': 'si', 'max': 0.2}],
            'goal.composition[0].element',
            'no chemical symbol',
            'Si',
        ),
        ('goal.composition', [{'forbidden': ['PB']}], 'goal.composition[0].forbidden', 'no chemical symbol', 'Pb'),
        ('goal.composition', [{'element': 'Si'}], 'goal.composition[0]', 'needs min, max or both', None),
        ('goal.composition', [{'quantity': 'prise', 'max': 9}], 'goal.composition[0].quantity', 'price', 'price'),
        ('goal.constraints.0.element', 'Si', 'goal.constraints[0].element', 'stand in goal.composition', None),
        ('select', {'acquisition': 'logei'}, 'select.acquisition', 'log_ei', 'log_ei'),
        ('select', {'acquisition': 'log_nehvi'}, '', 'several objectives', None),
        ('space.elements', ['B', 'si'], 'space.elements', 'no chemical symbol', 'Si'),
        ('space.ratios', ['2:2'], 'space.ratios', "write '1:1'", None),
        ('space.ratios', ['1:1:1:1:1'], 'space', 'needs 5 different elements', None),
        ('space.ratios', ..., 'space', 'belong together', None),
        ('evaluate.engine', 'qe', 'evaluate.engine', 'quantumespresso', None),
        ('evaluate.engine', 'tables', 'evaluate.engine', 'table', 'table'),
        ('evaluate.protocol', 'fastt', 'evaluate.protocol', 'fast', 'fast'),
        ('evaluate.pseudo', 'x', 'evaluate.pseudo', 'unknown key', 'pseudos'),
        ('evaluate.pw', ..., 'evaluate.pw', 'is missing', None),
        ('budget', ..., 'budget', 'is missing', None),
        ('budget.evaluations', 0, 'budget.evaluations', 'greater than or equal to 1', None),
        ('budget.evaluation', 5, 'budget.evaluation', 'unknown key', 'evaluations'),
        ('seed', -1, 'seed', 'greater than or equal to 0', None),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_the_nearest_word(
    path: str, value: Any, where: str, says: str, nearest: str | None
) -> None:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(broken(path, value))
    problem = caught.value.problems[0]
    assert problem.path == where
    assert says in problem.expected
    assert problem.nearest == nearest


def test_what_an_acquisition_cannot_serve_is_refused_before_anything_runs() -> None:
    data = broken('goal.objectives', [{'property': 'bulk_modulus', 'maximize': True}])
    data['select'] = {'acquisition': 'spacier'}
    with pytest.raises(CampaignFileError, match='a region to move towards'):
        validate_campaign(data)
    data['goal']['objectives'].append({'property': 'density', 'minimize': True})
    data['select'] = {'acquisition': 'knowledge_gradient'}
    with pytest.raises(CampaignFileError, match='for one objective'):
        validate_campaign(data)


def test_a_space_without_any_allowed_element_is_refused() -> None:
    data = broken('goal.composition', [{'forbidden': ['B', 'C', 'N', 'Si']}])
    with pytest.raises(CampaignFileError, match='nothing is left to propose'):
        validate_campaign(data)


def test_all_problems_are_reported_at_once() -> None:
    data = broken('evaluate.protocol', 'quick')
    data['budget']['evaluations'] = 'many'
    data['colour'] = 'red'
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(data)
    assert {problem.path for problem in caught.value.problems} == {'evaluate.protocol', 'budget.evaluations', 'colour'}


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('', 'empty'),
        ('- a list', 'it is a list'),
        ('goal: [', 'not valid YAML'),
        ('seed: 1\nseed: 2', "'seed' is given twice"),
        ('name: !!python/object/apply:os.system ["true"]', 'could not determine a constructor'),
        ('? [a, b]\n: c', 'a key must be a word'),
        ('a: ' + '[' * 5000, 'nested too deeply'),
    ],
)
def test_what_is_no_campaign_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(CampaignFileError, match=says):
        parse_campaign(text)


def test_ratios_and_formulas_are_read_as_they_are_written() -> None:
    text = 'space: {elements: [N, O, Si], ratios: [1, 2:1], formulas: [NO]}'
    import yaml

    rest = {key: value for key, value in VALID.items() if key != 'space'}
    space = parse_campaign(yaml.safe_dump(rest) + text).space
    assert space.ratios == ['1', '2:1']
    assert space.formulas == ['NO']


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(CampaignFileError, match='cannot be read'):
        read_campaign(tmp_path / 'none.yaml')


def test_a_data_set_may_bring_properties_but_not_without_a_unit() -> None:
    data = copy.deepcopy(VALID)
    data['goal'] = {'objectives': [{'property': 'K_VRH', 'maximize': True}]}
    data['evaluate'] = {'engine': 'table', 'data': 'elastic'}
    with pytest.raises(CampaignFileError, match='declare its unit'):
        validate_campaign(data)
    data['evaluate']['units'] = {'K_VRH': 'GPa'}
    assert validate_campaign(data).unit('K_VRH') == 'GPa'


def test_a_budget_of_hits_needs_a_threshold() -> None:
    data = broken('goal.objectives.0', {'property': 'bulk_modulus', 'maximize': True})
    data['budget']['hits'] = 2
    with pytest.raises(CampaignFileError, match='needs a threshold'):
        validate_campaign(data)


def test_answers_of_the_data_set_are_no_source_of_what_is_learned() -> None:
    data = copy.deepcopy(VALID)
    data['goal'] = {'objectives': [{'property': 'formation_energy', 'minimize': True}]}
    data['propose'] = {'library': 'alloys'}
    data['learn'] = {'surrogate': 'transfer', 'source': ['formation_energy']}
    data['evaluate'] = {'engine': 'table', 'data': 'alloys'}
    with pytest.raises(CampaignFileError, match='holds its answers'):
        validate_campaign(data)
    # another data set of the same property is what transfer is for
    data['propose'] = {'library': 'others'}
    assert validate_campaign(data).learn.source == ['formation_energy']
