"""The earlier campaigns that a campaign file names, as nodes: found in the profile, and held against this campaign."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_inversedesign.campaign.earlier import ARCHIVE
from aiida_inversedesign.campaign.recorded import read_settings
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.graph.campaigns import CAMPAIGN, chain_of, generation_ids, known_table, newest_table
from aiida_inversedesign.learn.earlier import EarlierCampaign, tasks_of
from aiida_inversedesign.nodes.earlier import inputs_of
from aiida_inversedesign.nodes.settings import settings_of


def with_campaigns(settings: dict[str, Any], problems: list[str]) -> tuple[dict[str, Any], dict[str, orm.Data]]:
    """The settings with the UUID of each campaign of ``learn.from``, and their settings and tables as nodes.

    :param settings: those of a campaign, with what the profile decides for it.
    :param problems: to which everything that keeps it from learning from one is added.
    """
    spec = read_settings(settings, 'the campaign')
    found: list[dict[str, orm.Data]] = []
    recorded: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for number, item in enumerate(spec.learn.earlier):
        try:
            campaign, nodes = _nodes_of(spec, item.campaign, item.property)
            given = nodes['settings']
            if given.uuid in seen:
                raise InverseDesignError(
                    f'{item.campaign} is the campaign {seen[given.uuid]}, or one that it resumed: name it once'
                )
        except InverseDesignError as error:
            problems.append(f'learn.from[{number}]: {error}')
            continue
        seen[given.uuid] = item.campaign
        found.append(nodes)
        recorded.append({'campaign': campaign, 'property': item.property})
    return {**settings, 'learn': {**settings['learn'], 'from': recorded}}, inputs_of(found)


def campaign_of(identifier: str) -> orm.WorkChainNode:
    """The campaign of a PK or UUID.

    :raises InverseDesignError: if there is none.
    """
    if identifier.endswith(ARCHIVE):
        raise InverseDesignError(
            f'{identifier} has to be imported first: `verdi archive import {identifier}`, then name the campaign by '
            'its UUID (`launch` and `check` do this by themselves)'
        )
    try:
        node = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise InverseDesignError(
            f'there is no campaign {identifier} in this profile: `aiida-inversedesign status` lists them; or name an '
            f'archive, FILE{ARCHIVE}'
        ) from error
    if node.process_type != CAMPAIGN or node.pk is None:
        raise InverseDesignError(
            f'node {identifier} is a {node.node_type.split(".")[-2]}, not a campaign: `aiida-inversedesign status` '
            'lists them'
        )
    return node


def _nodes_of(spec: CampaignSettings, identifier: str, asked: str | None) -> tuple[str, dict[str, orm.Data]]:
    """UUID, settings and newest table of a campaign.

    :raises InverseDesignError: if there is no such campaign, or this one cannot learn from it.
    """
    node = campaign_of(identifier)
    generations = generation_ids(chain_of(node.pk))
    table = newest_table(generations) or known_table(generations)
    if table is None:
        raise InverseDesignError(
            f'campaign {identifier} ({node.label}) has no completed evaluation: nothing can be learned from it'
        )
    settings = node.inputs.settings
    tasks_of(spec, node.uuid, asked, EarlierCampaign(settings_of(settings), table.get_rows()))
    return node.uuid, {'settings': settings, 'table': table}
