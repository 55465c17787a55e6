"""Steps that run again after a worker was killed: what is there is taken up, what can never run is launched again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import CalcJob, ProcessState, WorkChain

from aiida_inversedesign.processes import idempotent as once
from aiida_inversedesign.processes.idempotent import NEVER_BEGAN, IdempotentWorkChain

pytestmark = pytest.mark.usefixtures('aiida_profile_clean')


class Parent:
    """The parts of a work chain that :meth:`IdempotentWorkChain.submit_once` uses, and what it submitted."""

    submit_once = IdempotentWorkChain.submit_once
    run_once = IdempotentWorkChain.run_once
    _children_under = IdempotentWorkChain._children_under

    def __init__(self, in_daemon: bool = True) -> None:
        self.node = orm.WorkChainNode().store()
        self.runner = SimpleNamespace(is_daemon_runner=in_daemon)
        self.submitted: list[str] = []

    def submit(self, process_class: type, metadata: dict[str, Any]) -> str:
        self.submitted.append(metadata['call_link_label'])
        return 'new'

    def child(self, kind: type, label: str, state: ProcessState | None, checkpoint: str | None) -> orm.ProcessNode:
        node = kind()
        link = LinkType.CALL_WORK if kind is orm.WorkChainNode else LinkType.CALL_CALC
        node.base.links.add_incoming(self.node, link, label)
        if state is not None:
            node.set_process_state(state)
        node.store()
        if checkpoint is not None:
            node.set_checkpoint(checkpoint)
        return node


@pytest.fixture(autouse=True)
def no_submission_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, 'SUBMISSION', 0.2)


@pytest.mark.parametrize('state', [None, ProcessState.CREATED])
@pytest.mark.parametrize(('kind', 'process'), [(orm.CalcJobNode, CalcJob), (orm.WorkChainNode, WorkChain)])
def test_a_child_without_a_checkpoint_is_launched_anew(kind: type, process: type, state: ProcessState | None) -> None:
    parent = Parent()
    child = parent.child(kind, 'relax', state, None)
    assert parent.submit_once('relax', process) == 'new'
    stored = orm.load_node(child.pk)
    assert stored.is_killed
    assert stored.is_sealed
    assert stored.process_status == NEVER_BEGAN
    # once more: it stays where it is
    parent.submit_once('relax', process)
    assert parent.submitted == ['relax', 'relax']


@pytest.mark.parametrize('state', [ProcessState.CREATED, ProcessState.WAITING, ProcessState.RUNNING])
def test_a_child_with_a_checkpoint_is_taken_up(state: ProcessState) -> None:
    parent = Parent()
    child = parent.child(orm.CalcJobNode, 'relax', state, 'saved')
    assert parent.submit_once('relax', CalcJob).pk == child.pk
    assert parent.submitted == []


@pytest.mark.parametrize('state', [ProcessState.FINISHED, ProcessState.EXCEPTED, ProcessState.KILLED])
def test_a_child_that_has_ended_is_taken_as_it_is(state: ProcessState) -> None:
    parent = Parent()
    child = parent.child(orm.CalcJobNode, 'relax', state, None)
    assert parent.submit_once('relax', CalcJob).pk == child.pk
    assert orm.load_node(child.pk).process_state is state


def test_in_the_foreground_nothing_has_a_checkpoint() -> None:
    parent = Parent(in_daemon=False)
    child = parent.child(orm.CalcJobNode, 'relax', ProcessState.CREATED, None)
    assert parent.submit_once('relax', CalcJob).pk == child.pk


def test_functions_never_have_a_checkpoint() -> None:
    parent = Parent()
    parent.child(orm.CalcFunctionNode, 'fit', ProcessState.RUNNING, None)
    (found,) = parent._children_under(LinkType.CALL_CALC, 'fit')
    assert found.process_state is ProcessState.RUNNING


def test_a_submission_that_is_under_way_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = Parent()
    child = parent.child(orm.CalcJobNode, 'relax', None, None)
    monkeypatch.setattr(once.time, 'sleep', lambda _: child.set_checkpoint('saved'))
    assert parent.submit_once('relax', CalcJob).pk == child.pk
    assert parent.submitted == []
