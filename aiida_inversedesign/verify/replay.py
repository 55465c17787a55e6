"""Calculation functions run again from the inputs stored in the graph; nothing is stored."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.common.links import LinkType
from aiida.engine import ExitCode
from pydantic import ValidationError

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import Repeatable, installed
from aiida_inversedesign.campaign.contracts.property import Stage
from aiida_inversedesign.campaign.environment import ATTRIBUTE, difference, environment
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.decisions.fit_surrogate import NO_SURROGATE
from aiida_inversedesign.decisions.propose_candidates import NOTHING_TO_PROPOSE
from aiida_inversedesign.graph.links import Call
from aiida_inversedesign.verify.compare import Comparison, compare, worst
from aiida_inversedesign.verify.content import compare_nodes

#: Relative deviation of what an optimiser found: its last digits depend on the processor's linear algebra.
FITTED = 1e-5

#: The kind of what is verified on its own.
ALONE = 'inference'

_DECIDING = 'aiida_inversedesign.decisions'
_PARTS = (
    Repeatable('known', f'{_DECIDING}.take_known', 'take_known'),
    Repeatable('proposal', f'{_DECIDING}.propose_candidates', 'propose_candidates'),
    Repeatable('screening', f'{_DECIDING}.screen_candidates', 'screen_candidates'),
    Repeatable('screening', f'{_DECIDING}.ask_estimates', 'ask_estimates', FITTED),
    Repeatable('selection', f'{_DECIDING}.select_batch', 'select_batch', FITTED),
    Repeatable('harvest', f'{_DECIDING}.harvest', 'harvest'),
    Repeatable('fit', f'{_DECIDING}.fit_surrogate', 'fit_surrogate', FITTED),
    Repeatable('conclusion', f'{_DECIDING}.conclude', 'conclude'),
    Repeatable(ALONE, f'{_DECIDING}.infer_model', 'infer_model'),
    Repeatable('references', f'{_DECIDING}.elemental_references', 'elemental_structures', finding='structure'),
    Repeatable('references', f'{_DECIDING}.elemental_references', 'collect_references', finding='reference'),
    Repeatable('evaluation', 'aiida_inversedesign.engines.common.reuse', 'against_references', finding='property'),
    Repeatable('evaluation', 'aiida_inversedesign.engines.common.calcfunctions', 'add_properties', finding='property'),
    Repeatable(
        'evaluation', 'aiida_inversedesign.engines.common.calcfunctions', 'numbers_of_curves', finding='property'
    ),
)
#: Names of entry points that decisions were run under.
_ENTRY_POINTS = {
    'aiida.calculations:inversedesign.propose': 'propose_candidates',
    'aiida.calculations:inversedesign.screen': 'screen_candidates',
    'aiida.calculations:inversedesign.select': 'select_batch',
    # the same decisions as jobs on another computer
    'aiida.calculations:inversedesign.propose_job': 'propose_candidates',
    'aiida.calculations:inversedesign.fit_job': 'fit_surrogate',
    'aiida.calculations:inversedesign.harvest': 'harvest',
    'aiida.calculations:inversedesign.fit': 'fit_surrogate',
    'aiida.calculations:inversedesign.infer': 'infer_model',
}


@functools.lru_cache(maxsize=4)
def _repeatable(_: tuple[str, ...]) -> dict[str, Repeatable]:
    by_name = {item.name: item for item in _PARTS}
    found = {name: item for item in _PARTS for name in item.process_types}
    found |= {entry_point: by_name[name] for entry_point, name in _ENTRY_POINTS.items()}
    brought = [item for engine in installed().values() for item in engine.repeatable]
    brought += [
        Repeatable('evaluation', path.partition(':')[0], path.partition(':')[2], finding=finding)
        for item in PROPERTIES.values()
        for path, finding in (
            (item.compute, 'property'),
            *(
                ((item.stage.gather, 'property'), (item.stage.crystals, 'structure'))
                if isinstance(item.stage, Stage)
                else ()
            ),
        )
        if path
    ]
    # what comes with the package stays, whatever others bring
    return {name: item for item in brought for name in item.process_types} | found


def repeatable() -> Mapping[str, Repeatable]:
    """Functions that can be run again, by process type: ours and those that installed engines and properties list.

    No other is ever imported: an archive of others may name any module.
    """
    return _repeatable((*registry.names('engines'), '', *registry.names('properties')))


def load_function(item: Repeatable) -> Callable[..., Any]:
    """The function itself, without AiiDA's recording around it."""
    function: Callable[..., Any] = getattr(importlib.import_module(item.module), item.name).__wrapped__
    return function


