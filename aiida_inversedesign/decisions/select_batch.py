"""The selection as a calculation: unpack the nodes, choose a batch, pack it with its structures."""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Dict, Int

from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.learn.curves.rows import predicted_bands
from aiida_inversedesign.learn.earlier import foreseen_of
from aiida_inversedesign.learn.next_fit import with_later_rows
from aiida_inversedesign.nodes.contents import node_of
from aiida_inversedesign.nodes.curves import node_of_bands
from aiida_inversedesign.nodes.earlier import earlier_campaigns
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.select.choose import choose_batch

#: Seeds of the choices of one generation are so many away from those of the next.
_TURNS = 100_000


def seed_of(spec: CampaignSettings, generation: Int, pending: Dict | None) -> int:
    """The seed of a choice."""
    return int(spec.seed + generation.value + (_TURNS * pending['turn'] if pending else 0))


@calcfunction
def select_batch(
    settings: Dict,
    pool: PoolData,
    generation: Int,
    size: Int,
    table: TableData | None = None,
    surrogate: SurrogateData | None = None,
    pending: Dict | None = None,
    **earlier,
):
    """Choose which candidates to evaluate next.

    :param settings: the campaign file without its budget; its ``seed`` and the generation fix all random choices.
    :param pool: the candidates.
    :param size: how many to choose at most.
    :param table: evaluations so far.
    :param surrogate: fitted to them, or to the first of them: it then gets the others, without a new fit.
        Without one the batch spreads over the pool.
    :param pending: with the asynchronous schedule: ``turn``, the number of the choice within the generation (another
        one, other random choices), and ``running``, the arm of each candidate that is being evaluated.
    :param earlier: ``campaigns``, settings and tables of those of ``learn.from``
        (:mod:`aiida_inversedesign.nodes.earlier`). Before there is a surrogate, half of a batch is what they hold for
        best.
    :return: ``batch`` (Dict: for each chosen candidate why, the acquisition and the prediction) and
        ``candidates``, their nodes; ``curves``, what is predicted of theirs, if curves are learned.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    candidates = [candidate for candidate in pool.get_candidates() if candidate.accepted]
    rows = table.get_rows() if table else []
    model = surrogate.get_surrogate() if surrogate else None
    if model is not None:
        model = with_later_rows(spec, model, rows)
    # sorted: not every database keeps the order of keys
    running = dict(sorted(pending['running'].items())) if pending else {}
    choices = choose_batch(
        spec.goal,
        spec.select,
        spec.space,
        candidates,
        rows,
        model,
        size=size.value,
        seed=seed_of(spec, generation, pending),
        pending=list(running),
        pending_arms=list(running.values()),
        foreseen=foreseen_of(spec, earlier_campaigns(earlier.get('campaigns', {})), candidates),
    )
    # what is measured again is a row, and need not be of the pool
    known = {row.candidate: row for row in rows} | {candidate.id: candidate for candidate in candidates}
    chosen = {choice.candidate: known[choice.repeats or choice.candidate] for choice in choices}
    found = {'batch': Dict({'generation': generation.value, 'choices': [choice.to_dict() for choice in choices]})}
    if chosen:
        found['candidates'] = {name: node_of(spec.space.kind, item.content) for name, item in chosen.items()}
    if chosen and model is not None and model.curves:
        bands = predicted_bands(model, model.inputs_of(spec.space, list(chosen.values())))
        found['curves'] = node_of_bands(list(chosen), bands)
    return found
