"""Running a campaign in this interpreter, without a daemon, so that an interruption leaves nothing running behind."""

from __future__ import annotations

import signal
import weakref
from asyncio import InvalidStateError, sleep
from contextlib import suppress
from typing import Any

from aiida.engine import CalcJob, Process
from aiida.engine.runners import Runner
from aiida.engine.utils import loop_scope
from aiida.manage import get_manager
from aiida.orm import ProcessNode
from plumpy.exceptions import KilledError
from plumpy.greenback_bridge import run_with_portal, sync_await
from plumpy.process_states import KillInterruption

#: Seconds between two looks of a work chain at its children: without a broker nobody tells it that they ended.
POLL_INTERVAL = 0.2

#: Seconds that a job gets to reach its next task before it is killed there, and that all get to end afterwards.
SETTLE = 1.0


class ForegroundRunner(Runner):
    """A runner that knows its live processes.

    AiiDA's own runner kills the children of an interrupted process through the broker; without a daemon there is
    nobody to hear it, and their jobs would go on.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._live: weakref.WeakSet[Process] = weakref.WeakSet()

    def instantiate_process(self, process: Any, **inputs: Any) -> Process:
        """Make a process of this runner and remember it."""
        instance = super().instantiate_process(process, **inputs)
        self._live.add(instance)
        return instance

    def kill_all(self, message: str) -> None:
        """Kill every live process: work chains from the root down, then the jobs they wait for.

        A work chain that saw its job killed would go on and call it a failure.
        """
        live = [process for process in self._live if not process.has_terminated()]
        for process in sorted(live, key=lambda item: (isinstance(item, CalcJob), item.pid)):
            try:
                process.kill(msg_text=message)
            except InvalidStateError:
                # the job was between two tasks while its scheduler was told; it is in the next one now
                sync_await(sleep(SETTLE))
                process.kill(msg_text=message, force_kill=True)


def run_campaign(builder: Any) -> ProcessNode:
    """Run a campaign to its end in this interpreter; Ctrl-C (or SIGTERM) kills it together with its jobs.

    What finished before the interruption is in the provenance graph, and ``resume`` goes on from it.
    """
    manager = get_manager()
    runner = ForegroundRunner(poll_interval=POLL_INTERVAL, persister=manager.get_persister(), communicator=None)
    manager.set_runner(runner)
    tasks: list[Any] = []

    def interrupt() -> None:
        if not tasks:
            # killing a job waits for its scheduler, which inside a running loop only a task with a portal can do
            tasks.append(runner.loop.create_task(run_with_portal(runner.kill_all, 'interrupted in the foreground')))

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        runner.loop.set_exception_handler(_ignore_kills)
        with loop_scope(runner.loop):
            process = runner.instantiate_process(builder)
            for number in before:
                # by the loop, not signal.signal: calculation functions that overlap leave each other's handlers behind
                runner.loop.add_signal_handler(number, interrupt)
            with suppress(KilledError):
                process.execute()
            # the root ends first, and with it the loop; the schedulers have still to be told to kill the jobs
            for task in tasks:
                runner.loop.run_until_complete(task)
                runner.loop.run_until_complete(sleep(SETTLE))
    finally:
        for number, handler in before.items():
            runner.loop.remove_signal_handler(number)
            signal.signal(number, handler)
        manager.reset_runner()
    return process.node


def _ignore_kills(loop: Any, context: dict[str, Any]) -> None:
    """A task that was told to end has done as it was told; everything else is reported as usual."""
    if not isinstance(context.get('exception'), KillInterruption):
        loop.default_exception_handler(context)
