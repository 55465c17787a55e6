"""What is learned from an earlier campaign, what is refused, and that an unrelated one does little harm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.load import parse_campaign
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.text.problems import CampaignFileError
from aiida_inversedesign.learn.earlier import (
    EarlierCampaign,
    EarlierError,
    earlier_priors,
    foreseen,
    source_tasks,
    tasks_of,
)
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.learn.models.transfer import Prior
from aiida_inversedesign.spaces.parameters.point import Point


def campaign(name: str = 'later', earlier: Any = (), unit: str = 'J', prop: str = 'toughness', **space: Any) -> Any:
    """Settings of a campaign on two variables."""
    variables = {'a': {'min': 0, 'max': 1}, 'b': {'min': 0, 'max': 1}}
    return CampaignSettings.model_validate(
        {
            'name': name,
            'goal': {'objectives': [{'property': prop, 'maximize': True}]},
            'space': {'kind': 'parameters', 'variables': variables, **space},
            'propose': {'method': 'library', 'library': 'data'},
            'learn': {'from': list(earlier)},
            'evaluate': {'engine': 'table', 'data': 'data', 'units': {prop: unit}},
        }
    )


def rows_of(number: int, seed: int = 0, prop: str = 'toughness', shift: float = 0.0) -> list[EvaluationRow]:
    """Points with a smooth value, 5 shifted and 2 times as steep in the later campaign."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(number):
        a, b = rng.random(2)
        value = 10 * np.sin(5 * a) + 8 * np.cos(7 * b) + shift
        point = Point({'a': float(a), 'b': float(b)})
        found.append(
            EvaluationRow(f'c{place}', 1, 'initial', point.key, 'completed', point, properties={prop: float(value)})
        )
    return found


def error(surrogate: Any, spec: Any, rows: list[EvaluationRow]) -> float:
    mean, _ = surrogate.predict(spec.space, [row.proposed for row in rows], [None] * len(rows))['toughness']
    return float(np.abs(mean - [row.properties['toughness'] for row in rows]).mean())


def fitted(rows: list[EvaluationRow], earlier: list[EvaluationRow] | None) -> Any:
    given = [] if earlier is None else [EarlierCampaign(campaign('earlier'), earlier)]
    spec = campaign(earlier=['x'] * len(given))
    return fit_surrogate(rows, ['toughness'], spec.space, 'auto', 0, earlier=source_tasks(spec, given)), spec


@pytest.mark.parametrize('number', [6, 12])
def test_few_rows_are_enough_with_an_earlier_campaign(number: int) -> None:
    rows, unseen = rows_of(number, 1, shift=5), rows_of(60, 2, shift=5)
    told, spec = fitted(rows, rows_of(60, 3))
    alone, _ = fitted(rows, None)
    assert error(told, spec, unseen) < 0.5 * error(alone, spec, unseen)
    record = told.record['toughness']['earlier']
    assert [item['campaign'] for item in record['campaigns']] == ['x']
    if number >= 10:
        assert record['mae'] < record['mae_without']
        assert record['gain'] > 0
        assert record['weight'] > 0.5
    else:
        assert 'decide nothing' in record['reason']


def test_a_shuffled_one_is_seen_to_be_of_no_use() -> None:
    rows, unseen = rows_of(25, 1), rows_of(60, 2)
    wrong = rows_of(60, 3)
    order = np.random.default_rng(0).permutation(len(wrong))
    shuffled = [
        EvaluationRow(**{**vars(row), 'properties': wrong[place].properties})
        for row, place in zip(wrong, order.tolist(), strict=True)
    ]
    told, spec = fitted(rows, shuffled)
    alone, _ = fitted(rows, None)
    assert error(told, spec, unseen) < 1.05 * error(alone, spec, unseen)
    record = told.record['toughness']['earlier']
    assert record['gain'] < 2 * record['gain_se']


def test_several_of_one_property_share_what_is_expected() -> None:
    given = [EarlierCampaign(campaign('one'), rows_of(40, 1)), EarlierCampaign(campaign('two'), rows_of(40, 2))]
    spec = campaign(earlier=['x', 'y'])
    priors = earlier_priors(source_tasks(spec, given), spec.space)
    features, _ = spec.space.describe([row.proposed for row in given[0].rows], [None] * 40)
    said = [item['toughness'] for item in foreseen(priors, features)]
    assert np.abs(np.array(said) - [row.properties['toughness'] for row in given[0].rows]).mean() < 1.5
    again = Prior.from_state(priors[0].state())
    assert (again.level, again.spread, again.origin) == (priors[0].level, priors[0].spread, 'x')


