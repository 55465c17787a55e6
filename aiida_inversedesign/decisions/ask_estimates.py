"""The choice of the candidates that a potential is asked about: unpack the nodes, choose, pack the names."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict, Int, List

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.screen.potentials.questions import QUESTION, questions


@calcfunction
def ask_estimates(
    settings: Dict,
    pool: PoolData,
    generation: Int,
    table: TableData | None = None,
    surrogate: SurrogateData | None = None,
):
    """Choose the candidates whose properties the potential is to compute next.

    :param settings: the campaign file without its budget; its ``seed`` and the generation fix all random choices.
    :param table: evaluations so far.
    :param surrogate: fitted to them.
    :return: names of the questions, empty if an evaluation is worth more (List).
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    chosen = questions(
        spec,
        pool.get_candidates(),
        table.get_rows() if table else [],
        surrogate.get_surrogate() if surrogate else None,
        spec.seed + generation.value,
    )
    return List([f'{QUESTION}{name}' for name in chosen])
