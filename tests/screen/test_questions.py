"""Of which candidates a potential computes properties, where each answer has its cost."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.goal import Objective
from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.learn.fit import fit_surrogate
from aiida_inversedesign.screen.potentials.bundles import job_of
from aiida_inversedesign.screen.potentials.installed import EMT
from aiida_inversedesign.screen.potentials.questions import QUESTION, answered, questions
from aiida_inversedesign.select.fidelity import worth_asking

FCC = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2


def spec_of(cost: float, **screen: Any) -> CampaignSettings:
    return CampaignSettings.model_validate(
        {
            'name': 'x',
            'goal': {'objectives': [{'property': 'bulk_modulus', 'maximize': True}]},
            'space': {'elements': ['Cu', 'Al', 'Ni'], 'ratios': ['1']},
            'screen': {'potential': 'emt', 'code': 'python@localhost', 'estimate_cost': cost, **screen},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt'},
        }
    )


def stiffness(crystal: Crystal) -> float:
    """Made up: a smooth function of the volume."""
    return 300 - 5 * crystal.volume


def pool_of(number: int) -> list[Candidate]:
    """Candidates of different volumes that a potential has relaxed."""
    edges = np.linspace(3.3, 4.2, number)
    return [
        Candidate(
            id=f'c{index:02d}',
            key='Cu',
            content=Crystal(edge * FCC, ('Cu',), np.zeros((1, 3))),
            proposer='cspml',
            probability=0.1,
            verdicts={'potential': Verdict(True)},
            screening={'potential': 'emt', 'energy': 0.0, 'estimates': {}},
        )
        for index, edge in enumerate(edges)
    ]


def answer(item: Candidate, **more: Any) -> dict[str, Any]:
    found = {'id': f'{QUESTION}{item.id}', 'digest': item.content.content_hash}
    return found | (more or {'energy': 0.0, 'bulk_modulus': stiffness(item.content)})


def test_the_first_are_drawn_for_the_cost_of_one_evaluation() -> None:
    pool = pool_of(12)
    rejected = dataclasses.replace(pool[3], verdicts={'potential': Verdict(False)})
    pool[3] = rejected
    drawn = questions(spec_of(0.2), pool, [], None, seed=1)
    assert len(drawn) == len(set(drawn)) == 5
    assert rejected.id not in drawn
    assert drawn == questions(spec_of(0.2), pool, [], None, seed=1)
    assert drawn != questions(spec_of(0.2), pool, [], None, seed=2)
    assert len(questions(spec_of(0.9), pool, [], None, seed=1)) == 3
    # without anything to learn from nothing more is asked
    asked = answered(spec_of(0.2), pool, [answer(item) for item in pool if item.id in drawn])
    assert questions(spec_of(0.2), asked, [], None, seed=1) == []


def test_what_was_not_asked_is_expected_with_its_uncertainty() -> None:
    pool = pool_of(12)
    asked = [pool[index] for index in (0, 3, 6, 8, 11)]
    found = {item.id: item for item in answered(spec_of(0.2), pool, [answer(item) for item in asked])}
    for item in pool:
        now = found[item.id]
        value, expected = stiffness(item.content), now.estimates['bulk_modulus']
        assert now.screening is not None
        if item in asked:
            assert (now.screening['asked'], now.screening['uncertain'], expected) == (True, {}, value)
        else:
            assert 'asked' not in now.screening
            deviation = now.screening['uncertain']['bulk_modulus']
            assert 0 < deviation < 60
            assert abs(expected - value) < 4 * deviation + 1


def test_what_gives_no_answer_is_expected_and_not_asked_again() -> None:
    pool = pool_of(8)
    records = [answer(item) for item in pool[:4]] + [answer(pool[4], failed='RuntimeError: no neighbours')]
    found = answered(spec_of(0.5), pool, records)
    assert found[4].screening is not None
    assert found[4].screening['asked'] is True
    assert 'bulk_modulus' in found[4].screening['uncertain']
    assert np.isfinite(found[4].estimates['bulk_modulus'])
    # what a model of the answers says is not an answer, also the second time
    again = answered(spec_of(0.5), found, [])
    assert again[4].estimates == pytest.approx(found[4].estimates)
    surrogate, rows = learned(found[:4])
    assert pool[4].id not in questions(spec_of(0.01), again, rows, surrogate, seed=0)


def test_answers_about_another_crystal_are_not_used() -> None:
    pool = pool_of(5)
    records = [{**answer(item), 'digest': 'of another'} for item in pool]
    assert answered(spec_of(0.5), pool, records) == pool


def learned(items: list[Candidate]) -> tuple[Any, list[EvaluationRow]]:
    """A surrogate of evaluations that found what the potential had said."""
    rows = [
        EvaluationRow(
            candidate=item.id,
            generation=1,
            arm='initial',
            key=item.key,
            status='completed',
            proposed=item.content,
            properties={'bulk_modulus': stiffness(item.content) + (-1) ** index},
            estimates=item.estimates,
        )
        for index, item in enumerate(items)
    ]
    return fit_surrogate(rows, ['bulk_modulus'], spec_of(0.5).space, 'auto', 0), rows


def test_the_potential_is_asked_where_that_is_worth_more_than_an_evaluation() -> None:
    pool = pool_of(20)
    middle = pool[8:12]
    found = answered(spec_of(0.1), pool, [answer(item) for item in middle])
    surrogate, rows = learned([item for item in found if (item.screening or {}).get('asked')])
    wanted = questions(spec_of(0.1), found, rows, surrogate, seed=0)
    assert 0 < len(wanted) <= 10
    # the smallest crystals are the stiffest, and far from what was asked about
    assert wanted[0] in {item.id for item in pool[:8]}
    assert not set(wanted) & {item.id for item in middle}
    # an answer that costs nearly an evaluation is not worth it
    assert len(questions(spec_of(0.99), found, rows, surrogate, seed=0)) <= 1
    # where everything is known there is nothing to ask
    known = answered(spec_of(0.1), found, [answer(item) for item in pool])
    assert questions(spec_of(0.1), known, rows, surrogate, seed=0) == []


def test_asking_is_worth_its_share_of_what_is_unknown() -> None:
    maximize = Objective(property='bulk_modulus', maximize=True)
    mean, deviation = np.array([10.0, 10.0, 0.0]), np.array([1.0, 1.0, 1.0])
    observed = np.array([9.0])
    # the more the estimate leaves open, the more an answer is worth; the third is hopeless
    assert worth_asking(maximize, mean, deviation, np.array([3.0, 1.0, 1.0]), observed, 100).tolist() == [0, 1]
    assert worth_asking(maximize, mean, deviation, np.zeros(3), observed, 100).tolist() == []
    assert worth_asking(maximize, mean, deviation, np.array([3.0, 2.9, 1.0]), observed, 1.2).tolist() == [0]


def test_a_job_relaxes_first_and_computes_properties_when_asked() -> None:
    pool = pool_of(2)
    settings = spec_of(0.1, vibrations=True).screen
    job = job_of(pool, ['c00', f'{QUESTION}c01'], settings, EMT, ['bulk_modulus'])
    first, second = job['structures']
    assert (first['properties'], 'relax' in first) == (['lowest_frequency'], False)
    assert (second['properties'], second['relax']) == (['bulk_modulus'], False)
    assert second['digest'] == pool[1].content.content_hash
    everything = job_of(
        pool, ['c00'], spec_of(0.1).screen.model_copy(update={'estimate_cost': None}), EMT, ['bulk_modulus']
    )
    assert everything['structures'][0]['properties'] == ['bulk_modulus']


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'goal': {'objectives': [{'property': 'volume', 'minimize': True}]}}, 'one objective that the potential'),
        ({'screen': {'estimate_cost': 0.01}}, 'has no effect without screen.potential'),
        ({'screen': {'potential': 'emt', 'code': 'python@localhost', 'estimate_cost': 1}}, 'less than 1'),
    ],
)
def test_a_cost_without_something_to_estimate_is_refused(changes: dict[str, Any], says: str) -> None:
    data = {**spec_of(0.1).model_dump(mode='json', exclude_none=True, exclude_defaults=True), **changes}
    with pytest.raises(CampaignFileError, match=says):
        validate_campaign({**data, 'budget': {'evaluations': 4}})
