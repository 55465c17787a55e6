"""What the comparisons share: how they say how far they are, and files of results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

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
