"""Reading or computing with hundreds of thousands of small objects."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def many_objects() -> Iterator[None]:
    """Makes many objects at once: the search for cycles among them is put off, which is a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
