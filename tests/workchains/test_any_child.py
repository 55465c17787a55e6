"""Going on when any child has ended: what it asks of AiiDA's own classes, and what it promises."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from aiida.engine import WorkChain, run_get_node, while_
from aiida.orm import Int, List
from plumpy.process_states import ProcessState

from aiida_inversedesign.processes.any_child import AnyChildWorkChain

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


#: Turns of the sleepers that a watcher has seen ended: what the others wait for, however slow the machine is.
SEEN: list[int] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


class Sleeper(WorkChain):
    """Ends when its parent has seen so many others end."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('turn', valid_type=Int)
        spec.outline(cls.sleep)

    def sleep(self) -> None:
        import asyncio

        from plumpy.greenback_bridge import sync_await

        while len(SEEN) < self.inputs.turn.value:
            sync_await(asyncio.sleep(0.02))


class Watcher(AnyChildWorkChain):
    """Launches all its sleepers, and writes down which had ended at each look."""

    @classmethod
    def define(cls, spec: Any) -> None:
        super().define(spec)
        spec.input('turns', valid_type=List)
        spec.outline(cls.launch, while_(cls.has_running)(cls.look))

    def launch(self) -> None:
        self.ctx.running = [
            self.submit_once(f'sleeper_{index}', Sleeper, turn=Int(value))
            for index, value in enumerate(self.inputs.turns.get_list())
        ]
        self.ctx.looks = 0
        self.wait_for_any(self.ctx.running)

    def has_running(self) -> bool:
        return bool(self.ctx.running)

    def look(self) -> None:
        self.ctx.looks += 1
        ended = [node for node in self.ctx.running if node.is_terminated]
        turns = sorted(node.inputs.turn.value for node in ended)
        self.report(f'ended: {turns}')
        SEEN.extend(turns)
        self.ctx.running = [node for node in self.ctx.running if node not in ended]
        self.wait_for_any(self.ctx.running)


class DoubleWatcher(Watcher):
    """Waits for every child twice."""

    def look(self) -> None:
        super().look()
        self.wait_for_any(self.ctx.running)


def looks(node: Any) -> list[str]:
    from aiida.orm import Log

    return [
        entry.message.rpartition('ended: ')[2]
        for entry in Log.collection.get_logs_for(node)
        if 'ended: ' in entry.message
    ]


@pytest.mark.parametrize('watcher', [Watcher, DoubleWatcher])
def test_it_goes_on_after_each_child_in_the_order_in_which_they_end(watcher: Any) -> None:
    _, node = run_get_node(watcher, turns=List([2, 0, 1]))
    assert node.is_finished_ok, node.exception
    # a look that finds nothing is allowed, one that finds two at once is not: each waits until the last was seen
    assert [text for text in looks(node) if text != '[]'] == ['[0]', '[1]', '[2]']
    assert len(looks(node)) <= 4


def test_children_that_end_together_are_all_seen(aiida_profile: Any) -> None:
    _, node = run_get_node(Watcher, turns=List([0, 0, 0]))
    assert node.is_finished_ok, node.exception
    assert ''.join(looks(node)).count('0') == 3


def test_a_checkpoint_goes_on_where_it_was() -> None:
    """A restarted daemon loads the checkpoint of a waiting process: it has to listen to its children again."""
    import plumpy
    from aiida.manage import get_manager

    from aiida_inversedesign.workchains.foreground import ForegroundRunner

    # without a broker: one process cannot be held by two objects there, as it can where a worker has died
    persister = get_manager().get_persister()
    runner = ForegroundRunner(poll_interval=0.05, persister=persister, communicator=None)
    get_manager().set_runner(runner)
    try:
        process = runner.instantiate_process(Watcher, turns=List([0, 1]))
        task = runner.loop.create_task(process.step_until_terminated())
        runner.loop.run_until_complete(until(lambda: process.state == ProcessState.WAITING))
        task.cancel()
        again = persister.load_checkpoint(process.pid).unbundle(plumpy.LoadSaveContext(loop=runner.loop, runner=runner))
        assert again.state == ProcessState.WAITING
        assert again._listened == {child.pk for child in again.node.called}
        runner.loop.run_until_complete(again.step_until_terminated())
    finally:
        get_manager().reset_runner()
    assert again.node.is_finished_ok
    assert [text for text in looks(again.node) if text != '[]'] == ['[0]', '[1]']


async def until(condition: Any) -> None:
    """Let the event loop run until a condition holds."""
    import asyncio

    while not condition():
        await asyncio.sleep(0.02)


def test_each_child_is_listened_to_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiida.engine.runners import Runner

    heard: list[int] = []
    original = Runner.call_on_process_finish
    monkeypatch.setattr(
        Runner, 'call_on_process_finish', lambda self, pk, callback: (heard.append(pk), original(self, pk, callback))[1]
    )
    _, node = run_get_node(Watcher, turns=List([2, 0, 1]))
    children = {child.pk for child in node.called}
    assert len([pk for pk in heard if pk in children]) == 3


def test_what_it_overrides_is_what_aiida_calls() -> None:
    """If this fails, read ``WorkChain`` of the new aiida-core and mend ``workchains/any_child.py``."""
    assert list(inspect.signature(WorkChain._on_awaitable_finished).parameters) == ['self', 'awaitable']
    assert list(inspect.signature(WorkChain._action_awaitables).parameters) == ['self']
    assert '_action_awaitables()' in inspect.getsource(WorkChain.on_wait)
    assert '_action_awaitables()' in inspect.getsource(WorkChain.load_instance_state)
    assert 'call_on_process_finish(awaitable.pk' in inspect.getsource(WorkChain._action_awaitables)
    # a step that registers nothing must find nothing left of the last one
    assert 'self._awaitables = []' in inspect.getsource(WorkChain._do_step)
    assert 'if self._awaitables:' in inspect.getsource(WorkChain._do_step)
