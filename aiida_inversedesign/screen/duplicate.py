"""The screen ``duplicate``: candidates that equal an earlier one or what was evaluated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.screen import Screen, ScreenRequest


class Duplicate(Screen):
    """Rejects what equals an evaluated candidate or an earlier one of the proposal, as the space compares them."""

    name = 'duplicate'
    only_passed = True

    def judge(self, candidates: Sequence[Candidate], request: ScreenRequest) -> list[Verdict | None]:
        """The first of equal candidates passes."""
        space, seen = request.spec.space, defaultdict[str, list[tuple[str, Any]]](list)
        for row in request.rows:
            for content in (row.proposed, row.relaxed):
                if content is not None:
                    seen[space.identity(content)].append((f'an evaluated {space.noun}', content))
        for candidate in request.passed:
            seen[space.identity(candidate.content)].append((_name(candidate), candidate.content))
        return [self._verdict(candidate, request, seen) for candidate in candidates]

    @staticmethod
    def _verdict(candidate: Candidate, request: ScreenRequest, seen: dict[str, list[tuple[str, Any]]]) -> Verdict:
        space, content = request.spec.space, candidate.content
        for name, other in seen[space.identity(content)]:
            if space.same(other, content):
                return Verdict(False, None, f'the same {space.noun} as {name}')
        seen[space.identity(content)].append((_name(candidate), content))
        return Verdict(True)


def _name(candidate: Candidate) -> str:
    """What a reason calls a candidate, which has no id yet."""
    key: str = candidate.content.key
    return f'{key} as {candidate.template}' if candidate.template else key
