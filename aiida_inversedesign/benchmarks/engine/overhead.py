"""What a campaign costs beyond its evaluations: one through the daemon whose evaluations take no time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from aiida import orm
from aiida.engine import submit
from aiida.engine.daemon.client import DaemonClient, DaemonException, get_daemon_client
from aiida.manage import get_manager

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.decisions.propose_candidates import propose_candidates
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.campaigns import generation_ids
from aiida_inversedesign.graph.steps import harvest_times, latest_harvest
from aiida_inversedesign.libraries.library import Library, Template
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.workchains.build import build_campaign
from aiida_inversedesign.workchains.stopping import request_stop

#: Made-up crystals have one of these elements on each of two sites.
SYMBOLS = tuple(
    'Li Na K Mg Ca Sr Ba Al Ga In Si Ge Sn Ti V Cr Mn Fe Co Ni Cu Zn Y Zr Nb Mo O S Se Te F Cl Br I N P As'.split()  # noqa: SIM905
)
#: Around so many evaluations the time of one is taken.
MARKS = (10, 100, 300, 500, 1000)
#: Seconds between two looks at the campaign, and those that it has for ending when its time is over.
_LOOK, _GRACE = 3.0, 300.0
#: Seconds until the daemon and its broker have to answer.
_PATIENCE = 180.0


def made_up_library(size: int, seed: int = 0) -> Library:
    """Crystals of two elements with a made-up stiffness, of each pair one like zinc blende and one like CsCl.

    No two are the same structure: those would be evaluated once.

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
        if SYMBOLS.index(pair[0]) < SYMBOLS.index(pair[1]):
            lattice, second = a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]), 0.25
        else:
            lattice, second = a * 0.6 * np.eye(3), 0.5
        crystal = Crystal(lattice, pair, np.array([[0.0, 0, 0], [second] * 3]))
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
    already: int = 0,
) -> dict[str, Any]:
    """Run a campaign through the daemon of the loaded profile and take its times.

    Wall times are those of this machine with whatever else it does; the processor time of the workers is steadier.

    :param report: called with the number of harvested evaluations.
    :param already: evaluations that the campaign has in its table when it begins, as a resumed one has.
    :param timeout: seconds after which the campaign is stopped, as a user would; the figures are of what it has then.
    :returns: ``evaluations`` (as many as it has in the end), ``already``, ``workers``, ``at_once``, ``schedule``,
        ``backend``, ``seconds_per_evaluation`` and ``cpu_seconds_per_evaluation`` (of all workers; around each of
        ``MARKS`` that was reached), ``checkpoint_bytes`` (largest of campaign and generation), ``database_bytes`` and
        ``storage_bytes`` (for each evaluation: SQLite alone, and with the files of nodes; None for another database),
        ``worker_mb`` (largest resident memory of a worker), ``wall_seconds``.
    :raises InverseDesignError: if the campaign does not end well.
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
    builder = build_campaign(spec)
    if already:
        builder.pool, builder.table = _made_up_evaluations(spec, node, already)
    folder = Path(profile.storage_config['filepath']) if 'filepath' in profile.storage_config else None
    before = _size(folder), _size(folder, 'database.sqlite*')
    client = get_daemon_client()
    client.start_daemon(number_workers=workers, timeout=_PATIENCE)
    _await_broker()
    begin = time.time()
    watch, stopped = _Watch(client), False
    try:
        campaign = submit(builder)
        while not campaign.is_terminated and time.time() - begin < timeout + _GRACE:
            time.sleep(_LOOK)
            report(watch.look(campaign))
            if time.time() - begin > timeout and not stopped and not campaign.is_terminated:
                request_stop(campaign, reason='the time of the benchmark is over')
                stopped = True
    finally:
        # a worker that is at work answers late; what matters is that the message was sent
        with suppress(DaemonException):
            client.stop_daemon(wait=True, timeout=60)
    harvests = harvest_times(generation_ids([campaign.pk]))
    if not campaign.is_finished_ok or not harvests:
        raise InverseDesignError(
            f'the campaign did not end well ({campaign.process_state.value}, {campaign.exit_message or "no message"}): '
            'see `verdi process report` in the profile of the benchmark'
        )
    made = harvests[-1][1]
    marks = [mark for mark in MARKS if already < mark <= made]

    def of_each(size: int | None, earlier: int | None) -> int | None:
        return None if size is None or earlier is None else round((size - earlier) / (made - already))

    return {
        'evaluations': made,
        'already': already,
        'workers': workers,
        'at_once': at_once,
        'schedule': schedule,
        'backend': f'{profile.storage_backend} + {profile.process_control_backend}',
        'seconds_per_evaluation': {str(mark): seconds_around(harvests, mark) for mark in marks},
        'cpu_seconds_per_evaluation': {str(mark): seconds_around(watch.processor, mark) for mark in marks},
        'checkpoint_bytes': watch.checkpoint,
        'database_bytes': of_each(_size(folder, 'database.sqlite*'), before[1]),
        'storage_bytes': of_each(_size(folder), before[0]),
        'worker_mb': round(watch.memory / 1e6),
        'wall_seconds': harvests[-1][0] - begin,
    }


def _made_up_evaluations(spec: CampaignSpec, library: LibraryData, number: int) -> tuple[PoolData, TableData]:
    """The candidates of the campaign, and a table of the first of them, looked up as the engine would."""
    pool = propose_candidates(settings=orm.Dict(spec.settings()), library=library, generation=orm.Int(1))['pool']
    values = {entry.id: entry.properties for entry in library.get_library()}
    rows = [
        EvaluationRow(
            candidate=candidate.id,
            generation=1,
            arm='initial',
            key=candidate.key,
            status='completed',
            proposed=candidate.content,
            relaxed=candidate.content,
            properties=dict(values[candidate.template]),
            hit=None,
            template=candidate.template,
        )
        for candidate in pool.get_candidates()[:number]
    ]
    return pool, TableData.from_rows(rows, spec.goal)


def _await_broker() -> None:
    """Wait until AiiDA's own broker answers: on a busy machine that takes longer than AiiDA waits itself."""
    deadline = time.time() + _PATIENCE
    while True:
        try:
            get_manager().get_communicator()
        except ConnectionError:
            if time.time() > deadline:
                raise
        else:
            return


