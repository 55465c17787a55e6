"""Runs every arm with every seed, in processes, and keeps what is finished in a state folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aiida_inversedesign.benchmarks.common import Report, add_lines, read_lines, silent
from aiida_inversedesign.benchmarks.search.arms import RANDOM, ArmError, informed_by, make_arm
from aiida_inversedesign.benchmarks.search.earlier import SHUFFLED, Earlier
from aiida_inversedesign.benchmarks.search.goals import Task, make_task
from aiida_inversedesign.benchmarks.search.loop import Plan, Run, search
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.parallel import processes


@dataclass
class Outcome:
    """Everything that was run.

    :param runs: by arm, in the order of the seeds.
    :param failed: by arm, seed and reason of runs that ended with an error.
    :param missing: arms that could not be started at all, with the reason.
    """

    pool: Pool
    task: Task
    plan: Plan
    seeds: list[int]
    arms: list[str]
    runs: dict[str, list[Run]] = field(default_factory=dict)
    failed: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def run_all(
    pool: Pool,
    task: Task,
    plan: Plan,
    arms: Sequence[str],
    seeds: Sequence[int],
    state: Path | None = None,
    resume: bool = True,
    jobs: int = 1,
    report: Report = silent,
) -> Outcome:
    """Run what has not been run before.

    :param arms: full names, see :func:`~aiida_inversedesign.benchmarks.search.arms.parse_arms`.
    :param state: folder of finished runs, one a line; None keeps nothing.
    :param resume: whether finished runs of the same search are taken from there.
    :param jobs: processes; 0 runs everything in this one.
    :raises PoolError: if the plan does not fit the pool.
    """
    if plan.initial >= len(pool) or plan.initial < 2:
        raise PoolError(f'--initial {plan.initial}: give at least 2 and less than the {len(pool)} candidates')
    if plan.budget <= plan.initial:
        raise PoolError(f'--budget {plan.budget}: must be more than the {plan.initial} starting points')
    outcome = Outcome(pool, task, plan, list(seeds), list(arms))
    store = _Store(state, key_of(pool, task, plan))
    known = store.read() if resume else store.clear()
    total = sum(name != RANDOM for name in arms) * len(outcome.seeds)
    done = 0
    for name in arms:
        if name == RANDOM:
            continue
        try:
            make_arm(name)
        except ArmError as error:
            outcome.missing[name] = str(error)
            continue
        runs = {seed: known[name, seed] for seed in outcome.seeds if (name, seed) in known}
        done += len(runs)
        for result in _work(name, [seed for seed in outcome.seeds if seed not in runs], pool, task, plan, jobs):
            done += 1
            report(f'searching: {name}', done / total)
            if isinstance(result, Run):
                store.write(result)
                runs[result.seed] = result
            else:
                outcome.failed.setdefault(name, []).append(result)
        outcome.runs[name] = [runs[seed] for seed in outcome.seeds if seed in runs]
    return outcome


def shuffled(pool: Pool, seed: int) -> Pool:
    """The pool with its answers in a random order: they say nothing of the descriptors."""
    order = np.random.default_rng([seed, 21]).permutation(len(pool))
    return replace(pool, values={name: column[order] for name, column in pool.values.items()})


def with_earlier(
    pool: Pool,
    other: Pool,
    goal: Goal,
    top: float | None,
    plan: Plan,
    arms: Sequence[str],
    seeds: Sequence[int],
    state: Path | None,
    resume: bool,
    jobs: int,
    report: Report = silent,
) -> Pool:
    """The pool with what a search of each seed found in another pool, by the same arm and plan.

    :param arms: those that start from an earlier search.

    :raises PoolError: if the pools do not share their descriptors, or a search fails.
    """
    if other.names != pool.names:
        raise PoolError(f'--from {other.name}: it shares no descriptors with {pool.name}; take a file of the same kind')
    shared = set(pool.ids) & set(other.ids)
    if shared:
        raise PoolError(
            f'--from {other.name}: {len(shared)} candidates are in {pool.name} too, e.g. {min(shared)}: the arms would '
            'know their answers'
        )
    found = {}
    for kind, base in dict.fromkeys(informed_by(name) for name in arms):
        groups = [(shuffled(other, seed), [seed]) for seed in seeds] if kind == SHUFFLED else [(other, list(seeds))]
        for source, numbers in groups:
            task = make_task(goal, source.values, top)
            outcome = run_all(source, task, plan, [base], numbers, state, resume, jobs, report)
            for seed, reason in outcome.failed.get(base, []):
                raise PoolError(f'--from {other.name}: the search of seed {seed} failed: {reason}')
            for run in outcome.runs[base]:
                values = {name: column[run.order] for name, column in source.values.items()}
                found[kind, run.seed] = Earlier(source.features[run.order], values)
    return replace(pool, earlier=found)


def key_of(pool: Pool, task: Task, plan: Plan) -> str:
    """What tells one search from another: pool, goal, hits and plan."""
    whole = {name: value for name, value in asdict(plan).items() if value is not None}
    about = [pool.digest, task.goal.model_dump(mode='json'), task.hits.tobytes().hex(), whole]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:24]


class _Store:
    """Finished runs of one search."""

    def __init__(self, folder: Path | None, key: str) -> None:
        self._file = folder / f'runs-{key}.jsonl' if folder is not None else None

    def read(self) -> dict[tuple[str, int], Run]:
        found = () if self._file is None else read_lines(self._file)
        runs = [Run.from_dict(record) for record in found if 'order' in record]
        return {(run.arm, run.seed): run for run in runs}

    def clear(self) -> dict[tuple[str, int], Run]:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        return {}

    def write(self, run: Run) -> None:
        if self._file is not None:
            add_lines(self._file, [run.to_dict()])


def _work(
    name: str, seeds: list[int], pool: Pool, task: Task, plan: Plan, jobs: int
) -> Iterator[Run | tuple[int, str]]:
    """The runs of one arm as they finish; its processes are its own, so that their memory is its own too."""
    if not seeds:
        return
    if jobs == 0:
        for seed in seeds:
            yield _one(name, seed, pool, task, plan)
        return
    from concurrent.futures import as_completed

    slim = replace(pool, crystals=None)
    with processes(min(jobs, len(seeds)), _begin, (name, slim, task, plan)) as running:
        for future in as_completed([running.submit(_next, seed) for seed in seeds]):
            yield future.result()


_SEARCH: dict[str, Any] = {}


def _begin(name: str, pool: Pool, task: Task, plan: Plan) -> None:
    """Once in each process."""
    _SEARCH.update(name=name, pool=pool, task=task, plan=plan)


def _next(seed: int) -> Run | tuple[int, str]:
    return _one(seed=seed, **_SEARCH)


def _one(name: str, seed: int, pool: Pool, task: Task, plan: Plan) -> Run | tuple[int, str]:
    try:
        return search(make_arm(name), pool, task, seed, plan)
    # a peer may raise anything; its failure is a result, and the others go on
    except Exception as error:
        return seed, f'{type(error).__name__}: {error}'[:500]
