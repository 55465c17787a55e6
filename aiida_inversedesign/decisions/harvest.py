"""The harvest as a calculation: one row of the table for each evaluation that has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Dict

from aiida_inversedesign.campaign.contracts.engine import engine_named
from aiida_inversedesign.campaign.goal import Goal
from aiida_inversedesign.campaign.row import EvaluationRow, is_hit, with_copies
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.campaign.stability import with_stability
from aiida_inversedesign.nodes.contents import content_of
from aiida_inversedesign.nodes.curves import curves_of
from aiida_inversedesign.nodes.pool_data import PoolData
from aiida_inversedesign.nodes.table_data import TableData


@calcfunction
def harvest(
    settings: Dict,
    pool: PoolData,
    outcomes: Dict,
    batch: Dict | None = None,
    table: TableData | None = None,
    references: Dict | None = None,
    **results,
):
    """Add one row for each launched evaluation that has ended to the table.

    :param settings: the campaign file without its budget.
    :param pool: the candidates.
    :param batch: what was chosen and why.
    :param outcomes: for each launched candidate the exit status, the reason of a failure in words, and the cost.
        A failed process leaves no data that could be linked, so that this is its record.
    :param table: the rows so far.
    :param references: energies of the elements, given where the goal names the energy above the hull: it is found
        again for all rows, since a crystal found later can lie below an earlier one.
    :param results: ``properties``, ``relaxed`` and ``curves`` of the completed evaluations, by candidate; with the
        asynchronous schedule ``batches``, several choices instead of one.
    :return: ``table``; with ``references`` also ``stability``, what each energy above the hull was measured against.
    """
    spec = CampaignSettings.model_validate(settings.get_dict())
    goal, kind = spec.goal, spec.space.kind
    rows = table.get_rows() if table else []
    known = {row.candidate for row in rows}
    candidates = {candidate.id: candidate for candidate in pool.get_candidates()}
    results = {'properties': {}, 'batches': {}, **results}
    batches = [batch] if batch else [node for _, node in sorted(results['batches'].items())]
    for generation, choice in ((item['generation'], choice) for item in batches for choice in item['choices']):
        name = choice['candidate']
        if name not in outcomes or name in known:
            continue
        known.add(name)
        outcome = outcomes[name]
        # what is evaluated again need not be of the pool
        origin = next((row for row in rows if row.candidate == choice.get('repeats')), None)
        candidate, content = (origin, origin.proposed) if origin else (candidates[name], candidates[name].content)
        relaxed, curves = (results.get(port, {}).get(name) for port in ('relaxed', 'curves'))
        rows.append(
            EvaluationRow(
                candidate=name,
                generation=generation,
                arm=choice['arm'],
                key=candidate.key,
                proposed=content,
                relaxed=None if relaxed is None else content_of(kind, relaxed),
                predicted={key: tuple(pair) for key, pair in choice['predicted'].items()},
                dft_calculations=outcome['dft_calculations'],
                core_hours=outcome['core_hours'],
                template=candidate.template,
                probability=candidate.probability,
                estimates=candidate.estimates,
                curves={} if curves is None else goal.asked_curves(curves_of(curves)),
                **_outcome(outcome, results['properties'], name, goal),
            )
        )
    if engine_named(spec.evaluate.engine).later:
        rows = [_again(row, outcomes.get(row.candidate), results['properties'], goal) for row in rows]
    rows = with_copies(rows, spec.space.same_result)
    if references is None:
        return {'table': TableData.from_rows(rows, goal, kind)}
    rows, stability = with_stability(rows, references.get_dict(), goal)
    return {'table': TableData.from_rows(rows, goal, kind), 'stability': Dict(stability)}


def _outcome(outcome: Mapping[str, Any], properties: Mapping[str, Any], name: str, goal: Goal) -> dict[str, Any]:
    """What the row of a candidate says of how its evaluation ended, and of what it found if it completed."""
    completed = outcome['exit_status'] == 0
    found = properties[name].get_dict() if completed else {}
    values = {key: entry['value'] for key, entry in found.items()}
    return {
        'status': 'completed' if completed else 'failed',
        'properties': values,
        'errors': {key: entry['error'] for key, entry in found.items() if entry.get('error') is not None},
        # number of measurements and standard deviation of one, of what was measured several times
        'replicates': {key: tuple(entry['replicates']) for key, entry in found.items() if 'replicates' in entry},
        'hit': is_hit(goal, values),
        'reason': outcome['reason'],
        'exit_status': outcome['exit_status'],
    }


def _again(
    row: EvaluationRow, outcome: dict[str, Any] | None, properties: Mapping[str, Dict], goal: Goal
) -> EvaluationRow:
    """A row with what its evaluation, made again, has found; generation, arm and prediction stay."""
    if outcome is None:
        return row
    own = _outcome(outcome, properties, row.candidate, goal)
    return replace(row, copy_of=row.copy_of if own['status'] == 'completed' else None, **own)
