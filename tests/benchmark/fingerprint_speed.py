"""Fingerprints beside matminer's: ``python tests/benchmark/fingerprint_speed.py [N] [SEED] [STRUCTURES.jsonl.gz]``.

Draws N structures, computes the fingerprint of each with this package and with matminer, one after the other in the
same process, and prints the time of both, their paired ratio with a 95 % bootstrap interval, and the largest
deviation. The code is compiled, and all modules are imported, before the first measurement. Without a file it takes
the Materials Project structures of the shared data (``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the
checkout). With ``OMP_NUM_THREADS=1`` both use one core.
"""

from __future__ import annotations

import os
import platform
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from matminer.featurizers.site import CrystalNNFingerprint
from matminer.featurizers.structure import SiteStatsFingerprint

from aiida_inversedesign.chemistry.fingerprints.structure import STATISTICS, FingerprintError, fingerprint
from aiida_inversedesign.libraries.importers import read_jsonl

RESAMPLES = 10_000


def main() -> None:
    """Measure and print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared'))
    path = Path(sys.argv[3]) if len(sys.argv) > 3 else shared / 'data' / 'mp_structures.jsonl.gz'
    library, _ = read_jsonl(path, primitive=False)
    draw = np.random.default_rng(seed)
    chosen = draw.choice(len(library), size=min(number, len(library)), replace=False)
    site = CrystalNNFingerprint.from_preset('ops', distance_cutoffs=None, x_diff_weight=0)
    reference = SiteStatsFingerprint(site, stats=STATISTICS)
    warnings.simplefilter('ignore')
    smallest = min(library, key=lambda item: item.crystal.nsites).crystal
    reference.featurize(smallest.to_pymatgen())
    fingerprint(smallest)
    ours, theirs, deviations, sites = [], [], [], 0
    for index in chosen:
        item = library[int(index)]
        try:
            started = time.perf_counter()
            value = fingerprint(item.crystal)
            ours.append(time.perf_counter() - started)
        except FingerprintError as error:
            print(f'{item.id}: {error}')
            continue
        started = time.perf_counter()
        expected = np.array(reference.featurize(item.crystal.to_pymatgen()), dtype=np.float64)
        theirs.append(time.perf_counter() - started)
        deviations.append(float(np.abs(value - expected).max()))
        sites += item.crystal.nsites
        if deviations[-1] > 1e-6:
            print(f'{item.id}: deviates by {deviations[-1]:.1e}')
    mine, other = np.array(ours), np.array(theirs)
    rows = draw.integers(len(mine), size=(RESAMPLES, len(mine)))
    low, high = np.quantile(other[rows].sum(axis=1) / mine[rows].sum(axis=1), [0.025, 0.975])
    print(f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}')
    print(f'n = {len(mine)} structures, {sites} sites, seed {seed}')
    print(f'{1000 * mine.mean():.1f} ms a structure, matminer {1000 * other.mean():.1f} ms')
    print(f'ratio {other.sum() / mine.sum():.1f} (95 % interval {low:.1f} to {high:.1f})')
    print(f'largest deviation {max(deviations):.1e}, {sum(value > 1e-6 for value in deviations)} above 1e-6')


if __name__ == '__main__':
    main()
