"""Whether RabbitMQ answers, and whether it has been away.

RabbitMQ gives the tasks of a worker whose connection broke to another one. The first may still run them: AiiDA 2.9's
workers do not notice, and the same work chain goes on twice. A connection of one's own ends at once with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time

#: Seconds between two attempts to connect, and the longest that one may take.
AGAIN, TO_CONNECT = 1.0, 10.0


class BrokerWatch:
    """Keeps a connection to RabbitMQ in a thread of its own.

    :param url: its address with user and password.
    """

    def __init__(self, url: str) -> None:
        self.lost: float | None = None
        """When the connection broke last, in seconds since 1970; None if it never did."""
        self.answers = False
        """Whether there is a connection now."""
        self._url = url
        self._changed, self._tried = threading.Event(), threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._watch()), name='RabbitMQ', daemon=True).start()
        # what is said before the first attempt would be no answer
        self._tried.wait(TO_CONNECT + AGAIN)

    def wait(self, seconds: float) -> None:
        """Return after some seconds, or as soon as the connection breaks or is there again."""
        self._changed.wait(seconds)
        self._changed.clear()

    async def _watch(self) -> None:
        import aio_pika

        # that nobody answers is said by :attr:`answers`
        for name in ('aiormq.connection', 'aio_pika.connection'):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        while True:
            try:
                connection = await aio_pika.connect(self._url, timeout=TO_CONNECT)
            except Exception:  # libraries of several layers raise errors of their own: none of them is a connection
                self._tried.set()
                await asyncio.sleep(AGAIN)
                continue
            broken = asyncio.Event()
            connection.close_callbacks.add(lambda *_, broken=broken: broken.set())
            self._tell(True)
            await broken.wait()
            self.lost = time.time()
            self._tell(False)

    def _tell(self, answers: bool) -> None:
        self.answers = answers
        self._tried.set()
        self._changed.set()
