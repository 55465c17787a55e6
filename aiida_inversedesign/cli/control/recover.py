"""What is wrong with a daemon, and what repairs it: plain data in, plain data out. Imports no aiida.

A killed daemon can leave workers behind that go on with their processes. A new daemon beside them would run the same
processes a second time; they are ended first. A broker that was killed comes back by itself, but AiiDA 2.9's workers do
not find it again; nothing tells of it except that it has fewer subscribers than there are workers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

#: Seconds that a state may last before it is called wrong: on a busy machine workers need many to start.
GRACE = 60.0

Kind = Literal['none', 'wait', 'end', 'restart', 'play']


@dataclass(frozen=True)
class DaemonState:
    """What can be seen of a profile's daemon from outside.

    :param daemon: PID of the process that watches over the workers, or None if it is gone.
    :param workers: PIDs of the workers that this one started.
    :param strays: PIDs of workers and brokers that no longer belong to it.
    :param managed_broker: whether AiiDA's own broker belongs to the daemon; RabbitMQ does not.
    :param broker: PID of AiiDA's own broker, or None if it is gone.
    :param subscribers: workers that listen to that broker.
    :param tasks: processes that broker has in its queue or has given to a worker.
    :param active: work chains and jobs that have not ended; None if the database does not answer.
    :param paused: PKs of jobs that AiiDA paused after their transport or scheduler had failed several times.
    :param outlived: whether the database server was started after a worker, whose connections broke with the old one.
    :param foreground: whether a campaign runs in the foreground, whose processes have no task.
    :param answers: whether RabbitMQ answers; None where AiiDA's own broker serves the daemon.
    :param away: whether RabbitMQ has been away since a worker was started.
    :param quiet: PKs of jobs that wait, paused by nobody, and have not changed for a while.
    :param unstarted: processes that no worker has begun for a while although workers have room.
    """

    daemon: int | None
    workers: tuple[int, ...] = ()
    strays: tuple[int, ...] = ()
    managed_broker: bool = False
    broker: int | None = None
    subscribers: int = 0
    tasks: int = 0
    active: int | None = 0
    paused: tuple[int, ...] = ()
    outlived: bool = False
    foreground: bool = False
    answers: bool | None = None
    away: bool = False
    quiet: tuple[int, ...] = ()
    unstarted: int = 0


@dataclass(frozen=True)
class Action:
    """What to do.

    :param kind: ``none``, ``wait`` (for something outside), ``end`` the daemon until that is there again, ``restart``
        the daemon, or ``play`` paused jobs.
    :param reason: in words.
    :param processes: PKs of the jobs to play.
    """

    kind: Kind
    reason: str = ''
    processes: tuple[int, ...] = ()


@dataclass
class Watch:
    """Remembers since when something has been wrong, so that what repairs itself is left alone.

    :param grace: seconds before something that may repair itself is acted upon.
    :param replay: seconds between two attempts with the same paused job.
    """

    grace: float = GRACE
    replay: float = 60.0
    _since: dict[str, float] = field(default_factory=dict)
    _played: dict[int, float] = field(default_factory=dict)
    _asked: dict[int, frozenset[int]] = field(default_factory=dict)

    def decide(self, state: DaemonState, now: float) -> Action:
        """What to do about a state that was seen at ``now`` (seconds, of any clock that never goes back)."""
        if state.answers is False:
            # when it is back it gives the tasks of these workers to others, and nobody tells them to leave off
            if state.daemon is not None or state.workers or state.strays:
                return Action(
                    'end', 'RabbitMQ is away, and would give running processes to a second worker when it is back'
                )
            return Action('wait', 'RabbitMQ does not answer')
        if state.active is None:
            return Action('wait', 'the database does not answer')
        problem = self._first_lasting(problems(state), now)
        if problem:
            self._since.clear()
            return Action('restart', problem)
        due = tuple(pk for pk in state.paused if now - self._played.get(pk, float('-inf')) >= self.replay)
        if due and not self._since:
            self._played.update(dict.fromkeys(due, now))
            return Action('play', f'{len(due)} job(s) paused after failures of transport or scheduler', due)
        # a new worker may hold a job for paused that is not: each is sent one message, which does nothing to the others
        workers = frozenset(state.workers)
        quiet = tuple(pk for pk in state.quiet if not self._asked.get(pk, frozenset()) >= workers)
        if quiet and not self._since:
            self._asked = {pk: known for pk, known in self._asked.items() if pk in state.quiet}
            self._asked.update(dict.fromkeys(quiet, workers))
            return Action('play', f'{len(quiet)} job(s) have not moved, and may be held for paused', quiet)
        return Action('none')

    def _first_lasting(self, found: Iterable[tuple[str, bool]], now: float) -> str:
        current = dict(found)
        self._since = {problem: self._since.get(problem, now) for problem in current}
        for problem, urgent in current.items():
            if urgent or now - self._since[problem] >= self.grace:
                return problem
        return ''


def problems(state: DaemonState) -> list[tuple[str, bool]]:
    """What is wrong, and whether it cannot repair itself.

    Numbers that change from look to look are left out of the words: by them a problem is known again.
    """
    found = []
    if state.daemon is None:
        left = ', workers or a broker of it are left behind' if state.strays or state.workers else ''
        return [(f'the daemon has died{left}', True)]
    if state.strays:
        found.append(('workers or brokers of an earlier daemon still run', True))
    if state.outlived:
        # a worker may go on asking over a broken connection forever, and nothing that it runs moves
        found.append(('the database was started again after the workers', True))
    if state.away:
        found.append(('RabbitMQ has been away, and may have given what runs to a second worker', True))
    if not state.workers:
        found.append(('the daemon has no worker', False))
    if state.unstarted and not state.foreground:
        found.append(('processes have not been begun although workers have room', False))
    if state.managed_broker:
        if state.broker is None:
            found.append(('the broker has died', False))
        elif state.subscribers < len(state.workers):
            found.append(('workers do not listen to the broker', False))
        elif state.tasks < (state.active or 0) and not state.foreground:
            found.append(('processes have no task, so nobody will go on with them', False))
    return found
