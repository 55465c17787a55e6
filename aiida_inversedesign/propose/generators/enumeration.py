"""Formulas drawn from the space without looking at what was learned."""

from __future__ import annotations

from aiida_inversedesign.campaign.contracts.source import ProposalError
from aiida_inversedesign.propose.generators.domain import Domain
from aiida_inversedesign.propose.generators.request import Proposed, Request
from aiida_inversedesign.spaces.crystals.formula_space import draw_formulas

#: how often as many formulas are drawn where a further condition refuses some
DRAWS = (1, 10, 100)


class Enumeration:
    """All of a small space, or a random sample without replacement; see :func:`draw_formulas`."""

    name = 'enumeration'

    def propose(self, request: Request) -> list[Proposed]:
        """Formulas in the order they are drawn; empty if the space holds none any more."""
        domain = Domain(request)
        found: list[Proposed] = []
        for factor in DRAWS:
            space = request.space.model_copy(update={'max_formulas': factor * request.number})
            try:
                drawn, _ = draw_formulas(space, request.seed, request.considered)
            except ProposalError:
                return []
            found = [Proposed(counts, self.name) for counts in drawn if domain.admits(counts)][: request.number]
            if len(found) == request.number or request.allowed is None:
                break
        return found
