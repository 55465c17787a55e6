"""``tend``: keeps the daemon of a profile alive for as long as campaigns run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from aiida_inversedesign.cli.common import COUNT, FORMAT, load_profile
from aiida_inversedesign.cli.control.broker_watch import BrokerWatch
from aiida_inversedesign.cli.control.recover import GRACE, Action, DaemonState, Watch
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    import psutil

#: Seconds that processes are given to end by themselves.
TO_END = 10.0
#: Seconds that workers are given when their broker has gone; RabbitMQ takes longer to start.
TO_LEAVE = 3.0
#: How often the database is asked before it counts as silent.
ATTEMPTS = 2
#: Seconds since PostgreSQL was started.
UPTIME = 'SELECT extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())'
#: The broker that belongs to the daemon and is started with it.
OWN_BROKER = 'core.zeromq'
#: The broker that runs by itself.
RABBITMQ = 'core.rabbitmq'
#: Seconds without a change after which a process may have been forgotten.
TO_BEGIN = 60.0
#: What circus, which AiiDA's daemon is made of, starts beside the workers.
STATISTICS = 'from circus import stats; stats.main()'


class Processes(NamedTuple):
    """What the database says of the processes: see :class:`~aiida_inversedesign.cli.control.recover.DaemonState`."""

    active: int | None = None
    paused: tuple[int, ...] = ()
    foreground: bool = False
    unstarted: int = 0
    quiet: tuple[int, ...] = ()


@click.command()
@click.option('--interval', type=click.FloatRange(min=0.5), default=30.0, show_default=True, help='Seconds.')
@click.option('--grace', type=click.FloatRange(min=0), default=GRACE, show_default=True, help='Seconds before it acts.')
@click.option('--workers', type=COUNT, help='Workers of a new daemon; default: as many as there were.')
@click.option('--once', is_flag=True, help='Check and repair once, then return; exit code 1 if a problem remains.')
@FORMAT
def tend(interval: float, grace: float, workers: int | None, once: bool, output_format: str) -> None:
    """Watch the daemon: restart it when it is dead or unresponsive, and resume paused jobs. Ctrl-C ends the watch.

    What a killed daemon left behind is ended first, so that nothing runs twice. Jobs that a person paused stay paused.

    \b
    Examples:
      aiida-inversedesign tend                     beside a campaign of weeks, e.g. in tmux
      aiida-inversedesign tend --once --grace 0    after a power cut
    """
    load_profile()
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend is None:
        raise InverseDesignError('this profile has no broker, and so no daemon to tend: `verdi presto --use-zeromq`')
    watch, keeper = Watch(grace=grace), Keeper(workers)
    with suppress(KeyboardInterrupt):
        _keep(keeper, watch, interval, once, output_format)


def _keep(keeper: Keeper, watch: Watch, interval: float, once: bool, output_format: str) -> None:
    while True:
        state = keeper.look()
        action = watch.decide(state, time.monotonic())
        done = keeper.act(action)
        if action.kind != 'none':
            _tell(action, done, output_format)
        if once:
            if action.kind in ('wait', 'end') or (action.kind == 'restart' and keeper.look().daemon is None):
                raise SystemExit(1)
            return
        keeper.pause(interval)


def _tell(action: Action, done: str, output_format: str) -> None:
    if output_format == 'json':
        # a stream: one object a line
        click.echo(json.dumps({'time': time.time(), 'action': action.kind, 'reason': action.reason, 'done': done}))
    else:
        click.echo(f'{time.strftime("%H:%M:%S")} {action.reason}: {done}')


class Keeper:
    """Looks at the daemon of the loaded profile, and repairs it.

    :param workers: of a daemon that is started; None: as many as were seen last.
    """

    def __init__(self, workers: int | None) -> None:
        from aiida.engine.daemon.client import get_daemon_client
        from aiida.manage import get_config_option

        self.client = get_daemon_client()
        self._wanted = workers
        self._seen = int(get_config_option('daemon.default_workers'))
        self._slots = int(get_config_option('daemon.worker_process_slots'))
        self._rabbitmq = self._watch_rabbitmq()

    def _watch_rabbitmq(self) -> BrokerWatch | None:
        """A connection to RabbitMQ, if the profile has that."""
        from aiida.manage import get_manager

        if self.client.profile.process_control_backend != RABBITMQ:
            return None
        broker = get_manager().get_broker()
        return BrokerWatch(broker.get_url())

    def pause(self, seconds: float) -> None:
        """Wait; less if something happens to RabbitMQ."""
        if self._rabbitmq is None:
            time.sleep(seconds)
        else:
            self._rabbitmq.wait(seconds)

    # -- looking -----------------------------------------------------------------------------------------------

    def look(self) -> DaemonState:
        """The state now."""
        daemon = self._daemon()
        children = {process.pid for process in daemon.children(recursive=True)} if daemon else set()
        workers, brokers = self._processes('worker'), self._processes('broker')
        own = tuple(sorted(process.pid for process in workers if process.pid in children))
        self._seen = max(self._seen, len(own))
        broker = next((process.pid for process in brokers if process.pid in children), None)
        status = self._broker_status()
        answers = None if self._rabbitmq is None else self._rabbitmq.answers
        found = self._ask_database() if answers is not False else Processes()
        lost = None if self._rabbitmq is None else self._rabbitmq.lost
        return DaemonState(
            daemon=daemon.pid if daemon else None,
            workers=own,
            strays=tuple(sorted(process.pid for process in (*workers, *brokers) if process.pid not in children)),
            managed_broker=status is not None,
            broker=broker,
            subscribers=int((status or {}).get('task_subscribers', 0)),
            tasks=int((status or {}).get('pending_tasks', 0)) + int((status or {}).get('processing_tasks', 0)),
            active=found.active,
            paused=found.paused,
            outlived=found.active is not None and self._has_outlived(workers),
            foreground=found.foreground,
            answers=answers,
            away=lost is not None and any(started < lost for started in _starts(workers)),
            # without room in the workers they wait for good reason
            unstarted=found.unstarted if (found.active or 0) < self._slots * len(own) else 0,
            quiet=() if found.foreground else found.quiet,
        )

    def _daemon(self) -> psutil.Process | None:
        found = self._processes('start-circus')
        number = self.client.get_daemon_pid()
        return next((process for process in found if process.pid == number), None)

    def _processes(self, role: str) -> list[psutil.Process]:
        """This profile's processes of the daemon: ``verdi -p PROFILE daemon ROLE`` with this configuration."""
        return _running(['-p', self.client.profile.name, 'daemon', role])

    def _statistics(self) -> list[psutil.Process]:
        """Programs that a killed daemon left behind and that go on asking it for its load, each with 2 % of a core.

        All that serve a living daemon are its children.
        """
        import psutil

        found = []
        for process in _running(['-c', STATISTICS]):
            with suppress(psutil.Error):
                parent = process.parent()
                if parent is None or 'start-circus' not in parent.cmdline():
                    found.append(process)
        return found

    def _broker_status(self) -> dict[str, Any] | None:
        """What AiiDA's own broker says of itself, empty if it says nothing; None for another kind of broker."""
        from aiida.manage import get_manager

        if self.client.profile.process_control_backend != OWN_BROKER:
            return None
        import logging

        broker = get_manager().get_broker()

        # it warns of each file that is missing while the broker starts
        logging.getLogger('aiida').setLevel(logging.ERROR)
        return dict(broker.probe_service_status())

    def _ask_database(self) -> Processes:
        from aiida.manage import get_manager
        from sqlalchemy.exc import SQLAlchemyError

        from aiida_inversedesign.graph.control import (
            count_active_processes,
            count_unstarted,
            foreground_campaigns,
            paused_after_failures,
            quiet_jobs,
        )
        from aiida_inversedesign.workchains.foreground import is_alive

        storage = get_manager().get_profile_storage()
        for _ in range(ATTEMPTS):
            try:
                # ends the transaction, which would show the past
                storage.get_session().rollback()
                foreground = any(is_alive(item) for item in foreground_campaigns())
                return Processes(
                    active=count_active_processes(),
                    paused=tuple(paused_after_failures()),
                    foreground=foreground,
                    unstarted=count_unstarted(TO_BEGIN),
                    quiet=tuple(quiet_jobs(TO_BEGIN)),
                )
            except SQLAlchemyError:
                # perhaps only this connection is gone, as after a repair
                with suppress(SQLAlchemyError):
                    storage.get_session().rollback()
        return Processes()

    def _has_outlived(self, workers: list[psutil.Process]) -> bool:
        """Whether a worker is older than the database server, by the clock of each."""
        from aiida.manage import get_manager
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        if self.client.profile.storage_backend != 'core.psql_dos':
            return False
        session = get_manager().get_profile_storage().get_session()
        try:
            uptime = float(session.execute(text(UPTIME)).scalar_one())
        except SQLAlchemyError:
            return False
        return any(time.time() - started > uptime for started in _starts(workers))

    # -- repairing ---------------------------------------------------------------------------------------------

    def act(self, action: Action) -> str:
        """Do it, and say what was done."""
        if action.kind == 'restart':
            return self.restart()
        if action.kind == 'end':
            return f'{self.end()} process(es) of the daemon ended until it is back'
        if action.kind == 'play':
            return self.play(action.processes)
        return 'waiting' if action.kind == 'wait' else ''

    def end(self) -> int:
        """End the daemon and its workers; the number of processes that there were."""
        import psutil

        daemon, workers = self._processes('start-circus'), self._processes('worker')
        # first what would start others
        _end([*daemon, *self._statistics()])
        for worker in workers:
            with suppress(psutil.Error):
                worker.terminate()
        # a job that is being given to its scheduler is better written down
        _, left = psutil.wait_procs(workers, timeout=TO_LEAVE)
        _end(left)
        Path(self.client.circus_pid_file).unlink(missing_ok=True)
        return len(daemon) + len(workers)

    def restart(self) -> str:
        """End everything that remains of the daemon, give every process its task again, and start again."""
        from aiida.common.exceptions import AiidaException
        from aiida.manage import get_manager

        if self._daemon() is not None:
            with suppress(AiidaException):
                self.client.stop_daemon(wait=True, timeout=int(TO_END))
        left = [process for role in ('start-circus', 'worker', 'broker') for process in self._processes(role)]
        _end([*left, *self._statistics()])
        for name in ('pid', 'status', 'sockets'):
            # a worker that reads a stale file listens where nobody speaks
            (Path(self.client._zmq_broker_service_dir) / f'broker.{name}').unlink(missing_ok=True)
        Path(self.client.circus_pid_file).unlink(missing_ok=True)
        # a repair would hand what runs in the foreground to the daemon as well
        found = self._ask_database()
        if found.active is not None and not found.foreground:
            self._repair()
        with suppress(Exception):
            # the repair ends idle connections to the database, this program's own among them
            get_manager().get_profile_storage().get_session().close()
        number = self._wanted or self._seen
        try:
            self.client.start_daemon(number_workers=number, wait=True, timeout=60)
        except AiidaException as error:
            return f'the daemon could not be started ({error})'
        ended = f', {len(left)} left-over process(es) ended' if left else ''
        spared = '; tasks not repaired, a campaign runs in the foreground' if found.foreground else ''
        return f'started again with {number} worker(s){ended}{spared}'

    def _repair(self) -> None:
        """Give every process its task again, and end what has no process."""
        from aiida.manage import get_manager
        from aiida.manage.configuration import get_config

        from aiida_inversedesign.cli.control.tasks import give_tasks
        from aiida_inversedesign.graph.control import active_processes

        if self.client.profile.process_control_backend == OWN_BROKER:
            give_tasks(Path(get_manager().get_broker()._storage_path) / 'tasks', active_processes())
        command = [str(Path(sys.executable).with_name('verdi')), '-p', self.client.profile.name, 'process', 'repair']
        environment = {**self.client.get_env(), 'AIIDA_PATH': get_config().dirpath}
        subprocess.run([*command, '--force'], env=environment, capture_output=True, check=False, timeout=300)  # noqa: S603

    def play(self, processes: Iterable[int]) -> str:
        """Let paused jobs go on."""
        from aiida import orm
        from aiida.engine.processes.control import play_processes
        from aiida.manage import get_manager

        # the connection may be that to a broker which is gone
        get_manager().reset_broker()
        nodes = [orm.load_node(pk) for pk in processes]
        try:
            play_processes(nodes, timeout=5.0)
        except Exception as error:  # brokers raise what their libraries raise; the next look tries again
            return f'could not be played ({error})'
        return 'resumed'


def _running(words: list[str]) -> list[psutil.Process]:
    """The processes of this configuration whose command line has these words, side by side."""
    import psutil
    from aiida.manage.configuration import get_config

    folder, found = Path(get_config().dirpath).resolve(), []
    for process in psutil.process_iter(['cmdline', 'status']):
        if process.info['status'] == psutil.STATUS_ZOMBIE or not _contains(process.info['cmdline'] or [], words):
            continue
        with suppress(psutil.Error):
            home = process.environ().get('AIIDA_PATH', str(Path.home()))
            if folder in (Path(home).resolve(), (Path(home) / '.aiida').resolve()):
                found.append(process)
    return found


def _starts(processes: Iterable[psutil.Process]) -> list[float]:
    """When each of these was started, in seconds since 1970."""
    import psutil

    found = []
    for process in processes:
        with suppress(psutil.Error):
            found.append(process.create_time())
    return found


def _contains(line: list[str], words: list[str]) -> bool:
    return any(line[start : start + len(words)] == words for start in range(len(line) - len(words) + 1))


def _end(processes: list[psutil.Process]) -> None:
    """Kill processes: a worker that is asked to end might take up to a minute, and its checkpoints are written."""
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=TO_END)
