"""How long proposals take: ``python tests/benchmark/propose_speed.py LIBRARY [FORMULAS]``.

LIBRARY is a Parquet file of a library (``cspml`` needs its fingerprints), or a jsonl file of structures, whose
fingerprints are then computed first (some minutes for 20 000 structures). Without one it takes the Materials Project
structures of the shared data (``INVERSEDESIGN_SHARED``, or the folder ``shared`` beside the checkout) with their
reference fingerprints. Draws formulas from a mixed space and prints the processor time of each step: what ranks,
assigns and builds; a whole proposal with its filters; the published networks on a tenth of the formulas.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np

from aiida_inversedesign.chemistry.formulas import parse_formula, ratio_label
from aiida_inversedesign.libraries.importers import read_jsonl
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.build import build
from aiida_inversedesign.propose.next_candidates import propose_next, settings_of_a_proposal
from aiida_inversedesign.propose.proposal_model import shipped_model
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Ranker, Templates
from aiida_inversedesign.propose.training.from_library import complete_fingerprints, train_on
from aiida_inversedesign.propose.training.published_recipe import Recipe
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes
from aiida_inversedesign.spaces.crystals.formula_space import draw_formulas
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

ELEMENTS = list(parse_formula('LiNaKMgCaSrBaAlGaSiGeTiZrMnFeZnOSSeNPFCl'))
RATIOS = ['1:1', '2:1', '3:1:1', '1:1:1', '2:1:1', '2:2:1']
TOP_K = 5


def read(argument: str | None) -> Library:
    """The library with its fingerprints."""
    shared = Path(os.environ.get('INVERSEDESIGN_SHARED', Path(__file__).resolve().parents[3] / 'shared')) / 'data'
    path = Path(argument) if argument else shared / 'mp_structures.jsonl.gz'
    if path.suffix == '.parquet':
        return Library.from_bytes(path.read_bytes())
    cache = None if argument else shared / 'fingerprints_reference.npz'
    return complete_fingerprints(read_jsonl(path, primitive=False)[0], cache)


def cpu_of(formulas: list[dict[str, int]], library: Library, ranker: Ranker, volumes: Volumes) -> tuple[float, float]:
    """Processor time in ms a formula of ranking (all that is computed once for the library included) and building."""
    start = time.process_time()
    templates = Templates(library)
    groups = {label: templates.group(label) for label in {ratio_label(counts) for counts in formulas}}
    ranked = []
    for label, group in groups.items():
        asked = [counts for counts in formulas if ratio_label(counts) == label]
        if group is not None:
            ranked += [(group, *pair) for pair in zip(asked, ranker.rank(asked, group, TOP_K), strict=True)]
    middle = time.process_time()
    for group, counts, found in ranked:
        build(counts, found.indices, group, volumes)
    end = time.process_time()
    return 1000 * (middle - start) / len(formulas), 1000 * (end - middle) / len(formulas)


def main() -> None:
    """Measure and print."""
    library = read(sys.argv[1] if len(sys.argv) > 1 else None)
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    space = {'elements': ELEMENTS, 'ratios': RATIOS, 'max_formulas': number}
    formulas, _ = draw_formulas(CrystalSpace(**space), 1)
    model = shipped_model()
    print(f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}')
    print(f'n = {len(formulas)} formulas, {len(library)} templates, {TOP_K} structures each')
    ranking, building = cpu_of(formulas, library, model.ranker, model.volumes)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f'ours: ranking {ranking:.2f}, assignment and building {building:.2f}, together {ranking + building:.2f} '
        f'ms CPU a formula; peak {memory:.2f} GB'
    )
    start, cpu = time.perf_counter(), time.process_time()
    candidates = propose_next(settings_of_a_proposal(space, {'top_k': TOP_K}, seed=1), library, model, generation=1)
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    accepted = sum(candidate.accepted for candidate in candidates)
    print(
        f'a whole proposal with its filters: {1000 * cpu / len(formulas):.1f} ms CPU, '
        f'{1000 * wall / len(formulas):.1f} ms a formula; {len(candidates)} candidates, {accepted} accepted'
    )
    # how well it ranks does not matter here: one epoch is enough
    network = PublishedRanker(train_on(library, seed=1, recipe=Recipe(epochs=1)))  # type: ignore[arg-type]
    ranking, building = cpu_of(formulas[:: max(1, len(formulas) // 100)], library, network, ElementVolumes())
    print(f'published networks: ranking {ranking:.2f}, assignment and building {building:.2f} ms CPU a formula')


if __name__ == '__main__':
    main()
