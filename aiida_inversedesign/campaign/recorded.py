"""The settings of a campaign as they were recorded, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from aiida_inversedesign.campaign.contracts.engine import find, missing
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.errors import InverseDesignError


class SettingsError(InverseDesignError):
    """Recorded settings that this version does not understand."""


def read_settings(data: Mapping[str, Any], where: str, made_by: str | None = None) -> CampaignSettings:
    """The settings of a campaign.

    :param where: whose they are, for the message, e.g. ``campaign 1234``.
    :param made_by: version of the package that recorded them, if it is known.
    :raises SettingsError: with the first key that is wrong.
    """
    from aiida_inversedesign import __version__

    evaluate = data.get('evaluate')
    name = evaluate.get('engine') if isinstance(evaluate, Mapping) else None
    if isinstance(name, str) and find(name) is None:
        raise SettingsError(f'{where}: {missing(name)}')
    try:
        return CampaignSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        location = '.'.join(map(str, first['loc'])) or 'the file as a whole'
        raise SettingsError(
            f'the settings of {where} were written by aiida-inversedesign {made_by or "of unknown version"}, and '
            f'{location} cannot be read by {__version__} ({first["msg"]}): use the version that wrote them, or install '
            'the package that brings what they name'
        ) from error
