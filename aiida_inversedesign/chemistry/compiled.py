"""Compilation with numba whose result is kept on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar('Function', bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a numerical function at its first call; the machine code is cached if a folder for it can be written.

    numba looks for that folder when the function is defined (``NUMBA_CACHE_DIR``, beside the source, the user's
    cache) and refuses if there is none; the function is then compiled again in every process.

    The cache is bound to the file of the function: a compiled function must not call one of another file, or a
    change of the other one would go unnoticed.
    """
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, error_model='numpy')(function))
    except RuntimeError:
        return cast(Function, numba.njit(nogil=True, error_model='numpy')(function))
