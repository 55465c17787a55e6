"""Densities of states with real pw.x, dos.x and projwfc.x: what they hold, what is charged, what a failure costs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk
from pw_evaluation import evaluate_with_pw

from aiida_inversedesign.campaign.contracts.job_kinds import is_dft, job_kind
from aiida_inversedesign.cli import setup_local
from aiida_inversedesign.graph.diagnosis import jobs_below
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.verify.replay import run_again

pytestmark = pytest.mark.pw

AT_ZERO = {'density_of_states_value_at_0': {'property': 'density_of_states', 'functional': 'value', 'at': 0.0}}
#: Metallic silicon, one atom; and the semiconductor.
METAL, SEMICONDUCTOR = bulk('Si', 'sc', 2.53), bulk('Si', 'diamond', 5.46)


@pytest.fixture
def codes(pw: orm.InstalledCode) -> dict[str, orm.InstalledCode]:
    made = {f'{code.label}_code': code for code in setup_local.make_density_codes(pw.computer)}
    if 'dos_code' not in made:
        pytest.skip('no dos.x on the PATH')
    return {'code': pw, **made}


def evaluate(
    atoms: Any, codes: dict[str, orm.InstalledCode], properties: list[str], limit: int | None = None, **settings: Any
) -> tuple[Any, Any]:
    cheap = {'kpoints_distance': 0.6, 'dos_kpoints_distance': 0.4}
    return evaluate_with_pw(atoms, codes, properties, limit, **{**cheap, **settings})


def electrons(curve: Any) -> float:
    """States below the reference energy, per atom."""
    below = curve.grid <= 0
    return float(np.trapezoid(curve.values[below], curve.grid[below]))


def test_a_metal_with_projections(codes: dict[str, orm.InstalledCode]) -> None:
    results, node = evaluate(METAL, codes, ['dos_at_fermi', *AT_ZERO], 4, functionals=AT_ZERO)
    assert node.is_finished_ok, node.exit_message
    curves = curves_of(results['curves'])
    total = curves['density_of_states']
    assert (str(total.axis), total.unit, total.grid[0]) == ('energy (eV)', 'states/eV/atom', -20)
    assert electrons(total) == pytest.approx(4, rel=0.02)
    assert total.grid[-1] == 5
    assert total.values[-1] > 0
    parts = [curves[f'density_of_states_{letter}'] for letter in 'sp']
    assert np.array_equal(parts[0].values, curves['density_of_states_Si_s'].values)
    assert 0.9 * 4 < sum(map(electrons, parts)) < 4.1
    found = results['properties'].get_dict()
    assert found['dos_at_fermi']['value'] == pytest.approx(0.4, rel=0.3)
    assert found['density_of_states_value_at_0'] == {
        'value': found['dos_at_fermi']['value'],
        'unit': 'states/eV/atom',
        'source': 'numbers_of_curves',
    }
    jobs = list(jobs_below(node))
    assert [is_dft(job.process_type) for job in jobs] == [True] * 4 + [False] * 2
    assert jobs[3].inputs.parameters['SYSTEM']['occupations'] == 'tetrahedra_opt'
    kinds = [job_kind(job.process_type, ('stage_density_of_states', 'scf', 'iteration_01')).name for job in jobs[2:]]
    assert kinds == ['density_of_states', 'density_of_states', 'dos', 'projwfc']
    made = {child.process_label: child.pk for child in node.called if isinstance(child, orm.CalcFunctionNode)}
    assert {name: run_again(pk).status for name, pk in made.items()} == dict.fromkeys(made, 'identical')
    assert {'density_of_states', 'numbers_of_curves', 'add_properties'} <= set(made)


def test_an_insulator_has_none_at_the_fermi_level(codes: dict[str, orm.InstalledCode]) -> None:
    codes.pop('projwfc_code', None)
    results, node = evaluate(SEMICONDUCTOR, codes, ['dos_at_fermi'], electronic_type='automatic')
    assert node.is_finished_ok, node.exit_message
    assert results['properties']['dos_at_fermi']['value'] == 0
    curves = curves_of(results['curves'])
    assert set(curves) == {'density_of_states'}
    total = curves['density_of_states']
    assert electrons(total) == pytest.approx(4, rel=0.03)
    assert (total.at([0, 0.2, 0.4]) == 0).all()
    assert total.at(-1.0) > 0.05


@pytest.mark.slow
def test_two_spins(codes: dict[str, orm.InstalledCode]) -> None:
    results, node = evaluate(METAL, codes, ['density_of_states', 'density_of_states_up'], spin=True)
    assert node.is_finished_ok, node.exit_message
    curves = curves_of(results['curves'])
    up, down = curves['density_of_states_up'], curves['density_of_states_down']
    assert electrons(up) == pytest.approx(2, rel=0.02)
    assert curves['density_of_states'].values == pytest.approx(up.values + down.values)
    assert electrons(curves['density_of_states_p']) > 2


@pytest.mark.parametrize(
    ('program', 'label'),
    [
        ('pw.x', 'code'),
        pytest.param('dos.x', 'dos_code', marks=pytest.mark.slow),
        pytest.param('projwfc.x', 'projwfc_code', marks=pytest.mark.slow),
    ],
)
def test_a_program_that_fails_loses_nothing_else(
    codes: dict[str, orm.InstalledCode], tmp_path: Path, program: str, label: str
) -> None:
    script = tmp_path / f'failing_{program}'
    fails = 'grep -q "calculation = \'nscf\'" aiida.in' if program == 'pw.x' else 'true'
    script.write_text(f'#!/bin/sh\nif {fails}; then\n    kill -9 $$\nfi\nexec {shutil.which(program)} "$@"\n')
    script.chmod(0o755)
    code = setup_local._code(
        'fails', script, codes['code'].computer, f'quantumespresso.{program.removesuffix(".x")}', setup_local.PREPEND
    )
    results, node = evaluate(
        METAL, {**codes, label: code}, ['volume', 'dos_at_fermi'], max_restarts=0, dos_kpoints_distance=0.6
    )
    assert {'volume', 'energy'} <= set(results['properties'].get_dict())
    if program == 'projwfc.x':
        assert node.is_finished_ok, node.exit_message
        assert set(curves_of(results['curves'])) == {'density_of_states'}
        return
    assert node.exit_status == 411
    assert node.exit_message.startswith('relaxed, but dos_at_fermi could not be determined: ')
    assert 'Killed' in node.exit_message or program in node.exit_message
    assert 'curves' not in results
