"""Molecules evaluated by the engine ``ase`` with GFN2-xTB: coordinates, the job itself, and inputs that go wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.engines.ase.molecules import embed, molecule_properties
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.common.conformer import changed_bonds, conformer_of
from aiida_inversedesign.nodes.points import node_of
from aiida_inversedesign.spaces.molecules.molecule import Molecule

NAMES = ['homo_lumo_gap', 'dipole_moment', 'total_energy', 'atomization_energy']


def evaluate(code: Any, smiles: str, names: list[str] = NAMES, **changes: Any) -> tuple[Any, Any]:
    settings = Ase(engine='ase', code='python@localhost', **{'calculator': 'tblite', 'conformers': 3, **changes})
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.ase'),
        candidate=node_of(Molecule.of(smiles)),
        properties=orm.List(names),
        settings=orm.Dict(settings.model_dump(mode='json')),
        engine={'code': code},
    )


def test_water_has_its_gap_dipole_and_energies(python_code: Any) -> None:
    results, node = evaluate(python_code, 'O')
    assert node.is_finished_ok, node.exit_message
    found = {name: entry['value'] for name, entry in results['properties'].get_dict().items()}
    # tblite 0.8; the experiment has 1.85 D and 3.2 eV/atom: GFN2-xTB overbinds against its atoms
    assert found['total_energy'] == pytest.approx(-137.978, abs=0.01)
    assert found['dipole_moment'] == pytest.approx(2.2, abs=0.2)
    assert found['homo_lumo_gap'] == pytest.approx(14.5, abs=1.0)
    assert found['atomization_energy'] == pytest.approx(4.68, abs=0.05)
    assert found['energy'] == pytest.approx(found['total_energy'] / 3)
    geometry = results['geometry']
    assert not any(geometry.pbc)
    ase = geometry.get_ase()
    assert ase.get_distance(0, 1) == pytest.approx(0.96, abs=0.02)
    assert 'relaxed' not in results


def test_charges_and_unpaired_electrons_reach_the_calculator(python_code: Any) -> None:
    anion, node = evaluate(python_code, 'CC(=O)[O-]', ['total_energy'])
    assert node.is_finished_ok, node.exit_message
    acid, _ = evaluate(python_code, 'CC(=O)O', ['total_energy'])
    # the proton affinity of acetate is 15.1 eV, of which the proton of GFN2-xTB itself has 7.12 (164.2 kcal/mol)
    difference = anion['properties']['total_energy']['value'] - acid['properties']['total_energy']['value']
    assert difference + 7.12 == pytest.approx(15.1, abs=0.3)
    _, node = evaluate(python_code, '[CH3]', ['total_energy', 'homo_lumo_gap'])
    assert node.is_finished_ok, node.exit_message


def test_a_calculator_without_orbitals_says_which_property_is_missing(python_code: Any) -> None:
    _, node = evaluate(python_code, 'CC', ['homo_lumo_gap'], calculator='emt')
    assert node.exit_status == 411
    assert 'homo_lumo_gap could not be determined' in node.exit_message


@pytest.mark.parametrize(
    ('smiles', 'words'),
    [('CC[Fm]', 'neither MMFF94 nor UFF has parameters'), ('C1#CC1', 'no conformer of C1#CC1 can be embedded')],
)
def test_a_molecule_without_coordinates_is_a_failed_evaluation(python_code: Any, smiles: str, words: str) -> None:
    _, node = evaluate(python_code, smiles, ['total_energy'])
    assert node.exit_status == 305
    assert words in node.exit_message


def test_an_element_that_xtb_lacks_is_a_failed_evaluation(python_code: Any) -> None:
    _, node = evaluate(python_code, 'C[U]C', ['total_energy'])
    assert node.exit_status in (305, 311)
    assert node.exit_message


def test_the_same_molecule_has_the_same_conformer_and_keeps_its_bonds() -> None:
    molecule = Molecule.of('OCC(N)C(=O)O')
    one, other = conformer_of(molecule, 5), conformer_of(molecule, 5)
    np.testing.assert_array_equal(one.positions, other.positions)
    assert (one.forcefield, one.embedded, one.charge) == ('MMFF94', 5, 0)
    assert conformer_of(Molecule.of('C[SiH2]B(C)C'), 2).forcefield == 'UFF'
    assert changed_bonds(molecule, one.positions) == ''
    broken = one.positions.copy()
    broken[0] += 4.0
    assert 'broken' in changed_bonds(molecule, broken)


def test_a_molecule_that_became_another_has_no_properties(aiida_profile: Any) -> None:
    molecule = node_of(Molecule.of('CCO'))
    structure = embed(molecule, orm.Dict({'conformers': 1}))['structure']
    atoms = structure.get_ase()
    atoms.positions[-1] += 3.0
    _, node = molecule_properties.run_get_node(
        molecule=molecule, structure=orm.StructureData(ase=atoms), results=orm.Dict({'energy': -1.0})
    )
    assert node.exit_status == 311
    assert 'another molecule' in node.exit_message


def campaign(space: dict[str, Any], name: str) -> Any:
    return validate_campaign(
        {
            'name': 'm',
            'goal': {'objectives': [{'property': name, 'maximize': True}]},
            'space': space,
            'propose': {'library': 'm.csv'} if space['kind'] == 'molecules' else {},
            'evaluate': {'engine': 'ase', 'code': 'python@localhost', 'calculator': 'emt'},
            'budget': {'evaluations': 4},
        }
    )


def test_properties_of_the_other_kind_are_refused_by_check() -> None:
    molecules, crystals = {'kind': 'molecules'}, {'kind': 'crystals', 'formulas': ['Cu']}
    campaign(molecules, 'homo_lumo_gap')
    campaign(crystals, 'bulk_modulus')
    with pytest.raises(Exception, match='is not a property of molecules'):
        campaign(molecules, 'bulk_modulus')
    with pytest.raises(Exception, match='is not a property of crystals'):
        campaign(crystals, 'homo_lumo_gap')
