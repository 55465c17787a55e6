"""What the goal of a campaign demands of its evaluations, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida_inversedesign.campaign.properties import STABILITY, dft_calculations_needed, required_stages
from aiida_inversedesign.campaign.spec import CampaignSettings


def engine_section(settings: CampaignSettings) -> dict[str, Any]:
    """The section ``evaluate`` as plain data: what evaluations get, and what only the engine reads."""
    return settings.evaluate.model_dump(mode='json')


def _computes(settings: CampaignSettings) -> bool:
    """Whether the engine computes energies; a data set has answers of its own."""
    return settings.evaluate.engine != 'table'


def engine_properties(settings: CampaignSettings) -> list[str]:
    """What each evaluation is asked for.

    The energy above the hull follows from the energies of all evaluations, so that an engine which computes is asked
    for the energy.
    """
    names = settings.goal.properties
    if not stability_wanted(settings):
        return names
    return list(dict.fromkeys([*(name for name in names if name != STABILITY), 'energy']))


def stability_wanted(settings: CampaignSettings) -> bool:
    """Whether the goal names the energy above the hull, and an engine computes the energies that it takes."""
    return STABILITY in settings.goal.properties and _computes(settings)


def references_wanted(settings: CampaignSettings) -> bool:
    """Whether a property of the goal needs the energies of the elements."""
    return 'references' in required_stages(settings.goal.properties) and _computes(settings)


def energy_limit(settings: CampaignSettings) -> dict[str, Any] | None:
    """The formation energy (eV/atom) above which a relaxation in slices is given up, and the condition behind it."""
    slices = engine_section(settings).get('slices')
    limit = None if slices is None or slices['give_up'] is False else settings.goal.energy_limit
    return None if limit is None else {'value': limit[0], 'condition': limit[1]}


def jobs_needed(settings: CampaignSettings, properties: Iterable[str] | None = None) -> int:
    """How many DFT calculation jobs one evaluation launches if nothing has to be restarted.

    :param properties: those it is asked for; by default what the goal demands.
    """
    wanted = engine_properties(settings) if properties is None else properties
    return dft_calculations_needed(engine_section(settings), wanted)
