"""The screen ``rules``: which candidates obey, what is said of the others, and settings that cannot be kept."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.explain.hits import as_screen
from aiida_inversedesign.explain.learned import ExplainError
from aiida_inversedesign.screen.apply import screened
from aiida_inversedesign.spaces.parameters.point import Point

FILE: dict[str, Any] = {
    'name': 'rules',
    'goal': {'objectives': [{'property': 'energy', 'minimize': True}]},
    'space': {
        'kind': 'parameters',
        'variables': {
            'n': {'min': 6, 'max': 12},
            'dose': {'min': 1, 'max': 100, 'scale': 'log'},
            'shape': {'choices': ['round', 'square']},
        },
    },
    'evaluate': {'engine': 'table', 'data': 'none'},
}


def judged(points: list[dict[str, Any]], **settings: Any) -> list[Any]:
    spec = CampaignSettings.model_validate({**FILE, 'screen': {'rules': settings}})
    contents = [Point(values) for values in points]
    found = screened([Candidate('', point.key, point, 'sobol') for point in contents], spec)
    return [item.verdicts['rules'] for item in found]


def test_the_first_rule_that_is_obeyed() -> None:
    points = [
        {'n': 8, 'dose': 10.0, 'shape': 'round'},
        {'n': 7.9, 'dose': 10.0, 'shape': 'round'},
        {'n': 7.9, 'dose': 20.0, 'shape': 'square'},
        {'n': 12, 'dose': 10.1, 'shape': 'square'},
    ]
    rules = [{'n': {'min': 8}, 'dose': {'max': 10}}, {'shape=square': {'min': 1}, 'n': {'max': 8}}]
    first, below, second, none = judged(points, any=rules)
    assert (first.passed, first.value) == (True, 1)
    assert (second.passed, second.value) == (True, 2)
    assert (below.passed, below.value) == (False, None)
    assert below.reason == 'obeys no rule: 1: n = 7.9 is below 8; 2: shape=square = 0 is below 1'
    assert not none.passed
    # values on a logarithmic scale are compared in their own unit, without noise in the last digit
    assert 'dose = 10.1 is above 10' in none.reason
    assert all(verdict.passed for verdict in judged(points, any=rules, reject=False))
    assert judged(points, any=rules, reject=False)[1].reason == below.reason


@pytest.mark.parametrize(
    ('rules', 'where', 'says'),
    [
        ([{'nn': {'min': 8}}], 'screen.rules.any', "'nn' is not a descriptor of this space"),
        ([{'n': {'min': 13}}], 'screen.rules.any', 'the variable n is between 6 and 12'),
        ([{'n': {'min': 9, 'max': 8}}], 'screen.rules.any', 'no number is at least 9 and at most 8'),
        ([{'n': {}}], 'screen.rules.any', 'needs min, max or both'),
        ([{}], 'screen.rules.any', 'at least 1'),
        ([], 'screen.rules.any', 'at least 1'),
    ],
)
def test_rules_that_cannot_be_kept(rules: Any, where: str, says: str) -> None:
    with pytest.raises(InverseDesignError) as error:
        validate_campaign({**FILE, 'budget': {'evaluations': 5}, 'screen': {'rules': {'any': rules}}})
    assert where in str(error.value)
    assert says in str(error.value)


def rule(p_value: float, *conditions: tuple[str, str, float]) -> dict[str, Any]:
    listed = [{'descriptor': name, 'side': side, 'threshold': value} for name, side, value in conditions]
    return {'conditions': listed, 'p_value': p_value, 'sentence': 'Points are hits.'}


def test_rules_as_a_section() -> None:
    found = {
        'rules': [
            rule(0.005, ('n', '≥', 7), ('n', '≥', 8), ('n', '≤', 11)),
            rule(0.2, ('dose', '≤', 10)),
            rule(0.005, ('estimated_energy', '≤', 10)),
        ]
    }
    section, remarks = as_screen(found)
    assert section == {'rules': {'any': [{'n': {'min': 8, 'max': 11}}]}}
    assert [text.split(':')[0] for text in remarks] == [
        '1. Points are hits. p = 0.005.',
        'left out, chance finds such rules too',
        'left out, estimated_energy is known only after the potential',
    ]
    with pytest.raises(ExplainError, match='chance finds such rules too'):
        as_screen({'rules': found['rules'][1:]})