def test_another_property_is_learned_from_where_it_is_asked_for() -> None:
    other = EarlierCampaign(campaign('earlier', prop='hardness', unit='GPa'), rows_of(40, 3, 'hardness'))
    spec = campaign(earlier=[{'campaign': 'x', 'property': 'hardness'}])
    [task] = source_tasks(spec, [other])
    assert (task.property, task.unit, task.same) == ('hardness', 'GPa', False)
    [prior] = earlier_priors([task], spec.space)
    assert prior.spread == 0
    told = fit_surrogate(rows_of(12, 1), ['toughness'], spec.space, 'auto', 0, earlier=[task])
    assert told.record['toughness']['earlier']['mae'] < told.record['toughness']['earlier']['mae_without']


def test_the_job_learns_the_same() -> None:
    from aiida_inversedesign.decisions.run_fit import compute
    from aiida_inversedesign.learn.next_fit import fit_next

    spec, rows, told = campaign(earlier=['x']), rows_of(12, 1), rows_of(20, 3)
    earlier = EarlierCampaign(campaign('earlier'), told)
    given = {'settings': earlier.settings.model_dump(mode='json'), 'rows': [row.to_dict() for row in told]}
    settings = spec.model_dump(mode='json')
    assert settings['learn']['from'] == [{'campaign': 'x', 'property': None}]
    found = compute({'settings': settings, 'rows': [row.to_dict() for row in rows], 'campaigns': [given]})
    assert found == fit_next(spec, rows, None, [earlier]).state()


@pytest.mark.parametrize(
    ('given', 'rows', 'asked', 'message'),
    [
        (campaign('e', unit='kJ'), rows_of(12), None, r'toughness in kJ, this campaign in J: the numbers cannot be'),
        (
            campaign('e', prop='Toughness'),
            rows_of(12, prop='Toughness'),
            None,
            r'has no toughness; it has Toughness \(J\): to learn from another property write',
        ),
        (campaign('e'), rows_of(12), 'colour', r'has no colour; it has toughness \(J\)$'),
        (campaign('e'), [], None, 'has no completed evaluation: nothing can be learned'),
        (campaign('e'), rows_of(4), None, 'has 4 completed evaluations with toughness: at least 10'),
        (campaign(), rows_of(12), None, 'is this campaign itself.*resume x'),
        (
            campaign('e', variables={'a': {'min': 0, 'max': 1}, 'c': {'min': 0, 'max': 1}}),
            rows_of(12),
            None,
            'campaigns that share no descriptors: campaign x.*has no variable b; it has a, c',
        ),
        (
            campaign('e', variables={'a': {'min': 0, 'max': 1, 'unit': 'm'}, 'b': {'min': 0, 'max': 1}}),
            rows_of(12),
            None,
            'has the variable a in m, this campaign in no unit',
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(given: Any, rows: Any, asked: Any, message: str) -> None:
    with pytest.raises(EarlierError, match=message):
        tasks_of(campaign(), 'x', asked, EarlierCampaign(given, rows))


def test_crystals_and_points_share_no_descriptors() -> None:
    crystals = CampaignSettings.model_validate(
        {
            'name': 'crystals',
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]},
            'space': {'elements': ['Cu', 'Al'], 'ratios': ['1:1']},
            'evaluate': {'engine': 'table', 'data': 'data'},
        }
    )
    with pytest.raises(EarlierError, match=r'share no descriptors: campaign x .* has crystals, this campaign points'):
        tasks_of(campaign(), 'x', None, EarlierCampaign(crystals, []))


@pytest.mark.parametrize(
    ('learn', 'message'),
    [
        ('{from: [true]}', r'learn\.from\[0\].*expected the PK or UUID'),
        ('{from: [{campaign: 12, propertie: x}]}', 'propert'),
        ('{from: [12], surrogate: forest}', 'has no effect with surrogate: forest; write auto or transfer'),
        ('{from: 12}', r'learn\.from'),
    ],
)
def test_the_campaign_file_says_what_is_wrong(learn: str, message: str) -> None:
    text = f"""
name: n
goal: {{objectives: [{{property: t, maximize: true}}]}}
space: {{kind: parameters, variables: {{a: {{min: 0, max: 1}}}}}}
propose: {{method: library, library: data}}
learn: {learn}
evaluate: {{engine: table, data: data, units: {{t: J}}}}
budget: {{evaluations: 3}}
"""
    with pytest.raises(CampaignFileError, match=message):
        parse_campaign(text)
