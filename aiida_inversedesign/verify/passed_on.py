"""Whether a campaign, its generations, evaluations and jobs passed the same inputs on.

Selected crystals are compared where the rows of tables are (``rows.py``), what decisions took in ``decisions.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiida_inversedesign.campaign.demands import energy_limit, engine_properties, engine_section
from aiida_inversedesign.graph.evaluation_account import REFERENCE
from aiida_inversedesign.graph.links import Call, Link
from aiida_inversedesign.nodes.earlier import NAMESPACE
from aiida_inversedesign.verify.case import Case
from aiida_inversedesign.verify.compare import difference
from aiida_inversedesign.verify.findings import Finding

#: Numbers that are only copied differ by no more than rounding.
_COPIED = 1e-10

#: Inputs of evaluations that are plain values: read in one query.
_VALUES = ('settings', 'properties', 'limits', 'energy_limit')
_STRUCTURE = 'data.core.structure.'
_CODE = 'data.core.code.'
#: Beginnings of the names of codes and data that a campaign passes on, and of what it passes on of an interruption.
_ENGINE, _CODES, _INTERRUPTED = 'engine__', 'codes__', 'interrupted__'
#: Of earlier campaigns their settings and tables.
_EARLIER = f'{NAMESPACE}__'


def check_passed_on(case: Case) -> Iterator[Finding]:
    """Findings on what generations, evaluations and their jobs took."""
    inputs = [case.graph.inputs[call.id] for generation in case.generations for call in case.evaluations_of(generation)]
    case.all_attributes([taken[name] for taken in inputs for name in _VALUES if name in taken])
    for campaign in case.chain:
        yield from _check_interrupted(case, campaign)
        yield from _check_earlier(case, campaign)
        for generation in case.generations_of(campaign):
            yield from _check_generation(case, campaign, generation)
            for evaluation in case.evaluations_of(generation):
                own, taken = case.graph.inputs[generation.id], case.graph.inputs[evaluation.id]
                yield from _check_settings(case, evaluation, taken)
                yield from _same_nodes(evaluation.label, evaluation.uuid, own, taken, _ENGINE)
                yield from _check_limits(case, evaluation, own, taken)
                yield from _check_references(case, generation, evaluation)
                yield from _check_calls(case, evaluation)


def _check_interrupted(case: Case, campaign: int) -> Iterator[Finding]:
    """Whether what a campaign took up of an interruption was made by those that it resumed."""
    for label, link in case.graph.inputs[campaign].items():
        # outcomes are recorded by the work chain itself, and compared where rows are
        if not label.startswith(_INTERRUPTED) or label == f'{_INTERRUPTED}outcomes':
            continue
        if link.node not in case.graph.creator:
            name = label.removeprefix(_INTERRUPTED).replace('__', ' of ')
            message = f'the {name} that the campaign took up was made by none that it resumed'
            yield Finding('state', link.uuid, message)


def _check_generation(case: Case, campaign: int, generation: Call) -> Iterator[Finding]:
    """Whether a generation has the campaign's codes and data, and its decisions that ran as jobs have those."""
    given, own = case.graph.inputs[campaign], case.graph.inputs[generation.id]
    for start in (_ENGINE, _CODES, _EARLIER):
        yield from _same_nodes(generation.label, generation.uuid, given, own, start)
    codes = {link.node for label, link in own.items() if label.startswith(_CODES)}
    for call in case.graph.children.get(generation.id, []):
        code = case.graph.inputs[call.id].get('code') if call.is_job else None
        if code is not None and code.node not in codes:
            yield Finding('settings', call.uuid, f'{call.label} of {generation.label} ran with another code')
        taken, who = case.graph.inputs[call.id], f'{call.label} of {generation.label}'
        learns = call.label.startswith('fit') or (call.label.startswith('select') and 'surrogate' not in taken)
        if learns or any(label.startswith(_EARLIER) for label in taken):
            yield from _same_nodes(who, call.uuid, own, taken, _EARLIER)


def _check_earlier(case: Case, campaign: int) -> Iterator[Finding]:
    """Whether each table of an earlier campaign was harvested with the settings that are given with it."""
    given, first = case.graph.inputs[campaign], case.graph.inputs[case.chain[0]]
    uuid = case.graph.calls[campaign].uuid
    yield from _same_nodes(f'the resumed campaign {uuid}', uuid, first, given, _EARLIER)
    tables = {label: link for label, link in given.items() if label.startswith(f'{_EARLIER}table_')}
    if len(tables) != len(case.settings.learn.earlier):
        message = f'learn.from names {len(case.settings.learn.earlier)} campaigns, {len(tables)} tables were given'
        yield Finding('settings', uuid, message)
    for label, link in tables.items():
        settings = given.get(label.replace('table_', 'settings_'))
        creator = case.node(link).creator
        made_with = None if creator is None else creator.inputs.settings.pk if 'settings' in creator.inputs else None
        if settings is None or made_with != settings.node:
            message = f'the {label.removeprefix(_EARLIER)} was not made with the settings of its campaign'
            yield Finding('settings', link.uuid, message)


