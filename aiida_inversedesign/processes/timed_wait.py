"""A WorkChain that waits for something that no process tells it of, and looks for it from time to time.

Meanwhile it is a process in the state *waiting*, as one that waits for a job: it holds one of the 200 slots of a
worker, no thread and no memory beside its checkpoint, and whatever worker has it after a restart goes on to look. AiiDA
lets a WorkChain wait for processes only. It is given itself to wait for, and the one private method by which AiiDA
listens to what is awaited is overridden, as in :mod:`aiida_inversedesign.processes.any_child`.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime
from typing import Any

from aiida.manage import get_manager
from plumpy.process_states import ProcessState

from aiida_inversedesign.processes.idempotent import IdempotentWorkChain

#: Seconds between two looks: the first, and the longest once it has waited for days.
FIRST, LONGEST = 1.0, 60.0
#: Which share of the time that it has waited passes until the next look.
SHARE = 0.02


class TimedWaitWorkChain(IdempotentWorkChain):
    """A WorkChain whose steps may wait until :meth:`is_over` says that there is something to do."""

    @abstractmethod
    def is_over(self) -> bool:
        """Whether it has waited long enough; asked again and again while it waits."""

    @abstractmethod
    def what_is_awaited(self) -> str:
        """What it waits for, shown as its status."""

    def wait_until_over(self) -> None:
        """Wait at the end of this step until :meth:`is_over`."""
        self.to_context(awaited=self.node)

    def _update_process_status(self) -> None:
        if self._awaitables and not self.paused:
            self.set_status(self.what_is_awaited())
        else:
            super()._update_process_status()

    def _action_awaitables(self) -> None:
        waited = seconds_since(self.node.ctime)
        self.loop.call_later(min(max(FIRST, SHARE * waited), LONGEST), self._look)

    def _look(self) -> None:
        if self.state != ProcessState.WAITING or self.has_terminated():
            return
        try:
            over = self.is_over()
        except Exception:  # a database that is away for a moment: the next look may be answered
            self.logger.warning('could not look whether the wait is over; it looks again', exc_info=True)
            over = False
        if over:
            self.resume()
        else:
            self._action_awaitables()


def end_read_transaction() -> None:
    """SQLite shows a reader what the database was when its transaction began."""
    storage = get_manager().get_profile_storage()
    if hasattr(storage, 'get_session'):
        storage.get_session().commit()


def seconds_since(moment: Any) -> float:
    """Seconds that have passed since a time with a time zone."""
    return (datetime.now(UTC) - moment).total_seconds()
