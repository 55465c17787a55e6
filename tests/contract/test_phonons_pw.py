"""Phonons with a real pw.x and aiida-phonopy: frequencies, what is charged, what a failure or a limit costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import ExitCode
from ase.build import bulk
from pw_evaluation import evaluate_with_pw

from aiida_inversedesign.campaign.contracts.job_kinds import is_dft, job_kind
from aiida_inversedesign.cli import setup_local
from aiida_inversedesign.engines.common.properties import MOST_DISPLACEMENTS
from aiida_inversedesign.engines.quantumespresso.phonons import displaced_supercells
from aiida_inversedesign.graph.diagnosis import jobs_below
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.verify.replay import run_again

pytest.importorskip('aiida_phonopy')

SILICON = bulk('Si', 'diamond', 5.46)
MEAN = {
    'phonon_density_of_states_first_moment_0_to_20': {
        'property': 'phonon_density_of_states',
        'functional': 'first_moment',
        'range': [0, 20],
    }
}


def evaluate(atoms: Any, pw: orm.InstalledCode, properties: list[str], limit: int | None, **settings: Any) -> Any:
    # four points per axis of the crystal, two of its supercell: the same points
    cheap = {'kpoints_distance': 0.6, 'cutoff_wfc': 25, 'cutoff_rho': 100, 'electronic_type': 'insulator'}
    return evaluate_with_pw(atoms, pw, properties, limit, **cheap, **settings)


@pytest.mark.pw
@pytest.mark.slow
def test_phonons_of_silicon(pw: orm.InstalledCode) -> None:
    asked = ['lowest_frequency', *MEAN]
    results, node = evaluate(
        SILICON, pw, asked, 2 + MOST_DISPLACEMENTS, phonon_supercell=7.0, functionals=MEAN, max_restarts=0
    )
    assert node.is_finished_ok, node.exit_message
    curve = curves_of(results['curves'])['phonon_density_of_states']
    assert np.trapezoid(curve.values, curve.grid) == pytest.approx(3, rel=0.02)
    # optical modes of silicon: measured 15.5 THz at the centre of the zone, in PBE 15.1 THz
    assert curve.grid[curve.values > 0.01][-1] == pytest.approx(15.2, abs=0.7)
    found = {name: item['value'] for name, item in results['properties'].get_dict().items()}
    assert found['lowest_frequency'] == pytest.approx(0, abs=0.3)
    assert 8 < found[next(iter(MEAN))] < 11
    jobs = list(jobs_below(node))
    assert [is_dft(job.process_type) for job in jobs] == [True] * 3
    assert len(jobs[-1].inputs.structure.sites) == 16
    kind = job_kind(jobs[-1].process_type, ('stage_phonons_supercell_001', 'iteration_01'))
    assert (kind.name, kind.is_dft) == ('phonons', True)
    # what aiida-phonopy goes on with
    assert results['phonopy_data'].node_type == 'data.phonopy.phonopy.PhonopyData.'
    assert results['phonopy_data'].get_phonopy_instance().forces.shape == (1, 16, 3)
    made = {child.process_label: child.pk for child in node.called if isinstance(child, orm.CalcFunctionNode)}
    assert {'displaced_supercells', 'phonons_of_forces', 'numbers_of_curves'} <= set(made)
    assert {name: run_again(pk).status for name, pk in made.items()} == dict.fromkeys(made, 'identical')


@pytest.mark.pw
@pytest.mark.slow
def test_what_fails_or_is_not_allowed_loses_nothing_else(pw: orm.InstalledCode, tmp_path: Path) -> None:
    _, node = evaluate(SILICON, pw, ['lowest_frequency'], 1 + MOST_DISPLACEMENTS)
    assert node.exit_status == 303
    assert f'{2 + MOST_DISPLACEMENTS} are needed' in node.exit_message
    script = tmp_path / 'fails_in_supercells.sh'
    script.write_text(
        f'#!/bin/sh\nif grep -q "nat = 2" aiida.in; then exec {pw.filepath_executable} "$@"; fi\n'
        'echo "     Program PWSCF v.6.7MaX starts"\nkill -9 $$\n'
    )
    script.chmod(0o755)
    code = setup_local.make_pw_code(script, pw.computer, label='fails')
    results, node = evaluate(SILICON, code, ['volume', 'lowest_frequency'], None, phonon_supercell=7.0, max_restarts=0)
    assert node.exit_status == 411
    assert node.exit_message.startswith('relaxed, but lowest_frequency could not be determined: supercell_001: ')
    assert {'volume', 'energy'} <= set(results['properties'].get_dict())
    assert 'curves' not in results


@pytest.mark.usefixtures('aiida_profile')
def test_crystals_of_little_symmetry_are_refused() -> None:
    settings = orm.Dict({'phonon_supercell': 3.0})
    found = displaced_supercells.__wrapped__(orm.StructureData(ase=SILICON), settings)
    assert list(found) == ['supercell_001']
    atoms = bulk('Si', 'diamond', 5.46) * (1, 1, 3)
    atoms.rattle(0.1, seed=1)
    outcome = displaced_supercells.__wrapped__(orm.StructureData(ase=atoms), settings)
    assert isinstance(outcome, ExitCode)
    assert '36 displaced supercells, and at most 24' in outcome.message
