"""What the goal of a campaign demands of its evaluations, and what each of them takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.costs import least_cost
from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.spec import CampaignSettings


def engine_section(settings: CampaignSettings) -> dict[str, Any]:
    """The section ``evaluate`` as plain data: what evaluations get, and what only the engine reads."""
    return settings.evaluate.model_dump(mode='json')


def _computes(settings: CampaignSettings) -> bool:
    """Whether the engine computes energies; a data set has answers of its own."""
    return not engine_named(settings.evaluate.engine).looks_up


def engine_properties(settings: CampaignSettings) -> list[str]:
    """What each evaluation is asked for."""
    return least_cost.properties_asked(settings.goal, settings.evaluate)


def stability_wanted(settings: CampaignSettings) -> bool:
    """Whether the goal names the energy above the hull, and an engine computes the energies that it takes."""
    return STABILITY in settings.goal.properties and _computes(settings)


def references_wanted(settings: CampaignSettings) -> bool:
    """Whether a property of the goal needs the energies of the elements."""
    return least_cost.needs_references(settings.goal, settings.evaluate)


def compares_compositions(settings: CampaignSettings) -> bool:
    """Whether the goal compares total energies of different compositions, which then need the same basis."""
    return references_wanted(settings) or ('energy' in settings.goal.properties and _computes(settings))


def energy_limit(settings: CampaignSettings) -> dict[str, Any] | None:
    """The formation energy (eV/atom) above which an engine may give up, and the condition behind it."""
    gives_up = engine_named(settings.evaluate.engine).gives_up(settings.evaluate)
    limit = settings.goal.energy_limit if gives_up else None
    return None if limit is None else {'value': limit[0], 'condition': limit[1]}


def jobs_needed(settings: CampaignSettings, properties: Iterable[str] | None = None) -> int:
    """How many jobs of one evaluation without restarts are charged to ``budget.dft_calculations``.

    :param properties: those it is asked for; by default what the goal demands.
    """
    wanted = engine_properties(settings) if properties is None else properties
    return engine_named(settings.evaluate.engine).jobs(settings.evaluate, wanted).charged


def fewest_jobs(settings: CampaignSettings) -> int:
    """The same for the candidates that take the fewest, where their number depends on the candidate."""
    engine = engine_named(settings.evaluate.engine)
    return engine.least_jobs(settings.evaluate, engine_properties(settings)).charged


def core_hours_needed(settings: CampaignSettings, properties: Iterable[str] | None = None) -> float:
    """Core-hours below which an evaluation is not launched.

    :param properties: those it is asked for; by default what the goal demands.
    """
    wanted = engine_properties(settings) if properties is None else properties
    return engine_named(settings.evaluate.engine).least_core_hours(settings.evaluate, wanted)
