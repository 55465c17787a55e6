"""The proposal as a calculation: unpack the nodes, propose, pack the pool."""

from __future__ import annotations

from aiida.engine import ExitCode, calcfunction
from aiida.orm import Dict, Int

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.points import PointsData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next

#: Exit status where no formula of the space is left.
NOTHING_TO_PROPOSE = 310


@calcfunction
def propose_candidates(
    settings: Dict,
    generation: Int,
    library: LibraryData | PointsData | None = None,
    model: CspmlData | None = None,
    table: TableData | None = None,
    pool: PoolData | None = None,
    surrogate: SurrogateData | None = None,
    generated: Dict | None = None,
):
    """Propose candidates of formulas that no earlier pool has considered.

    :param settings: the campaign file without its budget; its ``seed`` and the generation fix all random choices.
    :param generation: number of the generation, from 1.
    :param library: the templates or points, where the source needs them.
    :param model: the CSPML model, where the source needs one.
    :param table: evaluations so far; a crystal equal to an evaluated one is rejected.
    :param pool: the pool so far; what is proposed is added to it.
    :param surrogate: fitted to the evaluations so far, for sources that search.
    :param generated: what the program of ``propose.external`` gave.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    try:
        candidates = propose_next(
            spec,
            library.get_library() if library else None,
            model.get_model() if model else None,
            generation.value,
            table.get_rows() if table else [],
            pool.get_candidates() if pool else [],
            surrogate.get_surrogate() if surrogate else None,
            generated=generated.get_dict() if generated else None,
        )
    except ProposalError as error:
        return ExitCode(NOTHING_TO_PROPOSE, f'nothing to propose: {error}')
    return {'pool': PoolData.from_candidates(candidates, spec.space.kind)}
