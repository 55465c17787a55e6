"""The screen ``constraints``: the limits of a space, e.g. bounds and mixtures of parameters, elements of molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.screen import Screen, ScreenRequest


class Constraints(Screen):
    """Rejects candidates that lie outside the space, whatever proposed them."""

    name = 'constraints'
    spaces = ('parameters', 'molecules')

    def judge(self, candidates: Sequence[Candidate], request: ScreenRequest) -> list[Verdict | None]:
        """What a candidate breaks, in words."""
        space: Any = request.spec.space
        broken = [space.violation(candidate.content) for candidate in candidates]
        return [Verdict(not words, None, words) for words in broken]