class _Watch:
    """What is seen of a running campaign from outside: processor time, memory, checkpoints."""

    def __init__(self, client: DaemonClient) -> None:
        self._client = client
        self._used: dict[int, float] = {}
        #: processor time of all workers (s) and rows of the table, at each look
        self.processor: list[tuple[float, int]] = []
        self.checkpoint = self.memory = 0

    def look(self, campaign: orm.WorkChainNode) -> int:
        """Take the figures of this moment; returns how many evaluations have been harvested."""
        get_manager().get_profile_storage().get_session().commit()
        generations = generation_ids([campaign.pk])
        for pk in [campaign.pk, *generations[-1:]]:
            self.checkpoint = max(self.checkpoint, len(orm.load_node(pk).checkpoint or ''))
        self._look_at_workers()
        rows = latest_harvest(generations)
        self.processor.append((math.fsum(self._used.values()), rows))
        return rows

    def _look_at_workers(self) -> None:
        # a daemon that is at work may not answer in time: what it had used before is kept
        with suppress(DaemonException):
            for pid in self._client.get_worker_info()['info']:
                with suppress(psutil.Error):
                    worker = psutil.Process(int(pid))
                    times = worker.cpu_times()
                    self._used[int(pid)] = times.user + times.system
                    self.memory = max(self.memory, worker.memory_info().rss)


def seconds_around(harvests: Sequence[tuple[float, int]], mark: int) -> float | None:
    """Seconds of one evaluation, averaged over the harvests around the ``mark``-th.

    :param harvests: time (s) and rows of the table of each harvest, in order.
    :returns: None if there were not two harvests around it.
    """
    spread = 0.5 if mark < 100 else 0.15
    near = [(moment, rows) for moment, rows in harvests if abs(rows - mark) <= spread * mark]
    if len(near) < 2 or near[-1][1] == near[0][1]:
        return None
    return (near[-1][0] - near[0][0]) / (near[-1][1] - near[0][1])


def _size(folder: Path | None, pattern: str = '*') -> int | None:
    """Bytes of all files below a folder, or None without one."""
    return None if folder is None else sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())
