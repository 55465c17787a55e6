"""Which candidates have been evaluated already, or stand in the same batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.row import EvaluationRow


class AlreadyEvaluated:
    """Compares candidates with what was evaluated, as the space does it, among those of the same identity.

    Answers are kept, because a selection asks again about the same candidates for each slot of the batch.
    """

    def __init__(self, space: SpaceSection, rows: Sequence[EvaluationRow], running: Iterable[Candidate] = ()) -> None:
        self._space = space
        self._known: dict[str, list[Any]] = {}
        # what a row relaxed to comes first: most candidates that match at all match that
        contents = [content for row in rows for content in (row.relaxed, row.proposed)]
        for content in (*contents, *(candidate.content for candidate in running)):
            if content is not None:
                self._known.setdefault(space.identity(content), []).append(content)
        self._new: dict[str, bool] = {}

    def is_new(self, candidate: Candidate) -> bool:
        """Whether nothing evaluated or running equals the candidate."""
        content = candidate.content
        if content is None:
            return False
        if candidate.id not in self._new:
            known = self._known.get(self._space.identity(content), [])
            self._new[candidate.id] = not any(self._space.same(content, other) for other in known)
        return self._new[candidate.id]

    def differs(self, candidate: Candidate, others: Iterable[Candidate]) -> bool:
        """Whether none of ``others`` equals the candidate."""
        content = candidate.content
        return content is not None and not any(
            other.content is not None
            and self._space.identity(other.content) == self._space.identity(content)
            and self._space.same(content, other.content)
            for other in others
        )