#: With which exit codes a job has decided something, be it that there is nothing to decide.
_DECIDED = {
    'aiida.calculations:inversedesign.propose_job': (0, NOTHING_TO_PROPOSE),
    'aiida.calculations:inversedesign.fit_job': (0, NO_SURROGATE),
}

#: Inputs and outputs that a decision has only where it ran as a job, or on its own: among them what it ran with.
_ONLY_JOBS = frozenset({'code', 'earlier', 'record', 'retrieved', 'remote_folder'})

#: The kinds that are decisions of the campaign, in the order they are taken.
DECISIONS = ('known', 'proposal', 'screening', 'selection', 'references', 'harvest', 'fit', 'conclusion')


def has_decided(call: Call) -> bool:
    """Whether there is something to run again: a job that was cut down has decided nothing."""
    return not call.has_ended or call.exit_status in _DECIDED.get(call.process_type, (call.exit_status,))


@dataclass(frozen=True)
class Replay:
    """What came of running one function again.

    :param message: where the result differs and how, or why it could not be had.
    """

    pk: int
    uuid: str
    kind: str
    function: str
    status: Literal['identical', 'within_tolerance', 'different', 'not_repeatable']
    deviation: float
    message: str
    seconds: float


def run_again(pk: int) -> Replay:
    """Run the function of a calculation node again and compare its outputs with those stored."""
    begun = time.perf_counter()
    node = orm.load_node(pk)
    known = repeatable().get(node.process_type or '')
    kind, function = (known.kind, known.name) if known else ('other', node.process_label or '')

    def result(status: Any, message: str = '', deviation: float = 0.0) -> Replay:
        seconds = time.perf_counter() - begun
        return Replay(pk, node.uuid, kind, function, status, deviation, message, seconds)

    if known is None or not isinstance(node, orm.CalculationNode):
        return result('not_repeatable', f'no installed part lists {node.process_type} as a function to run again')
    if not node.is_finished:
        state = node.process_state.value if node.process_state is not None else 'created'
        return result('not_repeatable', f'it did not finish (it is {state}), so that there is nothing to compare with')
    try:
        again = load_function(known)
        inputs = node.base.links.get_incoming(link_type=LinkType.INPUT_CALC).nested()
        found = again(**{name: value for name, value in inputs.items() if name not in _ONLY_JOBS})
        comparison = _compare_results(node, found, known.tolerance)
    except ImportError as error:
        return result('not_repeatable', f'its code cannot be imported here: {error}')
    except Exception as error:  # whatever inputs that were altered, or code that is not the same, lead to
        comparison = Comparison('different', 1.0, '', f'run again it stops with an error ({error_text(error)})')
    if comparison.status == 'different' and (other := other_code(known.module, node)):
        message = f'it was run by {other}; {comparison.message}'
        return result('not_repeatable', message, comparison.deviation)
    return result(comparison.status, comparison.message, comparison.deviation)


def run_alone(identifier: str) -> Replay | None:
    """Run a calculation again that belongs to no campaign (``infer_model``); None if the node is something else.

    :param identifier: PK or UUID.
    """
    try:
        node = orm.load_node(identifier)
    except (NotExistent, MultipleObjectsError, ValueError):
        return None
    known = repeatable().get(node.process_type or '') if isinstance(node, orm.ProcessNode) else None
    return run_again(node.pk) if known is not None and known.kind == ALONE else None


