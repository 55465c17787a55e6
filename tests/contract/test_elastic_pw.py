"""Elastic constants with a real pw.x: against literature, within limits, and when a deformation fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.plugins import WorkflowFactory
from ase.build import bulk
from pw_evaluation import evaluate_with_pw

from aiida_inversedesign.campaign.contracts.job_kinds import job_kind
from aiida_inversedesign.cli import setup_local
from aiida_inversedesign.engines.common.limits import LimitError
from aiida_inversedesign.graph.diagnosis import jobs_below
from aiida_inversedesign.verify.replay import run_again

pytestmark = pytest.mark.pw


@pytest.mark.parametrize(
    ('symbol', 'start', 'constants', 'shear'),
    [
        # C11, C12 and C44 in PBE, and G of them: M. de Jong et al., Sci. Data 2, 150009 (2015), mp-66 and mp-149
        pytest.param('C', 3.6, (1052, 125, 559), 520, marks=pytest.mark.slow),
        ('Si', 5.45, (153, 57, 74), 62),
    ],
)
def test_constants_of_insulators(
    pw: orm.InstalledCode, symbol: str, start: float, constants: tuple[float, float, float], shear: float
) -> None:
    asked = ['shear_modulus', 'hardness', 'poisson_ratio', 'elastic_stability']
    results, node = evaluate_with_pw(
        bulk(symbol, 'diamond', start), pw, asked, 14, kpoints_distance=0.4, electronic_type='insulator'
    )
    assert node.is_finished_ok, node.exit_message
    tensor = np.array(results['elastic_tensor']['tensor'])
    assert (tensor[0, 0], tensor[0, 1], tensor[3, 3]) == pytest.approx(constants, rel=0.08, abs=5)
    found = {name: item['value'] for name, item in results['properties'].get_dict().items()}
    assert found['shear_modulus'] == pytest.approx(shear, rel=0.08)
    assert found['elastic_stability'] > 0
    assert found['hardness'] == pytest.approx({'C': 93, 'Si': 11}[symbol], rel=0.1)
    jobs = list(jobs_below(node))
    assert [job.inputs.parameters['CONTROL']['calculation'] for job in jobs] == ['vc-relax'] * 2 + ['relax'] * 2
    assert {job.inputs.parameters['SYSTEM']['occupations'] for job in jobs} == {'fixed'}
    labels = {link.link_label for link in node.base.links.get_outgoing().all()}
    assert {'prepare_elastic', 'stage_elastic_strain_00', 'stage_elastic_strain_01', 'gather_elastic'} <= labels
    kind = job_kind(jobs[-1].process_type, ('stage_elastic_strain_01', 'iteration_01'))
    assert (kind.name, kind.is_dft) == ('elastic', True)
    made = {child.process_label: child.pk for child in node.called if isinstance(child, orm.CalcFunctionNode)}
    assert {name: run_again(pk).status for name, pk in made.items()} == dict.fromkeys(made, 'identical')
    assert {'deformed_structures', 'elastic_constants', 'add_properties', 'relaxed_properties'} == set(made)


@pytest.mark.slow
def test_limits_that_leave_no_deformation_lose_nothing_else(
    pw: orm.InstalledCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the most that a crystal can take has to remain, or not even the relaxation begins
    _, node = evaluate_with_pw(bulk('C', 'diamond', 3.6), pw, ['shear_modulus', 'volume'], 13, kpoints_distance=0.9)
    assert node.exit_status == 303
    assert '13 more calculation jobs are allowed for this evaluation, but 14 are needed' in node.exit_message
    chain = WorkflowFactory('inversedesign.evaluate.quantumespresso')
    allot = chain._allot

    def spent(self: Any, chains: int, later: int) -> Any:
        """The limits as they are when the relaxation took longer than its share of the core-hours."""
        if later == 0:
            raise LimitError('0.001 core-hours are left')
        return allot(self, chains, later)

    monkeypatch.setattr(chain, '_allot', spent)
    results, node = evaluate_with_pw(bulk('C', 'diamond', 3.6), pw, ['shear_modulus', 'volume'], kpoints_distance=0.9)
    assert (node.exit_status, node.exit_message) == (303, 'stopped to keep the budget: 0.001 core-hours are left')
    assert {'volume', 'energy'} <= set(results['properties'].get_dict())
    assert len(list(jobs_below(node))) == 2


def test_a_deformation_that_fails_loses_nothing_else(pw: orm.InstalledCode, tmp_path: Path) -> None:
    script = tmp_path / 'fails_under_strain.sh'
    script.write_text(
        '#!/bin/sh\nif grep -q "calculation = \'relax\'" aiida.in; then\n'
        '    echo "     Program PWSCF v.6.7MaX starts"\n    kill -9 $$\nfi\n'
        f'exec {pw.filepath_executable} "$@"\n'
    )
    script.chmod(0o755)
    code = setup_local.make_pw_code(script, pw.computer, label='fails')
    results, node = evaluate_with_pw(
        bulk('C', 'diamond', 3.6), code, ['volume', 'hardness', 'bulk_modulus'], kpoints_distance=0.9, max_restarts=0
    )
    assert node.exit_status == 411
    assert node.exit_message.startswith('relaxed, but hardness could not be determined: strain_00: ')
    assert 'Killed' in node.exit_message
    assert {'volume', 'energy', 'bulk_modulus'} <= set(results['properties'].get_dict())
    assert 'equation_of_state' in results
