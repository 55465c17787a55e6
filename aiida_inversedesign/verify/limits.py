"""Whether the campaign kept to its budget, and stopped for the reason that it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from aiida_inversedesign.campaign.costs.budget import HOURS_NEEDED, LEAST_CORE_HOURS, Spent, conclusion, next_allowance
from aiida_inversedesign.campaign.spec import Budget
from aiida_inversedesign.graph.job_record import JobRecord, cost_of
from aiida_inversedesign.graph.jobs import find_jobs
from aiida_inversedesign.graph.links import Call, Link
from aiida_inversedesign.verify.case import Case
from aiida_inversedesign.verify.compare import difference
from aiida_inversedesign.verify.findings import Finding

#: Core-hours are sums of floats that the database keeps to 14 digits.
_TOLERANCE = 1e-9


def check_budget(case: Case) -> Iterator[Finding]:
    """Findings on allowances, what was spent, and the reason to stop."""
    jobs = find_jobs(case.chain)
    done: list[Call] = []
    for campaign in case.chain:
        link = case.graph.inputs[campaign].get('budget')
        if link is None:
            continue
        budget = Budget.model_validate(case.attributes(link))
        for generation in case.generations_of(campaign):
            counts = _counts(case, case.graph.inputs[generation.id].get('table'))
            spent = Spent.of(counts, int(generation.label.rpartition('_')[2]) - 1, *cost_of(_of(jobs, done)).charged)
            yield from _check_allowance(case, generation, budget, spent, _recorded(_of(jobs, done)))
            done.append(generation)
        yield from _check_end(case, campaign, link.node, _of(jobs, done))


def _of(jobs: list[JobRecord], generations: list[Call]) -> list[JobRecord]:
    identifiers = {generation.id for generation in generations}
    return [job for job in jobs if job.generation in identifiers]


def _recorded(jobs: list[JobRecord]) -> bool:
    """Whether every job has a record of its wall time; where not, the bound that was charged is not known later."""
    return all(job.wall_seconds is not None for job in jobs if not job.cached)


def _counts(case: Case, table: Any) -> dict[str, int]:
    return {} if table is None else case.attributes(table).get('counts', {})


def _check_allowance(case: Case, generation: Call, budget: Budget, spent: Spent, recorded: bool) -> Iterator[Finding]:
    """Whether a generation was allowed what the budget had left."""
    link = case.graph.inputs[generation.id].get('allowance')
    if link is None:
        return
    if case.attributes(link).get('evaluations') == 0:
        # it launched nothing, and harvested what had finished before an interruption
        return
    # allowances of versions before name no least core-hours: it was the same for every engine
    earlier = HOURS_NEEDED not in case.attributes(link)
    allowed = next_allowance(case.settings, budget, spent, LEAST_CORE_HOURS if earlier else None)
    if isinstance(allowed, str):
        message = f'{generation.label} began although the budget did not allow it: {allowed}'
        yield Finding('budget', generation.uuid, message)
        return
    expected, given = allowed.record(case.settings, budget), dict(case.attributes(link))
    if earlier:
        expected.pop(HOURS_NEEDED, None)
    if message := _difference(given, expected, recorded):
        message = f'{generation.label} was allowed something else than the budget had left ({message})'
        yield Finding('budget', generation.uuid, message)


def _difference(given: dict[str, Any], expected: dict[str, Any], recorded: bool) -> str:
    """What differs; empty if nothing does, or only core-hours of jobs without a record."""
    left_out = () if recorded else ('core_hours',)
    one, other = ({key: item for key, item in data.items() if key not in left_out} for data in (given, expected))
    return difference(one, other, _TOLERANCE)


def _check_end(case: Case, campaign: int, budget: int, jobs: list[JobRecord]) -> Iterator[Finding]:
    """Whether the conclusion was drawn from the budget and what was spent."""
    graph = case.graph
    conclusions = graph.steps(campaign, 'conclude')
    stated = graph.returned[campaign].get('stop_reason')
    if not conclusions:
        if stated is not None:
            yield Finding('missing_decision', stated.uuid, 'the conclusion that the stop reason comes from is missing')
        return
    conclude = conclusions[-1]
    taken, made = graph.inputs[conclude.id], graph.created[conclude.id].get('stop_reason')
    if 'budget' not in taken or taken['budget'].node != budget:
        yield Finding('budget', conclude.uuid, 'the conclusion was drawn from another budget than that of the campaign')
    if (made and made.node) != (stated and stated.node):
        yield Finding('stop_reason', conclude.uuid, 'the stop reason of the campaign is not the one it concluded')
    if 'spent' not in taken:
        return
    yield from _check_reason(
        case, conclude, case.attributes(taken['spent']), case.graph.inputs[campaign]['budget'], made
    )
    numbers = [int(item.label.rpartition('_')[2]) for item in case.generations_of(campaign)]
    counts = _counts(case, graph.returned[campaign].get('table'))
    used = dict(case.attributes(taken['spent']))
    # a generation that found nothing left to evaluate does not count
    generations = max(numbers, default=used.get('generations', 0)) - (used.get('exhausted') is not None)
    expected = Spent.of(counts, generations, *cost_of(jobs).charged).record(case.settings)
    for name in ('exhausted', 'requested'):
        used.pop(name, None)
    if HOURS_NEEDED not in used:
        # the conclusion of a version before
        expected.pop(HOURS_NEEDED)
    if message := _difference(used, expected, _recorded(jobs)):
        message = f'the conclusion was drawn from another expense than the graph shows ({message})'
        yield Finding('stop_reason', conclude.uuid, message)


def _check_reason(
    case: Case, conclude: Call, used: dict[str, Any], budget: Link, made: Link | None
) -> Iterator[Finding]:
    """Whether the reason to stop follows from the budget; one that differs in its limits only blames the budget."""
    reason = conclusion(Budget.model_validate(case.attributes(budget)), used)
    stated = case.attributes(made).get('value') if made is not None else None
    if reason is None:
        message = f'the campaign stopped ({stated}) although its budget would have allowed another generation'
        yield Finding('budget', budget.uuid, message)
    elif reason != stated:
        kind = 'budget' if _words(reason) == _words(str(stated)) else 'stop_reason'
        message = f'the campaign stopped with {stated!r}, by its budget the reason is {reason!r}'
        yield Finding(kind, budget.uuid if kind == 'budget' else conclude.uuid, message)


def _words(text: str) -> str:
    """A text without its numbers."""
    return re.sub(r'\d[\d.e+-]*', '#', text)
