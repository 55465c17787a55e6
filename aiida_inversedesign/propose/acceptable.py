"""Down the ranked templates of each formula until enough of its crystals are acceptable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import Progress
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.screen.apply import screened

#: so many templates are ranked beyond the number of crystals wanted; there a list ends
BEYOND = 60
#: further down the list a template is passed over if one of its prototype within this fingerprint distance has given an
#: acceptable crystal: of 4 700 such crystals of held-out compounds 1 % were no duplicates of it, of the others 10 %
ALIKE = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class RankedList:
    """The templates of one formula, best first, and how its crystals are built.

    :param label: the prototype of the template at an index; empty where it cannot be determined.
    :param fingerprints: of each template, shape (n, p), NaN where there is none; None if the library has none.
    :param build: the crystals of some of the templates, by their indices in the list; ``rank`` is the index plus 1.
    """

    length: int
    label: Callable[[int], str]
    fingerprints: NDArray[np.float32] | None
    build: Callable[[Sequence[int]], list[Candidate]]


def acceptable(
    lists: Sequence[RankedList],
    number: int,
    spec: CampaignSettings,
    rows: Sequence[EvaluationRow],
    report: Progress,
) -> list[Candidate]:
    """Crystals of formulas, judged, until ``number`` of each formula pass all screens or its list ends.

    Each round takes as many further crystals of a formula as it still lacks, so that never more than ``number`` pass,
    and judges those of all formulas together. The first ``number`` of a list are always tried; after them, what would
    most likely be a duplicate is passed over (:data:`ALIKE`).

    :returns: what was tried, rejected ones included, one formula after the other in the order of their ranks.
    """
    formulas = [_Formula(one, list(range(one.length))) for one in lists]
    lacking = formulas
    while lacking:
        report('crystals', 1 - len(lacking) / len(formulas))
        portions = [one.ranked.build(one.next_indices(number)) for one in lacking]
        passed = [candidate for one in lacking for candidate in one.passed]
        judged = iter(screened([item for portion in portions for item in portion], spec, rows, passed=passed))
        for one, portion in zip(lacking, portions, strict=True):
            one.add(list(islice(judged, len(portion))))
        lacking = [one for one in lacking if one.untried and len(one.passed) < number]
    report('crystals', 1.0)
    return [candidate for one in formulas for candidate in one.tried]


@dataclasses.dataclass(eq=False)
class _Formula:
    """One formula on its way down its list.

    :param untried: indices in the list that were not tried.
    :param tried: judged crystals.
    """

    ranked: RankedList
    untried: list[int]
    tried: list[Candidate] = dataclasses.field(default_factory=list)
    passed: list[Candidate] = dataclasses.field(default_factory=list)

    def add(self, judged: Sequence[Candidate]) -> None:
        """Keep what the screens said."""
        self.tried += judged
        self.passed += [candidate for candidate in judged if candidate.accepted]

    def next_indices(self, number: int) -> list[int]:
        """The next indices to try, as many as are lacking; the first ``number`` of the list are not passed over."""
        good = [candidate.rank - 1 for candidate in self.passed if candidate.rank]
        found: list[int] = []
        while self.untried and len(found) < number - len(self.passed):
            index = self.untried.pop(0)
            if index < number or not any(self._alike(index, other) for other in good):
                found.append(index)
        return found

    def _alike(self, index: int, other: int) -> bool:
        """Whether two templates are of one prototype and so near that their crystals most likely match."""
        prints = self.ranked.fingerprints
        if prints is None or not np.linalg.norm(prints[index] - prints[other]) <= ALIKE:
            return False
        label = self.ranked.label(index)
        return label != '' and label == self.ranked.label(other)
