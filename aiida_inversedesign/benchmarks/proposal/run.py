"""Runs the benchmark of rankings: every ranking answers the same queries, see :func:`run`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aiida_inversedesign.arrays import Array, Integers, Mask
from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.proposal.matching import Matches, Reference, Task, compare_all
from aiida_inversedesign.benchmarks.proposal.queries import Query, formulas_of
from aiida_inversedesign.benchmarks.proposal.scores import first_hit
from aiida_inversedesign.benchmarks.proposal.volumes import VolumeCase
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.build import build
from aiida_inversedesign.propose.rankers.ranking import TAUS, Counts, Group, Ranker, Templates
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes

#: ranks at which the rankings are compared
KS = (1, 5, 10, 20, 50)
#: ranks at which built structures are compared
STRUCTURE_KS = (1, 5, 10)
#: fingerprint distance up to which a template counts as structurally right
RIGHT = 0.1
#: formulas that a ranking answers in one call
BLOCK = 64
#: crystals of a formula in templates of a group, named by their indices in the library, in their order
Builder = Callable[[Counts, Sequence[int], Group], list[Crystal]]


def builder_of(volumes: Volumes | None = None) -> Builder:
    """A builder of crystals at these predicted volumes; without one, templates are scaled by element volumes."""
    predictor = ElementVolumes() if volumes is None else volumes

    def builder(counts: Counts, indices: Sequence[int], group: Group) -> list[Crystal]:
        return [item.crystal for item in build(counts, indices, group, predictor)]

    return builder


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    :param taus: fingerprint distances up to which a template is right.
    :param matcher_queries: the first so many queries are compared by StructureMatcher; None for all.
    :param jobs: processes of that comparison.
    """

    taus: tuple[float, ...] = TAUS
    matcher_queries: int | None = None
    jobs: int = 1


@dataclass(eq=False)
class Answers:
    """What one ranking answered.

    :param kept: templates of each query, best first, as indices in the library.
    :param positions: position of the first template within each τ, shape (n,).
    :param prototypes: position of the first template with the true prototype, shape (n,).
    """

    name: str
    kept: list[Integers]
    positions: dict[float, Integers] = field(default_factory=dict)
    prototypes: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(eq=False)
class Outcome:
    """Everything a benchmark measured, before it is summed up.

    :param findable: for each τ whether any template of the same ratio is so near, shape (n,).
    :param findable_prototypes: whether any template of the same ratio has the true prototype, shape (n,).
    :param matches: comparisons of the first ``len(matches)`` queries.
    :param volumes: first structures of each ranking for the queries findable within :data:`RIGHT`.
    """

    queries: Sequence[Query]
    library: Library
    answers: dict[str, Answers]
    findable: dict[float, Mask]
    findable_prototypes: Mask
    with_templates: int
    matches: list[Matches]
    volumes: dict[str, list[VolumeCase]]
    seconds: dict[str, float]


