"""How long proposals take: ``python tests/benchmark/propose_speed.py STRUCTURES.jsonl.gz [FORMULAS]``.

Draws formulas from a mixed space, proposes crystals of all of them against the library of the given file, and prints
the time, the candidates and the peak memory. Without a file it takes the Materials Project structures of the shared
data (``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the checkout).
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from pathlib import Path

from aiida_inversedesign.campaign.spec import Propose, Space
from aiida_inversedesign.chemistry.formulas import parse_formula
from aiida_inversedesign.propose.importers import read_jsonl
from aiida_inversedesign.propose.pipeline import propose

ELEMENTS = list(parse_formula('LiNaKMgCaSrBaAlGaSiGeTiZrMnFeZnOSSeNPFCl'))
RATIOS = ['1:1', '2:1', '3:1:1', '1:1:1', '2:1:1', '2:2:1']


def main() -> None:
    """Measure and print."""
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared'))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / 'data' / 'mp_structures.jsonl.gz'
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    library, _ = read_jsonl(path, primitive=False)
    space = Space(elements=ELEMENTS, ratios=RATIOS, max_formulas=number)
    started, cpu = time.perf_counter(), time.process_time()
    candidates = propose(space, Propose(), library, None, seed=1, generation=1)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    formulas = len({candidate.formula for candidate in candidates})
    accepted = sum(candidate.accepted for candidate in candidates)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}')
    print(f'n = {formulas} formulas, {len(candidates)} candidates, {accepted} accepted; {len(library)} templates')
    print(f'{wall:.1f} s wall, {cpu:.1f} s CPU, {1000 * wall / formulas:.1f} ms a formula, peak {memory:.2f} GB')


if __name__ == '__main__':
    main()
