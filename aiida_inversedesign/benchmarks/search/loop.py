"""One search: an arm chooses batch after batch in a pool, and gets the answers of what it chose."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from aiida_inversedesign.arrays import Array, Integers
from aiida_inversedesign.benchmarks.search.goals import Task, utilities
from aiida_inversedesign.benchmarks.search.pool import Pool, PoolError
from aiida_inversedesign.campaign.contracts.surrogate import CurveRows
from aiida_inversedesign.campaign.environment import source_digest
from aiida_inversedesign.campaign.goal import Goal

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.search.earlier import Earlier
    from aiida_inversedesign.benchmarks.search.fidelity import Cheap


@dataclass(frozen=True, eq=False)
class Question:
    """What an arm may know before anything is evaluated.

    :param features: descriptors of every candidate, shape (n, d).
    :param names: of the columns.
    :param goal: what is searched for.
    :param seed: of all random choices of the arm.
    :param errors: standard errors of the answers, where some were measured several times; an arm may look at those of
        what it has observed.
    :param repeats: number of measurements and deviation of one, of properties that were repeated.
    :param curves: of which the answers are numbers, with the same restriction.
    :param earlier: what earlier searches in another pool found, by kind of arm that starts from them.
    :param cheap: a cheaper method; an arm may look at its answers for what it has asked.
    :param formulas: reduced formulas of the candidates, where they are crystals.
    :param calls: most formulas that a model scores for one proposal of an arm that searches by formula.
    """

    features: Array
    names: tuple[str, ...]
    goal: Goal
    seed: int
    errors: dict[str, Array] = field(default_factory=dict)
    repeats: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    curves: dict[str, CurveRows] = field(default_factory=dict)
    earlier: dict[str, Earlier] = field(default_factory=dict)
    cheap: Cheap | None = None
    formulas: tuple[str, ...] = ()
    calls: int | None = None


@dataclass(frozen=True)
class Step:
    """What an arm chose.

    :param chosen: indices in the pool, in the order of their choice.
    :param predicted: mean and standard deviation of each property at these indices, each of shape (q,); empty where
        an arm makes no predictions.
    :param how: the acquisition and surrogate that were used, where an arm decides that itself.
    :param calls: candidates that a model scored, gradients counted; None where the arm scores the whole pool.
    """

    chosen: list[int]
    predicted: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    how: str = ''
    calls: int | None = None


class Searcher(Protocol):
    """An arm at work on one search."""

    def choose(self, observed: Integers, values: dict[str, Array], size: int, generation: int) -> Step:
        """Choose the next ``size`` candidates.

        :param observed: indices in the pool of what was evaluated, in order.
        :param values: their answers by property, each of shape (len(observed),).
        :param generation: number of this choice; the starting points were the first.
        """


class Arm(Protocol):
    """A way of choosing."""

    @property
    def name(self) -> str:
        """As in ``--arms``."""

    def begin(self, question: Question) -> Searcher:
        """Start a search."""


@dataclass
class Run:
    """One search of one arm.

    :param order: indices in the pool in the order of evaluation; the first ``initial`` are the starting points.
    :param predicted: by property, mean and standard deviation of each later choice when it was chosen.
    :param seconds: of each choice: fit and selection.
    :param peak_mb: largest memory of the process during the search.
    :param how: how often the arm used which acquisition and surrogate.
    :param asked: how often the cheaper method had been asked before each evaluation; empty where there is none.
    :param calls: of a model in each choice, of an arm that does not score the whole pool.
    :param code: tells one version of what chooses from another, see :func:`code_digest`.
    """

    arm: str
    seed: int
    initial: int
    order: list[int]
    predicted: dict[str, list[list[float]]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    peak_mb: float | None = None
    how: dict[str, int] = field(default_factory=dict)
    code: str = ''
    asked: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Run:
        """The run of :meth:`to_dict`."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})


@functools.cache
def code_digest() -> str:
    """SHA-256 of the sources of surrogates, acquisitions and arms, shortened."""
    package = Path(__file__).resolve().parents[2]
    cache = frozenset({'__pycache__'})
    return '-'.join(source_digest(package / folder, cache)[:8] for folder in ('learn', 'select', 'propose/generators'))


