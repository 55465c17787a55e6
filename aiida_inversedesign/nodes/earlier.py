"""Earlier campaigns as inputs: of each its settings and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida.orm import Dict

from aiida_inversedesign.learn.earlier import EarlierCampaign
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.nodes.table_data import TableData

#: The namespace of the inputs, and what each campaign in it has: the names end in its number, e.g. ``table_01``.
NAMESPACE = 'campaigns'
PORTS = {'settings': Dict, 'table': TableData}


def declare_campaigns(spec: Any) -> None:
    """Declare the namespace as an optional input of a process."""
    spec.input_namespace(
        NAMESPACE,
        dynamic=True,
        valid_type=tuple(PORTS.values()),
        required=False,
        populate_defaults=False,
        help='`settings_01` and `table_01` of the first campaign of `learn.from`, and so on.',
    )


def inputs_of(campaigns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The namespace of some campaigns, in the order of ``learn.from``; of each its settings and its table."""
    return {f'{port}_{number:02d}': one[port] for number, one in enumerate(campaigns, 1) for port in PORTS}


def nodes_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes of each campaign of the namespace, in the order of ``learn.from``."""
    numbers = sorted(name.rpartition('_')[2] for name in given if name.startswith('table_'))
    return [{port: given[f'{port}_{number}'] for port in PORTS} for number in numbers]


def earlier_campaigns(given: Mapping[str, Any]) -> list[EarlierCampaign]:
    """The campaigns of the namespace, in the order of ``learn.from``."""
    return [EarlierCampaign(settings_of(one['settings']), one['table'].get_rows()) for one in nodes_of(given)]
