"""How often the audit's 95 % intervals hold the truth, by simulation: 93 to 97 % is asked for.

python tests/benchmark/interval_coverage.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable

import numpy as np

from aiida_inversedesign.audit.metrics.intervals import (
    draws_needed,
    mean_interval,
    pooled_spread,
    ratio_interval,
    spread_interval,
    wilson,
)
from aiida_inversedesign.audit.metrics.structures import mean_distance

Bounds = tuple[float, float] | list[float] | None


def coverage(bounds: Iterable[Bounds], truth: float) -> float:
    """The share of intervals that hold the truth; those that do not exist are left out."""
    known = [pair for pair in bounds if pair is not None]
    return float(np.mean([pair[0] <= truth <= pair[1] for pair in known]))


def measure(seed: int = 0) -> dict[str, float]:
    """Coverage of each kind of interval."""
    rng = np.random.default_rng(seed)
    found: dict[str, float] = {}
    # averaged over true shares: at a single share a discrete count cannot be covered exactly
    shares = rng.uniform(0.05, 0.95, 20000)
    held = [
        low <= share <= high
        for share, (low, high) in ((share, wilson(int(rng.binomial(100, share)), 100)) for share in shares)
    ]
    found['wilson, n = 100'] = float(np.mean(held))
    normal: dict[str, tuple[Callable[[np.ndarray], Bounds], float]] = {
        'mean (Student), n = 30': (mean_interval, 0.0),
        'spread of z, n = 200': (spread_interval, 1.0),
    }
    for name, (interval, truth) in normal.items():
        n = int(name.rpartition(' ')[2])
        found[name] = coverage((interval(rng.normal(size=n)) for _ in range(3000)), truth)
    repeats = (pooled_spread([rng.normal(mean, size=3) for mean in range(8)]) for _ in range(5000))
    found['spread of repeats (chi-squared), 8 crystals three times'] = coverage(
        (pooled[1:] for pooled in repeats if pooled is not None), 1.0
    )
    arms = zip(rng.binomial(200, 0.4, 5000), rng.binomial(100, 0.2, 5000), strict=True)
    found['enrichment over a control arm (Katz), n = 200 and 100'] = coverage(
        (ratio_interval(int(hits), 200, int(base), 100) if hits and base else None for hits, base in arms), 2.0
    )
    # of 10⁶ pairs the mean distance is known to 0.1 %
    more = rng.normal(size=(2, 1000000, 5))
    truth = float(np.linalg.norm(more[0] - more[1], axis=1).mean())
    distances = (mean_distance(rng.normal(size=(60, 5))) for _ in range(2000))
    found['mean distance (jackknife), n = 60'] = coverage(((item['low'], item['high']) for item in distances), truth)
    _, low, high = draws_needed(10, 60, 1000)
    orders = (np.flatnonzero(rng.permutation(1000) < 60)[9] + 1 for _ in range(5000))
    found['random search (negative hypergeometric)'] = float(np.mean([low <= needed <= high for needed in orders]))
    return found


def main() -> int:
    """Print the coverages; exit code 1 if one is out of bounds."""
    found = measure()
    print(json.dumps(found, indent=2))
    return 0 if all(0.93 <= value <= 0.97 for value in found.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
