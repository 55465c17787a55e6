"""What the comparisons share: kinds of arrays, and how they say how far they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Called with what is being done, and the fraction done.
Report = Callable[[str, float], None]


def silent(step: str, done: float) -> None:
    """A report that nobody reads."""
