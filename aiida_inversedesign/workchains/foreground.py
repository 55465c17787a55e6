"""Running a campaign in this interpreter, without a daemon, so that an interruption leaves nothing running behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from aiida.common.datastructures import CalcJobState
from aiida.engine import CalcJob, Process
from aiida.engine.runners import Runner
from aiida.engine.utils import loop_scope
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, ProcessNode
from plumpy.exceptions import KilledError
from plumpy.greenback_bridge import run_with_portal, sync_await
from plumpy.process_states import KillInterruption
from plumpy.processes import Process as StateMachine

from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.control import FOREGROUND, PAUSED_BY_FAILURE
from aiida_inversedesign.workchains.patience import DatabaseLostError, StopNow, patient
from aiida_inversedesign.workchains.stopping import find_request
from aiida_inversedesign.workchains.submitted import SubmittedJobs, cancel_jobs

#: Seconds between two looks of a work chain at its children: without a broker nobody tells it that they ended.
POLL_INTERVAL = 0.2

#: Seconds between two looks for a request to stop that kills what runs.
STOP_INTERVAL = 2.0

#: Seconds between two looks for jobs that AiiDA paused because their disk, transport or scheduler had failed.
PLAY_INTERVAL = 60.0

#: Seconds between two looks at the processes that were asked to end, and the number of looks before they are forced.
LOOK, LOOKS = 0.1, 100

#: Looks at jobs that are being submitted: without the number of a job it cannot be cancelled.
LOOKS_AT_SUBMISSION = 50

#: Seconds between the last submission and its cancelling: by then a job has started the processes it consists of.
SETTLE = 1.0

#: Seconds after a request to stop at which nothing waits for the database any more, at which the campaign ends wherever
#: it is, and for which jobs may be cancelled then: with what follows less than ten.
STOP_WAITING, STOP_NOW, CANCEL = 3.0, 6.5, 2.5

#: Seconds after which that is repeated.
AGAIN = 0.5

#: Seconds by which the start of the same process may be reported differently.
CLOCK = 5.0


def keep_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Keep every task of a loop until it is done.

    asyncio refers to tasks weakly and asks its users to keep them; AiiDA's runner does not keep those of the processes
    that it submits (aiida-core 2.9, ``Runner.submit``). One that waits in a cycle of references may be collected as
    garbage: its process then stays *running* or *waiting* forever, without a message.
    """
    kept: set[asyncio.Task[Any]] = set()

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
        kept.add(task)
        task.add_done_callback(kept.discard)
        return task

    loop.set_task_factory(factory)


