"""A WorkChain that goes on when any of its children has ended, not when all have.

AiiDA's ``WorkChain`` waits for every child it was given. What decides this are two of its private methods, which are
overridden here and nowhere else; ``tests/workchains/test_any_child.py`` fails if AiiDA changes beneath them
(aiida-core 2.9, ``aiida/engine/processes/workchains/workchain.py``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from aiida.engine.processes.workchains.awaitable import Awaitable
from aiida.orm import ProcessNode
from plumpy.process_states import ProcessState

from aiida_inversedesign.processes.idempotent import IdempotentWorkChain


class AnyChildWorkChain(IdempotentWorkChain):
    """A WorkChain whose steps may wait until any one of several children has ended.

    After :meth:`wait_for_any` the next step begins as soon as one of the children has ended, and looks by itself which
    have: several may have, and after a restart of the daemon none. Those that still run are waited for again.
    """

    def wait_for_any(self, children: Iterable[ProcessNode]) -> None:
        """Wait at the end of this step until one of ``children`` has ended; without children go on at once."""
        for child in children:
            # one key for all: the context keeps no more than the last of them, and nothing has to be cleared
            self.to_context(awaited=child)

    @property
    def _listened(self) -> set[int]:
        """Identifiers of children whose end will be reported; it lives and dies with this object in the daemon."""
        return self.__dict__.setdefault('_listened_to', set())

    def _action_awaitables(self) -> None:
        """Ask the runner to tell of the end of each child that is waited for, once for each.

        A child is waited for again after each other one that ends: asking every time would pile up subscriptions.
        """
        for awaitable in self._awaitables:
            if awaitable.pk not in self._listened:
                self._listened.add(awaitable.pk)
                callback = functools.partial(self.call_soon, self._on_awaitable_finished, awaitable)
                self.runner.call_on_process_finish(awaitable.pk, callback)

    def _on_awaitable_finished(self, awaitable: Awaitable) -> None:
        """Go on, unless the child is not waited for any more: an earlier step may have seen that it ended."""
        self._listened.discard(awaitable.pk)
        awaited: Any = (other.pk for other in self._awaitables)
        if self.state == ProcessState.WAITING and awaitable.pk in awaited:
            self.resume()
