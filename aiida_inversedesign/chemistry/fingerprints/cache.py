"""Fingerprints kept in a file that only grows, so that an interrupted computation goes on where it was."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.fingerprints.structure import LENGTH, FingerprintError

Floats = NDArray[np.float64]

#: first bytes of the file; the last is the version of its layout
MAGIC = b'inversedesign.fingerprints/1\n'
#: bytes of a key; shorter ones are filled with zeros
KEY = 96
#: key, numbers, CRC-32 of both
RECORD = KEY + 8 * LENGTH + 4


class FingerprintCache(MutableMapping[str, Floats]):
    """Fingerprints by key in one file, to which each is appended as soon as it is set.

    Every record has the same length and a checksum: one that was cut off when its process was killed, or is damaged,
    is passed over and computed again, and all others stay. Several processes may append to the same file; each sees
    what was in it when it opened it, and its own.

    :param path: the file; made with the first fingerprint if there is none.
    :raises FingerprintError: if the file is something else.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._known: dict[str, Floats] = {}
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise FingerprintError(f'{path}: cannot read the cache of fingerprints: {error}') from error
        if not MAGIC.startswith(data[: len(MAGIC)]):
            raise FingerprintError(f'{path} is not a cache of fingerprints: choose another file')
        for start in range(len(MAGIC), len(data) - RECORD + 1, RECORD):
            body, checksum = data[start : start + RECORD - 4], data[start + RECORD - 4 : start + RECORD]
            if struct.pack('<I', zlib.crc32(body)) == checksum:
                key = body[:KEY].rstrip(b'\0').decode()
                self._known[key] = np.frombuffer(body, dtype='<f8', offset=KEY).astype(np.float64)

    def __getitem__(self, key: str) -> Floats:
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __setitem__(self, key: str, value: Floats) -> None:
        name = key.encode()
        values = np.asarray(value, dtype='<f8')
        if not 0 < len(name) <= KEY or b'\0' in name:
            raise FingerprintError(f'the key {key!r} must have 1 to {KEY} bytes')
        if values.shape != (LENGTH,):
            raise FingerprintError(f'{key}: expected {LENGTH} numbers, got shape {values.shape}')
        body = name.ljust(KEY, b'\0') + values.tobytes()
        self._append(body + struct.pack('<I', zlib.crc32(body)))
        self._known[key] = values.astype(np.float64)

    def __delitem__(self, key: str) -> None:
        raise FingerprintError(f'{self.path} only grows: delete the file to start again')

    def _append(self, record: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size < len(MAGIC):
                os.pwrite(descriptor, MAGIC, 0)
                size = len(MAGIC)
            # a record that was cut off is written over
            end = size - (size - len(MAGIC)) % RECORD
            os.pwrite(descriptor, record, end)
        finally:
            os.close(descriptor)
