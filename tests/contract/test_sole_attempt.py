"""A program whose job is taken for ended although it runs is waited for, not started a second time beside itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.engines import table
from aiida_inversedesign.engines.table.settings import Table
from aiida_inversedesign.processes import guard

WAIT = Path(table.__file__).with_name('wait.py')

#: the first job loses the script that the scheduler knows of, and goes on
INTERPRETER = """#!/bin/bash
echo $$ >> {pids}
[ $(wc -l < {pids}) -eq 1 ] && kill -9 $PPID
exec {python} "$@"
"""


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: Any) -> Any:
    """Starts the program of the ``table`` engine in a folder, as a job does."""
    monkeypatch.setenv('INVERSEDESIGN_LAUNCHES', str(tmp_path / 'launches'))
    # in the folder of a job it lies beside the script
    monkeypatch.setenv('PYTHONPATH', str(Path(guard.__file__).parent))
    started = []

    def start(name: str, seconds: float, earlier: tuple[str, ...] = ()) -> Any:
        folder = tmp_path / name
        folder.mkdir()
        job = {'crystal': 'x', 'seconds': seconds, 'fail': False}
        job['earlier_attempts'] = [str(tmp_path / other) for other in earlier]
        (folder / 'input.json').write_text(json.dumps(job))
        with (folder / 'script.out').open('w') as output:
            process = subprocess.Popen([sys.executable, str(WAIT)], cwd=folder, stdout=output)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def launches(folder: Path) -> list[tuple[str, str]]:
    """Events of the record with the folder in which they happened."""
    lines = [json.loads(line) for line in (folder / 'launches').read_text().splitlines()]
    return [(line['event'], Path(line['folder']).name) for line in lines]


def until(condition: Any, seconds: float = 30.0) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not come'
        time.sleep(0.05)


def test_an_attempt_that_runs_is_waited_for(begin: Any, tmp_path: Path) -> None:
    begin('first', 3.0)
    until((tmp_path / 'first' / 'alive').exists)
    assert begin('second', 3.0, ('first',)).wait(60) == 0
    assert launches(tmp_path) == [('start', 'first'), ('end', 'first')]
    results = [(tmp_path / name / 'results.json').read_bytes() for name in ('first', 'second')]
    assert results[0] == results[1]
    assert f'those of an earlier attempt, in {tmp_path / "first"}' in (tmp_path / 'second' / 'script.out').read_text()
    assert not (tmp_path / 'second' / 'alive').exists()


def test_one_that_ended_after_it_was_given_up_is_taken_over(begin: Any, tmp_path: Path) -> None:
    assert begin('first', 0.0).wait(30) == 0
    assert begin('second', 0.0, ('nowhere', 'first')).wait(30) == 0
    assert launches(tmp_path) == [('start', 'first'), ('end', 'first')]


def test_one_that_dies_is_replaced(begin: Any, tmp_path: Path) -> None:
    first = begin('first', 60.0)
    until((tmp_path / 'first' / 'alive').exists)
    second = begin('second', 0.0, ('first',))
    until((tmp_path / 'second' / 'alive').exists)
    assert second.poll() is None
    first.kill()
    first.wait()
    assert second.wait(30) == 0
    assert launches(tmp_path) == [('start', 'first'), ('start', 'second'), ('end', 'second')]


def test_signs_of_life_end_with_the_program(begin: Any, tmp_path: Path, monkeypatch: Any) -> None:
    first = begin('first', 60.0)
    alive = tmp_path / 'first' / 'alive'
    until(alive.exists)
    monkeypatch.chdir(tmp_path)
    Path('alive').touch()
    # as another machine sees it
    machine, _, number = alive.read_text().partition(' ')
    assert (machine, int(number)) == (os.uname().nodename, first.pid)
    alive.write_text(f'elsewhere {number}')
    assert guard._lives(alive.parent)
    os.utime(alive, (time.time() - 600, time.time() - 600))
    until(lambda: guard._lives(alive.parent), 2 * guard.BEAT)
    first.send_signal(signal.SIGKILL)
    first.wait()
    time.sleep(guard.BEAT + 1)
    os.utime(alive, (time.time() - 600, time.time() - 600))
    time.sleep(guard.BEAT + 1)
    assert not guard._lives(alive.parent)


def test_half_written_results_are_not_taken(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / 'first').mkdir()
    (tmp_path / 'first' / 'results.json').write_text('{"seconds":')
    monkeypatch.chdir(tmp_path)
    with guard.sole_attempt([str(tmp_path / 'first')], ['results.json']) as taken:
        assert taken is None


def test_programs_of_decisions_take_over_too(tmp_path: Path) -> None:
    from aiida_inversedesign.processes.job_exchange import INPUT, OUTPUT, RECORD, packed, unpacked

    program = (
        'from aiida_inversedesign.processes.job_exchange import run_job\n'
        'run_job(lambda data: {"sum": data["earlier"] + 1}, ())\n'
    )
    for name, earlier in (('first', []), ('second', [str(tmp_path / 'first')])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / INPUT).write_bytes(packed({'earlier': 4, 'earlier_attempts': earlier}))
        subprocess.run([sys.executable, '-c', program], cwd=folder, check=True)
    assert unpacked((tmp_path / 'second' / OUTPUT).read_bytes()) == {'sum': 5}
    assert (tmp_path / 'second' / RECORD).read_bytes() == (tmp_path / 'first' / RECORD).read_bytes()


def test_a_job_that_its_scheduler_forgot_runs_once(
    structure: Any, library: Any, aiida_profile_clean: Any, aiida_code_installed: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv('INVERSEDESIGN_LAUNCHES', str(tmp_path / 'launches'))
    program = tmp_path / 'interpreter'
    program.write_text(INTERPRETER.format(pids=tmp_path / 'pids', python=sys.executable))
    program.chmod(0o755)
    code = aiida_code_installed(label='forgotten', filepath_executable=str(program))
    settings = Table(engine='table', data='x', code=code.full_label, units={'shine': 'lm'}, delay_seconds=12.0)
    _, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.table'),
        candidate=structure,
        properties=orm.List(['shine']),
        settings=orm.Dict({**settings.model_dump(mode='json'), 'delay_sigma': 0.0}),
        engine={'code': code, 'data': library},
    )
    assert node.is_finished_ok, node.exit_message
    jobs = {link.link_label: link.node for link in node.base.links.get_outgoing(node_class=orm.CalcJobNode).all()}
    assert {label: job.exit_status for label, job in jobs.items()} == {'relax': 300, 'relax_attempt_2': 0}
    assert [event for event, _ in launches(tmp_path)] == ['start', 'end']
    second = jobs['relax_attempt_2']
    assert second.inputs.earlier.relax.uuid == jobs['relax'].outputs.remote_folder.uuid
    assert 'an earlier attempt' in second.outputs.retrieved.get_object_content('script.out')
