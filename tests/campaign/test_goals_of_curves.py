"""Goals that ask for numbers of curves: how they are written, what they are called, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aiida_inversedesign.campaign.contracts.engine import Jobs, engine_named
from aiida_inversedesign.campaign.load import parse_campaign, read_campaign
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.text.problems import CampaignFileError
from aiida_inversedesign.cli.checks.plan import plan

FUNCTIONS = {'dos': {'unit': '1/eV', 'axis': 'energy', 'axis_unit': 'eV', 'first': -5, 'last': 5}}
WANTED = 'energy [eV],wanted [1/eV]\n-5,0\n0,1\n5,0\n'


def text(objective: dict[str, Any], **evaluate: Any) -> str:
    table = {'engine': 'table', 'data': 'phonons', 'functions': FUNCTIONS}
    return yaml.safe_dump(
        {
            'name': 'curves',
            'goal': {'objectives': [objective]},
            'propose': {'method': 'library', 'library': 'phonons'},
            'evaluate': {**table, **evaluate},
            'budget': {'evaluations': 10},
        }
    )


@pytest.mark.parametrize(
    ('settings', 'name', 'unit'),
    [
        ({'functional': 'value', 'at': 0.0, 'maximize': True}, 'dos_value_at_0', '1/eV'),
        ({'functional': 'first_moment', 'range': [-2, 3], 'minimize': True}, 'dos_first_moment_-2_to_3', 'eV'),
        ({'functional': 'integral', 'target': 1.0, 'tolerance': 0.1}, 'dos_integral', '1/eV eV'),
        ({'functional': 'width', 'window': [0.1, 0.5]}, 'dos_width', 'eV'),
        ({'functional': 'band_edge', 'threshold': 0.1, 'maximize': True, 'hit': 2}, 'dos_band_edge_0.1', 'eV'),
        ({'functional': 'above', 'threshold': 0.5, 'maximize': True}, 'dos_above_0.5', '1/eV'),
        ({'functional': 'peak', 'maximize': True}, 'dos_peak', 'eV'),
    ],
)
def test_a_number_of_a_curve_has_a_name_and_a_unit(settings: dict[str, Any], name: str, unit: str) -> None:
    spec = parse_campaign(text({'property': 'dos', **settings}))
    assert spec.goal.properties == [name]
    assert spec.unit(name) == unit
    assert spec.evaluate.functionals[name]['functional'] == settings['functional']
    assert spec.goal.described()['objectives'][0]['property'] == name
    again = CampaignSettings.model_validate(spec.settings())
    assert again.model_dump(mode='json') == spec.settings()
    assert again.goal.properties == [name]


@pytest.mark.parametrize('metric', ['L1', 'L2', 'earth_mover'])
def test_a_target_curve_is_read_from_a_file_beside_the_campaign(tmp_path: Path, metric: str) -> None:
    (tmp_path / 'wanted.csv').write_text(WANTED)
    objective = {'property': 'dos', 'functional': 'distance', 'curve': 'wanted.csv', 'metric': metric, 'minimize': True}
    (tmp_path / 'campaign.yaml').write_text(text(objective))
    spec = read_campaign(tmp_path / 'campaign.yaml')
    assert spec.goal.properties == [f'dos_distance_{metric}_wanted']
    assert spec.goal.objectives[0].curve['values'] == [0, 1, 0]
    # what is recorded needs the file no longer
    assert CampaignSettings.model_validate(spec.settings()).model_dump(mode='json') == spec.settings()


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        ({'minimize': True}, 'name the number that is wanted'),
        ({'functional': 'first_momnt', 'minimize': True}, 'first_moment'),
        ({'functional': 'value', 'maximize': True}, 'value needs at'),
        ({'functional': 'mean', 'range': [3, 1], 'maximize': True}, 'low < high'),
        ({'functional': 'mean', 'range': [-9, 1], 'maximize': True}, 'from -5 to 5 eV, asked for -9 to 1'),
        ({'functional': 'value', 'at': 7, 'maximize': True}, 'nothing is extrapolated'),
        ({'functional': 'distance', 'minimize': True}, 'needs a target curve'),
        ({'functional': 'distance', 'curve': 'no.csv', 'minimize': True}, 'cannot be read'),
        ({'functional': 'distance', 'curve': '../w.csv', 'minimize': True}, 'leads out of the folder'),
        ({'functional': 'distance', 'curve': 'ry.csv', 'minimize': True}, "'eV' and 'Ry'"),
        ({'functional': 'mean', 'metric': 'L1', 'maximize': True}, 'belongs to functional distance'),
        ({'property': 'gap', 'at': 1.0, 'maximize': True}, 'belongs to a functional'),
        ({'property': 'gap', 'threshold': 1.0, 'maximize': True}, 'from which a candidate is a hit, write hit'),
        ({'property': 'ldos', 'functional': 'mean', 'maximize': True}, "the axis of 'ldos' is unknown"),
    ],
)
def test_what_a_curve_cannot_answer_is_refused(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    (tmp_path / 'ry.csv').write_text(WANTED.replace('[eV]', '[Ry]'))
    (tmp_path / 'campaign.yaml').write_text(text({'property': 'dos', **settings}))
    with pytest.raises(CampaignFileError) as caught:
        read_campaign(tmp_path / 'campaign.yaml')
    assert words in str(caught.value)
    assert 'goal.objectives' in str(caught.value)


def test_an_engine_without_curves_says_which_has_them() -> None:
    lines = text({'property': 'dos', 'functional': 'mean', 'maximize': True})
    data = {**yaml.safe_load(lines), 'evaluate': {'engine': 'external', 'units': {'dos': '1/eV'}}}
    with pytest.raises(CampaignFileError, match=r'the engine external has no curves: .*quantumespresso.* has'):
        parse_campaign(yaml.safe_dump(data))
    ase = {**data, 'evaluate': {'engine': 'ase', 'code': 'python@localhost'}}
    with pytest.raises(CampaignFileError, match='engine ase computes: phonon_density_of_states'):
        parse_campaign(yaml.safe_dump(ase))


def test_check_says_which_are_linear() -> None:
    for name, more, words in (('mean', {}, 'is linear'), ('peak', {}, 'is not linear')):
        spec = parse_campaign(text({'property': 'dos', 'functional': name, 'maximize': True, **more}))
        assert any(words in remark for remark in plan(spec, False)['remarks'])


PW = {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'dos': 'dos@localhost', 'pseudos': 'debian-pbe'}


def computed(objective: dict[str, Any], **evaluate: Any) -> Any:
    return parse_campaign(
        yaml.safe_dump(
            {
                'name': 'metals',
                'goal': {'objectives': [{'property': 'density_of_states', 'maximize': True, **objective}]},
                'space': {'elements': ['Cu', 'Si'], 'ratios': ['1:1']},
                'evaluate': {**PW, **evaluate},
                'budget': {'evaluations': 3},
            }
        )
    )


def test_an_engine_that_computes_curves_knows_their_axis() -> None:
    spec = computed({'functional': 'value', 'at': 0})
    (name,) = spec.goal.properties
    assert (name, spec.unit(name)) == ('density_of_states_value_at_0', 'states/eV/atom')
    engine = engine_named('quantumespresso')
    assert engine.computed(spec.evaluate, ['volume', name]) == ['volume', 'density_of_states']
    assert engine.jobs(spec.evaluate, [name]) == Jobs(6, 4)
    assert {need.port: need.label for need in engine.needs(spec.evaluate)} == {
        'code': 'pw@localhost',
        'dos_code': 'dos@localhost',
    }
    d_band = {'property': 'density_of_states_d', 'functional': 'first_moment', 'range': [-10, 0]}
    moment = computed(d_band, projwfc='projwfc@localhost')
    assert moment.unit('density_of_states_d_first_moment_-10_to_0') == 'eV'
    assert computed({'property': 'dos_at_fermi'}).unit('dos_at_fermi') == 'states/eV/atom'


@pytest.mark.parametrize(
    ('objective', 'evaluate', 'words'),
    [
        ({}, {}, 'is a function of energy: a goal needs a number'),
        ({'functional': 'value', 'at': 6}, {}, 'from -20 to 5 eV, asked for 6: nothing is extrapolated'),
        ({'functional': 'mean'}, {'dos': None}, 'needs dos.x: name the code, e.g. evaluate.dos: dos@localhost'),
        ({'property': 'dos_at_fermi'}, {'dos': None}, 'needs dos.x'),
        ({'property': 'density_of_states_d', 'functional': 'peak'}, {}, 'evaluate.projwfc: projwfc@localhost'),
        ({'property': 'density_of_states_up', 'functional': 'peak'}, {}, 'write evaluate.spin: true'),
        ({'property': 'volume', 'functional': 'mean'}, {}, 'is not a function that the engine quantumespresso comp'),
        ({'property': 'density_of_stats', 'functional': 'mean'}, {}, "did you mean 'density_of_states'?"),
    ],
)
def test_what_a_computed_curve_does_not_give_is_refused(
    objective: dict[str, Any], evaluate: dict[str, Any], words: str
) -> None:
    with pytest.raises(CampaignFileError) as caught:
        computed(objective, **evaluate)
    assert words in str(caught.value)


def test_an_engine_that_computes_no_electrons_says_which_does() -> None:
    ase = {'engine': 'ase', 'code': 'python@localhost'}
    lines = text({'property': 'dos_at_fermi', 'maximize': True})
    with pytest.raises(CampaignFileError, match='the engine ase does not compute it: quantumespresso does'):
        parse_campaign(yaml.safe_dump({**yaml.safe_load(lines), 'evaluate': ase}))


def test_the_workflow_of_metals_is_a_campaign() -> None:
    spec = read_campaign(Path(__file__).resolve().parents[2] / 'workflows' / 'metallic_light.yaml')
    assert plan(spec, checked_profile=False)['dft_calculations_per_evaluation'] == 4
    # the energy of its constraint is not a number of a curve
    assert (spec.learn.surrogate, spec.goal.properties[1]) == ('curves', 'formation_energy')
