"""Real servers on this machine for the tests of imports: OPTIMADE's own, and one that answers as a test wants."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

#: the fields of the test data as the OPTIMADE project's own configuration for them names them
ALIASES = {
    'id': 'task_id',
    'immutable_id': '_id',
    'chemical_formula_descriptive': 'pretty_formula',
    'chemical_formula_reduced': 'pretty_formula',
    'chemical_formula_anonymous': 'formula_anonymous',
}


def optimade_python() -> str:
    """The interpreter that has the server; the test is skipped if there is none."""
    if found := os.environ.get('INVERSEDESIGN_OPTIMADE_PYTHON'):
        return found
    if all(importlib.util.find_spec(name) for name in ('optimade', 'uvicorn', 'fastapi')):
        return sys.executable
    pytest.skip('no OPTIMADE server: pip install "optimade[server]", or set INVERSEDESIGN_OPTIMADE_PYTHON')


@contextmanager
def optimade_server(folder: Path, page_limit_max: int = 500) -> Iterator[str]:
    """The server of the package ``optimade`` with its own 17 test structures; gives its address."""
    config = folder / 'optimade.json'
    config.write_text(json.dumps({'aliases': {'structures': ALIASES}, 'page_limit_max': page_limit_max}))
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [optimade_python(), '-m', 'uvicorn', 'optimade.server.main:app', '--port', str(port)]
    environment = {**os.environ, 'OPTIMADE_CONFIG_FILE': str(config)}
    with (folder / 'server.log').open('wb') as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(f'http://127.0.0.1:{port}/v1/info', process, folder / 'server.log')
        yield f'http://127.0.0.1:{port}'
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise RuntimeError(f'the OPTIMADE server did not start: {log.read_text()[-2000:]}')


@contextmanager
def answering_server(answer: Callable[[str, dict[str, str]], Any]) -> Iterator[str]:
    """A server that answers every GET with ``answer(path, query)``; gives its address.

    An answer is plain data, sent as JSON, or status, headers and body; a body may be an iterator of parts.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found = answer(parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()})
            status, headers, body = found if isinstance(found, tuple) else (200, {}, json.dumps(found).encode())
            try:
                self.send_response(status)
                for name, value in {'Content-Type': 'application/json', **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for part in [body] if isinstance(body, bytes) else body:
                    self.wfile.write(part)
                    self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                # the client has gone: what some tests ask of it
                pass

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()
