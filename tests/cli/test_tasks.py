"""Lost tasks of AiiDA's own broker are made again, in AiiDA's own form."""

from __future__ import annotations

import json
from pathlib import Path

from aiida.brokers.zeromq.broker import ZeromqBroker
from aiida.brokers.zeromq.queue import PersistentQueue
from plumpy.process_comms import create_continue_body

from aiida_inversedesign.cli.control.tasks import give_tasks


def test_only_processes_without_a_task_are_given_one(tmp_path: Path) -> None:
    first = PersistentQueue(tmp_path)
    first.push('a', {'body': create_continue_body(pid=5, nowait=False)})
    first.push('b', {'body': create_continue_body(pid=6, nowait=False)})
    # one that a worker had begun when it was killed
    assert first.pop() is not None
    assert give_tasks(tmp_path, [8, 5, 6, 7]) == (7, 8)
    assert give_tasks(tmp_path, [8, 5, 6, 7]) == ()
    tasks = [task for _, task in PersistentQueue(tmp_path).get_all_pending()]
    assert [task['body']['args']['pid'] for task in tasks] == [5, 6, 7, 8]
    # with nowait a task is done when the worker begins, and a killed worker loses the process
    assert not any(task['body']['args']['nowait'] for task in tasks)


def test_aiida_finds_them_where_they_are(tmp_path: Path) -> None:
    broker = object.__new__(ZeromqBroker)
    broker._storage_path = tmp_path
    give_tasks(tmp_path / 'tasks', [3])
    (task,) = broker.iterate_tasks()
    assert task.body == create_continue_body(pid=3, nowait=False)


def test_they_have_the_form_of_aiida(tmp_path: Path) -> None:
    give_tasks(tmp_path, [3])
    (file,) = (tmp_path / 'pending').glob('*.json')
    assert json.loads(file.read_text())['body'] == {
        'task': 'continue',
        'args': {'pid': 3, 'nowait': False, 'tag': None},
    }
