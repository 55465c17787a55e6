"""Campaigns that ask for elastic constants: what they cost, what is refused, whose unit counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.demands import fewest_jobs, jobs_needed
from aiida_inversedesign.campaign.load import CampaignFileError, parse_campaign, validate_campaign
from aiida_inversedesign.campaign.properties import own_stages
from aiida_inversedesign.cli.checks.plan import plan
from aiida_inversedesign.cli.checks.plan_table import show_plan
from aiida_inversedesign.engines.common.properties import ELASTICITY

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'elastic.md'
PW = {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'debian-pbe'}
ASE = {'engine': 'ase', 'code': 'python@localhost'}


def campaign(names: list[str], evaluate: dict[str, Any], **budget: int) -> Any:
    return validate_campaign(
        {
            'name': 'stiff',
            'goal': {'objectives': [{'property': name, 'maximize': True} for name in names]},
            'space': {'elements': ['C'], 'ratios': ['1']},
            'evaluate': evaluate,
            'budget': {'evaluations': 30, **budget},
        }
    )


def test_the_example_of_the_page_is_a_campaign(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r'```yaml\n(.*?)```', PAGE.read_text(), re.DOTALL)
    assert found is not None
    spec = parse_campaign(found.group(1))
    data = plan(spec, checked_profile=False)
    assert data['dft_calculations_per_evaluation'] == 14
    assert data['dft_calculations_per_evaluation_at_least'] == 4
    show_plan(data)
    assert 'at least 4 to 14 (by the symmetry of the crystal; 14 are reserved)' in ' '.join(
        capsys.readouterr().out.split()
    )


def test_the_page_lists_every_property() -> None:
    assert set(re.findall(r'`(\w+)`', PAGE.read_text())) >= {item.name for item in ELASTICITY}


def test_all_of_them_are_one_stage() -> None:
    assert list(own_stages([item.name for item in ELASTICITY])) == ['elastic']
    one = campaign(['hardness'], PW)
    both = campaign(['hardness', 'shear_modulus', 'elastic_stability'], PW)
    assert jobs_needed(one) == jobs_needed(both) == 14
    assert jobs_needed(campaign(['hardness', 'bulk_modulus'], PW)) == 21
    assert (fewest_jobs(both), fewest_jobs(campaign(['volume'], PW))) == (4, 2)
    engine = engine_named('quantumespresso')
    assert engine.most_jobs(one.evaluate, ['hardness']).charged == 3 * 14
    assert engine.slots(one.evaluate, ['hardness'], queued=True) == (13, 12)
    assert engine.slots(one.evaluate, ['hardness'], queued=False) == (3, 2)


@pytest.mark.parametrize(('limit', 'at_most'), [(14, 1), (17, 1), (18, 2), (50, 10)])
def test_the_most_evaluations_of_a_budget_are_those_of_cubic_crystals(limit: int, at_most: int) -> None:
    spec = campaign(['hardness'], PW, dft_calculations=limit)
    assert plan(spec, checked_profile=False)['evaluations_at_most'] == at_most


def test_a_budget_of_less_than_the_most_is_refused() -> None:
    with pytest.raises(CampaignFileError, match='less than one evaluation needs: 14 DFT calculations'):
        campaign(['hardness'], PW, dft_calculations=13)


@pytest.mark.parametrize('item', ELASTICITY, ids=lambda item: item.name)
def test_engines_that_yield_it(item: Any) -> None:
    assert campaign([item.name], PW).unit(item.name) == item.unit
    assert jobs_needed(campaign([item.name], ASE)) == 0
    with pytest.raises(CampaignFileError, match='the cell is not relaxed'):
        campaign([item.name], {**ASE, 'relax_cell': False})


def test_the_unit_of_a_data_set_counts() -> None:
    table = {'engine': 'table', 'data': 'measured', 'units': {'hardness': 'HV', 'strength': 'MPa'}}
    spec = campaign(['hardness', 'strength'], table)
    assert (spec.unit('hardness'), spec.unit('strength')) == ('HV', 'MPa')
