"""How predictions of rows that were left out compare with their values."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np


def calibration(values: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> SimpleNamespace:
    """Share of values within central intervals, spread of z-scores (1 is honest) and mean absolute error."""
    z = np.abs(values - means) / deviations
    widths = {'50': 0.6744897501960817, '80': 1.2815515655446004, '95': 1.959963984540054}
    coverage = {name: float((z <= width).mean()) for name, width in widths.items()}
    return SimpleNamespace(coverage=coverage, spread=np.sqrt((z**2).mean()), mae=float(np.abs(values - means).mean()))
