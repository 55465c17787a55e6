"""Services that the drill starts and kills: PostgreSQL, RabbitMQ, a Slurm of one node, a small disk. Needs root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SLURM = Path(__file__).parents[2] / 'examples' / 'cluster' / 'one_node_slurm.sh'


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def run(command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command; what it said is in the error if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(f'{" ".join(map(str, command))}: {done.stdout[-1000:]}{done.stderr[-2000:]}')
    return done


class SmallDisk:
    """A file system of a few megabytes in memory, where the jobs run."""

    def __init__(self, folder: Path, megabytes: int = 24) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        run(['mount', '-t', 'tmpfs', '-o', f'size={megabytes}m', 'tmpfs', str(folder)])

    def fill(self) -> None:
        """Leave no byte."""
        with suppress(OSError), (self.folder / 'ballast').open('wb') as stream:
            while True:
                stream.write(bytes(2**16))
                stream.flush()

    def free(self) -> None:
        """Give the space back."""
        (self.folder / 'ballast').unlink(missing_ok=True)

    def stop(self) -> None:
        """Unmount it."""
        subprocess.run(['umount', '-l', str(self.folder)], check=False)


class Postgres:
    """A PostgreSQL server with one database for AiiDA."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        versions = sorted(Path('/usr/lib/postgresql').glob('*/bin'))
        if not versions:
            raise RuntimeError('PostgreSQL is not installed: apt-get install postgresql')
        self.programs = versions[-1]
        (folder / 'sockets').mkdir(parents=True)
        (folder / 'data').mkdir()
        for path in (folder, folder / 'sockets', folder / 'data'):
            shutil.chown(path, 'postgres')
        (folder / 'data').chmod(0o700)
        self._as('initdb', '-D', f'{folder}/data', '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8')
        self.start()
        self.sql("CREATE ROLE aiida LOGIN PASSWORD 'aiida'")
        self.sql("CREATE DATABASE drill OWNER aiida ENCODING 'UTF8' TEMPLATE template0")

    def _as(self, program: str, *arguments: str) -> None:
        # the server must not hold this process's pipes
        command = ['runuser', '-u', 'postgres', '--', str(self.programs / program), *arguments]
        with (self.folder / 'output').open('a') as output:
            subprocess.run(command, check=True, cwd='/', stdout=output, stderr=output)

    def start(self) -> None:
        """Start the server and wait for it; after a crash it recovers first."""
        options = f'-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}/sockets'
        log = str(self.folder / 'server.log')
        self._as('pg_ctl', '-D', f'{self.folder}/data', '-w', '-t', '60', '-l', log, '-o', options, 'start')

    def sql(self, statement: str, database: str = 'postgres') -> str:
        """What a statement returns."""
        command = [
            'psql',
            '-h',
            '127.0.0.1',
            '-p',
            str(self.port),
            '-U',
            'postgres',
            '-d',
            database,
            '-Atqc',
            statement,
        ]
        return run(command).stdout.strip()

    def kill(self) -> None:
        """Kill the server and all its processes, as a power cut does."""
        with suppress(OSError, ValueError):
            master = int((self.folder / 'data' / 'postmaster.pid').read_text().split()[0])
            _kill_tree(master)
        with suppress(OSError):
            (self.folder / 'data' / 'postmaster.pid').unlink()

    def stop(self) -> None:
        """End it."""
        with suppress(subprocess.CalledProcessError):
            self._as('pg_ctl', '-D', f'{self.folder}/data', '-m', 'immediate', 'stop')


