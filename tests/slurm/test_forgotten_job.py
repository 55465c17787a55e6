"""A slurmctld that is killed right after a submission forgets the job, whose program goes on for a while."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_inversedesign.engines.table.settings import Table

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 30.0


def events(record: Path) -> list[dict[str, Any]]:
    """Starts and ends of the engine's program."""
    return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


def forget(slurm: Any, record: Path) -> None:
    """Kill the controller as soon as the program runs, with the state that it has written since, and start it again."""
    root = Path(os.environ['SLURM_CONF']).parent
    saved = {file.name: file.read_bytes() for file in (root / 'state').iterdir() if file.is_file()}
    while not events(record):
        time.sleep(0.1)
    pid_file = root / 'run' / 'slurmctld.pid'
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    # its process may stay as a zombie, which the script would take for running
    pid_file.unlink()
    time.sleep(1)
    for file in (root / 'state').iterdir():
        if file.is_file():
            file.unlink()
    for name, content in saved.items():
        (root / 'state' / name).write_bytes(content)
    slurm('start')
    end = time.monotonic() + 120
    while time.monotonic() < end and not any(item['event'] == 'end' for item in events(record)):
        state = subprocess.run(['sinfo', '-h', '-o', '%T'], capture_output=True, text=True, check=False).stdout
        if 'drain' in state or 'down' in state:
            # the number was given twice: an administrator lets the node go on
            name = os.uname().nodename
            subprocess.run(['scontrol', 'update', f'NodeName={name}', 'State=RESUME'], check=False)
        time.sleep(1)


def test_programs_of_a_forgotten_job_do_not_run_beside_each_other(
    slurm: Any, slurm_computer: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from rehearsal import make_library

    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.nodes.structures import structure_of

    record = tmp_path / 'launches'
    library = LibraryData.from_library(make_library()).store()
    code = orm.InstalledCode(
        label='python',
        computer=slurm_computer,
        filepath_executable=sys.executable,
        prepend_text=f'export INVERSEDESIGN_LAUNCHES={record}',
    ).store()
    settings = Table(engine='table', data='x', code=code.full_label, units={'stiffness': 'GPa'}, delay_seconds=SECONDS)
    trouble = threading.Thread(target=forget, args=(slurm, record))
    trouble.start()
    _, node = run_get_node(
        WorkflowFactory('inversedesign.evaluate.table'),
        candidate=structure_of(next(iter(make_library())).crystal),
        properties=orm.List(['stiffness']),
        settings=orm.Dict({**settings.model_dump(mode='json'), 'delay_sigma': 0.0}),
        engine={'code': code, 'data': library},
    )
    trouble.join()
    jobs = {link.link_label: link.node for link in node.base.links.get_outgoing(node_class=orm.CalcJobNode).all()}
    print({label: (job.exit_status, job.get_job_id()) for label, job in jobs.items()}, events(record))
    assert node.is_finished_ok, node.exit_message
    assert jobs['relax'].exit_status == 300
    assert jobs['relax_attempt_2'].is_finished_ok
    starts, ends = ([item for item in events(record) if item['event'] == name] for name in ('start', 'end'))
    assert len(ends) == 1
    if len(starts) > 1:
        # Slurm ended the program that it knew nothing of: its last sign of life came before the next one began
        last = (Path(starts[0]['folder']) / 'alive').stat().st_mtime
        assert last <= starts[1]['time']