def _same_nodes(who: str, uuid: str, given: dict[str, Link], own: dict[str, Link], start: str) -> Iterator[Finding]:
    """A finding for each input of a namespace that is another node than the one that was given."""
    for label in dict.fromkeys([*given, *own]):
        one, other = given.get(label), own.get(label)
        if label.startswith(start) and (one and one.node) != (other and other.node):
            yield Finding('settings', uuid, f'{who} has another {label.removeprefix(start)} than the campaign')


def _check_settings(case: Case, evaluation: Call, taken: dict[str, Link]) -> Iterator[Finding]:
    """Whether an evaluation had the campaign's settings, and was asked for what follows from them."""
    is_reference = evaluation.label.startswith(REFERENCE)
    expected: dict[str, Any] = {
        'settings': engine_section(case.settings),
        'properties': {'list': ['energy'] if is_reference else engine_properties(case.settings)},
        'energy_limit': None if is_reference else energy_limit(case.settings),
    }
    for name, value in expected.items():
        link = taken.get(name)
        if link is None and name != 'energy_limit':
            continue
        given = None if link is None else case.attributes(link)
        if name == 'settings' and isinstance(given, dict):
            value = _known_then(case, value, given)
        if text := difference(value, given, _COPIED):
            words = 'settings than the campaign has' if name == 'settings' else f'{name} than its settings give'
            message = f'{evaluation.label} was evaluated with other {words} ({text})'
            yield Finding('settings', evaluation.uuid, message)


def _known_then(case: Case, section: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The section ``evaluate`` without keys that the versions of the campaign and of the evaluation did not have."""
    recorded = case.attributes(case.graph.inputs[case.campaign]['settings']).get('evaluate', {})
    return {key: item for key, item in section.items() if key in recorded or key in given}


def _check_limits(case: Case, evaluation: Call, own: dict[str, Link], taken: dict[str, Link]) -> Iterator[Finding]:
    """Whether an evaluation was not allowed more than its generation."""
    if 'limits' not in taken or 'allowance' not in own:
        return
    limits, allowed = case.attributes(taken['limits']), case.attributes(own['allowance'])
    for name, words in (('dft_calculations', 'DFT calculations'), ('core_hours', 'core-hours')):
        most, limit = allowed.get(name), limits.get(name)
        if most is not None and (limit is None or limit > most * (1 + _COPIED)):
            message = f'{evaluation.label} was allowed {limit or "any number of"} {words}, its generation {most}'
            yield Finding('budget', evaluation.uuid, message)


def _check_references(case: Case, generation: Call, evaluation: Call) -> Iterator[Finding]:
    """Whether an evaluation had elemental energies that were known, and one of an element its crystal."""
    graph, taken = case.graph, case.graph.inputs[evaluation.id]
    known = graph.outputs(graph.steps(generation.id, 'collect_references'), 'references')
    known += [link for label, link in graph.inputs[generation.id].items() if label == 'references']
    if 'references' in taken and taken['references'].node not in {link.node for link in known}:
        message = f'{evaluation.label} was evaluated with other elemental energies than the campaign had found'
        yield Finding('reference', evaluation.uuid, message)
    if evaluation.label.startswith(REFERENCE) and 'candidate' in taken:
        label = f'structures__{evaluation.label.removeprefix(REFERENCE)}'
        crystals = graph.outputs(graph.steps(generation.id, 'elemental_structures'), label)
        if taken['candidate'].node not in {link.node for link in crystals}:
            message = f'{evaluation.label} was evaluated with another crystal than that of the element'
            yield Finding('structure', evaluation.uuid, message)


def _check_calls(case: Case, evaluation: Call) -> Iterator[Finding]:
    """Whether everything below an evaluation took what the evaluation was given or what was made there.

    Work chains make parameters, meshes and numbers by themselves; crystals and codes they only pass on.
    """
    graph = case.graph
    given = graph.inputs[evaluation.id]
    nodes, calls = {link.node for link in given.values()}, list(graph.below(evaluation.id))
    within = {call.id for call in calls}
    for call in calls:
        for label, link in graph.inputs[call.id].items():
            creator = graph.creator.get(link.node)
            if link.node in nodes or creator in within:
                continue
            if creator is not None or link.node_type.startswith((_STRUCTURE, _CODE)):
                kind = 'structure' if link.node_type.startswith(_STRUCTURE) else 'settings'
                message = f'{_path(case, call, evaluation)} took a {label} that its evaluation was not given'
                yield Finding(kind, call.uuid, message)
    for call in graph.children.get(evaluation.id, []):
        own = graph.inputs[call.id].get('settings')
        if own is None or 'settings' not in given or own.node == given['settings'].node:
            continue
        # a pre-relaxation has a section of its own
        section = engine_section(case.settings).get('prerelax') if call.label == 'prerelax' else None
        if difference(section, case.attributes(own), _COPIED):
            message = f'{_path(case, call, evaluation)} had other settings than its evaluation'
            yield Finding('settings', call.uuid, message)


def _path(case: Case, call: Call, evaluation: Call) -> str:
    """A call below an evaluation in words."""
    labels: list[str] = []
    while call.id != evaluation.id:
        labels.append(call.label)
        call = case.graph.calls[call.parent or evaluation.id]
    return ' of '.join([*labels, evaluation.label])
