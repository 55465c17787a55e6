"""The selection as a calculation: unpack the nodes, choose a batch, pack it with its structures."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict, Int, StructureData

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.data.pool import PoolData
from aiida_inversedesign.data.surrogate import SurrogateData
from aiida_inversedesign.data.table import TableData
from aiida_inversedesign.select.choose import choose_batch


@calcfunction
def select_batch(
    settings: Dict,
    pool: PoolData,
    generation: Int,
    size: Int,
    table: TableData | None = None,
    surrogate: SurrogateData | None = None,
):
    """Choose which candidates to evaluate next.

    :param settings: the campaign file without its budget; its ``seed`` and the generation fix all random choices.
    :param pool: the candidates.
    :param size: how many to choose at most.
    :param table: evaluations so far.
    :param surrogate: fitted to them; without one the batch spreads over the pool.
    :return: ``batch`` (Dict: for each chosen candidate why, the acquisition and the prediction) and ``structures``.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    candidates = [candidate for candidate in pool.get_candidates() if candidate.accepted]
    choices = choose_batch(
        spec.goal,
        spec.select,
        candidates,
        table.get_rows() if table else [],
        surrogate.get_surrogate() if surrogate else None,
        size=size.value,
        seed=spec.seed + generation.value,
    )
    crystals = {candidate.id: candidate.crystal for candidate in candidates}
    batch = Dict({'generation': generation.value, 'choices': [choice.to_dict() for choice in choices]})
    structures = {
        choice.candidate: StructureData(pymatgen_structure=crystals[choice.candidate].to_pymatgen())
        for choice in choices
    }
    return {'batch': batch, 'structures': structures} if structures else {'batch': batch}
