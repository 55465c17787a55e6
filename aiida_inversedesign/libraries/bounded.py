"""Reads text files of foreign origin, plain or gzipped, within bounds of memory and time."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from aiida_inversedesign.libraries.library import LibraryError

MIB = 2**20
#: bytes of a whole file after decompression, and of one line; number of lines
LARGEST_FILE, LONGEST_LINE, MOST_LINES = 8192 * MIB, 16 * MIB, 20_000_000
#: a gzip file that grows by more than this is a decompression bomb (structures as JSON: 4 to 12); asked after 2 MiB
LARGEST_RATIO, RATIO_FROM = 100, 2 * MIB


class TooLargeError(LibraryError):
    """A file that is larger than what is read."""


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn what goes wrong in reading a file into a message.

    :raises LibraryError: if it cannot be opened, read or decompressed.
    """
    if file.exists() and not file.is_file():
        raise LibraryError(f'{file}: cannot be read (not a regular file)')
    try:
        yield
    except FileNotFoundError as error:
        raise LibraryError(f'{file}: no such file or folder') from error
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise LibraryError(f'{file}: cannot be read ({reason})') from error


def read_lines(file: Path, fraction: Callable[[float], None] | None = None) -> Iterator[bytes | None]:
    """The lines of a file, ``.gz`` decompressed; None stands for a line of more than 16 MiB, which is passed over.

    :param fraction: called now and then with the fraction of the file that is read.
    :raises LibraryError: if it cannot be read, has more than 8 GiB or 20 million lines, or is a decompression bomb.
    """
    with readable(file), file.open('rb') as raw:
        size = file.stat().st_size
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if file.suffix.lower() == '.gz' else raw
        total, number, skipping = 0, 0, False
        while chunk := stream.readline(LONGEST_LINE):
            total, number = total + len(chunk), number + 1
            if number % 256 == 0 or len(chunk) > MIB:
                _check(file, total, number, raw.tell() if stream is not raw else None)
            if fraction is not None and size and number % 256 == 0:
                fraction(min(raw.tell() / size, 1.0))
            whole = chunk.endswith(b'\n') or len(chunk) < LONGEST_LINE
            if whole and not skipping:
                yield chunk
            elif whole:
                yield None
            skipping = not whole
        if skipping:
            yield None


def read_text(file: Path, largest: int) -> str:
    """The text of a small file, ``.gz`` decompressed; bytes that are not UTF-8 are replaced.

    :param largest: most bytes after decompression.
    :raises TooLargeError: if it has more.
    :raises LibraryError: if it cannot be read.
    """
    with readable(file), gzip.open(file) if file.suffix.lower() == '.gz' else file.open('rb') as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise TooLargeError(f'more than {largest / MIB:g} MiB of text')
    wide = content.startswith((b'\xff\xfe', b'\xfe\xff'))
    return content.decode('utf-16' if wide else 'utf-8-sig', errors='replace')


def _check(file: Path, total: int, lines: int, compressed: int | None) -> None:
    if total > LARGEST_FILE or lines > MOST_LINES:
        raise TooLargeError(f'{file}: more than {LARGEST_FILE // MIB} MiB or {MOST_LINES} lines: split the file')
    if compressed is not None and total > RATIO_FROM and total > LARGEST_RATIO * max(compressed, 1):
        raise TooLargeError(
            f'{file}: grows more than {LARGEST_RATIO}-fold when decompressed ({total // MIB} MiB from '
            f'{compressed} bytes), which data do not: refused: possible decompression bomb'
        )
