"""Types of arrays that annotations name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Numbers in double precision, of a shape that the docstring names.
Array = NDArray[np.float64]
#: Integers: indices of rows, numbers of atoms.
Integers = NDArray[np.int64]
#: Truth values: which rows count.
Mask = NDArray[np.bool_]
