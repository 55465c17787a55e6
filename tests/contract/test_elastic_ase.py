"""Elastic constants of the engine ``ase``: the job's script and the functions that its results go through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import ExitCode, run_get_node
from aiida.plugins import WorkflowFactory
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.common.elastic import elastic_constants_of_job
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.structures import crystal_of
from aiida_inversedesign.verify import verify
from aiida_inversedesign.verify.replay import run_again
from aiida_inversedesign.verify.run import is_sound
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.foreground import run_campaign

NAMES = ['elastic_bulk_modulus', 'shear_modulus', 'young_modulus', 'poisson_ratio']
NAMES += ['elastic_anisotropy', 'hardness', 'elastic_stability']


def evaluate(code: Any, atoms: Atoms, names: list[str], **changes: Any) -> tuple[Any, Any]:
    settings = Ase(engine='ase', code='python@localhost', fmax=0.005, **changes).model_dump(mode='json')
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.ase'),
        candidate=orm.StructureData(ase=atoms),
        properties=orm.List(names),
        settings=orm.Dict(settings),
        engine={'code': code},
    )


def finite_differences(atoms: Atoms) -> np.ndarray:
    """The elastic tensor by all twelve deformations with EMT, without any symmetry (GPa)."""
    atoms = atoms.copy()
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-5, steps=300)
    tensor = np.zeros((6, 6))
    for column, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] = strain[j, i] = 0.002 * sign * (1 if i == j else 0.5)
            moved = atoms.copy()
            moved.set_cell(atoms.cell[:] @ (np.eye(3) + strain), scale_atoms=True)
            moved.calc = EMT()
            BFGS(moved, logfile=None).run(fmax=1e-5, steps=300)
            tensor[:, column] += sign * moved.get_stress() / units.GPa / 0.004
    return (tensor + tensor.T) / 2


@pytest.mark.parametrize(
    ('atoms', 'deformations'),
    [
        (bulk('Cu', 'fcc', 3.5), 2),
        (bulk('Al', 'fcc', 4.1, cubic=True), 2),
        (bulk('Au', 'hcp', a=2.9, c=4.75), 4),
        # ions that move under strain
        (Atoms('CuAu', cell=[2.8, 2.8, 3.7], scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], pbc=True), 4),
    ],
)
def test_constants_of_emt(python_code: Any, atoms: Atoms, deformations: int) -> None:
    results, node = evaluate(python_code, atoms, NAMES)
    assert node.is_finished_ok, node.exit_message
    found = results['elastic_tensor'].get_dict()
    assert len(found['strains']) == len(found['stresses']) == deformations
    assert np.array(found['tensor']) == pytest.approx(finite_differences(atoms), rel=0.02, abs=1.0)
    properties = results['properties'].get_dict()
    assert {properties[name]['source'] for name in NAMES} == {'stage_elastic'}
    assert properties['shear_modulus']['unit'] == 'GPa'
    assert properties['elastic_stability']['value'] > 0
    made = {child.process_label: child.pk for child in node.called if isinstance(child, orm.CalcFunctionNode)}
    again = {name: run_again(pk).status for name, pk in made.items()}
    assert set(again.values()) == {'identical'}
    assert {'elastic_constants_of_job', 'add_properties', 'job_properties'} <= set(again)


def test_it_agrees_with_the_equation_of_state(python_code: Any) -> None:
    results, node = evaluate(python_code, bulk('Cu'), ['bulk_modulus', 'elastic_bulk_modulus'])
    assert node.is_finished_ok, node.exit_message
    found = {name: item['value'] for name, item in results['properties'].get_dict().items()}
    assert found['elastic_bulk_modulus'] == pytest.approx(found['bulk_modulus'], rel=0.02)


def test_an_unstable_crystal_keeps_everything_else(python_code: Any) -> None:
    # a simple cubic metal is unstable against shear
    results, node = evaluate(python_code, bulk('Cu', 'sc', 2.4), ['hardness', 'bulk_modulus', 'elastic_stability'])
    assert node.exit_status == 411
    assert node.exit_message.startswith(
        'relaxed, but hardness could not be determined: the crystal is not mechanically'
    )
    properties = results['properties'].get_dict()
    assert {'bulk_modulus', 'energy', 'volume', 'elastic_stability'} <= set(properties)
    assert properties['elastic_stability']['value'] < 0
    assert f'{properties["elastic_stability"]["value"]:.3g} GPa' in node.exit_message
    assert not {'hardness', 'shear_modulus', 'young_modulus'} & set(properties)
    assert 'elastic_tensor' in results


def test_stability_alone_can_be_asked_for(python_code: Any) -> None:
    _, node = evaluate(python_code, bulk('Cu', 'sc', 2.4), ['elastic_stability'])
    assert node.is_finished_ok, node.exit_message


@pytest.mark.parametrize(
    ('deformed', 'message'),
    [
        ({'reason': 'strain_01: the ions did not relax within 5 steps'}, 'strain_01: the ions did not relax'),
        ({'strains': [[[0.01, 0, 0], [0, 0, 0], [0, 0, 0]]], 'stresses': [np.eye(3).tolist()]}, 'do not determine'),
        ({'strains': [], 'stresses': []}, 'there is no elastic tensor: no deformation has a stress'),
    ],
)
def test_without_a_tensor_there_is_a_reason(deformed: dict[str, Any], message: str) -> None:
    structure = orm.StructureData(ase=bulk('Cu'))
    found = elastic_constants_of_job.__wrapped__(structure, orm.Dict(deformed))
    assert isinstance(found, ExitCode)
    assert found.status == 410
    assert message in found.message


def test_a_campaign_for_hardness_is_verified(python_code: Any) -> None:
    crystal = crystal_of(orm.StructureData(ase=bulk('Cu')))
    template = Template(id='copper', crystal=crystal, source='made up', license='CC0')
    LibraryData.from_library(Library([template]), label='own').store()
    spec = validate_campaign(
        {
            'name': 'hard',
            'goal': {
                'objectives': [{'property': 'hardness', 'maximize': True, 'hit': 1.0}],
                'constraints': [{'property': 'elastic_stability', 'min': 0}],
            },
            'space': {'elements': ['Cu'], 'ratios': ['1']},
            'propose': {'library': 'own', 'method': 'library'},
            'evaluate': {'engine': 'ase', 'code': python_code.full_label, 'free_space_gb': 0},
            'budget': {'evaluations': 1},
        }
    )
    node = run_campaign(build_campaign(spec))
    assert node.is_finished_ok, node.exit_message
    (row,) = node.outputs.table.get_rows()
    assert set(NAMES) <= set(row.properties)
    report = verify(node)
    assert is_sound(report), report
    assert report['evaluations']['calculations'] == report['evaluations']['identical'] == 3
