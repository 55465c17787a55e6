"""A relaxation with an ASE calculator before that with pw.x."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from ase.build import bulk

from aiida_inversedesign.engines.quantumespresso.settings import QuantumEspresso
from aiida_inversedesign.graph.diagnosis import jobs_below

pytestmark = pytest.mark.pw


@pytest.fixture
def codes(pw: orm.InstalledCode) -> dict[str, orm.InstalledCode]:
    """pw.x and Python of this machine."""
    python = orm.InstalledCode(
        pw.computer, sys.executable, label='python', default_calc_job_plugin='inversedesign.ase'
    ).store()
    return {'code': pw, 'prerelax_code': python}


def evaluate(codes: dict[str, orm.InstalledCode], limits: dict[str, Any], **prerelax: Any) -> tuple[Any, Any]:
    section = QuantumEspresso(
        engine='quantumespresso',
        pw=codes['code'].full_label,
        pseudos='debian-pbe',
        protocol='fast',
        kpoints_distance=0.8,
        prerelax={'code': 'python@localhost', **prerelax},
    )
    return run_get_node(
        WorkflowFactory('inversedesign.evaluate.quantumespresso'),
        candidate=orm.StructureData(ase=bulk('C', 'diamond', 3.65)),
        properties=orm.List(['volume']),
        settings=orm.Dict(section.model_dump(mode='json')),
        limits=orm.Dict(limits),
        engine=codes,
    )


def test_dft_starts_from_what_the_calculator_reached(codes: dict[str, orm.InstalledCode]) -> None:
    results, node = evaluate(codes, {'dft_calculations': 2}, calculator='emt', steps=2)
    assert node.is_finished_ok, node.exit_message
    children = {link.link_label: link.node for link in node.base.links.get_outgoing().all()}
    reached, start = children['prerelax'].outputs.structure, children['relax'].inputs.structure
    assert start.uuid == reached.uuid
    assert abs(reached.get_cell_volume() - node.inputs.candidate.get_cell_volume()) > 0.01
    # it is not a DFT calculation: the limit of two holds for pw.x alone
    assert [job.process_label for job in jobs_below(node)].count('PwCalculation') == 2
    assert results['properties']['volume']['value'] == pytest.approx(5.7, abs=0.3)


def test_the_cap_of_core_hours_holds_before_dft(codes: dict[str, orm.InstalledCode]) -> None:
    _, node = evaluate(codes, {'core_hours': 0.001})
    assert node.exit_status == 303
    assert '0.001 core-hours are left' in node.exit_message
    assert not list(jobs_below(node))


def test_a_calculator_that_is_not_there_is_told_before_dft(codes: dict[str, orm.InstalledCode]) -> None:
    _, node = evaluate(codes, {}, calculator='gpaw')
    assert node.exit_status == 304
    assert 'gpaw' in node.exit_message
    assert [job.process_label for job in jobs_below(node)] == ['AseCalculation']
