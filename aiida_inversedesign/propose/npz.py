"""Arrays as the bytes of a npz file: no pickles, and the same arrays give the same bytes."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.errors import InverseDesignError

Arrays = dict[str, NDArray[Any]]

#: a model file larger than this, packed or unpacked, is refused, and one of more arrays: ours have about 10 MB and 100
MOST_BYTES, MOST_ARRAYS = 2**28, 10_000


class ModelError(InverseDesignError):
    """A model that cannot be read or does not fit, with what to do."""


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Named arrays of any shape as the bytes of a npz file, without the time of day."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(arrays[name]), allow_pickle=False)
            # numpy.savez would write the time of day into the archive
            archive.writestr(zipfile.ZipInfo(f'{name}.npy', (1980, 1, 1, 0, 0, 0)), content.getvalue())
    return buffer.getvalue()


def unpack(data: bytes) -> Arrays:
    """The arrays of :func:`pack`.

    :raises ModelError: if the bytes are not such a file.
    """
    try:
        _check(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    # the headers are evaluated as literals, which fails in many ways; a wrong method of compression is not implemented
    except (
        OSError, KeyError, zipfile.BadZipFile, EOFError, ValueError, SyntaxError, TypeError, AttributeError,
        RecursionError, NotImplementedError, RuntimeError, zlib.error, struct.error,
        tokenize.TokenError,
    ) as error:  # fmt: skip
        if isinstance(error, ModelError):
            raise
        raise ModelError(f'this is not a model file (npz): {str(error)[:200]}') from error


def _check(data: bytes) -> None:
    """Refuse a file of more than it may be, before anything is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        size = sum(item.file_size for item in members)
        if size > MOST_BYTES or len(members) > MOST_ARRAYS:
            raise ModelError(f'{len(members)} arrays of {size / 1e9:.1f} GB: this is not a model file of ours')
        for item in members:
            with archive.open(item) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(stream)
            # memory is taken by the shape that the header names
            if dtype.hasobject or min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > item.file_size:
                raise ModelError(
                    f'{item.filename[:100]!r} is not an array of numbers or texts of the size it should have'
                )
