"""What a campaign costs beyond its evaluations: one through the daemon whose evaluations take no time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import submit
from aiida.engine.daemon.client import DaemonException, get_daemon_client
from aiida.manage import get_manager

from aiida_inversedesign.audit.queries.steps import harvest_times
from aiida_inversedesign.audit.query import generation_ids
from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.data.library import LibraryData
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.propose.library import Library, Template
from aiida_inversedesign.workchains.build import build_campaign

#: Made-up crystals have one of these elements on each of two sites.
SYMBOLS = tuple(
    'Li Na K Mg Ca Sr Ba Al Ga In Si Ge Sn Ti V Cr Mn Fe Co Ni Cu Zn Y Zr Nb Mo O S Se Te F Cl Br I N P As'.split()  # noqa: SIM905
)
#: Around so many evaluations the time of one is taken.
MARKS = (10, 100, 1000)


def made_up_library(size: int, seed: int = 0) -> Library:
    """Zinc-blende crystals of two elements with a made-up stiffness; no two are alike.

    :raises InverseDesignError: if there are not so many pairs of elements.
    """
    rng = np.random.default_rng(seed)
    pairs = [(first, second) for first in SYMBOLS for second in SYMBOLS if first != second]
    if size > len(pairs):
        raise InverseDesignError(f'{size} made-up crystals are too many: at most {len(pairs)}')
    templates = []
    for index in rng.permutation(len(pairs))[:size]:
        pair = pairs[index]
        a = 4.0 + 2.5 * float(rng.random())
        lattice = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
        crystal = Crystal(lattice, pair, np.array([[0.0, 0, 0], [0.25, 0.25, 0.25]]))
        stiffness = 9000 / crystal.volume + 40 * float(np.sin(index))
        name = f'{pair[0]}{pair[1]}-{index}'
        templates.append(Template(name, crystal, 'made up', 'CC0', properties={'stiffness': stiffness}))
    return Library(templates)


def measure(
    evaluations: int,
    workers: int,
    at_once: int,
    schedule: str,
    report: Callable[[int], None] = lambda count: None,
    timeout: float = 7200,
) -> dict[str, Any]:
    """Run a campaign through the daemon of the loaded profile and take its times.

    :param report: told how many evaluations have been harvested.
    :param timeout: seconds after which it is given up.
    :returns: ``evaluations``, ``workers``, ``at_once``, ``schedule``, ``backend``, ``seconds_per_evaluation`` (around
        10, 100 and 1 000 evaluations as far as there are so many), ``checkpoint_bytes`` (largest of campaign and
        generation), ``storage_bytes`` (database and repository for each evaluation), ``wall_seconds``.
    :raises InverseDesignError: if the campaign does not end well in that time.
    """
    profile = get_manager().get_profile()
    node = LibraryData.from_library(made_up_library(min(evaluations + 200, 1300)), label='made-up').store()
    spec = validate_campaign(
        {
            'name': 'overhead',
            'seed': 1,
            'goal': {'objectives': [{'property': 'stiffness', 'maximize': True}]},
            'propose': {'library': node.label, 'method': 'library'},
            'select': {'initial': max(at_once, 4), 'batch': at_once, 'schedule': schedule},
            'evaluate': {'engine': 'table', 'data': node.label, 'units': {'stiffness': 'GPa'}, 'free_space_gb': 0},
            'budget': {'evaluations': evaluations, 'at_once': at_once},
        }
    )
    folder = Path(profile.storage_config['filepath']) if 'filepath' in profile.storage_config else None
    before = _size(folder)
    client = get_daemon_client()
    client.start_daemon(number_workers=workers, timeout=60)
    begin = time.time()
    try:
        campaign = submit(build_campaign(spec))
        largest = 0
        while not campaign.is_terminated and time.time() - begin < timeout:
            time.sleep(2)
            get_manager().get_profile_storage().get_session().commit()
            generations = generation_ids([campaign.pk])
            sizes = [len(orm.load_node(pk).checkpoint or '') for pk in [campaign.pk, *generations[-1:]]]
            largest = max(largest, *sizes)
            harvests = harvest_times(generations)
            report(harvests[-1][1] if harvests else 0)
    finally:
        # a worker that is at work answers late; what matters is that it was told
        with suppress(DaemonException):
            client.stop_daemon(wait=True, timeout=60)
    if not campaign.is_finished_ok:
        raise InverseDesignError(
            f'the campaign did not end well ({campaign.process_state.value}, {campaign.exit_message or "no message"}): '
            'see `verdi process report` in the profile of the benchmark'
        )
    harvests = harvest_times(generation_ids([campaign.pk]))
    return {
        'evaluations': evaluations,
        'workers': workers,
        'at_once': at_once,
        'schedule': schedule,
        'backend': f'{profile.storage_backend} + {profile.process_control_backend}',
        'seconds_per_evaluation': {str(mark): seconds_around(harvests, mark) for mark in MARKS if mark <= evaluations},
        'checkpoint_bytes': largest,
        'storage_bytes': None if before is None else round((_size(folder) - before) / evaluations),
        'wall_seconds': harvests[-1][0] - begin,
    }


def seconds_around(harvests: Sequence[tuple[float, int]], mark: int) -> float | None:
    """Seconds of one evaluation, averaged over the harvests around the ``mark``-th.

    :param harvests: time (s) and rows of the table of each harvest, in order.
    :returns: None if there were not two harvests around it.
    """
    near = [(moment, rows) for moment, rows in harvests if 0.5 * mark <= rows <= 1.5 * mark]
    if mark >= 100:
        near = [(moment, rows) for moment, rows in harvests if 0.85 * mark <= rows <= 1.15 * mark]
    if len(near) < 2 or near[-1][1] == near[0][1]:
        return None
    return (near[-1][0] - near[0][0]) / (near[-1][1] - near[0][1])


def _size(folder: Path | None) -> int | None:
    """Bytes of all files below a folder."""
    return None if folder is None else sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
