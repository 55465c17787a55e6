"""Whether tables say of each evaluation what its process, its selection and the goal say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.demands import stability_wanted
from aiida_inversedesign.campaign.properties import STABILITY
from aiida_inversedesign.campaign.row import EvaluationRow, is_hit
from aiida_inversedesign.graph.evaluation_account import REFERENCE
from aiida_inversedesign.graph.job_record import JobRecord, cost_of
from aiida_inversedesign.graph.jobs import find_jobs
from aiida_inversedesign.graph.links import Call, Link
from aiida_inversedesign.graph.outcomes import ending_of
from aiida_inversedesign.nodes.contents import content_of
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.verify.case import Case
from aiida_inversedesign.verify.compare import difference
from aiida_inversedesign.verify.findings import Finding

#: Numbers that are only copied differ by no more than rounding.
_COPIED = 1e-10


@dataclass
class _Known:
    """What is known of the evaluations so far.

    :param launched: evaluations by candidate, oldest first.
    :param given: rows of the starting data, by candidate.
    :param outcomes: what harvests recorded, by candidate.
    :param choices: what a selection said of each candidate.
    :param nodes: nodes of the chosen candidates, by candidate.
    :param checked: rows that were looked at, by candidate.
    """

    jobs: dict[int, list[JobRecord]]
    launched: dict[str, list[Call]] = field(default_factory=dict)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    checked: dict[str, dict[str, Any]] = field(default_factory=dict)
    returned_by: dict[str, Call] = field(default_factory=dict)


def check_rows(case: Case, harvests: Collection[int] | None = None) -> Iterator[Finding]:
    """Findings on harvests and the tables they made.

    :param harvests: PKs of those whose tables are read; None reads all. The last one is read in any case.
    """
    jobs: dict[int, list[JobRecord]] = {}
    for job in find_jobs(case.chain):
        jobs.setdefault(job.evaluation_id, []).append(job)
    known = _Known(jobs)
    steps = {generation.id: case.graph.steps(generation.id, 'harvest') for generation in case.generations}
    last = [harvest.id for found in steps.values() for harvest in found][-1:]
    for generation in case.generations:
        if not known.given:
            known.given = _given(case, generation)
        yield from _check_launches(case, generation, known)
        for harvest in steps[generation.id]:
            yield from _check_outcomes(case, generation, harvest, known)
            if harvests is None or harvest.id in (*harvests, *last):
                yield from _check_table(case, generation, harvest, known)
        # one that runs has more to harvest; what one left that was killed, the campaign that resumes it harvests
        if steps[generation.id] and generation.state == 'finished':
            yield from _check_left_out(case, generation, steps[generation.id][-1], known)


def _given(case: Case, generation: Call) -> dict[str, dict[str, Any]]:
    """The rows of the starting data that a generation began with."""
    tables = case.graph.outputs(case.graph.steps(generation.id, 'take_known'), 'table')
    return {row.candidate: row.to_dict() for table in tables for row in case.node(table).get_rows()}


def _check_launches(case: Case, generation: Call, known: _Known) -> Iterator[Finding]:
    """Whether a generation evaluated what its selection had chosen."""
    graph, own = case.graph, case.graph.inputs[generation.id]
    sources = [graph.created[select.id] for select in graph.steps(generation.id, 'select_batch')]
    sources.append({label.removeprefix('interrupted__'): link for label, link in own.items() if 'interrupted' in label})
    batches = [link for source in sources for label, link in source.items() if label.startswith('batch')]
    chosen = {choice['candidate']: choice for batch in batches for choice in case.attributes(batch)['choices']}
    candidates = {
        label.removeprefix('candidates__'): link.node
        for source in sources
        for label, link in source.items()
        if label.startswith('candidates__')
    }
    known.choices |= chosen
    known.nodes |= candidates
    # of what was reported after an evaluation had ended, later generations take note
    asks = bool(engine_named(case.settings.evaluate.engine).later)
    for call in case.evaluations_of(generation):
        taken = graph.inputs[call.id]
        if call.label.startswith(REFERENCE):
            continue
        earlier = known.launched.setdefault(call.label, [])
        is_again = asks and any(item.has_ended for item in earlier)
        earlier.append(call)
        if call.label not in chosen and not is_again:
            message = f'{call.label} was evaluated in {generation.label}, whose selection had not chosen it'
            yield Finding('unchosen_evaluation', call.uuid, message)
            continue
        used = taken.get('candidate')
        if known.nodes.get(call.label) != (used and used.node):
            message = f'{call.label} was evaluated with another structure node than the one that was chosen'
            yield Finding('structure', call.uuid, message)


def _check_outcomes(case: Case, generation: Call, harvest: Call, known: _Known) -> Iterator[Finding]:
    """Whether the outcomes that a harvest recorded are what the processes say."""
    taken = case.graph.inputs[harvest.id]
    outcomes: dict[str, dict[str, Any]] = case.attributes(taken['outcomes']) if 'outcomes' in taken else {}
    known.outcomes |= outcomes
    for name, outcome in outcomes.items():
        call = _evaluation_of(case, name, harvest, taken, known)
        if call is None:
            continue
        known.returned_by[name] = call
        returned = case.graph.returned[call.id]
        for port, kind in (('properties', 'property'), ('relaxed', 'structure'), ('curves', 'property')):
            link = taken.get(f'{port}__{name}')
            if link is not None and (port not in returned or returned[port].node != link.node):
                message = f'the harvest of {generation.label} took another {port} node of {name} than it returned'
                yield Finding(kind, harvest.uuid, message)
        yield from _check_outcome(case, name, call, outcome, taken['outcomes'].uuid, known)


def _check_left_out(case: Case, generation: Call, harvest: Call, known: _Known) -> Iterator[Finding]:
    """Whether a generation harvested all that it evaluated; what a request to stop killed may be made again."""
    for call in case.evaluations_of(generation):
        if call.label not in known.outcomes and not call.label.startswith(REFERENCE) and call.state != 'killed':
            message = f'the harvest of {generation.label} left the evaluation of {call.label} out'
            yield Finding('missing_row', harvest.uuid, message)


def _evaluation_of(case: Case, name: str, harvest: Call, taken: dict[str, Link], known: _Known) -> Call | None:
    """The evaluation that a harvest speaks of: the one that returned its properties, else the last one that ended."""
    siblings = case.graph.children.get(harvest.parent or 0, [])
    # a stream harvests again and again, and may have made the evaluation again since
    after = {call.id for call in siblings[siblings.index(harvest) :]} if harvest in siblings else set()
    calls = [call for call in known.launched.get(name, []) if call.id not in after]
    link = taken.get(f'properties__{name}')
    for call in reversed(calls):
        returned = case.graph.returned[call.id].get('properties')
        if link is not None and returned is not None and returned.node == link.node:
            return call
    ended = [call for call in calls if call.has_ended]
    return ended[-1] if ended else None


def _check_outcome(
    case: Case, name: str, call: Call, outcome: dict[str, Any], uuid: str, known: _Known
) -> Iterator[Finding]:
    """Exit status, reason and cost of one evaluation."""
    status = call.exit_status if call.state == 'finished' else -1
    if outcome['exit_status'] != status:
        message = f'{name} ended with {status}, the harvest was given {outcome["exit_status"]}'
        yield Finding('outcome', uuid, message)
    elif status != 0 and outcome['reason'] != ending_of(orm.load_node(call.id)).reason:
        yield Finding('outcome', uuid, f'{name} failed for another reason than the harvest was given')
    cost = cost_of(known.jobs.get(call.id, []))
    counted = outcome['dft_calculations']
    if counted > cost.dft_calculations:
        message = (
            f'{name} has cost {counted} DFT calculations as its harvest was given, only {cost.dft_calculations} are in '
            'the graph'
        )
        yield Finding('missing_calculation', call.uuid, message)
    elif counted < cost.dft_calculations:
        message = f'{name} has {cost.dft_calculations} DFT calculations below it, its harvest was given {counted}'
        yield Finding('outcome', uuid, message)
    elif difference(outcome['core_hours'], cost.core_hours, _COPIED):
        message = f'the jobs of {name} recorded {cost.core_hours} core-hours, its harvest was given otherwise'
        yield Finding('outcome', uuid, f'{message} ({outcome["core_hours"]})')


def _check_table(case: Case, generation: Call, harvest: Call, known: _Known) -> Iterator[Finding]:
    """Whether a table has one true row for each evaluation that was harvested so far."""
    link = case.graph.created[harvest.id].get('table')
    if link is None:
        return
    rows = case.node(link).get_rows()
    table = f'the table of {generation.label}'
    present = Counter(row.candidate for row in rows)
    for name in known.outcomes:
        if name not in present and name in known.launched:
            yield Finding('missing_row', link.uuid, f'{table} has no row of {name}, which was evaluated')
    for name in known.given.keys() - present.keys():
        yield Finding('missing_row', link.uuid, f'{table} has no row of {name} of the starting data')
    for row in rows:
        given = known.given.get(row.candidate)
        if given is not None and (text := difference(given, row.to_dict(), _COPIED)):
            yield Finding('known', link.uuid, f'{table}, {row.candidate}: {text}')
    for name, number in present.items():
        if number > 1:
            yield Finding('row_without_evaluation', link.uuid, f'{table} has {number} rows of {name}')
        if name not in known.launched and name not in known.given:
            message = f'{table} has a row of {name}, which was never evaluated'
            yield Finding('row_without_evaluation', link.uuid, message)
    by_name = {row.candidate: row for row in rows}
    for row in rows:
        data = row.to_dict()
        if known.checked.get(row.candidate) == data or row.candidate not in known.launched:
            continue
        known.checked[row.candidate] = data
        for kind, message in _check_row(case, row, by_name, known):
            yield Finding(kind, link.uuid, f'{table}, {row.candidate}: {message}')


def _check_row(
    case: Case, row: EvaluationRow, rows: Mapping[str, EvaluationRow], known: _Known
) -> Iterator[tuple[str, str]]:
    """Kinds and messages of what is wrong with one row.

    :param rows: all of its table, by candidate.
    """
    call = known.returned_by.get(row.candidate) or known.launched[row.candidate][-1]
    returned, taken = case.graph.returned[call.id], case.graph.inputs[call.id]
    completed = call.exit_status == 0
    if (row.status == 'completed') != completed:
        yield 'outcome', f'it is said to be {row.status}, its evaluation ended with {call.exit_status}'
    elif completed and 'properties' in returned:
        values = {name: entry['value'] for name, entry in case.attributes(returned['properties']).items()}
        own = dict(row.properties)
        if stability_wanted(case.settings):
            # found by the harvest from all rows: running it again tells whether it is right
            own.pop(STABILITY, None)
        if text := difference(values, own, _COPIED):
            text = text.replace(': stored', ': its evaluation returned', 1)
            yield 'property', text.replace(', found', ', the row has')
    # tables of earlier versions have none
    if completed and row.curves:
        found = case.goal.asked_curves(curves_of(case.node(returned['curves']))) if 'curves' in returned else {}
        one, other_ = ({name: curve.to_dict() for name, curve in item.items()} for item in (found, row.curves))
        if difference(one, other_, _COPIED):
            yield 'property', 'its curves are not those that its evaluation returned'
    expected = is_hit(case.goal, row.properties if row.status == 'completed' else {})
    if row.hit is not expected:
        yield 'hit', f'it is labelled {_word(row.hit)}, by the goal it is {_word(expected)}'
    other = rows.get(row.copy_of or '')
    if row.copy_of and (other is None or not case.settings.space.same_result(other.result, row.result)):
        yield 'copy', f'it is called a copy of {row.copy_of}, which ended in something else'
    kind = case.settings.space.kind
    if 'candidate' in taken and (where := _moved(kind, row.proposed, case.node(taken['candidate']))):
        yield 'structure', f'the candidate as proposed is not the one that was evaluated ({where})'
    relaxed = returned.get('relaxed') if row.relaxed is not None else None
    if row.relaxed is not None and relaxed is not None and (where := _moved(kind, row.relaxed, case.node(relaxed))):
        yield 'structure', f'the relaxed crystal is not the one that its evaluation returned ({where})'
    yield from _check_choice(row, known.choices.get(row.candidate))
    recorded = known.outcomes.get(row.candidate)
    if recorded is not None:
        names = ('exit_status', 'reason', 'dft_calculations', 'core_hours')
        own = {name: getattr(row, name) for name in names}
        if text := difference({name: recorded[name] for name in names}, own, _COPIED):
            yield 'outcome', f'its row does not say what its harvest was given ({text})'


def _check_choice(row: EvaluationRow, choice: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if choice is None:
        return
    stored = {'arm': choice['arm'], 'predicted': choice['predicted']}
    found = {'arm': row.arm, 'predicted': {name: list(pair) for name, pair in row.predicted.items()}}
    if text := difference(stored, found, _COPIED):
        yield 'prediction', f'its row does not say what its selection did ({text})'


def _moved(kind: str, content: Any, node: orm.Data) -> str:
    """Where a content differs from a node, or nothing.

    :param kind: of the space.
    """
    return difference(content_of(kind, node).to_dict(), content.to_dict(), 1e-8)


def _word(hit: bool | None) -> str:
    return {True: 'a hit', False: 'no hit', None: 'neither hit nor no hit'}[hit]
