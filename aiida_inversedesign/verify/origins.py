"""Whether every result in the graph was made by a calculation that is in the graph."""

from __future__ import annotations

from collections.abc import Iterator

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.engines.common.evaluation import EvaluateWorkChain
from aiida_inversedesign.graph.links import Call, Link
from aiida_inversedesign.verify.case import REUSED, Case
from aiida_inversedesign.verify.findings import Finding
from aiida_inversedesign.verify.graph import EARLIER
from aiida_inversedesign.verify.replay import repeatable

#: Inputs of functions that work chains make themselves, by their label: numbers, lists, and these.
_MADE_BY_WORK_CHAINS = frozenset({'outcomes', 'pending', 'spent'})
_PLAIN = (
    'data.core.int.',
    'data.core.float.',
    'data.core.bool.',
    'data.core.str.',
    'data.core.list.',
    'data.core.code.',
)
#: Type of what was reported of a candidate.
ANSWER = 'data.inversedesign.answer.AnswerData.'


def check_origins(case: Case) -> Iterator[Finding]:
    """Findings on results without a calculation, each result once."""
    seen: set[int] = set()
    for call in case.graph.calls.values():
        for link, message in (*_returned(case, call), *_taken(case, call)):
            if link.node not in seen:
                seen.add(link.node)
                yield Finding('missing_calculation', link.uuid, message)
        yield from _attempts(case, call)
    for generation in case.generations:
        for evaluation in case.evaluations_of(generation):
            if evaluation.process_type == REUSED:
                yield from _taken_over(case, evaluation)
            else:
                yield from _relaxation(case, evaluation)


def _name(case: Case, call: Call) -> str:
    """What a call is called in messages: its label with that of the evaluation it belongs to."""
    labels = [call.label]
    parent = call.parent
    while parent is not None and not case.graph.calls[parent].label.startswith('generation_'):
        labels.append(case.graph.calls[parent].label)
        parent = case.graph.calls[parent].parent
    return ' of '.join(label for label in labels if label) or 'the campaign'


def _returned(case: Case, call: Call) -> Iterator[tuple[Link, str]]:
    """What a work chain returned without having taken or made it."""
    own = {link.node for link in case.graph.inputs[call.id].values()}
    for label, link in case.graph.returned[call.id].items():
        if link.node in own:
            continue
        creator = case.graph.creator.get(link.node)
        if creator is None:
            yield link, f'the {label} that {_name(case, call)} returned was made by no calculation in the graph'
        elif not _is_below(case, creator, call.id):
            yield link, f'the {label} that {_name(case, call)} returned was made by a calculation that is not below it'


def _taken(case: Case, call: Call) -> Iterator[tuple[Link, str]]:
    """What a function took although nothing made it."""
    if call.process_type not in repeatable() or call.parent is None:
        return
    given = {link.node for link in case.graph.inputs[call.parent].values()}
    for label, link in case.graph.inputs[call.id].items():
        if link.node_type == ANSWER:
            if message := _of_another(case, call, link):
                yield link, f'the {label} that {_name(case, call)} was computed from {message}'
            continue
        fresh = label in _MADE_BY_WORK_CHAINS or link.node_type.startswith(_PLAIN)
        # an empty one stands for nothing known yet
        if not fresh and link.node not in given and link.node not in case.graph.creator and case.attributes(link):
            yield link, f'the {label} that {_name(case, call)} was computed from: no calculation in the graph made it'


def _of_another(case: Case, call: Call, link: Link) -> str:
    """What is wrong with an answer, which a person or an instrument made, or nothing: of what was reported."""
    attributes = case.attributes(link)
    if attributes.get('campaign') != case.graph.inputs[case.campaign]['settings'].uuid:
        return 'belongs to another campaign'
    evaluation = case.graph.calls.get(call.parent or 0)
    return (
        '' if evaluation is not None and attributes.get('name') == evaluation.label else 'belongs to another candidate'
    )


def _is_below(case: Case, call: int, ancestor: int) -> bool:
    parent: int | None = call
    while parent is not None:
        if parent == ancestor:
            return True
        parent = case.graph.calls[parent].parent
    return False


def _attempts(case: Case, call: Call) -> Iterator[Finding]:
    """A finding for each attempt of a restarting work chain that is missing before a later one."""
    # the first attempt of a job is called otherwise, and looked for elsewhere
    labels = [child.label for child in case.graph.children.get(call.id, [])]
    for start, first in (('iteration', 1), ('relax_attempt', 2), ('propose_attempt', 2), ('fit_attempt', 2)):
        rests = [label.removeprefix(f'{start}_') for label in labels if label.startswith(f'{start}_')]
        numbers = {int(rest) for rest in rests if rest.isdigit()}
        for number in range(first, max(numbers, default=0)):
            if number not in numbers:
                message = f'{start.removeprefix("relax_")} {number} of {_name(case, call)} is missing'
                yield Finding('missing_calculation', call.uuid, message)


def _taken_over(case: Case, evaluation: Call) -> Iterator[Finding]:
    """A finding for each result that an evaluation took over although nothing made it."""
    for label, link in case.graph.inputs[evaluation.id].items():
        if label.startswith(EARLIER) and link.node not in case.graph.creator:
            message = f'the {label.removeprefix(EARLIER)} that {evaluation.label} took over: no calculation made it'
            yield Finding('missing_calculation', link.uuid, message)


def _relaxation(case: Case, evaluation: Call) -> Iterator[Finding]:
    """A finding if an evaluation that got as far as its relaxation has none."""
    section = case.settings.evaluate
    engine, codes = engine_named(section.engine), EvaluateWorkChain.exit_codes
    expects = engine.first_child and engine.jobs(section, case.settings.goal.properties).total
    before = (
        *(codes.ERROR_UNKNOWN_PROPERTY, codes.ERROR_MISSING_REFERENCES, codes.ERROR_INVALID_SETTINGS),
        *(codes.ERROR_LIMIT_REACHED, codes.ERROR_PRERELAXATION_FAILED),
    )
    got_there = evaluation.exit_status is not None and evaluation.exit_status not in {code.status for code in before}
    if expects and got_there and not case.graph.called(evaluation.id, engine.first_child):
        message = f'{evaluation.label} ended with exit status {evaluation.exit_status}, but its relaxation is missing'
        yield Finding('missing_calculation', evaluation.uuid, message)
