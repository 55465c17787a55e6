"""Going on with a campaign from what it left in the provenance graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_inversedesign.campaign.load import validate_campaign
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.workchains.interrupted import children, inputs_to_go_on, unfinished
from aiida_inversedesign.workchains.orphaned import end_orphaned, refuse_if_running
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
    :raises InverseDesignError: if the campaign still runs, has been resumed before, or the changed budget is wrong.
    """
    if not campaign.is_terminated:
        refuse_if_running(campaign, gone)
    if (later := resumed_as(campaign)) is not None:
        raise InverseDesignError(
            f'campaign {campaign.pk} was resumed before, as {later.pk}: go on from there, with '
            f'`aiida-inversedesign resume {later.pk}`; from here the same would be computed twice'
        )
    settings = campaign.inputs.settings
    budget = {**campaign.inputs.budget.get_dict(), **changes}
    spec = validate_campaign({**settings.get_dict(), 'budget': budget}, f'campaign {campaign.pk}')
    builder = campaign.get_builder_restart()
    builder.metadata.label = campaign.label
    if changes:
        builder.budget = orm.Dict(spec.budget.model_dump(mode='json'))
    # what this campaign itself started from holds until one of its generations returned something newer
    generations = children(campaign, 'generation_')
    for generation in generations:
        for name in STATE:
            if name in generation.outputs:
                builder[name] = generation.outputs[name]
    last = unfinished(campaign)
    if last is not None:
        for name, value in inputs_to_go_on(last).items():
            builder[name] = value
    elif 'interrupted' in builder and generations:
        builder.interrupted = {}
    if not campaign.is_terminated:
        end_orphaned(campaign)
    return builder, spec


def resumed_as(campaign: orm.WorkChainNode) -> orm.WorkChainNode | None:
    """The newest campaign that goes on with this one: it has the same node of settings, and came later."""
    links = campaign.inputs.settings.base.links.get_outgoing(
        node_class=orm.WorkChainNode, link_type=LinkType.INPUT_WORK, link_label_filter='settings'
    )
    same = [node for node in links.all_nodes() if node.process_type == campaign.process_type]
    return max((node for node in same if node.ctime > campaign.ctime), key=lambda node: node.ctime, default=None)
