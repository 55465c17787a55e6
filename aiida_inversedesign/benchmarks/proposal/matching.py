"""Whether a built structure is the true one: pymatgen's StructureMatcher and the space group, together.

The tolerances are those of :mod:`aiida_inversedesign.chemistry.matching` and ``symmetry``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida_inversedesign.benchmarks.proposal.scores import NEVER
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.matching import reduced, same_reduced
from aiida_inversedesign.chemistry.symmetry import space_group_number
from aiida_inversedesign.parallel import mapped


@dataclass(frozen=True, eq=False)
class Task:
    """What is compared for one query; crystals are named by their template's index in the library.

    :param truth: the true structure.
    :param built: the structures, by template.
    :param lists: for each ranking its templates, best first.
    :param others: further templates that could match, likely ones first: tested until one does, for the ceiling.
    """

    truth: Crystal
    built: Mapping[int, Crystal]
    lists: Mapping[str, Sequence[int]]
    others: Sequence[int] = ()


@dataclass(frozen=True)
class Matches:
    """Positions of the first hits in each ranking, from 0 (:data:`~.scores.NEVER` if none), and the ceiling.

    :param matcher: first structure that matches.
    :param space_group: first structure of the true space group.
    :param both: first structure that matches and has the true space group.
    :param any_matcher: whether any of the tested structures matches; ``any_both`` with the same space group.
    """

    matcher: dict[str, int]
    space_group: dict[str, int]
    both: dict[str, int]
    any_matcher: bool
    any_both: bool


def compare(task: Task) -> Matches:
    """Compare the structures of one query with the truth; each template is compared once."""
    truth = Reference(task.truth)
    matched: dict[int, bool] = {}
    grouped: dict[int, bool] = {}

    def matches(index: int) -> bool:
        if index not in matched:
            matched[index] = truth.matches(task.built[index])
        return matched[index]

    def same_group(index: int) -> bool:
        if index not in grouped:
            grouped[index] = truth.same_space_group(task.built[index])
        return grouped[index]

    first = {name: [NEVER, NEVER, NEVER] for name in task.lists}
    for name, indices in task.lists.items():
        hits = first[name]
        for position, index in enumerate(indices):
            if hits[0] == NEVER and matches(index):
                hits[0] = position
            if hits[1] == NEVER and same_group(index):
                hits[1] = position
            if hits[2] == NEVER and same_group(index) and matches(index):
                hits[2] = position
            if NEVER not in hits:
                break
    any_both = any(hits[2] != NEVER for hits in first.values())
    if not any_both:
        any_both = any(same_group(index) and matches(index) for index in task.others)
    return Matches(
        {name: hits[0] for name, hits in first.items()},
        {name: hits[1] for name, hits in first.items()},
        {name: hits[2] for name, hits in first.items()},
        any(matched.values()),
        any_both,
    )


class Reference:
    """A true structure, reduced once, that others are compared with."""

    def __init__(self, crystal: Crystal) -> None:
        self.reduced = reduced(crystal)
        self.space_group = space_group_number(crystal)

    def matches(self, crystal: Crystal) -> bool:
        """Whether StructureMatcher finds the crystal to be the same; the formulas must be the same."""
        return same_reduced(self.reduced, reduced(crystal))

    def same_space_group(self, crystal: Crystal) -> bool:
        """Whether the crystal has the same space group."""
        return self.space_group is not None and space_group_number(crystal) == self.space_group


def compare_all(tasks: Sequence[Task], jobs: int, progress: Any = None) -> list[Matches]:
    """:func:`compare` for many queries, in ``jobs`` processes.

    :param progress: called with the fraction done.
    """
    report = progress or (lambda done: None)
    out: list[Matches] = []
    for number, matches in enumerate(mapped(compare, tasks, jobs, chunksize=4), 1):
        out.append(matches)
        report(number / len(tasks))
    return out
