"""The parts of a verification that can run side by side: each names its nodes and gives plain data back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import Any, Literal

from aiida_inversedesign.parallel import processes
from aiida_inversedesign.verify.findings import Finding
from aiida_inversedesign.verify.replay import Replay


@dataclass(frozen=True)
class Task:
    """Nodes of which something is to be done: functions to ``replay``, nodes to ``check``, jobs to ``read`` again."""

    action: Literal['replay', 'check', 'read']
    nodes: tuple[int, ...]


@dataclass
class Result:
    """What came of a task.

    :param checked: nodes that were looked at; ``without_hash`` of them have no hash to compare with.
    """

    action: str
    nodes: int
    replays: list[Replay] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    checked: int = 0
    without_hash: int = 0


def do(task: Task) -> Result:
    """Do one task with the loaded profile."""
    result = Result(task.action, len(task.nodes))
    if task.action == 'replay':
        from aiida_inversedesign.verify.replay import run_again

        result.replays = [run_again(pk) for pk in task.nodes]
    elif task.action == 'check':
        from aiida_inversedesign.verify.integrity import check_nodes

        result.findings, result.checked, result.without_hash = check_nodes(task.nodes)
    else:
        from aiida_inversedesign.verify.job_files import check_job

        result.findings = [finding for pk in task.nodes for finding in check_job(pk)]
    return result


def do_all(tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    """Do tasks, one after the other or in ``jobs`` processes, which give their results as they come."""
    prepare()
    if jobs <= 1 or len(tasks) <= 1:
        yield from map(do, tasks)
        return
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    assert profile is not None  # noqa: S101
    # new processes do not share the database connection of this one; with fewer threads than the decisions were made
    # with, sums could differ in their last digits
    with processes(min(jobs, len(tasks)), _begin, (profile.name, profile.dictionary), threads={}) as pool:
        for future in as_completed([pool.submit(do, task) for task in tasks]):
            yield future.result()


def _begin(name: str, dictionary: dict[str, Any]) -> None:
    """Load the profile of the process that asked."""
    from aiida.manage import get_manager
    from aiida.manage.configuration import Profile

    get_manager().load_profile(Profile(name, dictionary))
    prepare()


def prepare() -> None:
    """Forget what was read before from nodes that may have changed since, and let nodes be made in an archive."""
    from aiida.manage import get_manager

    from aiida_inversedesign.graph.links import any_user
    from aiida_inversedesign.nodes.payload import ReadCache

    ReadCache.clear_all()
    storage = get_manager().get_profile_storage()
    if storage.default_user is None and (user := any_user()) is not None:
        # archives have users, but none of them is the one that new nodes belong to; nothing of it is stored
        storage.profile.default_user_email = user.email
        storage.reset_default_user()
