"""How descriptors are standardised before a model sees them."""

from __future__ import annotations

import numpy as np

from aiida_inversedesign.arrays import Array

#: Standardised descriptors are cut here, by judgement: an odd proposal must not lie infinitely far from everything.
LIMIT = 5.0


def scaling(features: Array) -> tuple[Array, Array]:
    """Center and width (1 where a descriptor does not vary) of descriptors of shape (n, d), each of shape (d,)."""
    center, width = features.mean(axis=0), features.std(axis=0)
    return center, np.where(width > 1e-9 * np.maximum(np.abs(center), 1.0), width, 1.0)


def standardised(features: Array, center: Array, width: Array) -> Array:
    """Descriptors of shape (n, d) in widths from their center, cut at :data:`LIMIT`, shape (n, d)."""
    return np.asarray(np.clip((features - center) / width, -LIMIT, LIMIT))
