"""pw.x with two MPI processes under a real Slurm, whose only node fails in the middle of a campaign."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest
from ase.build import bulk

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.libraries.library import Library, Template

pytestmark = [pytest.mark.slurm, pytest.mark.pw, pytest.mark.slow, pytest.mark.timeout(3000)]

#: cheap crystals, each some per cent off its lattice constant
CRYSTALS = {
    'C': bulk('C', 'diamond', 3.63),
    'Si': bulk('Si', 'diamond', 5.40),
    'BN': bulk('BN', 'zincblende', 3.68),
    'SiC': bulk('SiC', 'zincblende', 4.44),
    'SiB': bulk('SiB', 'zincblende', 4.80),
    'CN': bulk('CN', 'zincblende', 3.70),
    'SiN': bulk('SiN', 'zincblende', 4.40),
}


def make_campaign(code: Any) -> tuple[Any, Any]:
    """Builder and specification of seven evaluations at settings that cost next to nothing."""
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.nodes.store import list_labels
    from aiida_inversedesign.workchains.build import build_campaign

    if 'cheap' not in list_labels(LibraryData):
        templates = [
            Template(name, Crystal(atoms.cell[:], tuple(atoms.symbols), atoms.get_scaled_positions()), 'made up', 'CC0')
            for name, atoms in CRYSTALS.items()
        ]
        LibraryData.from_library(Library(templates), label='cheap').store()
    spec = validate_campaign(
        {
            'name': 'slurm',
            'seed': 3,
            'goal': {'objectives': [{'property': 'lattice_constant', 'target': 4.4, 'tolerance': 0.1}]},
            'propose': {'library': 'cheap', 'method': 'library', 'min_distance': 0.6},
            'select': {'initial': 4, 'batch': 1, 'acquisition': 'ucb'},
            'learn': {'surrogate': 'gp'},
            'evaluate': {
                'engine': 'quantumespresso',
                'pw': code.full_label,
                'pseudos': 'debian-pbe',
                'protocol': 'fast',
                'kpoints_distance': 0.8,
                'cutoff_wfc': 30,
                'cutoff_rho': 120,
                'options': {'num_mpiprocs_per_machine': 2, 'max_wallclock_seconds': 900, 'queue_name': 'debug'},
            },
            'budget': {'evaluations': 6, 'at_once': 2},
        }
    )
    return build_campaign(spec), spec


def fail_the_node_in_mid_job(slurm: Any, node: Any, after: int) -> int:
    """Take the node down while a job of a later evaluation runs; the number of that job."""
    from aiida_inversedesign.graph.campaigns import find_evaluations, generation_ids

    deadline = time.monotonic() + 1500
    while time.monotonic() < deadline:
        ended = [item for item in find_evaluations(generation_ids([node.pk])) if not item.is_running]
        running = subprocess.run(
            ['squeue', '-h', '-t', 'R', '-o', '%A'], capture_output=True, text=True, check=True
        ).stdout.split()
        if len(ended) >= after and running:
            slurm('fail')
            time.sleep(5)
            slurm('recover')
            return int(running[0])
        assert not node.is_terminated, 'the campaign ended before the node could fail'
        time.sleep(0.2)
    raise AssertionError('no job ran')


def outcome(node: Any) -> list[tuple[Any, ...]]:
    rows = node.outputs.table.get_rows()
    return [(row.key, row.generation, row.arm, row.status, row.hit) for row in rows]


def show(title: str, node: Any, report: dict[str, Any]) -> None:
    """What a campaign ended with, for ``pytest -s``."""
    print(f'\n{title}: {node.outputs.stop_reason.value}')
    for row in node.outputs.table.get_rows():
        values = '  '.join(f'{name} {value:.4f}' for name, value in sorted(row.properties.items()))
        print(f'  {row.generation}  {row.key:4} {row.arm:12} {row.status:10} hit={row.hit!s:6}{values} {row.reason}')
    for name in ('evaluations', 'dft_calculations', 'core_hours'):
        print(f'  {name}: {json.dumps(report.get(name), default=str)}')


def test_a_campaign_whose_node_fails_ends_as_one_whose_node_does_not(
    slurm: Any, pw_on_slurm: Any, started_daemon_client: Any, submit_and_await: Any
) -> None:
    from aiida.engine import submit
    from aiida.orm import CalcJobNode, QueryBuilder

    from aiida_inversedesign.audit.audit import audit

    builder, _ = make_campaign(pw_on_slurm)
    calm = submit_and_await(submit(builder), timeout=1500)
    assert calm.is_finished_ok, calm.exit_message
    jobs = QueryBuilder().append(CalcJobNode, filters={'process_type': {'like': '%quantumespresso.pw'}}).all(flat=True)
    assert len(jobs) >= 12
    assert {job.get_option('resources')['num_mpiprocs_per_machine'] for job in jobs} == {2}
    assert all('mpirun' in job.base.repository.get_object_content('_aiidasubmit.sh') for job in jobs)
    assert all('#SBATCH --partition=debug' in job.base.repository.get_object_content('_aiidasubmit.sh') for job in jobs)
    printed = jobs[0].outputs.retrieved.base.repository.get_object_content('aiida.out')
    assert 'running on     2 processors' in printed

    builder, _ = make_campaign(pw_on_slurm)
    node = submit(builder)
    number = fail_the_node_in_mid_job(slurm, node, after=2)
    stormy = submit_and_await(node, timeout=1500)
    assert stormy.is_finished_ok, stormy.exit_message
    (lost,) = [job for job in QueryBuilder().append(CalcJobNode).all(flat=True) if job.get_job_id() == str(number)]
    assert lost.is_failed

    before, after = audit(calm), audit(stormy)
    show('without a failure', calm, before)
    show(f'with a failure of the node (Slurm job {number})', stormy, after)
    assert outcome(stormy) == outcome(calm)
    assert len(outcome(calm)) == 6
    assert stormy.outputs.stop_reason.value == calm.outputs.stop_reason.value
    for ours, theirs in zip(stormy.outputs.table.get_rows(), calm.outputs.table.get_rows(), strict=True):
        assert ours.properties == pytest.approx(theirs.properties, rel=1e-3, abs=0.1)
    assert after['evaluations'] == before['evaluations']
    # the restart of the lost job, and nothing else
    assert after['dft_calculations']['total'] == before['dft_calculations']['total'] + 1
    assert after['dft_calculations']['failed'] == before['dft_calculations']['failed'] + 1
    assert after['dft_calculations']['restarts'] == before['dft_calculations']['restarts'] + 1