def starting_points(pool: Pool, task: Task, initial: int, seed: int, start: str = 'random') -> list[int]:
    """Integers in the pool drawn at random without repeats: the same for every arm.

    :param start: ``random``: from the whole pool; ``far``: from the half of it that is farthest from the goal, so that
        the goal lies outside of what the arms know at first.
    """
    drawn = np.random.default_rng([seed, 20]).permutation(len(pool))
    if start == 'far':
        score = utilities(task.goal, pool.values).mean(axis=1)
        drawn = drawn[np.argsort(np.argsort(score, kind='stable'))[drawn] < (len(pool) + 1) // 2]
    return [int(index) for index in drawn[:initial]]


@dataclass(frozen=True)
class Plan:
    """How every search of a benchmark goes.

    :param initial: number of starting points.
    :param batch: candidates chosen at a time; the last batch is cut to the budget.
    :param budget: most evaluations, starting points included.
    :param start: how the starting points are drawn, see :func:`starting_points`.
    :param calls: see :class:`Question`.
    """

    initial: int
    batch: int
    budget: int
    start: str = 'random'
    calls: int | None = None


def search(arm: Arm, pool: Pool, task: Task, seed: int, plan: Plan) -> Run:
    """Search until the budget is used up, every hit is found, or nothing is left.

    :raises PoolError: if the arm chooses something twice, too much, or nothing.
    """
    reset_peak()
    points = starting_points(pool, task, min(plan.initial, plan.budget), seed, plan.start)
    earlier = {kind: rows for (kind, number), rows in pool.earlier.items() if number == seed}
    known = (pool.errors, pool.repeats, pool.curves, earlier, pool.cheap, pool.formulas, plan.calls)
    searcher = arm.begin(Question(pool.features, pool.names, task.goal, seed, *known))
    # an arm that knows something before has a start of its own
    points = getattr(searcher, 'start', list)(points)
    run = Run(arm.name, seed, len(points), points, code=code_digest())
    _count_asked(run, searcher)
    generation = 1
    while len(run.order) < min(plan.budget, len(pool)) and not _complete(run.order, task):
        generation += 1
        size = min(plan.batch, plan.budget - len(run.order), len(pool) - len(run.order))
        observed = np.array(run.order, dtype=np.int64)
        values = {name: column[observed] for name, column in pool.values.items()}
        started = time.perf_counter()
        step = searcher.choose(observed, values, size, generation)
        run.seconds.append(time.perf_counter() - started)
        _check(step.chosen, run.order, size, len(pool), arm.name)
        run.order.extend(step.chosen)
        _count_asked(run, searcher)
        run.how[step.how] = run.how.get(step.how, 0) + 1
        run.calls += [] if step.calls is None else [step.calls]
        for name, (mean, deviation) in step.predicted.items():
            pairs = zip(mean.tolist(), deviation.tolist(), strict=True)
            run.predicted.setdefault(name, []).extend([one, two] for one, two in pairs)
    run.peak_mb = peak_mb()
    return run


def _count_asked(run: Run, searcher: Searcher) -> None:
    """Note how often the cheaper method was asked before the last evaluations."""
    asked = getattr(searcher, 'asked', None)
    if asked is not None:
        run.asked += [len(asked)] * (len(run.order) - len(run.asked))


def _complete(order: Sequence[int], task: Task) -> bool:
    return int(task.hits[list(order)].sum()) == task.total


def _check(chosen: Sequence[int], order: Sequence[int], size: int, total: int, name: str) -> None:
    wrong = [index for index in chosen if not 0 <= index < total]
    if wrong or set(chosen) & set(order) or len(set(chosen)) < len(chosen) or not 0 < len(chosen) <= size:
        raise PoolError(
            f'arm {name}: chose {len(chosen)} candidate(s) where {size} were asked for, '
            f'{len(set(chosen) & set(order))} of them evaluated before, {len(wrong)} outside the pool'
        )


def reset_peak() -> None:
    """Let the kernel count the peak memory of this process again, where it can (Linux)."""
    with contextlib.suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')


def peak_mb() -> float | None:
    """Largest resident memory since :func:`reset_peak`, or of the process where the kernel does not tell."""
    try:
        lines = Path('/proc/self/status').read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith('VmHWM'))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
