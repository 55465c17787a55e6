"""Properties that another package brings, each in one file: derived ones and ones with a stage of their own."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.graph.diagnosis import jobs_below
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.structures import crystal_of
from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.replay import run_again
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

QE = {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'debian-pbe'}


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both properties, as if a package with them were installed."""
    for name, where in (('derived', 'further_parts:DERIVED'), ('staged', 'further_parts:STAGED')):
        point = EntryPoint(name, where, 'aiida_inversedesign.properties')
        monkeypatch.setitem(registry._points('properties'), name, point)


def campaign(name: str, evaluate: dict[str, Any]) -> Any:
    return validate_campaign(
        {
            'name': 'further',
            'goal': {'objectives': [{'property': name, 'minimize': True}]},
            'space': {'elements': ['Cu'], 'ratios': ['1']},
            'evaluate': evaluate,
            'budget': {'evaluations': 2},
        }
    )


def test_they_are_known_while_installed() -> None:
    assert PROPERTIES['energy_density'].unit == 'eV/Å^3'
    assert campaign('energy_density', {'engine': 'ase', 'code': 'python@localhost'}).unit('energy_density') == 'eV/Å^3'


def test_an_engine_that_launches_no_stages_is_refused_with_one_that_does() -> None:
    with pytest.raises(CampaignFileError, match='the engine ase does not compute it: quantumespresso does'):
        campaign('dense_energy', {'engine': 'ase', 'code': 'python@localhost'})
    assert campaign('dense_energy', QE).goal.properties == ['dense_energy']


def test_the_jobs_of_a_stage_are_counted() -> None:
    engine, section = engine_named('quantumespresso'), QuantumEspresso(**QE, max_restarts=1)
    assert [engine.jobs(section, names).charged for names in (['volume'], ['volume', 'dense_energy'])] == [2, 3]
    assert engine.most_jobs(section, ['dense_energy']).charged == 6


def test_a_derived_property(structure: Any, python_code: Any) -> None:
    settings = Ase(engine='ase', code='python@localhost').model_dump(mode='json')
    results, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.ase'),
        candidate=structure,
        properties=orm.List(['energy_density']),
        settings=orm.Dict(settings),
        engine={'code': python_code},
    )
    assert node.is_finished_ok, node.exit_message
    found = results['properties'].get_dict()
    assert found['energy_density']['value'] == pytest.approx(found['energy']['value'] / found['volume']['value'])
    assert (found['energy_density']['unit'], found['energy_density']['source']) == ('eV/Å^3', 'derive_energy_density')
    made = {child.process_label: child.pk for child in node.called if isinstance(child, orm.CalcFunctionNode)}
    # the function is run again because an installed property lists it
    assert [run_again(made[name]).status for name in ('energy_density', 'add_properties')] == ['identical'] * 2


def test_a_campaign_with_it_is_verified(structure: Any, python_code: Any) -> None:
    crystal = crystal_of(structure)
    template = Template(id='copper', crystal=crystal, source='made up', license='CC0')
    LibraryData.from_library(Library([template]), label='own').store()
    spec = campaign('energy_density', {'engine': 'ase', 'code': python_code.full_label, 'free_space_gb': 0})
    data = spec.model_dump(mode='json')
    data['propose'] |= {'library': 'own', 'method': 'library'}
    node = run_campaign(build_campaign(validate_campaign(data | {'budget': {'evaluations': 1}})))
    assert node.is_finished_ok, node.exit_message
    (row,) = node.outputs.table.get_rows()
    assert row.properties['energy_density'] == pytest.approx(row.properties['energy'] / row.properties['volume'])
    report = verify(node)
    assert is_sound(report), report
    assert report['evaluations']['calculations'] == report['evaluations']['identical']


def test_a_function_that_no_installed_part_lists_is_not_run_again(
    structure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import further_parts

    properties = orm.Dict({'energy': {'value': 1.0}, 'volume': {'value': 2.0}})
    _, node = further_parts.energy_density.run_get_node(structure, properties)
    assert run_again(node.pk).status == 'identical'
    monkeypatch.delitem(registry._points('properties'), 'derived')
    again = run_again(node.pk)
    assert again.status == 'not_repeatable'
    assert 'no installed part lists further_parts.energy_density' in again.message


@pytest.mark.pw
def test_a_property_with_a_stage(pw: Any) -> None:
    settings = QuantumEspresso(**QE, protocol='fast').model_dump(mode='json')
    results, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.quantumespresso'),
        candidate=orm.StructureData(ase=bulk('C', 'diamond', 3.57)),
        properties=orm.List(['dense_energy', 'energy_density']),
        settings=orm.Dict(settings),
        limits=orm.Dict({'dft_calculations': 3, 'core_hours': None}),
        engine={'code': pw},
    )
    assert node.is_finished_ok, node.exit_message
    found = results['properties'].get_dict()
    assert found['dense_energy']['value'] == pytest.approx(found['energy']['value'], abs=0.5)
    assert found['dense_energy']['source'] == 'stage_dense_energy'
    assert 'energy_density' in found
    assert len(list(jobs_below(node))) == 3