def other_code(module: str, node: orm.CalculationNode) -> str:
    """The versions and code that ran a function of a module, where they are not those here, in words.

    :param node: of the run. Its own versions are those of aiida-core and the package; the work chain that called it
        knows the code and the libraries, except where the run was a job, which tells of those where it ran.
    """
    recorded = node.base.attributes.get('version', {}) or {}
    names = {'core': 'aiida-core', 'plugin': module.partition('.')[0].replace('_', '-')}
    here = {key: version(name) for key, name in names.items()}
    words = [
        f'{names[key]} {recorded[key]} (here {here[key]})' for key in names if recorded.get(key, here[key]) != here[key]
    ]
    caller = node.caller
    while caller is not None and caller.base.attributes.get(ATTRIBUTE, None) is None:
        caller = caller.caller
    now = environment()
    if isinstance(node, orm.CalcJobNode):
        known = {'libraries': node.outputs.record.get_dict().get('versions', {}) if 'record' in node.outputs else {}}
        now['libraries']['aiida-inversedesign'] = here['plugin']
    elif caller is None and 'record' in node.outputs:
        known = node.outputs.record.get_dict()
    elif caller is None:
        # the work chains of this code all record it
        known = {}
        words.append('code of aiida-inversedesign that recorded no digest of itself')
    else:
        known = caller.base.attributes.get(ATTRIBUTE)
    return ', '.join(dict.fromkeys(words + difference(known, now)))


def error_text(error: Exception) -> str:
    """Kind and message of an error in one line; of invalid settings the first location and what is wrong there."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f'{".".join(map(str, first["loc"]))}: {first["msg"]}'
    return f'{type(error).__name__}: {" ".join(str(error).split())}'


def _compare_results(node: orm.CalculationNode, found: Any, tolerance: float) -> Comparison:
    """Exit code and outputs of a stored run against those of a new one."""
    status, message = (found.status, found.message) if isinstance(found, ExitCode) else (0, None)
    exits = compare({'exit_status': node.exit_status}, {'exit_status': status}, 0.0)
    if exits.status == 'different' or status:
        return worst([exits, compare({'exit_message': node.exit_message}, {'exit_message': message}, 0.0)])
    created = node.base.links.get_outgoing(link_type=LinkType.CREATE).all()
    stored = {
        link.link_label: link.node
        for link in created
        if link.link_label not in _ONLY_JOBS and isinstance(link.node, orm.Data)
    }
    made = {name: output for name, output in _flat(found) if name not in _ONLY_JOBS}
    names = compare(sorted(stored), sorted(made), 0.0)
    if names.status == 'different':
        missing, new = sorted(set(made) - set(stored)), sorted(set(stored) - set(made))
        parts = [f'{", ".join(missing)} is missing from its outputs' if missing else '']
        parts.append(f'{", ".join(new)} is an output that it does not give' if new else '')
        return Comparison('different', 1.0, 'outputs', '; '.join(part for part in parts if part))
    results = []
    for name, output in made.items():
        one = compare_nodes(stored[name], output, tolerance)
        prefix = f'{name}.' if one.message and one.where else f'{name} ' if one.message else ''
        results.append(Comparison(one.status, one.deviation, f'{name}.{one.where}', prefix + one.message))
    return worst(results)


def _flat(found: Any, prefix: str = '') -> list[tuple[str, orm.Data]]:
    """Outputs by the label of their link; a single one is called ``result``."""
    if isinstance(found, orm.Data):
        return [(prefix or 'result', found)]
    return [
        pair
        for name, value in (found or {}).items()
        for pair in _flat(value, f'{prefix}__{name}' if prefix else str(name))
    ]
