"""Fetches JSON documents over HTTP within bounds: size, time, retries. What a server sends is not trusted."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

from aiida_inversedesign.libraries.library import LibraryError

MIB = 2**20
#: bytes of one answer after decompression
LARGEST_ANSWER = 64 * MIB
#: s: to connect and between two packets; for a whole answer
TIMEOUT, DEADLINE = 30.0, 300.0
#: how often a request is tried; s of the first wait, which doubles; s of the longest wait, whatever the server asks for
TRIES, BACKOFF, LONGEST_WAIT = 4, 1.0, 60.0
#: HTTP states after which the same request may succeed
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 64 * 1024


class RemoteError(LibraryError):
    """A server that does not answer, or not as it should.

    :param status: HTTP status, if there was an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Requests to one server, over one connection.

    :param backoff: s of the first wait before a request is repeated.
    :param timeout: s to connect and between two packets.
    :param deadline: s for a whole answer.
    :param largest: most bytes of an answer.
    """

    def __init__(
        self,
        backoff: float = BACKOFF,
        timeout: float = TIMEOUT,
        deadline: float = DEADLINE,
        largest: int = LARGEST_ANSWER,
    ) -> None:
        import requests

        self._session = requests.Session()
        self._session.headers.update({'Accept': 'application/vnd.api+json, application/json'})
        self._session.max_redirects = 5
        self.backoff, self.timeout, self.deadline, self.largest = backoff, timeout, deadline, largest

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at ``url``; what may pass is tried again, with growing waits.

        :raises RemoteError: if there is none within the bounds.
        """
        if urlsplit(url).scheme not in ('http', 'https') or not urlsplit(url).hostname:
            raise RemoteError(f'{url[:200]!r} is not an address: it must begin with http:// or https://')
        for attempt in range(TRIES):
            try:
                return self._once(url, params)
            except _PassingError as error:
                if attempt + 1 == TRIES:
                    raise RemoteError(f'{error} ({TRIES} tries)', error.status) from error
                time.sleep(min(max(error.wait, self.backoff * 2**attempt), LONGEST_WAIT))
        raise AssertionError('not reached')

    def _once(self, url: str, params: dict[str, str] | None) -> dict[str, Any]:
        import requests
        import urllib3

        started = time.monotonic()
        try:
            with self._session.get(url, params=params, stream=True, timeout=self.timeout) as response:
                body = self._read(response, started)
                status, headers = response.status_code, response.headers
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _PassingError(f'{url}: no answer ({_cause(error)})') from error
        except requests.RequestException as error:
            raise RemoteError(f'{url}: {error}') from error
        if status in PASSING:
            raise _PassingError(f'{url}: the server says {status}{_detail(body)}', status, _seconds(headers))
        if status != 200:
            raise RemoteError(f'{url}: the server says {status}{_detail(body)}', status)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            kind = headers.get('Content-Type', 'something')
            raise RemoteError(f'{url}: expected JSON, got {kind[:80]} ({str(error)[:200]})', status) from error
        if not isinstance(document, dict):
            raise RemoteError(f'{url}: expected a JSON object, got a {type(document).__name__}', status)
        return document

    def _read(self, response: Any, started: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        # one packet at a time: a server that drips bytes would hold a larger read forever
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            parts.append(chunk)
            size += len(chunk)
            if size > self.largest:
                raise RemoteError(f'{response.url}: the answer has more than {self.largest / MIB:g} MiB')
            if time.monotonic() - started > self.deadline:
                raise RemoteError(f'{response.url}: the answer took more than {self.deadline:g} s')
        return b''.join(parts)


class _PassingError(RemoteError):
    """A failure after which another try may succeed, after ``wait`` seconds at least."""

    def __init__(self, message: str, status: int | None = None, wait: float = 0.0) -> None:
        super().__init__(message, status)
        self.wait = wait


def _seconds(headers: Any) -> float:
    """The wait that a server asks for; 0 where it names a date or nothing."""
    try:
        return max(float(headers.get('Retry-After', 0)), 0.0)
    except ValueError:
        return 0.0


def _cause(error: BaseException) -> str:
    """The innermost reason: the outer ones repeat it with addresses of objects."""
    inner = error
    for _ in range(10):
        nested = getattr(inner, 'reason', None) or next(
            (item for item in inner.args if isinstance(item, Exception)), None
        )
        if not isinstance(nested, BaseException):
            break
        inner = nested
    return str(inner).split('>: ', 1)[-1][:200] or type(inner).__name__


def _detail(body: bytes) -> str:
    """The first error of a JSON:API document, as ``: title: detail``."""
    try:
        first = json.loads(body)['errors'][0]
        words = [str(first[key]) for key in ('title', 'detail') if first.get(key)]
    except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
        return ''
    return f': {": ".join(words)}'[:500]
