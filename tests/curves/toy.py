"""The artificial curves of the seminar: y(t) = a sin(b t + c) + d t + e, with noise."""

from __future__ import annotations

import numpy as np


def toy(systems: int, seed: int = 0, points: int = 51, noise: float = 0.2):
    """Grid, inputs and curves."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(1, 5, (2, systems))
    c, d, e = rng.uniform(0, 3, systems), rng.uniform(-2, 2, systems), rng.uniform(-3, 3, systems)
    grid = np.linspace(0, 2, points)
    curves = a[:, None] * np.sin(b[:, None] * grid + c[:, None]) + d[:, None] * grid + e[:, None]
    return grid, np.stack([a, b, c, d, e], axis=1), curves + noise * rng.standard_normal(curves.shape)
