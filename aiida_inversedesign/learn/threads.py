"""Linear algebra on one thread: sums over several depend on their number in the last digits."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@functools.cache
def _controller() -> Any:
    # both load the libraries that are to be limited
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy and SciPy use one thread inside, so that the same data give the same numbers on every machine's load."""
    with _controller().limit(limits=1, user_api='blas'):
        yield
