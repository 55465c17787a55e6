"""What the drill runs: a made-up data set, a profile on the services that are asked for, and a campaign file."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

VERDI = str(Path(sys.executable).with_name('verdi'))
COMMAND = str(Path(sys.executable).with_name('aiida-inversedesign'))


@dataclass(frozen=True)
class Setting:
    """One configuration of the drill.

    :param storage: ``sqlite`` or ``postgres``.
    :param broker: ``zeromq`` or ``rabbitmq``.
    :param scheduler: ``direct`` or ``slurm``.
    :param schedule: ``generations`` or ``asynchronous``.
    """

    storage: str = 'sqlite'
    broker: str = 'zeromq'
    scheduler: str = 'direct'
    schedule: str = 'generations'

    def __str__(self) -> str:
        return f'{self.storage}, {self.broker}, core.{self.scheduler}, {self.schedule}'

    @classmethod
    def parse(cls, text: str) -> Setting:
        """From ``sqlite+zeromq+direct+generations``; what is left out at the end is as above."""
        return cls(*text.split('+'))


def campaign_text(setting: Setting, evaluations: int, at_once: int, seconds: float, seed: int) -> str:
    """The campaign file."""
    return f"""\
name: drill
seed: {seed}
goal: {{objectives: [{{property: stiffness, maximize: true, hit: 250}}]}}
propose: {{library: metals, method: library}}
select: {{initial: {2 * at_once}, batch: {2 * at_once}, schedule: {setting.schedule}}}
learn: {{surrogate: gp}}
evaluate:
  engine: table
  data: metals
  units: {{stiffness: GPa}}
  code: python@drill
  delay_seconds: {seconds}
  delay_sigma: 0.7
  fail_fraction: 0.15
  free_space_gb: 0
  options: {{max_wallclock_seconds: 600}}
budget: {{evaluations: {evaluations}, at_once: {at_once}}}
"""


def make_profile(setting: Setting, postgres_port: int, rabbitmq_port: int, home: Path) -> None:
    """The profile ``drill`` in the AIIDA_PATH ``home``."""
    storage = {
        'sqlite': ['core.sqlite_dos', '--filepath', str(home / 'storage')],
        'postgres': [
            'core.psql_dos', '--database-hostname', '127.0.0.1', '--database-port', str(postgres_port),
            '--database-name', 'drill', '--database-username', 'aiida', '--database-password', 'aiida',
            '--repository-uri', f'file://{home}/repository',
        ],
    }[setting.storage]  # fmt: skip
    person = ['--email', 'drill@localhost', '--first-name', 'a', '--last-name', 'b', '--institution', 'c']
    broker = 'core.zeromq' if setting.broker == 'zeromq' else 'none'
    verdi(
        'profile', 'setup', *storage, '-n', '--profile-name', 'drill', *person, '--set-as-default', '--broker', broker
    )
    if setting.broker == 'rabbitmq':
        verdi(
            '-p', 'drill', 'profile', 'configure-broker', 'core.rabbitmq', '-n', '-f', '--broker-protocol', 'amqp',
            '--broker-username', 'guest', '--broker-password', 'guest', '--broker-host', '127.0.0.1',
            '--broker-port', str(rabbitmq_port), '--broker-virtual-host', '',
        )  # fmt: skip
    # a busy machine answers late; failed attempts are repeated within seconds and not minutes, so that jobs do pause
    for name, value in (
        ('daemon.timeout', '60'),
        ('transport.task_retry_initial_interval', '1'),
        ('transport.task_maximum_attempts', '3'),
        ('daemon.worker_process_slots', '200'),
    ):
        verdi('-p', 'drill', 'config', 'set', name, value)


def verdi(*arguments: str) -> str:
    """What a verdi command says."""
    done = subprocess.run([VERDI, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise RuntimeError(f'verdi {" ".join(arguments)}: {done.stdout[-1000:]}{done.stderr[-2000:]}')
    return done.stdout


FILL = """
import sys
import numpy as np
from pathlib import Path
from aiida import load_profile, orm
load_profile('drill')
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.libraries.library import Library, Template

scheduler, work, record = sys.argv[1:]
templates = []
for number, symbol in enumerate('Li Be B C N O Na Mg Al Si P S K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se'.split()):
    for lattice in ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]):
        a = 3 + 0.05 * number
        crystal = Crystal(a / 2 * np.array(lattice, float), (symbol,), np.zeros((1, 3)))
        properties = {'stiffness': 3000 / crystal.volume, 'index': 1.0}
        templates.append(Template(f'{symbol}-{len(templates)}', crystal, 'made up', 'CC0', properties=properties))
LibraryData.from_library(Library(templates), label='metals').store()
computer = orm.Computer(label='drill', hostname='localhost', transport_type='core.local',
                        scheduler_type=f'core.{scheduler}', workdir=work).store()
computer.set_minimum_job_poll_interval(1.0)
computer.set_default_mpiprocs_per_machine(1)
computer.configure(safe_interval=0.0, use_login_shell=False)
orm.InstalledCode(label='python', computer=computer, filepath_executable=sys.executable, with_mpi=False,
                  default_calc_job_plugin='inversedesign.table',
                  prepend_text=f'export INVERSEDESIGN_LAUNCHES={record}').store()
"""


def fill_profile(setting: Setting, work: Path, record: Path) -> None:
    """The data set, the computer and the code."""
    command = [sys.executable, '-c', FILL, setting.scheduler, str(work), str(record)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])


ROWS = """
import json, sys
from aiida import load_profile, orm
load_profile('drill')
node = orm.load_node(int(sys.argv[1]))
rows, decided = [], []
if 'table' in node.outputs:
    hashes = {item.id: item.content.content_hash for item in node.outputs.pool.get_candidates() if item.content}
    rows = [{'candidate': row.candidate, 'crystal': hashes[row.candidate], 'completed': row.status == 'completed'}
            for row in node.outputs.table.get_rows()]
    decided = [[row.candidate, row.key, row.generation, row.arm, row.status, row.hit, row.predicted, row.properties]
               for row in node.outputs.table.get_rows()]
reason = node.outputs.stop_reason.value if 'stop_reason' in node.outputs else ''
print(json.dumps({'state': node.process_state.value, 'exit': node.exit_status, 'reason': reason,
                  'message': node.exit_message, 'rows': rows, 'decided': decided}))
"""