def run(
    queries: Sequence[Query],
    library: Library,
    rankers: Sequence[Ranker],
    settings: Settings | None = None,
    builder: Builder | None = None,
    progress: Report = silent,
) -> Outcome:
    """Ask every ranker for every query, and compare what it kept with the truth.

    :param library: templates with fingerprints; the queries' formulas are removed beforehand.
    :param builder: makes the structures that are compared; default: volumes from element volumes.
    :param progress: called with what is being done and the fraction done.
    """
    settings, builder = settings or Settings(), builder or builder_of()
    templates = Templates(library, exclude_formulas=formulas_of(queries))
    groups = [templates.group(query.label) for query in queries]
    by_label: dict[str, list[int]] = defaultdict(list)
    for number, query in enumerate(queries):
        by_label[query.label].append(number)
    empty = np.empty(0, dtype=np.int64)
    answers = {item.name: Answers(item.name, [empty] * len(queries)) for item in rankers}
    nearest: list[tuple[Integers, Array]] = [(empty, np.empty(0))] * len(queries)
    for number, (query, group) in enumerate(zip(queries, groups, strict=True)):
        if group is not None:
            nearest[number] = _by_distance(query, group)
    calls = len(queries) * len(rankers)
    done = 0
    for ranker in rankers:
        for label, numbers in sorted(by_label.items()):
            group = templates.group(label)
            done += len(numbers)
            if group is not None:
                _ask(ranker, queries, numbers, group, answers[ranker.name])
            progress(f'ranking: {ranker.name}', done / calls)

    findable = {
        tau: np.array([len(distances) > 0 and distances[0] <= tau for _, distances in nearest])
        for tau in (*settings.taus, RIGHT)
    }
    for item in answers.values():
        for tau in findable:
            item.positions[tau] = np.array(
                [_position(kept, near, tau) for kept, near in zip(item.kept, nearest, strict=True)], dtype=np.int64
            )
    progress('prototypes', 0.0)
    truths = [prototype_label(query.crystal) for query in queries]
    findable_prototypes = np.array(
        [
            bool(truth) and group is not None and truth in group.prototypes
            for truth, group in zip(truths, groups, strict=True)
        ]
    )
    for item in answers.values():
        item.prototypes = np.array(
            [
                first_hit(
                    np.array([bool(truth) and label_of(library[int(index)]) == truth for index in kept], dtype=bool)
                )
                for truth, kept in zip(truths, item.kept, strict=True)
            ]
        )
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    number = len(queries) if settings.matcher_queries is None else min(settings.matcher_queries, len(queries))
    tasks = []
    for row in range(number):
        tasks.append(_task(queries[row], row, groups[row], answers, nearest[row][0], builder))
        progress('building', (row + 1) / number)
    seconds['building'] = time.perf_counter() - started
    started = time.perf_counter()
    matches = compare_all(tasks, settings.jobs, lambda fraction: progress('StructureMatcher', fraction))
    seconds['matching'] = time.perf_counter() - started
    progress('volumes', 0.0)
    volumes = {
        name: [
            _volume_case(query, group, int(item.kept[row][0]), builder, bool(item.positions[RIGHT][row] == 0))
            for row, (query, group) in enumerate(zip(queries, groups, strict=True))
            if group is not None and findable[RIGHT][row] and len(item.kept[row])
        ]
        for name, item in answers.items()
    }
    progress('volumes', 1.0)
    with_templates = sum(len(indices) > 0 for indices, _ in nearest)
    return Outcome(queries, library, answers, findable, findable_prototypes, with_templates, matches, volumes, seconds)


def _by_distance(query: Query, group: Group) -> tuple[Integers, Array]:
    """Templates by the distance of their fingerprint to the truth's; those without a fingerprint last, at infinity."""
    if group.fingerprints is None:
        distances = np.full(len(group), np.inf)
    else:
        distances = np.linalg.norm(group.fingerprints.astype(np.float64) - query.fingerprint, axis=1)
        distances[~np.isfinite(distances)] = np.inf
    order = np.argsort(distances, kind='stable')
    return group.indices[order], distances[order]


def _ask(ranker: Ranker, queries: Sequence[Query], numbers: Sequence[int], group: Group, into: Answers) -> None:
    for start in range(0, len(numbers), BLOCK):
        block = numbers[start : start + BLOCK]
        counts = [queries[number].counts for number in block]
        wall, cpu = time.perf_counter(), time.process_time()
        ranked = ranker.rank(counts, group, max(KS))
        into.wall_seconds += time.perf_counter() - wall
        into.cpu_seconds += time.process_time() - cpu
        for number, item in zip(block, ranked, strict=True):
            into.kept[number] = item.indices


def _position(kept: Integers, nearest: tuple[Integers, Array], tau: float) -> int:
    """Position of the first kept template within τ."""
    indices, distances = nearest
    right = indices[: np.searchsorted(distances, tau, side='right')]
    return first_hit(np.isin(kept, right))


def _task(
    query: Query,
    row: int,
    group: Group | None,
    answers: dict[str, Answers],
    nearest: Integers,
    builder: Builder,
) -> Task:
    """What is compared for a query: the first structures of each ranking, then all others that could match."""
    if group is None:
        return Task(query.crystal, {}, {name: [] for name in answers})
    lists = {name: [int(index) for index in item.kept[row][: max(STRUCTURE_KS)]] for name, item in answers.items()}
    chosen = dict.fromkeys(index for indices in lists.values() for index in indices)
    others = _could_match(query, group.library, [int(index) for index in nearest if int(index) not in chosen])
    built = dict(zip(chosen, builder(query.counts, list(chosen), group), strict=True))
    # the matcher scales volumes, so that the quick rule does for those that only tell the ceiling
    built |= zip(others, builder_of()(query.counts, others, group), strict=True)
    return Task(query.crystal, built, lists, others)


def _could_match(query: Query, library: Library, indices: Sequence[int]) -> list[int]:
    """Templates with the space group of the truth and as many sites in the primitive cell."""
    truth = Reference(query.crystal)
    return [
        index
        for index in indices
        if library[index].spacegroup in (0, truth.space_group) and library[index].crystal.nsites == len(truth.reduced)
    ]


def _volume_case(query: Query, group: Group, index: int, builder: Builder, right: bool) -> VolumeCase:
    (built,) = builder(query.counts, [index], group)
    return VolumeCase(built, group.library[index].crystal, query.crystal, right)
