"""The state that one generation returns for the next, and the ports that a campaign and its generations share."""

from __future__ import annotations

from typing import Any

from aiida.orm import Data, Dict, Int, SinglefileData

from aiida_inversedesign.nodes.cspml_data import CspmlData
from aiida_inversedesign.nodes.earlier import declare_campaigns
from aiida_inversedesign.nodes.library_data import LibraryData
from aiida_inversedesign.nodes.points import PointsData
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.surrogate_data import SurrogateData
from aiida_inversedesign.nodes.table_data import TableData
from aiida_inversedesign.workchains.decision_jobs import add_codes

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


def add_generation_ports(spec: Any) -> None:
    """Declare what a generation and a stream, which replaces one, take and return, and how they may fail."""
    spec.input('settings', valid_type=Dict, help='The campaign file without its budget.')
    spec.input('generation', valid_type=Int, help='Number of this generation, from 1.')
    spec.input('allowance', valid_type=Dict, help='Most evaluations, DFT calculations and core-hours.')
    spec.input('library', valid_type=(LibraryData, PointsData), required=False, help='The templates or points.')
    spec.input('model', valid_type=CspmlData, required=False, help='The proposal model.')
    spec.input('known', valid_type=SinglefileData, required=False, help='The starting data, a CSV or JSON-lines file.')
    declare_campaigns(spec)
    add_state_inputs(spec)
    spec.input_namespace('engine', dynamic=True, valid_type=Data, help='Codes and data of the engine.')
    add_codes(spec)
    spec.input_namespace('interrupted', required=False, populate_defaults=False, help='A batch to continue.')
    spec.input('interrupted.batch', valid_type=Dict, required=False, help='What had been chosen.')
    spec.input('interrupted.outcomes', valid_type=Dict, required=False, help='What became of the finished.')
    for name in ('candidates', 'properties', 'relaxed', 'curves', 'batches'):
        spec.input_namespace(f'interrupted.{name}', required=False, dynamic=True, valid_type=Data)
    add_state_outputs(spec)
    spec.exit_code(
        310,
        'SPACE_EXHAUSTED',
        message='Nothing is left to evaluate: {reason}. Widen `space`, take a larger library or raise `top_k`.',
    )
    spec.exit_code(
        311,
        'DECISION_FAILED',
        message='The {step} ended with exit code {status}: {reason}. See `verdi process report {pk}`.',
    )
