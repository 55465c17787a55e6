"""Time and memory of one decision, fit and choice of a batch, from pools of growing size.

Run it as ``python tests/benchmark/search_speed.py --rows 500 --batch 5 --arms auto,gp:log_ei``. The pools are made up:
as many descriptors of normal numbers as crystals have, and a property that follows some of them. Each size runs in a
process of its own, so that the peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np


def measure(name: str, size: int, rows: int, batch: int) -> dict[str, float | int | str]:
    """Seconds and MB of one decision."""
    from aiida_inversedesign.benchmarks.search.arms import make_arm
    from aiida_inversedesign.benchmarks.search.goals import parse_goal
    from aiida_inversedesign.benchmarks.search.loop import Question, peak_mb, reset_peak
    from aiida_inversedesign.spaces.crystals.features import feature_names

    rng = np.random.default_rng(0)
    features = rng.standard_normal((size, len(feature_names())))
    y = np.tanh(features[:, 0]) + 0.5 * features[:, 1] * features[:, 20] + 0.1 * rng.standard_normal(size)
    observed = np.sort(rng.permutation(size)[:rows])
    searcher = make_arm(name).begin(Question(features, tuple(feature_names()), parse_goal('maximize', 'y'), 0))
    reset_peak()
    started = time.perf_counter()
    step = searcher.choose(observed, {'y': y[observed]}, batch, 2)
    seconds = time.perf_counter() - started
    again = searcher.choose(observed, {'y': y[observed]}, batch, 2)
    return {
        'arm': name,
        'candidates': size,
        'rows': rows,
        'batch': len(step.chosen),
        'how': step.how,
        'seconds': round(seconds, 2),
        'seconds_again': round(time.perf_counter() - started - seconds, 2),
        'peak_mb': round(peak_mb() or 0),
        'same_choice': step.chosen == again.chosen,
    }


def main() -> None:
    """Print one line of JSON for each arm and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sizes', default='1000,10000,100000,1000000')
    parser.add_argument('--rows', type=int, default=500)
    parser.add_argument('--batch', type=int, default=5)
    parser.add_argument('--arms', default='auto')
    parser.add_argument('--threads', default='2')
    options = parser.parse_args()
    os.environ.update(dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'), options.threads))
    context = multiprocessing.get_context('spawn')
    for name in options.arms.split(','):
        for size in map(int, options.sizes.split(',')):
            with ProcessPoolExecutor(1, context) as process:
                print(json.dumps(process.submit(measure, name, size, options.rows, options.batch).result()), flush=True)


if __name__ == '__main__':
    main()
