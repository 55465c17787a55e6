"""Plain data between a campaign and its jobs on other computers. Imports no aiida."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

#: Files of a job.
INPUT, OUTPUT, RECORD = 'input.json.gz', 'output.json.gz', 'record.json'
LIBRARY, MODEL = 'library.parquet', 'model.npz'


def packed(data: Any) -> bytes:
    """Plain data as compressed JSON; the same data give the same bytes."""
    return gzip.compress(json.dumps(data, allow_nan=False).encode(), mtime=0)


def unpacked(content: bytes) -> Any:
    """The data of :func:`packed`."""
    return json.loads(gzip.decompress(content))


def run_job(compute: Any, known_errors: tuple[type[Exception], ...]) -> None:
    """Run ``compute`` on the input of the current folder, and leave its output and a record there.

    The record tells the versions, the seconds, and an error of the kinds that belong to a campaign's life; any other
    error ends the job with its traceback.
    """
    import platform
    import time
    from importlib.metadata import version

    from aiida_inversedesign.processes.guard import sole_attempt

    begun = time.perf_counter()
    record: dict[str, Any] = {
        'versions': {name: version(name) for name in ('aiida-inversedesign', 'numpy', 'scipy', 'torch')},
        'python': platform.python_version(),
        'machine': platform.machine(),
        'error': None,
    }
    data = unpacked(Path(INPUT).read_bytes())
    with sole_attempt(data.pop('earlier_attempts', []), [OUTPUT, RECORD]) as taken:
        if taken is not None:
            return
        try:
            Path(OUTPUT).write_bytes(packed(compute(data)))
        except known_errors as error:
            record['error'] = str(error)
        record['seconds'] = time.perf_counter() - begun
        Path(RECORD).write_text(json.dumps(record))