class RabbitMQ:
    """A RabbitMQ server of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        homes = sorted(Path('/usr/lib/rabbitmq/lib').glob('rabbitmq_server-*'))
        if not homes:
            raise RuntimeError('RabbitMQ is not installed: apt-get install rabbitmq-server')
        self.home = homes[-1]
        for name in ('home', 'mnesia', 'log'):
            (folder / name).mkdir(parents=True)
        (folder / 'env.conf').write_text('')
        (folder / 'enabled_plugins').write_text('[].\n')
        # AiiDA acknowledges a task when its process has ended
        (folder / 'advanced.config').write_text('[{rabbit,[{consumer_timeout,undefined}]}].\n')
        (folder / 'rabbitmq.conf').write_text(
            f'listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users.guest = true\ndisk_free_limit.absolute = 50MB\n'
        )
        for path in (folder, *folder.rglob('*')):
            shutil.chown(path, 'rabbitmq')
        distribution, mapper = free_port(), free_port()
        self.variables = {
            'HOME': f'{folder}/home',
            'RABBITMQ_HOME': str(self.home),
            'RABBITMQ_NODENAME': f'drill{os.getpid()}@localhost',
            'RABBITMQ_NODE_IP_ADDRESS': '127.0.0.1',
            'RABBITMQ_NODE_PORT': str(self.port),
            'RABBITMQ_DIST_PORT': str(distribution),
            'ERL_EPMD_ADDRESS': '127.0.0.1',
            'ERL_EPMD_PORT': str(mapper),
            'RABBITMQ_MNESIA_BASE': f'{folder}/mnesia',
            'RABBITMQ_LOG_BASE': f'{folder}/log',
            'RABBITMQ_ENABLED_PLUGINS_FILE': f'{folder}/enabled_plugins',
            'RABBITMQ_CONF_ENV_FILE': f'{folder}/env.conf',
            'RABBITMQ_CONFIG_FILE': f'{folder}/rabbitmq',
            'RABBITMQ_ADVANCED_CONFIG_FILE': f'{folder}/advanced.config',
            'RABBITMQ_PID_FILE': f'{folder}/rabbit.pid',
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '-kernel inet_dist_use_interface {127,0,0,1}',
        }
        self.start()

    def _command(self, program: str, *arguments: str) -> list[str]:
        variables = [f'{key}={value}' for key, value in self.variables.items()]
        prefix = ['runuser', '-u', 'rabbitmq', '--', 'env', '-i', 'PATH=/usr/bin:/bin:/usr/sbin', 'LANG=C.UTF-8']
        return [*prefix, *variables, str(self.home / 'sbin' / program), *arguments]

    def start(self) -> None:
        """Start the server and wait for it."""
        with (self.folder / 'output').open('a') as output:
            subprocess.Popen(
                self._command('rabbitmq-server'), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True, cwd='/',
            )  # fmt: skip
        for _ in range(60):
            with suppress(OSError), socket.create_connection(('127.0.0.1', self.port), timeout=1):
                break
            time.sleep(1)
        run(self._command('rabbitmqctl', '-q', 'await_startup', '--timeout', '120'), cwd='/')

    def kill(self) -> None:
        """Kill the server."""
        with suppress(OSError, ValueError):
            _kill_tree(int((self.folder / 'rabbit.pid').read_text()))

    def stop(self) -> None:
        """End it, and the program that maps its ports."""
        self.kill()
        variables = {**os.environ, 'ERL_EPMD_PORT': self.variables['ERL_EPMD_PORT']}
        # it refuses as long as it takes the server for alive
        for _ in range(40):
            said = subprocess.run(['epmd', '-kill'], env=variables, check=False, capture_output=True, text=True)
            if 'Killed' in said.stdout or 'Cannot connect' in said.stdout + said.stderr:
                break
            time.sleep(0.25)


class Slurm:
    """A Slurm of one node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f'{os.environ["PATH"]}:/usr/sbin'
        self.variables = {**os.environ, 'SLURM_PORT': str(_two_free_ports()), 'SLURM_CPUS': '4', 'PATH': path}
        self._control('start')
        # the daemon inherits it
        os.environ['SLURM_CONF'] = str(folder / 'slurm.conf')

    def _control(self, action: str) -> None:
        done = subprocess.run(
            [SLURM, action, str(self.folder)], env=self.variables, check=False, stdout=subprocess.DEVNULL
        )
        if done.returncode:
            raise RuntimeError(f'{SLURM.name} {action} failed; see {self.folder}/log')

    def kill(self, name: str) -> None:
        """Kill ``slurmctld`` or ``slurmd``; jobs go on."""
        with suppress(OSError, ValueError):
            os.kill(int((self.folder / 'run' / f'{name}.pid').read_text()), signal.SIGKILL)

    def start(self) -> None:
        """Start what is not running."""
        for name in ('slurmctld', 'slurmd'):
            file = self.folder / 'run' / f'{name}.pid'
            with suppress(OSError, ValueError):
                if not Path(f'/proc/{int(file.read_text())}').exists():
                    file.unlink()
        self._control('start')

    def resume(self) -> str:
        """What an administrator does: let a node that Slurm has set aside go on; why it had, empty if it had not.

        A slurmctld that was killed seconds after a submission gives the number of that job to another one, and takes
        the node on which it meets both for broken.
        """
        variables = {**self.variables, 'SLURM_CONF': f'{self.folder}/slurm.conf'}
        asked = subprocess.run(
            ['sinfo', '-h', '-N', '-o', '%N|%T|%E'],
            env=variables, check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        name, _, rest = asked.stdout.strip().partition('|')
        state, _, reason = rest.partition('|')
        if not state.startswith(('drain', 'down')):
            return ''
        subprocess.run(['scontrol', 'update', f'NodeName={name}', 'State=RESUME'], env=variables, check=False)
        return f'{state}: {reason}'

    def stop(self) -> None:
        """End it, and what still runs."""
        subprocess.run(
            ['scancel', '-u', 'root'], env={**self.variables, 'SLURM_CONF': f'{self.folder}/slurm.conf'}, check=False
        )
        self._control('stop')


def _two_free_ports() -> int:
    """A port that is free together with the next one."""
    while True:
        port = free_port()
        with suppress(OSError), socket.socket() as probe:
            probe.bind(('127.0.0.1', port + 1))
            return port


def _kill_tree(root: int) -> None:
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(root)
        for item in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                item.kill()
