"""Phonons of the engine ``ase``: stable and unstable crystals, numbers of the curve, and what is said without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import ExitCode, run_get_node
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_inversedesign.campaign.demands import fewest_jobs, jobs_needed
from aiida_inversedesign.campaign.load import CampaignFileError, validate_campaign
from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.common.phonons import frequencies, phonons_of_job
from aiida_inversedesign.engines.common.properties import MOST_DISPLACEMENTS
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.verify.replay import run_again

MEAN = {
    'phonon_density_of_states_first_moment_0_to_60': {
        'property': 'phonon_density_of_states',
        'functional': 'first_moment',
        'range': [0, 60],
    }
}


@pytest.mark.parametrize(('lattice', 'length', 'stable'), [('fcc', 3.6, True), ('sc', 2.4, False)])
def test_phonons_of_copper(python_code: Any, lattice: str, length: float, stable: bool) -> None:
    pytest.importorskip('phonopy')
    settings = Ase(engine='ase', code='python@localhost', phonon_supercell=7.0, functionals=MEAN)
    results, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.ase'),
        candidate=orm.StructureData(ase=bulk('Cu', lattice, length)),
        properties=orm.List(['lowest_frequency', *(MEAN if stable else ())]),
        settings=orm.Dict(settings.model_dump(mode='json')),
        engine={'code': python_code},
    )
    assert node.is_finished_ok, node.exit_message
    curve = curves_of(results['curves'])['phonon_density_of_states']
    assert (str(curve.axis), curve.unit) == ('frequency (THz)', 'states/THz/atom')
    # three modes of each atom
    assert np.trapezoid(curve.values, curve.grid) == pytest.approx(3, rel=0.02)
    found = results['properties'].get_dict()
    if not stable:
        assert found['lowest_frequency']['value'] < -1
        assert np.trapezoid(curve.values[curve.grid < 0], curve.grid[curve.grid < 0]) > 0.1
        return
    assert found['lowest_frequency']['value'] == pytest.approx(0, abs=1e-3)
    # EMT: longitudinal modes at the edge of the zone at 8.0 THz; measured 7.3 THz
    assert curve.grid[curve.values > 0][-1] == pytest.approx(8.0, abs=0.3)
    (name,) = MEAN
    assert 4 < found[name]['value'] < 6
    assert (found[name]['unit'], found[name]['source']) == ('THz', 'numbers_of_curves')
    made = {child.process_label: child.pk for child in node.called if isinstance(child, orm.CalcFunctionNode)}
    assert {name: run_again(pk).status for name, pk in made.items()} == dict.fromkeys(made, 'identical')
    assert 'phonons_of_job' in made


def test_why_there_are_none_is_said() -> None:
    outcome = phonons_of_job.__wrapped__(orm.StructureData(ase=bulk('Cu')), orm.Dict({'reason': 'no phonopy'}))
    assert isinstance(outcome, ExitCode)
    assert outcome.message == 'there are no phonons: no phonopy'


def test_frequencies_have_one_axis() -> None:
    assert (frequencies()[0], frequencies()[-1], len(frequencies())) == (-10, 60, 701)


def test_engines_with_forces_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {
        'name': 'stable',
        'goal': {'objectives': [{'property': 'lowest_frequency', 'maximize': True}]},
        'space': {'elements': ['Cu'], 'ratios': ['1']},
        'evaluate': {'engine': 'ase', 'code': 'python@localhost'},
        'budget': {'evaluations': 2},
    }
    assert validate_campaign(data).unit('lowest_frequency') == 'THz'
    dft = {**data, 'evaluate': {'engine': 'quantumespresso', 'pw': 'pw@localhost', 'pseudos': 'debian-pbe'}}
    find_spec = 'aiida_inversedesign.engines.quantumespresso.descriptor.find_spec'
    monkeypatch.setattr(find_spec, lambda _: True)
    spec = validate_campaign(dft)
    assert spec.unit('lowest_frequency') == 'THz'
    # two relaxations, and the supercells that the least and the most symmetric crystals need
    assert (fewest_jobs(spec), jobs_needed(spec)) == (3, 2 + MOST_DISPLACEMENTS)
    monkeypatch.setattr(find_spec, lambda _: None)
    with pytest.raises(
        CampaignFileError, match=r'needs aiida-phonopy.* pip install aiida-inversedesign\[phonons-dft\]'
    ):
        validate_campaign(dft)
