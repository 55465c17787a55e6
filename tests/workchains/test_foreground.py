"""The loop of a campaign in the foreground."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from aiida_inversedesign.workchains.foreground import keep_tasks


async def wait_for_nobody() -> None:
    """Wait for a future that nothing but this coroutine refers to."""
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize('kept', [False, True])
def test_a_task_that_waits_is_not_collected_as_garbage(kept: bool) -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    if kept:
        keep_tasks(loop)
    task = weakref.ref(loop.create_task(wait_for_nobody()))
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0))
    gc.collect()
    assert (task() is not None) is kept
    if (found := task()) is not None:
        found.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        del found
        gc.collect()
        assert task() is None
    loop.close()
