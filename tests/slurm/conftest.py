"""A Slurm of one node, and pw.x on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / 'examples' / 'cluster' / 'one_node_slurm.sh'
PROGRAMS = ('slurmctld', 'slurmd', 'sbatch', 'munged')

Slurm = Callable[[str], None]


@pytest.fixture(scope='session')
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """The script that controls the Slurm of this session, started; call it with ``fail`` and ``recover``."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=f'{os.environ["PATH"]}:/usr/sbin') is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f'needs root and {", ".join(missing) or "nothing else"}')
    # short: the path of a socket may not have more than some 100 characters
    folder = Path(f'/tmp/inversedesign-slurm-{os.getpid()}')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, 'SLURM_PORT': str(port), 'SLURM_CPUS': '2', 'PATH': f'{os.environ["PATH"]}:/usr/sbin'}

    def control(action: str) -> None:
        subprocess.run([SCRIPT, action, str(folder)], check=True, env=environment, stdout=subprocess.DEVNULL)

    before = {name: os.environ.get(name) for name in ('SLURM_CONF', 'OMPI_ALLOW_RUN_AS_ROOT')}
    try:
        control('start')
        # AiiDA's daemon inherits it
        os.environ['SLURM_CONF'] = str(folder / 'slurm.conf')
        yield control
    finally:
        control('stop')
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope='session', autouse=True)
def verdi_of_this_interpreter_for_slurm() -> None:
    """The daemon is started by ``verdi``: by that of the interpreter that runs the tests, whatever the PATH says."""
    from aiida.engine.daemon import client

    folder = Path(sys.executable).parent
    os.environ['PATH'] = f'{folder}{os.pathsep}{os.environ["PATH"]}'
    client.VERDI_BIN = str(folder / 'verdi')


@pytest.fixture
def slurm_computer(slurm: Slurm, aiida_profile_clean: Any, tmp_path: Path) -> Any:
    """This machine through Slurm."""
    from aiida import orm

    computer = orm.Computer(
        label='slurm',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.slurm',
        workdir=str(tmp_path / 'scratch'),
    ).store()
    computer.set_mpirun_command(['mpirun', '-np', '{tot_num_mpiprocs}'])
    computer.set_default_mpiprocs_per_machine(2)
    computer.set_minimum_job_poll_interval(1.0)
    computer.configure(safe_interval=0.0, use_login_shell=False)
    return computer


@pytest.fixture
def pw_on_slurm(slurm_computer: Any, tmp_path: Path) -> Any:
    """pw.x on the computer, and the pseudopotentials of the demo."""
    from aiida import orm

    from aiida_inversedesign.cli import setup_local

    executable = setup_local.find_pw()
    if executable is None:
        pytest.skip('no pw.x on the PATH')
    setup_local.install_debian_pbe_family(tmp_path / 'pseudos')
    return orm.InstalledCode(
        label='pw',
        computer=slurm_computer,
        filepath_executable=str(executable),
        default_calc_job_plugin='quantumespresso.pw',
        prepend_text=setup_local.PREPEND,
    ).store()
