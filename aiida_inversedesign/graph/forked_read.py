"""Queries in a process of their own, while this one reads something else."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeVar

from aiida.manage import get_manager

if TYPE_CHECKING:
    from aiida.orm.implementation import StorageBackend

Rows = TypeVar('Rows')

#: Storages to which a second connection costs nothing; an archive would be unpacked once more.
_SHARED = ('core.sqlite_dos', 'core.psql_dos')


def read_in_fork(read: Callable[..., Rows], *arguments: Any) -> Callable[[], Rows]:
    """Begin ``read(*arguments, backend)`` in another process, and return what waits for its result.

    A database answers one connection at a time, and reading rows is work for the processor: with a connection and a
    process of its own a large query costs no time beside others. Where a process cannot be forked safely (threads,
    macOS) or the storage is an archive, it is run when the result is asked for. So it is if the other process was
    killed or could not read: then its error is raised here.

    :param read: a function of plain arguments and the storage to ask; what it returns is pickled.
    """
    profile = get_manager().get_profile()
    shared = profile is not None and profile.storage_backend in _SHARED
    if not shared or not sys.platform.startswith('linux') or threading.active_count() > 1:
        return lambda: read(*arguments, get_manager().get_profile_storage())
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(sender, read, arguments), daemon=True)
    process.start()
    sender.close()

    def wait() -> Rows:
        try:
            rows: Rows = receiver.recv()
        except (EOFError, OSError):  # an OSError if it was killed while it sent
            rows = read(*arguments, get_manager().get_profile_storage())
        process.join()
        return rows

    return wait


def _read(sender: Connection, read: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Send what was read; nothing if that was not possible. The connections of the first process are not touched."""
    try:
        sender.send(read(*arguments, _another_connection()))
    except Exception:  # the first process reads it again, and raises what it meets
        sender.close()


def _another_connection() -> StorageBackend:
    """The storage of the loaded profile, opened once more."""
    manager = get_manager()
    profile = manager.get_profile()
    assert profile is not None  # noqa: S101  # read_in_fork asked
    return type(manager.get_profile_storage())(profile)
