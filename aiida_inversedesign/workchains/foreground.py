"""Running a campaign in this interpreter, without a daemon, so that an interruption leaves nothing running behind."""

from __future__ import annotations

import signal
import weakref
from functools import partial
from typing import Any

from aiida.engine import CalcJob, Process
from aiida.engine.runners import Runner
from aiida.engine.utils import loop_scope
from aiida.manage import get_manager
from aiida.orm import ProcessNode
from plumpy.greenback_bridge import run_with_portal

#: Seconds between two looks of a work chain at its children: without a broker nobody tells it that they ended.
POLL_INTERVAL = 0.2


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

    def kill_all(self, root: Process, message: str) -> None:
        """Kill every live process: work chains before the jobs they wait for, and the root last.

        A work chain that saw its job killed would go on and call it a failure; and with the root the event loop ends,
        in which the schedulers are told to kill the jobs.
        """
        live = [process for process in self._live if process is not root and not process.has_terminated()]
        for process in sorted(live, key=lambda item: (isinstance(item, CalcJob), item.pid)):
            process.kill(msg_text=message)
        root.kill(msg_text=message)


def run_campaign(builder: Any) -> ProcessNode:
    """Run a campaign to its end in this interpreter; Ctrl-C (or SIGTERM) kills it together with its jobs.

    What finished before the interruption is in the provenance graph, and ``resume`` goes on from it.
    """
    manager = get_manager()
    runner = ForegroundRunner(poll_interval=POLL_INTERVAL, persister=manager.get_persister(), communicator=None)
    manager.set_runner(runner)
    interrupted = False
    tasks: list[Any] = []  # keeps the task alive until it has run

    def interrupt(_signal: int, _frame: Any) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            # killing a job waits for its scheduler, which inside a running loop only a task with a portal can do
            kill = partial(run_with_portal, runner.kill_all, process, 'interrupted in the foreground')
            runner.loop.call_soon_threadsafe(lambda: tasks.append(runner.loop.create_task(kill())))

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with loop_scope(runner.loop):
            process = runner.instantiate_process(builder)
            for number in handlers:
                signal.signal(number, interrupt)
            process.execute()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        manager.reset_runner()
    return process.node
