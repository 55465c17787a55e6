"""The explanation of a campaign from the provenance graph; read only: it makes no nodes."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_inversedesign.audit.load import campaign_node
from aiida_inversedesign.audit.record import AuditError
from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.recorded import read_settings
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.decisions.select_batch import seed_of
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.explain.campaign import Campaign, Selection, explain
from aiida_inversedesign.explain.learned import MOST_CANDIDATES, ExplainError
from aiida_inversedesign.graph import campaigns as query
from aiida_inversedesign.graph import choices as decisions
from aiida_inversedesign.learn.next_fit import with_later_rows

#: Choices that are explained unless more are asked for: some batches.
LAST = 10
#: Evaluations beyond which a page has no explanation: with 1 000 it takes 20 s, with 2 000 150 s (60 descriptors).
MOST_ROWS = 1_000


def explanation(campaign: orm.WorkChainNode | int | str, last: int = LAST, seed: int = 0) -> dict[str, Any]:
    """What a campaign's model has learned, as plain data: see :func:`aiida_inversedesign.explain.campaign.explain`.

    :param campaign: its node, PK or UUID, in the loaded profile or archive; running, ended or resumed.
    :param last: number of the newest choices that are explained.
    :param seed: of refits, exchanges and permutations.
    :raises ExplainError: if there is no model, or it cannot be explained.
    """
    node = campaign_node(campaign)
    try:
        name, found = load(node, last, seed)
    except InverseDesignError:
        # they say themselves what is missing
        raise
    except (KeyError, TypeError, ValueError) as error:
        reason = f'{type(error).__name__}: {error}'
        raise AuditError(
            f'what campaign {node.pk} stored cannot be read ({reason}): `verify` says what was altered'
        ) from error
    state = node.process_state.value if node.process_state else 'created'
    about = {'uuid': node.uuid, 'name': name, 'state': state, 'units': dict(found.units)}
    explained = explain(found)
    # selections are read whole
    return {'campaign': about, **explained, 'choices': explained['choices'][-last:] if last else []}


def explanation_or_reason(campaign: Any, last: int = LAST) -> dict[str, Any]:
    """The explanation of a campaign for a page; where there is none, the ``reason`` alone.

    What takes minutes is left to the command ``explain``: campaigns of many evaluations, choices from large pools.
    """
    try:
        generations = query.generation_ids(query.chain_of(campaign_node(campaign).pk or 0))
        table, pools = query.newest_table(generations), decisions.largest_pools(generations)
        if table is not None and table.counts['total'] > MOST_ROWS:
            number = table.counts['total']
            return {'reason': f'{number} evaluations take minutes to explain: `aiida-inversedesign explain` does it'}
        return explanation(campaign, last if sum(pool.accepted for pool in pools) <= MOST_CANDIDATES else 0)
    except InverseDesignError as error:
        return {'reason': str(error)}


def load(node: orm.WorkChainNode, last: int, seed: int) -> tuple[str, Campaign]:
    """The name of a campaign and everything that is explained of it.

    :raises AuditError: if the graph lacks its settings. :raises ExplainError: if it has no rows or no model.
    """
    assert node.pk is not None  # noqa: S101  # stored nodes have one
    recorded = decisions.dict_of(node.pk, 'settings')
    if recorded is None:
        raise AuditError(f'the settings of campaign {node.pk} are not here: an archive must hold its inputs too')
    settings = read_settings(
        recorded, f'campaign {node.uuid}', (query.campaign_facts(node.pk)['version'] or {}).get('plugin')
    )
    generations = query.generation_ids(query.chain_of(node.pk))
    table, model = query.newest_table(generations), decisions.newest_surrogate(generations)
    waiting = '' if node.is_terminated else ' yet: wait until more evaluations have ended'
    if table is None:
        raise ExplainError(f'campaign {node.pk} has harvested no evaluation{waiting}')
    rows = table.get_rows()
    if model is None:
        raise ExplainError(f'campaign {node.pk} has {len(rows)} evaluations, and no model was fitted to them{waiting}')
    candidates = [
        item for pool in decisions.largest_pools(generations) for item in pool.get_candidates() if item.accepted
    ]
    selections: list[Selection] = []
    for step in decisions.informed_selections(generations):
        if sum(len(selection.choices) for selection in selections) >= last:
            break
        selections.insert(0, _selection(step, settings))
    units = {name: settings.unit(name) for name in settings.goal.properties}
    surrogate = with_later_rows(settings, model.get_surrogate(), rows)
    noisy = engine_named(settings.evaluate.engine).noisy
    return settings.name, Campaign(
        settings.goal, settings.space, rows, surrogate, candidates, selections, units, seed, noisy
    )


def _selection(step: orm.CalculationNode, settings: CampaignSettings) -> Selection:
    given = {link.link_label: link.node for link in step.base.links.get_incoming().all()}
    rows = given['table'].get_rows() if 'table' in given else []
    pending = given.get('pending')
    return Selection(
        given['generation'].value,
        seed_of(settings, given['generation'], pending),
        rows,
        with_later_rows(settings, given['surrogate'].get_surrogate(), rows),
        given['pool'].get_candidates(),
        sorted(pending['running']) if pending else [],
        step.outputs.batch['choices'],
    )
