"""Arrays as the bytes of a npz file: no pickles, and the same arrays give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.errors import InverseDesignError

Arrays = dict[str, NDArray[Any]]

#: a model file larger than this, unpacked, is refused: ours have some 10 MB
MOST_BYTES = 2**30


class ModelError(InverseDesignError):
    """A model that cannot be read or does not fit, with what to do."""


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as a npz file."""
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

    :raises ModelError: if the bytes are no such file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MOST_BYTES:
            raise ModelError(f'the model file unpacks to {size / 1e9:.1f} GB: this is none of ours')
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, KeyError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ModelError(f'this is no model file (npz): {error}') from error
