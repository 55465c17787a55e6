"""What the comparisons share: how they say how far they are, files of results, processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

Given = TypeVar('Given')
Found = TypeVar('Found')

#: Called with what is being done, and the fraction done.
Report = Callable[[str, float], None]


def silent(step: str, done: float) -> None:
    """A report that nobody reads."""


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The records of :func:`add_lines`, none without a file; a line that an interruption cut off is left out."""
    for line in file.read_text(encoding='utf-8').splitlines() if file.is_file() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def add_lines(file: Path, records: Iterable[dict[str, Any]]) -> None:
    """Add results to a file, one a line: a computation that is stopped and begun again goes on where it was."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open('ab+') as stream:
        if stream.tell():
            # a line that an interruption cut off must not swallow this one
            stream.seek(-1, os.SEEK_END)
            if stream.read() != b'\n':
                stream.write(b'\n')
        stream.write(''.join(json.dumps(record) + '\n' for record in records).encode())


def mapped(
    function: Callable[[Given], Found], items: Sequence[Given], jobs: int, chunksize: int = 1
) -> Iterator[Found]:
    """The results of a module's function, in the order of the items; with several jobs in as many processes."""
    if jobs <= 1 or len(items) < 2:
        yield from map(function, items)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # a forked process would inherit the threads of torch in an undefined state
    with ProcessPoolExecutor(jobs, mp_context=get_context('spawn')) as processes:
        yield from processes.map(function, items, chunksize=chunksize)
