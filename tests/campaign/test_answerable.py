"""Settings that cannot answer what the goal asks for are errors of the campaign file; what is doubtful is a remark."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.chemistry.magnetism import MAGNETIC
from aiida_inversedesign.cli.checks.plan import plan
from aiida_inversedesign.engines.common.properties import ELASTICITY

PW = {'engine': 'quantumespresso', 'pw': 'pw@x', 'pseudos': 'family'}
ASE = {'engine': 'ase', 'code': 'python@x'}
ASKS: list[tuple[str, dict[str, Any]]] = [
    ('objectives', {'maximize': True, 'hit': 1.5}),
    ('objectives', {'minimize': True}),
    ('objectives', {'target': 1.0, 'tolerance': 0.1}),
    ('objectives', {'window': [0.5, 2.0]}),
    ('constraints', {'min': 0.5}),
    ('constraints', {'max': 0.1}),
]


def campaign(
    evaluate: dict[str, Any],
    asked: dict[str, Any],
    section: str = 'objectives',
    elements: str = 'Na Cl',
    ratios: tuple[str, ...] = ('1:1',),
    **budget: Any,
) -> dict[str, Any]:
    goal: dict[str, Any] = {'objectives': [{'property': 'space_group', 'maximize': True}]}
    goal[section] = [asked]
    return {
        'name': 'answers',
        'goal': goal,
        'space': {'elements': elements.split(), 'ratios': list(ratios)},
        'select': {'initial': 1},
        'evaluate': evaluate,
        'budget': {'evaluations': 4, **budget},
    }


def refusal(data: dict[str, Any]) -> str:
    with pytest.raises(CampaignFileError) as caught:
        validate_campaign(data)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(('section', 'asked'), ASKS)
@pytest.mark.parametrize(
    ('evaluate', 'name', 'says'),
    [
        (PW, 'magnetization', 'evaluate.spin: true'),
        ({**PW, 'electronic_type': 'automatic'}, 'magnetization', 'evaluate.spin: true'),
        ({**PW, 'kpoints_distance': 0.31}, 'band_gap', 'kpoints_distance 0.31'),
        ({**PW, 'kpoints_distance': 0.6, 'electronic_type': 'insulator'}, 'band_gap', 'kpoints_distance 0.6'),
        ({**PW, 'kpoints_distance': 1.0, 'spin': True, 'protocol': 'stringent'}, 'band_gap', 'kpoints_distance 1'),
        ({**ASE, 'relax_cell': False}, 'volume', 'relax_cell'),
        ({**ASE, 'relax_cell': False}, 'density', 'relax_cell'),
        ({**ASE, 'relax_cell': False}, 'lattice_constant_c', 'relax_cell'),
        ({**ASE, 'relax_cell': False, 'calculator': 'mopac'}, 'pressure', "'mopac'"),
        (ASE, 'band_gap', 'quantumespresso does'),
        (ASE, 'magnetization', 'quantumespresso does'),
    ],
)
def test_a_property_that_the_settings_do_not_give(
    evaluate: dict[str, Any], name: str, says: str, section: str, asked: dict[str, Any]
) -> None:
    message = refusal(campaign(evaluate, {'property': name, **asked}, section))
    assert message.startswith(f'goal.{section}[0].property')
    assert says in message


@pytest.mark.parametrize(
    ('evaluate', 'name'),
    [
        ({**PW, 'spin': True}, 'magnetization'),
        *((PW | {'protocol': protocol}, 'band_gap') for protocol in ('fast', 'balanced', 'stringent')),
        ({**PW, 'kpoints_distance': 0.3, 'electronic_type': 'automatic'}, 'band_gap'),
        ({**PW, 'kpoints_distance': 0.8}, 'bulk_modulus'),
        ({**ASE, 'relax_cell': False}, 'energy'),
        ({**ASE, 'relax_cell': False, 'calculator': 'gaussian'}, 'max_force'),
        ({**ASE, 'calculator': 'mace'}, 'pressure'),
        ({'engine': 'table', 'data': 'own'}, 'magnetization'),
    ],
)
def test_settings_that_give_the_property_are_accepted(evaluate: dict[str, Any], name: str) -> None:
    assert validate_campaign(campaign(evaluate, {'property': name, 'minimize': True}))


@pytest.mark.parametrize('calculator', ['gaussian', 'mopac', 'turbomole', 'tip3p'])
def test_a_calculator_without_stress_relaxes_no_cell(calculator: str) -> None:
    message = refusal(campaign({**ASE, 'calculator': calculator}, {'property': 'energy', 'minimize': True}))
    assert message.startswith(f"evaluate.calculator = '{calculator}': computes no stress")


def test_calculators_without_stress_are_those_of_ase() -> None:
    from ase.calculators.calculator import get_calculator_class, names

    from aiida_inversedesign.engines.ase.settings import WITHOUT_STRESS

    def lacks(name: str) -> bool:
        try:
            known = get_calculator_class(name).implemented_properties
            return bool(known) and 'stress' not in known
        except Exception:  # what is not installed says nothing
            return False

    # a wrapper takes what it has from what it wraps
    assert {name for name in names if lacks(name)} - {'dftd3'} == WITHOUT_STRESS


@pytest.mark.parametrize('name', ['formation_energy', 'e_above_hull'])
@pytest.mark.parametrize(
    ('ratios', 'budget', 'says'),
    [
        # two references and one evaluation of two jobs each
        (('1:1',), {'dft_calculations': 5}, '2 DFT calculations, and 4 for the energies of its elements'),
        (('1:1',), {'dft_calculations': 1}, 'less than one evaluation needs'),
        (('2:1:1', '1:1:1'), {'dft_calculations': 7}, 'and 6 for'),
        (('1:1',), {'core_hours': 0.04}, 'core-hours, and 0.033 for'),
    ],
)
def test_references_that_the_budget_does_not_cover(
    name: str, ratios: tuple[str, ...], budget: dict[str, Any], says: str
) -> None:
    asked = {'property': name, 'max': 0.1}
    message = refusal(campaign(PW, asked, 'constraints', 'Na Cl O', ratios, **budget))
    (key,) = budget
    assert message.startswith(f'budget.{key} =')
    assert says in message


@pytest.mark.parametrize(
    ('evaluate', 'ratios', 'budget'),
    [
        (PW, ('1:1',), {'dft_calculations': 6}),
        (PW, ('1:1', '1'), {'dft_calculations': 4}),
        (PW, ('1:1',), {'core_hours': 0.06}),
        (ASE, ('1:1',), {'dft_calculations': 1, 'core_hours': 0.03}),
        ({'engine': 'table', 'data': 'own'}, ('1:1',), {'dft_calculations': 1}),
    ],
)
def test_references_that_just_fit(evaluate: dict[str, Any], ratios: tuple[str, ...], budget: dict[str, Any]) -> None:
    asked = {'property': 'formation_energy', 'minimize': True}
    spec = validate_campaign(campaign(evaluate, asked, ratios=ratios, **budget))
    assert plan(spec, checked_profile=False)['evaluations_at_most'] >= 1


def test_references_that_take_most_of_the_budget_are_a_remark() -> None:
    asked = {'property': 'formation_energy', 'minimize': True}
    spec = validate_campaign(campaign(PW, asked, elements='Li Na K F Cl Br', dft_calculations=12))
    (remark,) = plan(spec, checked_profile=False)['remarks']
    assert 'take up to 12 of the 12 DFT calculations' in remark


def test_a_budget_below_one_evaluation_is_refused() -> None:
    asked = {'property': 'bulk_modulus', 'minimize': True}
    message = refusal(campaign(PW, asked, dft_calculations=8))
    assert message == 'budget.dft_calculations = 8: is less than one evaluation needs: 9 DFT calculations'


@pytest.mark.parametrize('symbol', MAGNETIC)
def test_magnetic_elements_without_spin_are_a_remark(symbol: str) -> None:
    engine, section = engine_named('quantumespresso'), campaign(PW, {})['evaluate']
    plain, polarised = (engine.section.model_validate(section | extra) for extra in ({}, {'spin': True}))
    ((text, remedy),) = engine.remarks(plain, ['volume'], {symbol, 'O'})
    assert text.startswith(f'{symbol} may carry a magnetic moment')
    assert remedy == 'write evaluate.spin: true'
    assert not list(engine.remarks(polarised, ['volume'], {symbol, 'O'}))
    assert not list(engine.remarks(plain, ['volume'], {'Na', 'Cl', 'Zn', 'La', 'Lu'}))


def test_check_names_the_magnetic_elements_of_space_and_formulas() -> None:
    data = campaign(PW, {'property': 'volume', 'minimize': True}, elements='O Ni Fe')
    data['space']['formulas'] = ['GdCl3']
    (remark,) = plan(validate_campaign(data), checked_profile=False)['remarks']
    assert remark.startswith('Fe, Ni and Gd may carry magnetic moments')
    assert remark.endswith('write evaluate.spin: true')


def test_every_property_says_what_its_settings_must_give() -> None:
    needs = {
        name: [flag for flag in ('spin', 'bands', 'cell', 'stress') if getattr(item, flag)]
        for name, item in PROPERTIES.items()
    }
    assert {name: flags for name, flags in needs.items() if flags} == {
        **{name: ['spin'] for name in ('magnetization', 'density_of_states_up', 'density_of_states_down')},
        'band_gap': ['bands'],
        **{name: ['cell'] for name in ('volume', 'density')},
        **{f'lattice_constant{which}': ['cell'] for which in ('', '_b', '_c')},
        'pressure': ['stress'],
        **{item.name: ['cell', 'stress'] for item in ELASTICITY},
    }
