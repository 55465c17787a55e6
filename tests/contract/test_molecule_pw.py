"""Molecules evaluated by the engine ``quantumespresso``: their box, hydrogen with a real pw.x, and wrong files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import DataFactory, GroupFactory, WorkflowFactory

from aiida_inversedesign.campaign.contracts.engine import Jobs, engine_named
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.text.problems import CampaignFileError
from aiida_inversedesign.engines.quantumespresso.molecules import box_properties, place_in_box
from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.nodes.points import node_of
from aiida_inversedesign.spaces.molecules.molecule import Molecule

ELEMENTS = ('H', 'O')


@pytest.fixture
def family(pw: orm.InstalledCode, shared: Path, tmp_path: Path) -> str:
    """Hydrogen and oxygen of PseudoDojo."""
    archive = next((shared / 'data' / 'pseudos').glob('dojo.*.tar.xz'))
    table = json.loads(archive.with_suffix('').with_suffix('.json').read_text())
    shutil.unpack_archive(archive, tmp_path, filter='data')
    (few := tmp_path / 'few').mkdir()
    for element in ELEMENTS:
        shutil.copy(next(tmp_path.glob(f'dojo.*/{element}.upf')), few)
    group: Any = GroupFactory('pseudo.family.cutoffs')
    found = group.create_from_folder(few, 'dojo', pseudo_type=DataFactory('pseudo.upf'))
    cutoffs = {name: {key: table[name][key] for key in ('cutoff_wfc', 'cutoff_rho')} for name in ELEMENTS}
    found.set_cutoffs(cutoffs, 'normal', unit='Ry')
    return 'dojo'


def section(**changes: Any) -> QuantumEspresso:
    return QuantumEspresso(engine='quantumespresso', pw='pw@localhost', pseudos='dojo', protocol='fast', **changes)


@pytest.mark.slow
@pytest.mark.pw
def test_hydrogen_has_the_bond_and_the_levels_of_pbe(pw: orm.InstalledCode, family: str) -> None:
    # 40 Ry leave hydrogen 20 meV above its converged energy
    settings = section(vacuum=6.0, cutoff_wfc=40.0, cutoff_rho=160.0, max_restarts=0)
    results, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.quantumespresso'),
        candidate=node_of(Molecule.of('[H][H]')),
        properties=orm.List(['homo_lumo_gap', 'total_energy']),
        settings=orm.Dict(settings.model_dump(mode='json')),
        limits=orm.Dict({'dft_calculations': 1, 'core_hours': None}),
        engine={'code': pw},
    )
    assert node.is_finished_ok, node.exit_message
    found = {name: entry['value'] for name, entry in results['properties'].get_dict().items()}
    # PBE with a large basis: 0.751 Å, -1.1662 Hartree, highest level -10.3 eV
    atoms = results['geometry'].get_ase()
    assert atoms.get_distance(0, 1, mic=True) == pytest.approx(0.751, abs=0.01)
    assert found['total_energy'] == pytest.approx(-31.73, abs=0.1)
    assert found['homo'] == pytest.approx(-10.3, abs=0.3)
    assert found['homo_lumo_gap'] == pytest.approx(found['lumo'] - found['homo'])
    assert found['energy'] == pytest.approx(found['total_energy'] / 2)
    assert 'relaxed' not in results
    (job,) = [item for item in node.called_descendants if isinstance(item, orm.CalcJobNode)]
    text = job.base.repository.get_object_content('aiida.in')
    assert 'K_POINTS gamma' in text
    assert "assume_isolated = 'martyna-tuckerman'" in text
    assert job.base.links.get_incoming().get_node_by_label('structure').get_cell_volume() == pytest.approx(
        max(0.74 + 6, 2 * (0.74 + 3)) ** 3, rel=0.05
    )


def test_the_box_is_cubic_and_large_enough(aiida_profile: Any) -> None:
    for smiles, vacuum in (('O', 12.0), ('CCCCCCCC', 6.0)):
        found = place_in_box(node_of(Molecule.of(smiles)), orm.Dict({'conformers': 2, 'vacuum': vacuum}))
        cell = np.array(found['structure'].cell)
        positions = np.array([site.position for site in found['structure'].sites])
        extent = np.ptp(positions, axis=0).max()
        np.testing.assert_allclose(cell, np.eye(3) * max(extent + vacuum, 2 * extent + 6), atol=1e-9)
        assert found['structure'].pbc == (True, True, True)
        np.testing.assert_allclose(positions.min(axis=0) + positions.max(axis=0), cell.sum(axis=0), atol=1e-9)


def test_levels_are_counted_from_the_electrons(aiida_profile: Any) -> None:
    water = node_of(Molecule.of('O'))
    structure = place_in_box(water, orm.Dict({'conformers': 1, 'vacuum': 10.0}))['structure']
    bands = orm.BandsData()
    bands.set_kpoints([[0.0, 0.0, 0.0]])
    bands.set_bands(np.array([[-25.0, -13.0, -9.4, -7.2, -0.9, 0.4]]), units='eV')
    parameters = orm.Dict({'energy': -470.0, 'number_of_electrons': 8.0})
    found = box_properties(water, structure, parameters, bands).get_dict()
    values = {name: entry['value'] for name, entry in found.items()}
    assert values == pytest.approx(
        {'homo': -7.2, 'lumo': -0.9, 'homo_lumo_gap': 6.3, 'total_energy': -470.0, 'energy': -470.0 / 3}
    )
    # the geometry of another molecule
    atoms = structure.get_ase()
    atoms.positions[1] += 3.0
    _, node = box_properties.run_get_node(
        molecule=water, structure=orm.StructureData(ase=atoms), output_parameters=parameters, bands=bands
    )
    assert node.exit_status == 311
    assert 'another molecule' in node.exit_message


def test_the_molecule_is_one_charged_job() -> None:
    engine = engine_named('quantumespresso')
    assert engine.jobs(section(), ['homo_lumo_gap', 'energy']) == Jobs(1, 1)
    assert engine.jobs(section(), ['volume', 'energy']).charged == 2
    assert engine.most_jobs(section(max_restarts=2), ['homo']) == Jobs(3, 3)


@pytest.mark.parametrize(
    ('name', 'space', 'evaluate', 'words'),
    [
        ('homo', {}, {}, ''),
        ('volume', {}, {}, 'is not a property of molecules'),
        ('homo', {}, {'assume_isolated': 'none'}, 'counts from the vacuum'),
        ('homo_lumo_gap', {'radicals': True}, {}, 'computes molecules without spin'),
        ('homo_lumo_gap', {'charged': True}, {'assume_isolated': 'none'}, 'must be martyna-tuckerman'),
        ('homo_lumo_gap', {}, {'slices': {'steps': 5}}, 'is for crystals'),
        ('homo_lumo_gap', {}, {'spin': True}, 'without spin'),
        ('homo_lumo_gap', {'kind': 'crystals'}, {}, 'is not a property of crystals'),
    ],
)
def test_what_does_not_go_together_is_said(
    name: str, space: dict[str, Any], evaluate: dict[str, Any], words: str
) -> None:
    kind = space.get('kind', 'molecules')
    data = {
        'name': 'm',
        'goal': {'objectives': [{'property': name, 'minimize': True}]},
        'space': {'kind': kind, **space} if kind == 'molecules' else {},
        'propose': {'library': 'm.csv'} if kind == 'molecules' else {},
        'evaluate': section(**evaluate).model_dump(mode='json', exclude_defaults=True),
        'budget': {'evaluations': 4},
    }
    if not words:
        assert validate_campaign(data).evaluate.assume_isolated == 'martyna-tuckerman'
        return
    with pytest.raises(CampaignFileError, match=words):
        validate_campaign(data)
