"""The proposal of a campaign's next generation: from what is known to candidates."""

from __future__ import annotations

from collections.abc import Sequence

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.generators.mix import Mix
from aiida_inversedesign.propose.generators.request import Proposed
from aiida_inversedesign.propose.generators.score import campaign_request
from aiida_inversedesign.propose.pipeline import propose
from aiida_inversedesign.propose.proposal_model import AnyModel


def propose_next(
    spec: CampaignSettings,
    library: Library,
    model: AnyModel | None,
    generation: int,
    rows: Sequence[EvaluationRow],
    earlier: Sequence[Candidate],
) -> list[Candidate]:
    """The earlier candidates and the new ones, of formulas that were not considered before.

    :param spec: the campaign; its ``seed`` and the generation fix all random choices.
    :param model: the CSPML model, where the method needs one.
    :param generation: number of the generation, from 1.
    :param rows: evaluations so far; a crystal equal to an evaluated one is rejected.
    :param earlier: candidates of earlier proposals.
    :raises ProposalError: if there is nothing to propose.
    """
    considered = {candidate.formula for candidate in earlier}
    proposed = propose(
        spec.space,
        spec.propose,
        library,
        model,
        seed=spec.seed,
        generation=generation,
        evaluated=[crystal for row in rows for crystal in (row.proposed, row.relaxed) if crystal],
        considered=considered,
        composition=spec.goal.composition,
        proposed=_searched(spec, rows, considered, generation),
    )
    return [*earlier, *proposed]


def _searched(
    spec: CampaignSettings, rows: Sequence[EvaluationRow], considered: set[str], generation: int
) -> list[Proposed] | None:
    """Formulas of the campaign's generators; None where its whole space is enumerated."""
    if not rows or not spec.propose.renewed:
        return None
    request = campaign_request(
        spec.space,
        spec.goal,
        rows,
        considered,
        number=spec.propose.renewed,
        seed=spec.seed + generation,
        acquisition=spec.select.acquisition,
    )
    return Mix({str(name): share for name, share in spec.propose.generators.items()}).propose(request)
