"""The proposal as a calculation: unpack the nodes, propose, pack the pool."""

from __future__ import annotations

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, Int

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.data.cspml import CspmlData
from aiida_inversedesign.data.library import LibraryData
from aiida_inversedesign.data.pool import PoolData
from aiida_inversedesign.data.table import TableData
from aiida_inversedesign.learn.table import EvaluationRow
from aiida_inversedesign.propose.generators.base import Proposed
from aiida_inversedesign.propose.generators.mix import Mix
from aiida_inversedesign.propose.generators.score import campaign_request
from aiida_inversedesign.propose.pipeline import ProposalError, propose


@calcfunction
def propose_candidates(
    settings: Dict,
    library: LibraryData,
    generation: Int,
    model: CspmlData | None = None,
    table: TableData | None = None,
    pool: PoolData | None = None,
):
    """Propose candidates of formulas that no earlier pool has considered.

    :param settings: the campaign file without its budget; its ``seed`` and the generation fix all random choices.
    :param library: the templates.
    :param generation: number of the generation, from 1.
    :param model: the CSPML model, where the method needs one.
    :param table: evaluations so far; a crystal equal to an evaluated one is rejected.
    :param pool: the pool so far; what is proposed is added to it.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    rows = table.get_rows() if table else []
    earlier = pool.get_candidates() if pool else []
    considered = {candidate.formula for candidate in earlier}
    try:
        proposed = propose(
            spec.space,
            spec.propose,
            library.get_library(),
            model.get_model() if model else None,
            seed=spec.seed,
            generation=generation.value,
            evaluated=[crystal for row in rows for crystal in (row.proposed, row.relaxed) if crystal],
            considered=considered,
            composition=spec.goal.composition,
            proposed=_searched(spec, rows, considered, generation.value),
        )
    except ProposalError as error:
        return ExitCode(310, f'nothing to propose: {error}')
    return {'pool': PoolData.from_candidates([*earlier, *proposed])}


def _searched(
    spec: CampaignSettings, rows: list[EvaluationRow], considered: set[str], generation: int
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
    return Mix(spec.propose.generators).propose(request)