class ForegroundRunner(Runner):
    """A runner that knows its live processes.

    AiiDA's own runner kills the children of an interrupted process through the broker; without a daemon there is
    nobody to hear it, and their jobs would go on.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        keep_tasks(self.loop)
        self._live: weakref.WeakSet[Process] = weakref.WeakSet()
        self._kept: tuple[type, ...] = ()
        self._submitted = SubmittedJobs()

    @property
    def is_daemon_runner(self) -> bool:
        """Keeps calculation functions from handling Ctrl-C: each would kill itself and fail the work chain above."""
        return True

    def instantiate_process(self, process: Any, **inputs: Any) -> Process:
        """Make a process of this runner and remember it."""
        instance = super().instantiate_process(process, **inputs)
        self._live.add(instance)
        if isinstance(instance, CalcJob):
            self._submitted.follow(instance.node)
        return instance

    def kill_all(self, message: str, keep: tuple[type, ...] = ()) -> None:
        """Kill every live process, then cancel the jobs of those that had one.

        Work chains end before the jobs they wait for: one that saw its job killed would go on and call it a failure.

        :param keep: classes of work chains that go on.
        """
        self._kept = keep
        self._end(lambda: self._alive(jobs=False), message)
        self._look_until(lambda: not any(_is_being_submitted(job.node) for job in self._alive(jobs=True)))
        jobs = [process.node for process in self._alive(jobs=True)]
        self._end(lambda: self._alive(jobs=True), message)
        if jobs:
            sync_await(asyncio.sleep(SETTLE))
            cancel_jobs(jobs)

    def cancel_without_database(self) -> None:
        """Cancel the jobs of all live processes, without recording it in the database."""
        self._submitted.cancel([job.pid for job in self._live if isinstance(job, CalcJob) and not job.has_terminated()])

    def play_failed(self) -> None:
        """Let the jobs go on that AiiDA paused after its attempts had failed: nobody else would."""
        for job in self._alive(jobs=True):
            if job.paused and (job.node.process_status or '').startswith(PAUSED_BY_FAILURE):
                job.play()

    def _alive(self, jobs: bool) -> list[Process]:
        """The live jobs, or the live work chains, from the root down."""
        live = [item for item in self._live if not item.has_terminated() and not isinstance(item, self._kept)]
        return sorted((item for item in live if isinstance(item, CalcJob) is jobs), key=lambda item: item.pid)

    def _end(self, alive: Callable[[], list[Process]], message: str) -> None:
        """Tell processes to end until they have; one in mid-step may launch another before it does."""
        for _ in range(LOOKS):
            if not (processes := alive()):
                return
            for process in processes:
                # between two tasks a job cannot be interrupted: it is asked again in the next one
                with suppress(asyncio.InvalidStateError):
                    # not AiiDA's own kill: it has each scheduler told first, and where a job has just ended by itself
                    # `core.direct` answers with an error, after which AiiDA tries again for five minutes
                    StateMachine.kill(process, msg_text=message)
            sync_await(asyncio.sleep(LOOK))
        for process in alive():
            StateMachine.kill(process, msg_text=message, force_kill=True)

    @staticmethod
    def _look_until(condition: Callable[[], bool]) -> None:
        for _ in range(LOOKS_AT_SUBMISSION):
            if condition():
                return
            sync_await(asyncio.sleep(LOOK))


def _is_being_submitted(job: CalcJobNode) -> bool:
    return job.get_state() == CalcJobState.SUBMITTING and job.get_job_id() is None


def this_process() -> dict[str, Any]:
    """What tells this process from every other one, so that a repair of the daemon leaves its campaign alone."""
    return {'host': socket.gethostname(), 'pid': os.getpid(), 'started': psutil.Process().create_time()}


def is_alive(found: dict[str, Any]) -> bool:
    """Whether the process of :func:`this_process` still runs; one of another machine counts as running."""
    if found.get('host') != socket.gethostname():
        return True
    try:
        # the clock of the machine may be set while it runs
        return bool(abs(psutil.Process(found['pid']).create_time() - found['started']) < CLOCK)
    except (psutil.NoSuchProcess, KeyError, TypeError):
        return False


class Stop:
    """A request of the user to stop (Ctrl-C, SIGTERM), which always ends the campaign within ten seconds.

    The processes are killed and their jobs cancelled. Where that takes too long, be it that the database does not
    answer or that a step computes, :class:`StopNow` is raised wherever the program is.
    """

    def __init__(self, request: Callable[[], None]) -> None:
        self._request, self._since = request, 0.0

    def is_due(self) -> bool:
        """Whether nothing may wait for the database any more."""
        return bool(self._since) and time.monotonic() - self._since > STOP_WAITING

    def __call__(self, *_: Any) -> None:
        """Take a signal up."""
        if not self._since:
            self._since = time.monotonic()
            # repeated: an exception in a finalizer is ignored by Python
            signal.setitimer(signal.ITIMER_REAL, STOP_NOW, AGAIN)
            self._request()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear the signals."""
        handlers: dict[int, Callable[..., Any]] = {signal.SIGINT: self, signal.SIGTERM: self, signal.SIGALRM: _stop_now}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)


def _stop_now(*_: Any) -> None:
    raise StopNow('stopped')


