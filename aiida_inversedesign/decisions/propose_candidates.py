"""The proposal as a calculation: unpack the nodes, propose, pack the pool."""

from __future__ import annotations

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, Int

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.propose.next_candidates import propose_next
from aiida_inversedesign.propose.pipeline import ProposalError


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
    try:
        candidates = propose_next(
            CampaignSettings.model_validate(settings.get_dict()),
            library.get_library(),
            model.get_model() if model else None,
            generation.value,
            table.get_rows() if table else [],
            pool.get_candidates() if pool else [],
        )
    except ProposalError as error:
        return ExitCode(310, f'nothing to propose: {error}')
    return {'pool': PoolData.from_candidates(candidates)}
