"""Asynchronous against generations: simulated over many seeds.

Run it with ``python tests/benchmark/asynchronous_gain.py [SEEDS]``; it prints what ``benchmark engine`` calls
``asynchronous_gain``, with the hits beside it. The bar: at least 1.5 × the evaluations, hits per evaluation not fewer.
"""

from __future__ import annotations

import json
import sys

from aiida_inversedesign.select.benchmark.schedules import gain

if __name__ == '__main__':
    print(json.dumps(gain(range(int(sys.argv[1]) if len(sys.argv) > 1 else 30)), indent=2))
