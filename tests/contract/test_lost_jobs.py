"""A job that its machine cuts down is submitted again; one that fails by itself is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.engines.ase.settings import Ase
from aiida_inversedesign.engines.table.settings import Table

#: counts its calls in a file, and does what the machine does to the first of them
INTERPRETER = """#!/bin/bash
echo call >> {calls}
[ $(wc -l < {calls}) -le {lost} ] && {{ {fate}; }}
exec {python} "$@"
"""


@pytest.fixture
def failing(aiida_profile_clean: Any, aiida_code_installed: Any, tmp_path: Path) -> Any:
    """Makes a code whose first ``lost`` jobs meet a fate."""

    def make(lost: int, fate: str = 'kill -9 $$', **options: Any) -> Any:
        program, calls = tmp_path / 'interpreter', tmp_path / 'calls'
        program.write_text(INTERPRETER.format(calls=calls, lost=lost, fate=fate, python=sys.executable))
        program.chmod(0o755)
        return aiida_code_installed(label='failing', filepath_executable=str(program), **options)

    return make


def evaluate(code: Any, structure: Any, library: Any, limits: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The evaluation by the ``table`` engine, and its jobs by their labels."""
    settings = Table(engine='table', data='x', code=code.full_label, units={'shine': 'lm'}, **changes)
    return _run(
        'table', structure, ['shine'], settings, {'code': code, 'data': library}, limits or {}
    )  # fmt: skip


def _run(engine: str, structure: Any, names: list[str], settings: Any, inputs: Any, limits: dict[str, Any]) -> Any:
    _, node = run_get_node(
        WorkflowFactory(f'inversedesign.evaluate.{engine}'),
        candidate=structure,
        properties=orm.List(names),
        settings=orm.Dict(settings.model_dump(mode='json')),
        engine=inputs,
        **({'limits': orm.Dict(limits)} if limits else {}),
    )
    links = node.base.links.get_outgoing(node_class=orm.CalcJobNode).all()
    return node, {link.link_label: link.node.exit_status for link in links}


@pytest.mark.parametrize('fate', ['kill -9 $$', ': > results.json; exit 1'], ids=['killed', 'disk full'])
def test_a_lost_job_is_repeated(structure: Any, library: Any, failing: Any, fate: str) -> None:
    node, jobs = evaluate(failing(1, fate), structure, library)
    assert node.is_finished_ok, node.exit_message
    assert node.outputs.properties['shine']['value'] == 9.0
    assert jobs == {'relax': 300 if 'kill' in fate else 301, 'relax_attempt_2': 0}


def test_it_is_given_up_after_three(structure: Any, library: Any, failing: Any) -> None:
    node, jobs = evaluate(failing(9), structure, library)
    assert node.exit_status == 311
    assert node.exit_message.endswith('(after 3 attempts)')
    assert jobs == {'relax': 300, 'relax_attempt_2': 300, 'relax_attempt_3': 300}


def test_attempts_are_not_charged_as_dft_calculations(structure: Any, library: Any, failing: Any) -> None:
    # its jobs are not DFT calculations, and only core-hours limit the attempts
    node, jobs = evaluate(failing(9), structure, library, limits={'dft_calculations': 0, 'core_hours': None})
    assert node.exit_status == 311
    assert list(jobs) == ['relax', 'relax_attempt_2', 'relax_attempt_3']


def test_the_core_hours_of_a_lost_job_count(structure: Any, failing: Any) -> None:
    # 30 s for one job, the least, of which the lost one used some
    settings = Ase(engine='ase', code='failing@localhost')
    limits = {'dft_calculations': None, 'core_hours': 30.001 / 3600}
    node, jobs = _run('ase', structure, ['volume'], settings, {'code': failing(1, 'sleep 1; kill -9 $$')}, limits)
    assert 'stopped to keep the budget' in node.exit_message
    assert jobs == {'relax': 300}


def test_ase_repeats_as_well(structure: Any, failing: Any) -> None:
    node, jobs = _run(
        'ase', structure, ['volume'], Ase(engine='ase', code='failing@localhost'), {'code': failing(1)}, {}
    )
    assert node.is_finished_ok, node.exit_message
    assert jobs == {'relax': 300, 'relax_attempt_2': 0}


def test_what_failed_by_itself_is_not_repeated(structure: Any, library: Any, failing: Any) -> None:
    node, jobs = evaluate(failing(0), structure, library, fail_fraction=1.0)
    assert 'failed on purpose' in node.exit_message
    assert jobs == {'relax': 310}


def test_a_job_out_of_wall_time_is_not_repeated(structure: Any, library: Any, failing: Any) -> None:
    words = 'slurmstepd: error: *** JOB 7 ON node CANCELLED AT 2026-11-21T18:29:30 DUE TO TIME LIMIT ***'
    code = failing(9, prepend_text=f'echo "{words}" >&2; exit 0')
    node, jobs = evaluate(code, structure, library)
    assert 'DUE TO TIME LIMIT' in node.exit_message
    assert jobs == {'relax': 300}
