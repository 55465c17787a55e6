"""Relaxations in slices: what the campaign file may say, and which bound of the goal a relaxation is held against."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from aiida_inversedesign.campaign.costs.budget import Limits
from aiida_inversedesign.campaign.costs.budget_of_stream import most_of_one
from aiida_inversedesign.campaign.demands import energy_limit
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.engines.quantumespresso.descriptor import ENGINE
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso

VALID: dict[str, Any] = {
    'name': 'light',
    'goal': {
        'objectives': [{'property': 'bulk_modulus', 'maximize': True}],
        'constraints': [{'property': 'formation_energy', 'max': 0.1}],
    },
    'space': {'elements': ['B', 'C', 'N'], 'ratios': ['1:1']},
    'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'debian-pbe', 'slices': {'steps': 8}},
    'budget': {'evaluations': 16},
}


def with_slices(slices: Any, constraints: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    data = copy.deepcopy(VALID)
    data['evaluate']['slices'] = slices
    if constraints is not None:
        data['goal']['constraints'] = constraints
    return data


def test_slices_are_off_unless_named() -> None:
    data = copy.deepcopy(VALID)
    del data['evaluate']['slices']
    settings = validate_campaign(data)
    assert settings.evaluate.slices is None
    assert energy_limit(settings) is None


def test_defaults() -> None:
    settings = validate_campaign(VALID)
    assert settings.evaluate.slices.model_dump() == {'steps': 8, 'at_most': 12, 'give_up': None, 'margin': 0.05}
    assert energy_limit(settings) == {'value': 0.1, 'condition': 'formation_energy of at most 0.1 eV/atom'}


@pytest.mark.parametrize(
    ('slices', 'where', 'says', 'nearest'),
    [
        ({}, 'evaluate.slices.steps', 'is missing', None),
        ({'steps': 1}, 'evaluate.slices.steps', 'greater than or equal to 2', None),
        ({'steps': 8, 'at_most': 1}, 'evaluate.slices.at_most', 'greater than or equal to 2', None),
        ({'steps': 8, 'margin': -0.1}, 'evaluate.slices.margin', 'greater than or equal to 0', None),
        ({'steps': 8, 'margin': float('inf')}, 'evaluate.slices.margin', 'finite', None),
        ({'step': 8}, 'evaluate.slices.step', 'unknown key', 'steps'),
        ({'steps': 8, 'give_up': 'perhaps'}, 'evaluate.slices.give_up', 'boolean', None),
    ],
)
def test_a_wrong_value_is_named_with_its_place(slices: Any, where: str, says: str, nearest: str | None) -> None:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(with_slices(slices))
    found = {problem.path: problem for problem in caught.value.problems}
    assert says in found[where].expected
    assert found[where].nearest == nearest


def test_giving_up_needs_a_bound_from_above() -> None:
    for constraints in ([], [{'property': 'formation_energy', 'min': -1.0}], [{'property': 'band_gap', 'max': 1.0}]):
        with pytest.raises(CampaignFileError, match='needs a goal that bounds formation_energy'):
            validate_campaign(with_slices({'steps': 8, 'give_up': True}, constraints))
        settings = validate_campaign(with_slices({'steps': 8}, constraints))
        assert energy_limit(settings) is None
    assert energy_limit(validate_campaign(with_slices({'steps': 8, 'give_up': False}))) is None


def test_only_pw_relaxes_in_slices() -> None:
    data = copy.deepcopy(VALID)
    data['evaluate'] = {'engine': 'ase', 'code': 'python@localhost', 'slices': {'steps': 8}}
    with pytest.raises(CampaignFileError, match='unknown key'):
        validate_campaign(data)


@pytest.mark.parametrize(
    ('objectives', 'constraints', 'limit'),
    [
        ([{'property': 'formation_energy', 'minimize': True}], [], None),
        ([{'property': 'formation_energy', 'minimize': True, 'hit': -0.2}], [], -0.2),
        ([{'property': 'formation_energy', 'maximize': True, 'hit': -0.2}], [], None),
        ([{'property': 'formation_energy', 'window': [-0.5, 0.0]}], [], 0.0),
        ([{'property': 'formation_energy', 'target': -0.3, 'tolerance': 0.1}], [], pytest.approx(-0.2)),
        ([{'property': 'band_gap', 'maximize': True}], [{'property': 'e_above_hull', 'max': 0.1}], 0.1),
        ([{'property': 'band_gap', 'maximize': True}], [{'property': 'e_above_hull', 'min': 0.0}], None),
        # of several the lowest
        (
            [{'property': 'e_above_hull', 'minimize': True, 'hit': 0.05}],
            [{'property': 'formation_energy', 'max': -0.1}],
            -0.1,
        ),
    ],
)
def test_the_bound_of_a_goal(
    objectives: list[dict[str, Any]], constraints: list[dict[str, Any]], limit: float | None
) -> None:
    found = Goal.model_validate({'objectives': objectives, 'constraints': constraints}).energy_limit
    assert (found and found[0]) == limit


def test_a_stream_reserves_every_slice_that_an_evaluation_may_take() -> None:
    section = QuantumEspresso(**VALID['evaluate'], max_restarts=1)
    assert most_of_one(ENGINE.most_jobs(section, ['volume']), 3600, 1) == Limits(24, 24.0)
    assert ENGINE.most_jobs(section, ['bulk_modulus']).charged == (12 + 7) * 2
    whole = section.model_copy(update={'slices': None})
    assert ENGINE.most_jobs(whole, ['volume']).charged == 4
