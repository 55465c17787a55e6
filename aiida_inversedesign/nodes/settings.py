"""The settings of a campaign, read from their node once and remembered."""

from __future__ import annotations

from aiida.orm import Dict

from aiida_inversedesign.campaign.recorded import read_settings
from aiida_inversedesign.campaign.spec import CampaignSettings

#: Settings by the UUID of their node, which is stored and cannot change; those of the last few campaigns.
_READ: dict[str, CampaignSettings] = {}
#: Settings that are kept in memory: a worker serves few campaigns at a time.
_REMEMBERED = 8


def settings_of(node: Dict) -> CampaignSettings:
    """The settings that a node holds.

    :raises SettingsError: if this version does not understand them.
    """
    if not node.is_stored:
        return read_settings(node.get_dict(), 'a new campaign')
    if node.uuid not in _READ:
        while len(_READ) >= _REMEMBERED:
            _READ.pop(next(iter(_READ)), None)
        _READ[node.uuid] = read_settings(node.get_dict(), f'Dict<{node.pk}>')
    return _READ[node.uuid]
