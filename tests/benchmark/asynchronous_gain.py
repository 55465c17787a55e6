"""Asynchronous against generations: simulated over many seeds.

Run it with ``python tests/benchmark/asynchronous_gain.py [SEEDS [MINUTES]]``; it prints what ``benchmark engine`` calls
``asynchronous_gain``, with the hits beside it. When the minutes are over no further seed begins. The bar: at least
1.5 × the evaluations, hits per evaluation not fewer.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

from aiida_inversedesign.benchmarks.search.schedules import gain


def seeds_in_time(seeds: int, minutes: float) -> Iterator[int]:
    """Seeds from 0 on until there are so many or the time is over; at least two, for an interval."""
    deadline = time.monotonic() + 60 * minutes
    for seed in range(seeds):
        if seed > 1 and time.monotonic() > deadline:
            return
        print(f'seed {seed}', file=sys.stderr, flush=True)
        yield seed


if __name__ == '__main__':
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else float('inf')
    print(json.dumps(gain(seeds_in_time(seeds, minutes)), indent=2))
