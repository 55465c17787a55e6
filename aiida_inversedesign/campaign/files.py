"""Files that others wrote, read within bounds, and only from where they may lie."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from pathlib import Path

from aiida_inversedesign.errors import InverseDesignError


class FileRefusedError(InverseDesignError):
    """A file that is not read, with the reason."""


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a regular file.

    :param most: most bytes.
    :raises FileRefusedError: if it is not a regular file (a pipe or a device may never end), is larger, or unreadable.
    """
    try:
        # without O_NONBLOCK the opening of a pipe waits for somebody to write to it
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, 'rb') as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileRefusedError('cannot be read (not a regular file)')
            content = stream.read(most + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, FileRefusedError):
            raise
        raise FileRefusedError(f'cannot be read ({getattr(error, "strerror", None) or error})') from error
    if len(content) > most:
        raise FileRefusedError(f'larger than {most} bytes')
    return content


def inside(folder: Path, name: str) -> Path:
    """The path of a file that a text of foreign origin names, relative to a folder that it may not leave.

    :raises FileRefusedError: if the name is absolute, or leads out of the folder, also by a symbolic link.
    """
    try:
        root = folder.resolve()
        path = (root / name).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise FileRefusedError(f'{name!r} is not a file name ({error})') from error
    if Path(name).is_absolute() or not path.is_relative_to(root):
        raise FileRefusedError(
            f'{name!r} leads out of the folder of the file that names it: put the file into the same folder'
        )
    return path


def decompressed(content: bytes, most: int) -> bytes:
    """The bytes of a gzip file.

    :param most: most bytes after decompression.
    :raises FileRefusedError: if it is not such a file, or becomes larger.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            found = stream.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefusedError(f'cannot be decompressed ({error})') from error
    if len(found) > most:
        raise FileRefusedError(f'larger than {most} bytes when decompressed')
    return found
