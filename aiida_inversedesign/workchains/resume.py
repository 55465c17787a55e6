"""Going on with a campaign from what it left in the provenance graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.workchains.generation import failure
from aiida_inversedesign.workchains.state import STATE

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder


def resume_campaign(
    campaign: orm.WorkChainNode, changes: dict[str, Any], gone: bool = False
) -> tuple[ProcessBuilder, CampaignSpec]:
    """The builder of a campaign that goes on where another one ended, and its specification.

    It shares the node of the settings with the first: by this the audit knows that they are one.

    :param changes: budget keys to change.
    :param gone: the interpreter that ran it is known to be gone, so that it will never end by itself.
    :raises InverseDesignError: if the campaign still runs, or the changed budget is wrong.
    """
    if not campaign.is_terminated and not gone:
        raise InverseDesignError(
            f'campaign {campaign.pk} has not ended ({campaign.process_state.value}): wait for it, end it with '
            f'`verdi process kill {campaign.pk}`, or say --gone if what ran it is gone (power cut, kill -9)'
        )
    settings = campaign.inputs.settings
    budget = {**campaign.inputs.budget.get_dict(), **changes}
    spec = validate_campaign({**settings.get_dict(), 'budget': budget}, f'campaign {campaign.pk}')
    builder = campaign.get_builder_restart()
    builder.metadata.label = campaign.label
    if changes:
        builder.budget = orm.Dict(spec.budget.model_dump(mode='json'))
    # what this campaign itself started from holds until one of its generations returned something newer
    for generation in _children(campaign, 'generation_'):
        for name in STATE:
            if name in generation.outputs:
                builder[name] = generation.outputs[name]
    unfinished = _unfinished_generation(campaign)
    if unfinished is not None:
        builder.interrupted = _interrupted_batch(unfinished)
        proposal = _children(unfinished, 'propose')
        if proposal and proposal[-1].is_finished_ok:
            builder.pool = proposal[-1].outputs.pool
        references = _children(unfinished, 'references')
        if references and references[-1].is_finished_ok:
            builder.references = references[-1].outputs.references
    elif 'interrupted' in builder and _children(campaign, 'generation_'):
        builder.interrupted = {}
    return builder, spec


def _children(node: orm.WorkChainNode, prefix: str) -> list[orm.ProcessNode]:
    """The called processes whose link label starts with ``prefix``, oldest first."""
    links = node.base.links.get_outgoing(link_type=(LinkType.CALL_WORK, LinkType.CALL_CALC)).all()
    found = [(link.link_label, link.node) for link in links if link.link_label.startswith(prefix)]
    return [child for _, child in sorted(found, key=lambda pair: pair[1].pk)]


def _unfinished_generation(campaign: orm.WorkChainNode) -> orm.WorkChainNode | None:
    """The last generation, if it had chosen a batch but was not harvested."""
    generations = _children(campaign, 'generation_')
    if not generations or 'table' in generations[-1].outputs:
        return None
    last = generations[-1]
    selection = _children(last, 'select')
    chosen = 'interrupted' in last.inputs or (selection and selection[-1].is_finished_ok)
    return last if chosen else None


def _interrupted_batch(generation: orm.WorkChainNode) -> dict[str, Any]:
    """The batch of a generation as the namespace ``interrupted``: what was chosen, and what has finished."""
    from aiida_inversedesign.audit.query import evaluation_costs

    earlier = generation.inputs.interrupted if 'interrupted' in generation.inputs else {}
    if earlier:
        batch, structures = earlier['batch'], dict(earlier['structures'])
    else:
        selection = _children(generation, 'select')[-1]
        batch = selection.outputs.batch
        structures = dict(selection.outputs.structures) if 'structures' in selection.outputs else {}
    outcomes = earlier['outcomes'].get_dict() if 'outcomes' in earlier else {}
    properties = dict(earlier['properties']) if 'properties' in earlier else {}
    relaxed = dict(earlier['relaxed']) if 'relaxed' in earlier else {}
    costs = evaluation_costs(generation)
    for name in structures:
        ended = [child for child in _children(generation, name) if child.is_finished]
        if not ended:
            continue
        child, cost = ended[-1], costs[name]
        outcomes[name] = {
            'exit_status': child.exit_status,
            'reason': '' if child.is_finished_ok else failure(child),
            'dft_calculations': cost.dft_calculations,
            'core_hours': cost.core_hours,
        }
        if child.is_finished_ok:
            properties[name], relaxed[name] = child.outputs.properties, child.outputs.structure
    return {
        'batch': batch,
        'outcomes': orm.Dict(outcomes),
        'structures': structures,
        'properties': properties,
        'relaxed': relaxed,
    }
