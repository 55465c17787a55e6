"""Tasks of AiiDA's own broker on disk: every process that has not ended needs one, or nobody continues it.

AiiDA 2.9's ``verdi process repair`` gives lost ones a task that counts as done as soon as a worker has begun; when that
worker is killed, the process is lost again, without a word. The tasks made here last until the process has ended, as
those of AiiDA's own submission do. The module leans on two private details of AiiDA (folder and form of the tasks);
``tests/cli/test_tasks.py`` fails if they change.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from pathlib import Path


def give_tasks(folder: Path, processes: Collection[int]) -> tuple[int, ...]:
    """Give each process that has none a task. The broker must not run.

    :param folder: where the broker keeps its tasks.
    :param processes: PKs of the work chains and jobs that have not ended.
    :returns: the PKs of those that had none.
    """
    from aiida.brokers.zeromq.queue import PersistentQueue
    from plumpy.process_comms import create_continue_body

    queue = PersistentQueue(folder)
    known = {task.get('body', {}).get('args', {}).get('pid') for _, task in queue.get_all_pending()}
    lost = tuple(sorted(pk for pk in processes if pk not in known))
    for pk in lost:
        queue.push(uuid.uuid4().hex, {'body': create_continue_body(pid=pk, nowait=False), 'no_reply': True})
    return lost
