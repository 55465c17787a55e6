"""The campaign file: what is accepted, and what is said about what is not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.campaign.load import CampaignFileError, parse_campaign, read_campaign, validate_campaign
from aiida_inversedesign.campaign.spec import CampaignSettings

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
        ('budget.evaluations', True, 'budget.evaluations', 'expected a number, not true or false', None),
        ('goal.objectives.0.target', True, 'goal.objectives[0].target', 'expected a number, not true or false', None),
        ('seed', False, 'seed', 'expected a number, not true or false', None),
        ('goal.objectives.0.tolerance', ..., 'goal.objectives[0]', 'belong together', None),
        ('goal.objectives.0.tolerance', -1, 'goal.objectives[0].tolerance', 'greater than 0', None),
        ('goal.constraints.0.property', 'bandgap', 'goal.constraints[0].property', 'unknown', 'band_gap'),
        ('goal.constraints.0.min', float('nan'), 'goal.constraints[0].min', 'finite', None),
        (
            'goal.composition',
            [{'element': 'si', 'max': 0.2}],
            'goal.composition[0].element',
            'not a chemical symbol',
            'Si',
        ),
        (
            'goal.composition',
            [{'forbidden': ['PB']}],
            'goal.composition[0].forbidden[0]',
            'not a chemical symbol',
            'Pb',
        ),
        ('goal.composition', [{'element': 'Si'}], 'goal.composition[0]', 'needs min, max or both', None),
        ('goal.composition', [{'quantity': 'prise', 'max': 9}], 'goal.composition[0].quantity', 'price', 'price'),
        ('goal.constraints.0.element', 'Si', 'goal.constraints[0].element', 'belong in goal.composition', None),
        ('select', {'acquisition': 'logei'}, 'select.acquisition', 'log_ei', 'log_ei'),
        ('select', {'acquisition': 'log_nehvi'}, 'select.acquisition', 'several objectives', None),
        ('space.elements', ['B', 'si'], 'space.elements[1]', 'not a chemical symbol', 'Si'),
        ('space.ratios', ['2:2'], 'space.ratios[0]', "write '1:1'", None),
        ('space.ratios', ['1:1:1:1:1'], 'space.ratios[0]', 'needs 5 different elements', None),
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


CONTRADICTORY = """\
name: several-sections
learn: {surrogate: multitask}
evaluate:
  engine: quantumespresso
  slices: {give_up: true, steps: 8}
  pw: pw@localhost
  pseudos: debian-pbe
goal:
  objectives:
    - {property: toughness, maximize: true}
