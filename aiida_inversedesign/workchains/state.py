"""What one generation hands to the next: the ports that a campaign, its generations and ``resume`` share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.orm import Dict

from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.properties import STABILITY, required_stages
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData

#: Name → node type and what it is. A generation takes and returns them, the campaign returns the last ones.
STATE = {
    'pool': (PoolData, 'Candidates proposed so far.'),
    'table': (TableData, 'Evaluations so far.'),
    'surrogate': (SurrogateData, 'What was learned from them.'),
    'references': (Dict, 'Elemental energies so far, eV/atom.'),
}


def add_state_inputs(spec: Any) -> None:
    """Declare the state as optional inputs."""
    for name, (node_class, text) in STATE.items():
        spec.input(name, valid_type=node_class, required=False, help=text)


def add_state_outputs(spec: Any) -> None:
    """Declare the state as optional outputs: what ended early returns what it has."""
    for name, (node_class, text) in STATE.items():
        spec.output(name, valid_type=node_class, required=False, help=text)


def goal_properties(settings: Mapping[str, Any]) -> list[str]:
    """The properties that the objectives and constraints of a campaign's settings name, without repeats."""
    goal = settings['goal']
    return list(dict.fromkeys(item['property'] for item in [*goal['objectives'], *goal['constraints']]))


def engine_properties(settings: Mapping[str, Any]) -> list[str]:
    """What each evaluation is asked for.

    The energy above the hull follows from the energies of all evaluations, so that an engine which computes is asked
    for the energy. A data set has answers of its own.
    """
    names = goal_properties(settings)
    if settings['evaluate']['engine'] == 'table' or STABILITY not in names:
        return names
    return list(dict.fromkeys([*(name for name in names if name != STABILITY), 'energy']))


def stability_wanted(settings: Mapping[str, Any]) -> bool:
    """Whether the goal names the energy above the hull, and an engine computes the energies that it takes."""
    return STABILITY in goal_properties(settings) and settings['evaluate']['engine'] != 'table'


def references_wanted(settings: Mapping[str, Any]) -> bool:
    """Whether a property of the goal needs the energies of the elements."""
    needed = 'references' in required_stages(goal_properties(settings))
    return needed and settings['evaluate']['engine'] != 'table'


def energy_limit(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The formation energy (eV/atom) above which a relaxation in slices is given up, and the condition behind it."""
    # other engines, and settings of earlier versions, have no such key
    slices = settings['evaluate'].get('slices')
    limit = None if slices is None or slices['give_up'] is False else Goal.model_validate(settings['goal']).energy_limit
    return None if limit is None else {'value': limit[0], 'condition': limit[1]}
