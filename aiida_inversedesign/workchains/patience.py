"""Patience with a database that is locked or away: each statement is repeated until it is answered.

What AiiDA does in a step is not repeatable: a session that was rolled back has forgotten half of it. One statement is
repeatable. It waits below the session, at the connection, and nothing above notices.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import event

LOGGER = logging.getLogger(__name__)

#: Seconds between two attempts, and until the user gets a message.
PAUSE, UNTIL_ANNOUNCED = 0.25, 2.0

#: Milliseconds for which SQLite itself waits, during which no signal is heard; and what Python's default is.
BUSY, DEFAULT_BUSY = 250, 5000

#: The last digits of error codes of SQLite that say that another program holds a lock.
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

#: First words of statements that may be repeated on a new connection, and of those that make new rows.
_REPEATABLE, _NOT_REPEATABLE = ('UPDATE', 'DELETE', 'SAVEPOINT', 'RELEASE', 'ROLLBACK'), ('INSERT',)


class StopNow(SystemExit):
    """Ends a campaign wherever it is; the loop and AiiDA's processes leave it alone."""


class DatabaseLostError(StopNow):
    """The database went away in the middle of a change that cannot be repeated."""


class Patience:
    """Runs the statements of one engine; see :func:`patient`.

    :param is_stopped: whether the user has asked to stop, and waiting has to end.
    """

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped
        self._since: float | None = None
        self._announced = False
        #: what the current transaction has changed so far, to be repeated
        self._journal: list[tuple[str, Callable[[Any], None]]] = []

    def begin(self, _: Any) -> None:
        """Note that a transaction begins."""
        self._journal.clear()

    def connect(self, dialect: Any, _: Any, arguments: Any, options: Any) -> Any:
        """Open a connection."""
        while True:
            try:
                connection = dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError as error:
                self._wait(error)
                continue
            if dialect.name == 'sqlite':
                connection.execute(f'PRAGMA busy_timeout={BUSY}')
            self._answered()
            return connection

    def execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        """Run a statement."""
        return self._run(cursor, statement, context, lambda it: it.execute(statement, parameters))

    def execute_plain(self, cursor: Any, statement: str, context: Any) -> bool:
        """Run a statement without parameters."""
        return self._run(cursor, statement, context, lambda it: it.execute(statement))

    def execute_many(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        """Run a statement with several sets of parameters."""
        return self._run(cursor, statement, context, lambda it: it.executemany(statement, parameters))

    def commit(self, dialect: Any, connection: Any) -> None:
        """Commit the transaction."""
        error: Exception | None = None
        while True:
            try:
                if error is not None and dialect.name != 'sqlite':
                    # whether the server made the change before it went away is not known: repeating it is harmless
                    self._reconnect(connection, None, error)
                connection.commit()
            except dialect.loaded_dbapi.OperationalError as problem:
                error = self._expected(problem, dialect, connection)
                self._wait(error)
                continue
            self._answered()
            return

    def _run(self, cursor: Any, statement: str, context: Any, action: Callable[[Any], None]) -> bool:
        dialect, connection = context.dialect, context.root_connection.connection
        error: Exception | None = None
        while True:
            try:
                if error is not None:
                    self._start_again(dialect, connection, cursor, error)
                action(cursor)
            except dialect.loaded_dbapi.OperationalError as problem:
                error = self._expected(problem, dialect, connection)
                self._wait(error)
                continue
            break
        self._answered()
        if statement.lstrip().upper().startswith((*_REPEATABLE, *_NOT_REPEATABLE)):
            self._journal.append((statement, action))
        # tells SQLAlchemy that it is done
        return True

    def _expected(self, error: Exception, dialect: Any, connection: Any) -> Exception:
        """The error, if it says that the database is locked or away; others are raised."""
        if dialect.name == 'sqlite':
            if getattr(error, 'sqlite_errorcode', 0) & 0xFF in _LOCKED:
                return error
        elif connection.dbapi_connection is None or dialect.is_disconnect(error, connection.dbapi_connection, None):
            return error
        raise error

    def _start_again(self, dialect: Any, connection: Any, cursor: Any, error: Exception) -> None:
        if dialect.name != 'sqlite':
            self._reconnect(connection, cursor, error)
        elif self._journal and not self._has_written():
            # who reads in a transaction and then waits for the lock may keep its owner from committing
            connection.dbapi_connection.rollback()
            self._repeat(cursor)

    def _has_written(self) -> bool:
        return any(
            statement.lstrip().upper().startswith(('INSERT', 'UPDATE', 'DELETE')) for statement, _ in self._journal
        )

    def _reconnect(self, connection: Any, cursor: Any, error: Exception) -> None:
        """Open a new connection instead of one that is lost, with the changes of its transaction."""
        if any(statement.lstrip().upper().startswith(_NOT_REPEATABLE) for statement, _ in self._journal):
            raise DatabaseLostError('the database went away in the middle of a change') from error
        record = connection._connection_record
        record.invalidate(error)
        connection.dbapi_connection = record.get_connection()
        if cursor is None:
            cursor = connection.dbapi_connection.cursor()
        else:
            # SQLAlchemy holds this very cursor; one of a server has a name
            named = (cursor.name,) if hasattr(cursor, 'name') else ()
            cursor.__init__(connection.dbapi_connection, *named)
        self._repeat(cursor)

    def _repeat(self, cursor: Any) -> None:
        for _, action in self._journal:
            action(cursor)

    def _wait(self, error: Exception) -> None:
        """Wait a moment; the user gets one message."""
        now = time.monotonic()
        self._since = self._since or now
        if self._is_stopped():
            raise StopNow(f'the database is locked or away: {error}') from error
        if not self._announced and now - self._since > UNTIL_ANNOUNCED:
            self._announced = True
            LOGGER.warning(
                'the database is locked or away (%s): the campaign waits for it and goes on by itself',
                str(error).strip().partition('\n')[0],
            )
        time.sleep(PAUSE)

    def _answered(self) -> None:
        if self._announced and self._since is not None:
            LOGGER.warning('the database answers again after %.0f s', time.monotonic() - self._since)
        self._since, self._announced = None, False


@contextmanager
def patient(storage: Any, is_stopped: Callable[[], bool]) -> Iterator[None]:
    """Let every statement of a storage wait for the database, until it answers or the user has asked to stop.

    :raises StopNow: in whatever waits, once ``is_stopped``.
    """
    session = storage.get_session()
    engine = session.get_bind()
    dialect, patience = engine.dialect, Patience(is_stopped)
    listeners: dict[str, Callable[..., Any]] = {
        'begin': patience.begin,
        'do_connect': patience.connect,
        'do_execute': patience.execute,
        'do_execute_no_params': patience.execute_plain,
        'do_executemany': patience.execute_many,
    }
    _let_sqlite_wait(session, BUSY)
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    # there is no event of this name
    dialect.do_commit = lambda connection: patience.commit(dialect, connection)
    try:
        yield
    finally:
        del dialect.do_commit
        for name, listener in listeners.items():
            event.remove(engine, name, listener)
        with suppress(Exception):
            _let_sqlite_wait(session, DEFAULT_BUSY)


def _let_sqlite_wait(session: Any, milliseconds: int) -> None:
    if session.get_bind().dialect.name == 'sqlite':
        session.connection().exec_driver_sql(f'PRAGMA busy_timeout={milliseconds}')
