"""Proposals and fits as jobs: the same outputs as the calculation functions, from the same inputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import CalculationFactory

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.chemistry.crystal import Crystal


def spec_of(**sections: Any) -> Any:
    data = {
        'name': 'jobs',
        'seed': 5,
        'goal': {'objectives': [{'property': 'volume', 'minimize': True, 'hit': 10.0}]},
        'space': {'elements': ['Na', 'K', 'Cl', 'Br'], 'ratios': ['1:1'], 'max_sites': 2},
        'propose': {'library': 'aflow', 'method': 'dissimilarity', 'top_k': 2},
        'learn': {'surrogate': 'gp'},
        'evaluate': {'engine': 'ase', 'code': 'python@localhost'},
        'budget': {'evaluations': 9},
    }
    return validate_campaign(data | sections)


def rows_of(candidates: list[Any], number: int) -> list[EvaluationRow]:
    """Made-up results of the first candidates."""
    return [
        EvaluationRow(
            candidate=item.id, generation=1, arm='initial', key=item.key, status='completed',
            proposed=item.content, relaxed=item.content,
            properties={'volume': item.content.volume / item.content.nsites}, hit=False,
        )
        for item in [item for item in candidates if item.accepted][:number]
    ]  # fmt: skip


@pytest.fixture
def aflow(aiida_profile_clean: Any) -> Any:
    from aiida_inversedesign.nodes.store import get_library

    return get_library('aflow')


def test_a_proposal_and_a_fit_give_what_the_calculation_functions_give(python_code: Any, aflow: Any) -> None:
    from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
    from aiida_inversedesign.decisions.propose_candidates import propose_candidates
    from aiida_inversedesign.nodes.table_data import TableData

    spec = spec_of()
    settings, first = orm.Dict(spec.settings()), orm.Int(1)
    here = propose_candidates(settings=settings, library=aflow, generation=first)['pool']
    results, node = run_get_node(
        CalculationFactory('inversedesign.propose_job'),
        code=python_code,
        settings=settings,
        library=aflow,
        generation=first,
    )
    assert node.is_finished_ok, node.exit_message
    assert results['pool'].content_hash == here.content_hash
    assert results['record']['versions']['aiida-inversedesign']
    assert results['record']['error'] is None
    # what the job read is in its input nodes and not stored again
    assert not [name for name in node.base.repository.list_object_names() if name.endswith(('gz', 'parquet'))]

    table = TableData.from_rows(rows_of(here.get_candidates(), 5), spec.goal).store()
    fitted = fit_surrogate(settings=settings, table=table)['surrogate']
    results, node = run_get_node(
        CalculationFactory('inversedesign.fit_job'), code=python_code, settings=settings, table=table
    )
    assert node.is_finished_ok, node.exit_message
    assert results['surrogate'].content_hash == fitted.content_hash
    assert results['surrogate'].base.attributes.all == fitted.base.attributes.all


@pytest.mark.slow
def test_an_end_of_the_space_and_too_few_rows_are_the_same_exit_codes(python_code: Any, aflow: Any) -> None:
    from aiida_inversedesign.decisions.fit_surrogate import fit_surrogate
    from aiida_inversedesign.decisions.propose_candidates import propose_candidates
    from aiida_inversedesign.nodes.table_data import TableData

    spec = spec_of()
    settings = orm.Dict(spec.settings())
    pool = propose_candidates(settings=settings, library=aflow, generation=orm.Int(1))['pool']
    inputs = {'settings': settings, 'library': aflow, 'generation': orm.Int(2), 'pool': pool}
    _, function = propose_candidates.run_get_node(**inputs)
    _, job = run_get_node(CalculationFactory('inversedesign.propose_job'), code=python_code, **inputs)
    assert function.exit_status == job.exit_status == 310
    assert function.exit_message == job.exit_message

    table = TableData.from_rows(rows_of(pool.get_candidates(), 1), spec.goal).store()
    _, function = fit_surrogate.run_get_node(settings=settings, table=table)
    _, job = run_get_node(CalculationFactory('inversedesign.fit_job'), code=python_code, settings=settings, table=table)
    assert function.exit_status == job.exit_status == 320
    assert function.exit_message == job.exit_message


@pytest.mark.parametrize(
    ('script', 'status', 'words'),
    [
        ('echo "No module named aiida_inversedesign" >&2; exit 1', 303, 'No module named aiida_inversedesign'),
        ('kill -9 $$', 300, 'Killed'),
        ('echo "{" > record.json', 301, 'cannot be read'),
        (
            'echo \'{"versions": {"aiida-inversedesign": "0.0.1"}, "error": null}\' > record.json',
            302,
            'the code has aiida-inversedesign 0.0.1',
        ),
    ],
)
def test_what_goes_wrong_there_is_said_here(
    aflow: Any, aiida_code_installed: Any, tmp_path: Path, script: str, status: int, words: str
) -> None:
    program = tmp_path / 'program.sh'
    program.write_text(f'#!/bin/sh\n{script}\n')
    program.chmod(0o755)
    code = aiida_code_installed(label='program', filepath_executable=str(program))
    _, node = run_get_node(
        CalculationFactory('inversedesign.propose_job'),
        code=code,
        settings=orm.Dict(spec_of().settings()),
        library=aflow,
        generation=orm.Int(1),
    )
    assert node.exit_status == status
    assert words in node.exit_message


def test_the_programs_import_no_aiida() -> None:
    import subprocess

    code = (
        'import sys, json; import aiida_inversedesign.decisions.run_propose, aiida_inversedesign.decisions.run_fit; '
        "print(json.dumps([name for name in sys.modules if name.split('.')[0].startswith('aiida')]))"
    )
    output = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    assert {name.split('.')[0] for name in json.loads(output)} == {'aiida_inversedesign'}


def test_crystals_survive_the_way_there_and_back() -> None:
    from aiida_inversedesign.processes.job_exchange import packed, unpacked

    crystal = Crystal([[1 / 3, 0.1, 0], [0, 2 / 7, 0], [0, 0, 10 / 3]], ('Si',), [[1 / 9, 0, 0]])
    assert Crystal.from_dict(unpacked(packed(crystal.to_dict()))).to_dict() == crystal.to_dict()
    assert packed({'a': 1}) == packed({'a': 1})


@pytest.mark.parametrize(
    ('words', 'itself'),
    [
        ('KeyError: 1', True),
        ('torch.OutOfMemoryError: CUDA out of memory.', True),
        ('MemoryError', True),
        ("/usr/bin/python3: Error while finding module specification for 'a.b' (No module named 'a')", True),
        ('OSError: [Errno 28] No space left on device', False),
        ('FileNotFoundError: [Errno 2] No such file or directory', False),
        ('gzip.BadGzipFile: CRC check failed', False),
        ('KeyboardInterrupt', False),
        ('slurmstepd: error: *** JOB 7 ON node CANCELLED AT 2026-11-21T18:29:30 DUE TO NODE FAILURE ***', False),
        ('_aiidasubmit.sh: line 6: 18461 Killed', False),
        ('', False),
    ],
)
def test_a_program_that_stopped_by_itself_is_told_from_one_that_was_cut_down(words: str, itself: bool) -> None:
    from aiida_inversedesign.processes.package_job import stopped_by_itself

    assert stopped_by_itself(words) is itself
