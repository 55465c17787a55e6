"""The formulas a search has scored so far."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.chemistry.kmd.kernel import KernelMean, kernel_mean
from aiida_inversedesign.learn.threads import one_thread
from aiida_inversedesign.propose.generators.domain import Domain, Key, key_of
from aiida_inversedesign.propose.generators.request import (
    Amounts,
    Counts,
    GeneratorError,
    NotReadyError,
    Proposed,
    Request,
)

#: formulas scored for each one wanted, and at least
EFFORT, LEAST = 20, 1000
#: random formulas a search starts from
SURVEY = 100
#: random draws for each formula wanted, where most draws are not admitted
DRAWS = 50


class ScoredFormulas:
    """Scores formulas once each and keeps what may be proposed.

    :param effort: formulas scored for each one wanted.
    :raises NotReadyError: if the request has no score.
    """

    def __init__(self, request: Request, effort: int = EFFORT) -> None:
        if request.score is None:
            raise NotReadyError('a search needs scores, and nothing was evaluated yet: take enumeration')
        self.request, self._score = request, request.score
        self.domain = Domain(request)
        self.budget = max(LEAST, effort * request.number) if request.calls is None else request.calls
        self._scores: dict[Key, float] = {}
        self._refused: set[Key] = set()
        self._preferred: dict[Key, bool] = {}
        self._penalty = 0.0
        self.spent = 0

    def __len__(self) -> int:
        """Number of formulas scored."""
        return len(self._scores)

    def __contains__(self, counts: Counts) -> bool:
        """Whether the formula was scored or refused."""
        key = key_of(counts)
        return key in self._scores or key in self._refused

    @property
    def exhausted(self) -> bool:
        """Whether no more formulas are to be scored."""
        return len(self) + self.spent >= self.budget

    def changes(self, here: Counts, there: Sequence[Amounts]) -> Array:
        """How the score changes from a formula to amounts near it, shape (n,).

        What that costs counts as scored formulas in ``spent``.

        :raises GeneratorError: as :meth:`score`.
        """
        if self.request.changes is not None:
            found, calls = self.request.changes(here, there)
        else:
            points = [here, *there]
            values = self._checked(self._score(points), len(points))  # type: ignore[arg-type]
            # a score of −∞, as of an improvement without chance, points nowhere
            finite = np.isfinite(values[1:]) & np.isfinite(values[0])
            found, calls = np.subtract(values[1:], values[0], out=np.zeros(len(there)), where=finite), len(points)
        self.spent += calls
        return np.nan_to_num(found)

    def survey(self) -> bool:
        """Score a random sample to start from, or everything if the space is small.

        A formula that cannot be neutral though that is preferred loses the range of these scores.

        :returns: whether the whole space has been scored, so that nothing is left to search.
        """
        complete = self.domain.size <= self.budget or not self.domain.elements
        if complete:
            self.score(list(self.domain.every()))
            return True
        rng = random.Random(self.request.seed)  # noqa: S311
        self.score(self.domain.named)
        self.score(self.fresh(rng, min(SURVEY, self.budget)))
        known = np.array(list(self._scores.values()))
        known = known[np.isfinite(known)]
        self._penalty = float(np.ptp(known)) if len(known) else 0.0
        return False

    def fresh(self, rng: random.Random, number: int) -> list[Counts]:
        """So many random formulas that may be proposed and were not scored; fewer where they are rare."""
        found: dict[Key, Counts] = {}
        for _ in range(DRAWS * number):
            if len(found) == number:
                break
            counts = self.domain.draw(rng)
            if key_of(counts) not in found and self.open(counts):
                found[key_of(counts)] = counts
        return list(found.values())

    def open(self, counts: Counts) -> bool:
        """Whether the formula may be proposed and was not scored yet."""
        key = key_of(counts)
        if key in self._scores or key in self._refused:
            return False
        if self.domain.admits(counts):
            return True
        self._refused.add(key)
        return False

    def score(self, formulas: Sequence[Counts]) -> Array:
        """Values for the search, shape (n,): −∞ for what may not be proposed, lower for what is not preferred.

        :raises GeneratorError: if the request's score is not a number, or has another shape.
        """
        new = {key_of(counts): counts for counts in formulas if self.open(counts)}
        if new:
            values = self._checked(self._score(list(new.values())), len(new))
            self._scores.update(zip(new, values.tolist(), strict=True))
            self._preferred.update((key, self.domain.preferred(counts)) for key, counts in new.items())
        return np.array([self._value(key_of(counts)) for counts in formulas])

    @staticmethod
    def _checked(scores: Array, number: int) -> Array:
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != (number,) or np.isnan(values).any():
            raise GeneratorError(
                f'the score of {number} formulas has the shape {values.shape} and '
                f'{int(np.isnan(values).sum())} of them are not numbers: one number each is needed'
            )
        return values

    def _value(self, key: Key) -> float:
        if key not in self._scores:
            return -np.inf
        return self._scores[key] - (0.0 if self._preferred[key] else self._penalty)

    def scored(self) -> list[tuple[Counts, float]]:
        """All scored formulas with their values for the search, in the order they were scored."""
        return [(dict(key), self._value(key)) for key in self._scores]

    def ranked(self) -> list[Counts]:
        """All scored formulas, the best first: those preferred before the others, then by score."""
        order = sorted(self._scores, key=lambda key: (not self._preferred[key], -self._scores[key], key))
        return [dict(key) for key in order]

    def best(self, generator: str, residuals: Mapping[Key, float] | None = None) -> list[Proposed]:
        """The best formulas, as many as wanted, as proposals of this generator.

        :param residuals: of the only formulas to take; default: all.
        """
        ranked = [(counts, key_of(counts)) for counts in self.ranked()]
        if residuals is None:
            chosen = [Proposed(counts, generator, self._scores[key]) for counts, key in ranked]
        else:
            chosen = [
                Proposed(counts, generator, self._scores[key], residuals[key])
                for counts, key in ranked
                if key in residuals
            ]
        return chosen[: self.request.number]


class DescriptorSearch(ABC):
    """A search that climbs in the space of a kernel mean descriptor.

    :param effort: most formulas scored for each one wanted; what a gradient costs counts too.
    :param descriptor: the descriptor; default: ``1d``.
    """

    name: ClassVar[str]

    def __init__(self, effort: int = EFFORT, descriptor: KernelMean | None = None) -> None:
        self.effort = effort
        self.descriptor = descriptor or kernel_mean()

    def propose(self, request: Request) -> list[Proposed]:
        """The best formulas that were met.

        :raises NotReadyError: if the request has no score.
        :raises KmdError: if the descriptor cannot be inverted over the elements of the space.
        """
        scored = ScoredFormulas(request, self.effort)
        if scored.survey():
            return scored.best(self.name)
        # sums over several threads depend on their number in the last digits, which a climb magnifies
        with one_thread():
            return scored.best(self.name, self.search(scored))

    @abstractmethod
    def search(self, scored: ScoredFormulas) -> Mapping[Key, float] | None:
        """Score formulas; the residual of each that may be proposed, or None if all may."""
