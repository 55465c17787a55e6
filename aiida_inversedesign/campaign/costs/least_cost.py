"""What a goal asks of each evaluation, and the least that one costs with the references that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.properties import STABILITY, required_stages

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.space import SpaceSection
    from aiida_inversedesign.campaign.engine_settings import EngineSection
    from aiida_inversedesign.campaign.goal import Goal


@dataclass(frozen=True)
class LeastCost:
    """What an evaluation costs at least, without restarts.

    :param dft_calculations: jobs that are charged as DFT.
    :param core_hours: below which it is not launched.
    """

    dft_calculations: int
    core_hours: float


def properties_asked(goal: Goal, evaluate: EngineSection) -> list[str]:
    """What each evaluation is asked for.

    The energy above the hull follows from the energies of all evaluations, so that an engine which computes is asked
    for the energy.
    """
    names = goal.properties
    if STABILITY not in names or engine_named(evaluate.engine).looks_up:
        return names
    return list(dict.fromkeys([*(name for name in names if name != STABILITY), 'energy']))


def needs_references(goal: Goal, evaluate: EngineSection) -> bool:
    """Whether a property of the goal needs the energies of the elements, and an engine computes them."""
    return 'references' in required_stages(goal.properties) and not engine_named(evaluate.engine).looks_up


def of_evaluation(goal: Goal, evaluate: EngineSection) -> LeastCost:
    """What one evaluation costs at least."""
    return _cost(evaluate, properties_asked(goal, evaluate))


def of_references(goal: Goal, space: SpaceSection, evaluate: EngineSection) -> LeastCost:
    """What the references cost at least that come before the first evaluation: those of its elements."""
    number = space.fewest_elements if needs_references(goal, evaluate) else 0
    one = _cost(evaluate, ['energy'])
    return LeastCost(number * one.dft_calculations, number * one.core_hours)


def _cost(evaluate: EngineSection, properties: list[str]) -> LeastCost:
    engine = engine_named(evaluate.engine)
    return LeastCost(engine.jobs(evaluate, properties).charged, engine.least_core_hours(evaluate, properties))