def run_campaign(builder: Any) -> ProcessNode:
    """Run a campaign to its end in this interpreter; Ctrl-C (or SIGTERM) kills it together with its jobs.

    A request to stop that kills (``aiida-inversedesign stop --kill`` elsewhere) ends its evaluations only. While the
    database is locked or away the campaign waits.

    What finished before the interruption is in the provenance graph, and ``resume`` goes on from it.

    :raises InverseDesignError: if it was stopped and its last state could not be recorded.
    """
    manager = get_manager()
    runner = ForegroundRunner(poll_interval=POLL_INTERVAL, persister=manager.get_persister(), communicator=None)
    manager.set_runner(runner)
    tasks: list[Any] = []

    def interrupt() -> None:
        if not tasks:
            tasks.append(_kill(runner, 'interrupted in the foreground'))

    stop = Stop(lambda: runner.loop.call_soon_threadsafe(interrupt))
    storage, process = manager.get_profile_storage(), None
    runner.loop.set_exception_handler(_ignore_kills)
    try:
        with patient(storage, stop.is_due), loop_scope(runner.loop), stop.heard():
            try:
                process = runner.instantiate_process(builder)
                process.node.base.extras.set(FOREGROUND, this_process())
                _run(runner, process, tasks)
            except StopNow as reason:
                _abandon(runner)
                with suppress(Exception, StopNow):
                    storage.get_session().rollback()
                raise _left_behind(process, reason) from reason
    finally:
        manager.reset_runner()
    return process.node


def _kill(runner: ForegroundRunner, message: str, *keep: type) -> asyncio.Task[Any]:
    """Kill what runs. It waits for processes and schedulers, which in a running loop only a task with a portal can."""
    return runner.loop.create_task(run_with_portal(runner.kill_all, message, keep))


def _run(runner: ForegroundRunner, process: Process, interruptions: list[asyncio.Task[Any]]) -> None:
    from aiida_inversedesign.workchains.asynchronous import AsynchronousWorkChain
    from aiida_inversedesign.workchains.campaign import InverseDesignWorkChain
    from aiida_inversedesign.workchains.generation import GenerationWorkChain

    stops: list[Any] = []

    async def watch(campaign: int) -> None:
        while (request := find_request(campaign)) is None or not request.kill:
            await asyncio.sleep(STOP_INTERVAL)
        # the campaign and its generation go on, to harvest what finished
        stops.append(_kill(runner, 'stopped', InverseDesignWorkChain, GenerationWorkChain, AsynchronousWorkChain))

    async def watch_jobs() -> None:
        while True:
            await asyncio.sleep(PLAY_INTERVAL)
            runner.play_failed()

    watchers = [runner.loop.create_task(watch(process.pid)), runner.loop.create_task(watch_jobs())]
    with suppress(KilledError):
        process.execute()
    # the root ends first, and with it the loop; its children and their jobs have still to be ended
    for watcher in watchers:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            runner.loop.run_until_complete(watcher)
    # so do jobs that a request to stop kills: the campaign may have ended before they are cancelled
    for task in (*stops, *interruptions):
        runner.loop.run_until_complete(task)
    if interruptions:
        runner.loop.run_until_complete(_cancel_tasks())


def _abandon(runner: ForegroundRunner) -> None:
    """Cancel the jobs of a campaign whose processes cannot be ended in order."""
    signal.setitimer(signal.ITIMER_REAL, CANCEL, AGAIN)
    # in a loop of its own: in the runner's everything else would go on
    with suppress(StopNow):
        asyncio.run(run_with_portal(runner.cancel_without_database))
    signal.setitimer(signal.ITIMER_REAL, 0)
    # what else waits is never taken up again
    runner.loop.set_exception_handler(lambda *_: None)
    for task in asyncio.all_tasks(runner.loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def _left_behind(process: Process | None, reason: StopNow) -> InverseDesignError:
    if process is None or process.pid is None:
        return InverseDesignError('the campaign was stopped before it began: nothing was launched')
    why = reason if isinstance(reason, DatabaseLostError) else 'it was stopped at once'
    return InverseDesignError(
        f'campaign {process.pid} ended ({why}): its jobs were cancelled, its last state could not be recorded, and '
        f'finished work is kept; go on with `aiida-inversedesign resume {process.pid} --gone`'
    )


async def _cancel_tasks() -> None:
    """End what AiiDA would still try again, such as an upload that was interrupted."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _ignore_kills(loop: Any, context: dict[str, Any]) -> None:
    """A task that was told to end has done as it was told; everything else is reported as usual."""
    if not isinstance(context.get('exception'), KillInterruption):
        loop.default_exception_handler(context)
