"""Asynchronous against generations through a real daemon: jobs of log-normal duration, both campaigns side by side.

Run it with ``python tests/benchmark/asynchronous_daemon.py [SEEDS [MEDIAN_SECONDS [GENERATIONS]]]``. For each seed a
campaign in generations of eight and a stream of eight search the same 400 made-up crystals, of which a tenth are hits,
until the generations have ended. It prints, as JSON, the evaluations of both at that moment, and the hits among as
many of those that ended first as the generations made. The bar: at least 1.5 × the evaluations, hits per evaluation not
fewer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

AT_ONCE, WORKERS, SIZE, HITS = 8, 2, 400, 0.1


def compare(seed: int, median: float, generations: int, code: str) -> dict[str, Any]:
    """One seed: both campaigns through the running daemon."""
    import numpy as np
    from aiida.engine import submit

    from aiida_inversedesign.benchmarks.engine.overhead import made_up_library
    from aiida_inversedesign.campaign.load import validate_campaign
    from aiida_inversedesign.nodes.library_data import LibraryData
    from aiida_inversedesign.workchains.build import build_campaign
    from aiida_inversedesign.workchains.stopping import request_stop

    library = made_up_library(SIZE, seed)
    label = f'made-up-{seed}'
    LibraryData.from_library(library, label=label).store()
    threshold = float(np.quantile([template.properties['stiffness'] for template in library], 1 - HITS))

    def begin(schedule: str, evaluations: int) -> Any:
        spec = validate_campaign(
            {
                'name': schedule,
                'seed': seed,
                'goal': {'objectives': [{'property': 'stiffness', 'maximize': True, 'hit': threshold}]},
                'propose': {'library': label, 'method': 'library'},
                'select': {'initial': AT_ONCE, 'batch': AT_ONCE, 'schedule': schedule},
                'learn': {'surrogate': 'gp'},
                'evaluate': {
                    'engine': 'table',
                    'data': label,
                    'units': {'stiffness': 'GPa'},
                    'code': code,
                    'delay_seconds': median,
                    'delay_sigma': 1.0,
                    'free_space_gb': 0,
                },
                'budget': {'evaluations': evaluations, 'at_once': AT_ONCE},
            }
        )
        return submit(build_campaign(spec))

    began = time.time()
    plain, stream = begin('generations', AT_ONCE * generations), begin('asynchronous', SIZE)
    while not plain.is_terminated:
        time.sleep(2)
    wall = time.time() - began
    request_stop(stream, kill=True, reason='the generations have ended')
    ended = {name: _ended(node) for name, node in (('generations', plain), ('asynchronous', stream))}
    moment = ended['generations'][-1][0]
    ended['asynchronous'] = [item for item in ended['asynchronous'] if item[0] <= moment]
    while not stream.is_terminated:
        time.sleep(2)
    size = min(map(len, ended.values()))
    return {
        'seed': seed,
        'wall_seconds': round(wall),
        'evaluations': {name: len(items) for name, items in ended.items()},
        'ratio': len(ended['asynchronous']) / len(ended['generations']),
        'hits': {name: sum(hit for _, hit in items) for name, items in ended.items()},
        'hits_after': {'evaluations': size, **{name: sum(h for _, h in items[:size]) for name, items in ended.items()}},
        'threshold': threshold,
    }


def _ended(node: Any) -> list[tuple[float, bool]]:
    """When each evaluation ended and whether it is a hit, in the order of the ends."""
    from aiida_inversedesign.campaign.goal import Goal
    from aiida_inversedesign.campaign.row import is_hit
    from aiida_inversedesign.graph import campaigns as query

    goal = Goal.model_validate(node.inputs.settings['goal'])
    found = [item for item in query.find_evaluations(query.generation_ids([node.pk])) if item.state == 'finished']
    properties = query.returned_properties(query.generation_ids([node.pk]))
    return sorted((item.changed.timestamp(), is_hit(goal, properties.get(item.id, {})) is True) for item in found)


def main(seeds: int, median: float, generations: int, folder: Path) -> int:
    """A profile and a daemon of its own, then seed after seed."""
    os.environ['AIIDA_PATH'] = str(folder)
    os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    from rehearsal import make_python_code

    from aiida_inversedesign.cli.setup_local import make_profile

    make_profile('gain')
    from aiida import load_profile

    load_profile('gain')
    from aiida.engine.daemon.client import get_daemon_client

    code = make_python_code(folder / 'work', 'inversedesign.table', poll_interval=2.0)
    client = get_daemon_client()
    client.start_daemon(number_workers=WORKERS, timeout=180)
    rows = []
    try:
        for seed in range(seeds):
            rows.append(compare(seed, median, generations, code.full_label))
            print(json.dumps(rows[-1]), flush=True)
    finally:
        client.stop_daemon(wait=True, timeout=120)
    after = [row['hits_after'] for row in rows]
    total = sum(item['evaluations'] for item in after)
    per = {name: sum(item[name] for item in after) / total for name in ('asynchronous', 'generations')}
    print(
        json.dumps({'seeds': len(rows), 'least_ratio': min(row['ratio'] for row in rows), 'hits_per_evaluation': per})
    )
    return 0


if __name__ == '__main__':
    given = [float(word) for word in sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix='inversedesign-gain-') as temporary:
        sys.exit(
            main(
                int(given[0]) if given else 3,
                given[1] if len(given) > 1 else 40.0,
                int(given[2]) if len(given) > 2 else 4,
                Path(temporary),
            )
        )