select: {acquisition: log_nehvi, schedule: asynchronous}
budget: {hits: 3, evaluations: 16, generations: 2}
space: {elements: [B, C]}
"""


@pytest.mark.parametrize(
    ('space', 'key', 'says'),
    [
        ({'elements': ['B'], 'ratios': ['1'], 'max_site': 8}, 'max_site', "did you mean 'max_sites'? Expected kind"),
        ({'kind': 'parameters', 'mixture': [], 'variables': {'x': {'values': [1, 2]}}}, 'mixture', "mean 'mixtures'?"),
        ({'kind': 'parameters', 'variables': {'x': {'choice': ['a', 'b']}}}, 'variables.x.choice', "mean 'choices'?"),
        ({'kind': 'parameters', 'variables': {'x': {'values': [1]}}, 'top_k': 3}, 'top_k', 'it belongs to propose'),
    ],
)  # fmt: skip
def test_an_unknown_key_of_a_space_is_answered_with_those_of_its_kind(space: Any, key: str, says: str) -> None:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign({**VALID, 'space': space})
    found = {problem.path: str(problem) for problem in caught.value.problems}
    assert says in found[f'space.{key}']


@pytest.mark.parametrize(
    ('key', 'section'),
    [
        ('window', 'goal.objectives'),
        ('property', 'goal.objectives or goal.constraints'),
        ('elements', 'goal.composition'),
        ('softness', 'screen'),
    ],
)
def test_a_key_belongs_to_what_is_within_its_section_before_other_sections(key: str, section: str) -> None:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(broken('goal', {**VALID['goal'], key: 1}))
    assert f'goal.{key} = 1: unknown key here: it belongs to {section}' in str(caught.value)


def test_a_key_of_another_kind_of_entry_belongs_to_the_sections_around_it_first() -> None:
    limit = {'property': 'band_gap', 'max': 2.0, 'window': [1, 2], 'softness': 0.1}
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(broken('goal', {**VALID['goal'], 'constraints': [limit]}))
    found = {problem.path: str(problem) for problem in caught.value.problems}
    assert 'it belongs to goal.objectives' in found['goal.constraints[0].window']
    assert 'it belongs to screen' in found['goal.constraints[0].softness']


def test_the_suggestion_stands_before_the_list() -> None:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(broken('select', {'acquisition': 'EI'}))
    (problem,) = caught.value.problems
    # a part of a name before a similar name (pi)
    assert str(problem).startswith(
        "select.acquisition = 'EI': there is no acquisition 'EI'; did you mean 'log_ei'? Installed are auto, random"
    )
    assert str(caught.value).startswith('campaign: 1 problem\n')


def told(text: str) -> list[tuple[str, str]]:
    """The places of all problems and what is said there, in their order."""
    with pytest.raises(CampaignFileError) as caught:
        parse_campaign(text)
    return [(problem.path, problem.expected) for problem in caught.value.problems]


def test_what_does_not_go_together_is_told_at_once_in_the_order_of_the_file() -> None:
    problems = told(CONTRADICTORY)
    places = [
        'learn.surrogate',
        'evaluate.slices.give_up',
        'goal.objectives[0].property',
        'select.acquisition',
        'budget.hits',
        'budget.generations',
        'space',
    ]
    assert [place for place, _ in problems] == places
    said = ['several properties', 'bounds formation_energy', 'unknown property', 'several objectives']
    said += ['needs a threshold', 'has no effect with select.schedule asynchronous', 'belong together']
    assert all(words in message for words, (_, message) in zip(said, problems, strict=True))
    # with the section mended that was wrong by itself, the others are told as before
    mended = CONTRADICTORY.replace('[B, C]}', '[B, C], ratios: [1]}')
    assert [place for place, _ in told(mended)] == places[:-1]


def test_wrong_values_hide_nothing_that_other_sections_say() -> None:
    text = CONTRADICTORY.replace('pw: pw@localhost', 'protocol: quick') + 'seed: -1\n'
    places = [place for place, _ in told(text)]
    # of a section that is wrong by itself nothing is said beside the others
    assert places == [
        'learn.surrogate',
        'evaluate.protocol',
        'evaluate.pw',
        'goal.objectives[0].property',
        'select.acquisition',
        'budget.hits',
        'budget.generations',
        'space',
        'seed',
    ]


@pytest.mark.parametrize(
    ('sections', 'places'),
    [
        (
            {'goal': {'objectives': [{'property': 'volume', 'hit': 2, 'target': 3}, {'property': 'energy'}]}},
            ['goal.objectives[0]', 'goal.objectives[0].hit', 'goal.objectives[1]'],
        ),
        (
            {'goal': {**VALID['goal'], 'composition': [{'element': 'Si', 'min': 4, 'max': 3}, {'forbidden': ['x']}]}},
            [
                'goal.composition[0]',
                'goal.composition[0].min',
                'goal.composition[0].max',
                'goal.composition[1].forbidden[0]',
            ],
        ),
        (
            {'space': {'elements': ['Xx', 'B', 'Yy'], 'ratios': ['2:2', 0], 'formulas': ['Si0', 'BN', '?']}},
            [
                'space.elements[0]',
                'space.elements[2]',
                'space.ratios[0]',
                'space.ratios[1]',
                'space.formulas[0]',
                'space.formulas[2]',
            ],
        ),
        (
            {'propose': {'method': 'library', 'renew': 3, 'generators': {'evolution': 1, 'magic': 1}}},
            ['propose.generators.magic'],
        ),
        (
            {'propose': {'method': 'library', 'renew': 3, 'generators': {'evolution': 1}}},
            ['propose.renew', 'propose.generators'],
        ),
        (
            {'evaluate': {'engine': 'ase', 'code': 'x', 'arguments': {'command': 'x', 'a': [1], 'b': {}}}},
            ['evaluate.arguments.a', 'evaluate.arguments.b'],
        ),
        (
            {'evaluate': {'engine': 'ase', 'code': 'x', 'arguments': {'command': 'x', 'b': '../x'}}},
            ['evaluate.arguments', 'evaluate.arguments.b'],
        ),
        (
            {'evaluate': {**VALID['evaluate'], 'spin': True, 'electronic_type': 'insulator'}},
            ['evaluate.spin'],
        ),
    ],
)
def test_a_section_tells_everything_at_once(sections: dict[str, Any], places: list[str]) -> None:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign({**sections, **{name: value for name, value in VALID.items() if name not in sections}})
    assert [problem.path for problem in caught.value.problems] == places


def test_an_engine_is_not_asked_for_what_it_does_not_compute() -> None:
    data = broken('evaluate', {'engine': 'ase', 'code': 'python@localhost'})
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(data)
    assert [str(problem) for problem in caught.value.problems] == [
        "goal.constraints[0].property = 'band_gap': the engine ase does not compute it: quantumespresso does"
    ]


@pytest.mark.parametrize(
    ('name', 'says'), [('../model.npz', 'leads out of the folder'), ('no.npz', 'there is no file')]
)
def test_a_model_that_cannot_be_read_is_told_with_the_rest(tmp_path: Path, name: str, says: str) -> None:
    file = tmp_path / 'campaign.yaml'
    file.write_text(CONTRADICTORY + f'propose: {{model: {name}}}\n')
    with pytest.raises(CampaignFileError) as caught:
        read_campaign(file)
    assert [problem.path for problem in caught.value.problems][-2:] == ['space', 'propose.model']
    assert says in caught.value.problems[-1].expected


def test_what_was_recorded_is_read_as_it_is() -> None:
    # a later version may ask for more than the one that launched it
    settings = validate_campaign(VALID).settings()
    settings['learn']['surrogate'] = 'multitask'
    settings['goal']['constraints'] = []
    assert CampaignSettings.model_validate(settings).learn.surrogate == 'multitask'


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
