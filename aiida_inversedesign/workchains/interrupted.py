"""What an interrupted generation had decided and found, as inputs of the one that goes on with it."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_inversedesign.graph.evaluation_account import AGAIN
from aiida_inversedesign.graph.outcomes import Results
from aiida_inversedesign.processes.attempts import step_of

#: Step → what the newest one of it made, as the generation would have returned it.
_MADE = {'propose': 'pool', 'screen': 'pool', 'references': 'references'}
#: The same for a stream, which harvests and fits all the time.
_MADE_BY_STREAM = {**_MADE, 'harvest': 'table', 'fit': 'surrogate'}


def children(node: orm.WorkChainNode, prefix: str) -> list[orm.ProcessNode]:
    """The called processes whose link label starts with ``prefix``, oldest first."""
    return [child for label, child in _calls(node) if label.startswith(prefix)]


def _calls(node: orm.WorkChainNode) -> list[tuple[str, orm.ProcessNode]]:
    links = node.base.links.get_outgoing(link_type=(LinkType.CALL_WORK, LinkType.CALL_CALC)).all()
    return sorted(((link.link_label, link.node) for link in links), key=lambda pair: pair[1].pk)


def unfinished(campaign: orm.WorkChainNode) -> orm.WorkChainNode | None:
    """The last generation of a campaign, if it had chosen candidates and did not return a table."""
    generations = children(campaign, 'generation_')
    if not generations or 'table' in generations[-1].outputs:
        return None
    last = generations[-1]
    chosen = 'interrupted' in last.inputs or any(node.is_finished_ok for node in children(last, 'select'))
    return last if chosen else None


def inputs_to_go_on(generation: orm.WorkChainNode) -> dict[str, Any]:
    """Inputs of a campaign that goes on with an unfinished generation: the newest state, and ``interrupted``."""
    is_stream = generation.process_label == 'AsynchronousWorkChain'
    made = _MADE_BY_STREAM if is_stream else _MADE
    calls = _calls(generation)
    state = {
        made[step_of(label)]: child.outputs[made[step_of(label)]]
        for label, child in calls
        if step_of(label) in made and isinstance(child, orm.CalculationNode) and child.is_finished_ok
    }
    return {**state, 'interrupted': _of_stream(generation, calls, state) if is_stream else _of_batch(generation, calls)}


def _of_batch(generation: orm.WorkChainNode, calls: list[tuple[str, orm.ProcessNode]]) -> dict[str, Any]:
    """The one batch of a generation: what was chosen, and what has finished."""
    earlier = generation.inputs.interrupted if 'interrupted' in generation.inputs else {}
    if earlier:
        batch, candidates = earlier['batch'], dict(earlier['candidates'])
    else:
        selection = [child for label, child in calls if label == 'select'][-1]
        batch, candidates = selection.outputs.batch, _candidates(selection)
    return {'batch': batch, 'candidates': candidates, **_results(generation, calls, candidates, earlier)}


def _of_stream(
    generation: orm.WorkChainNode, calls: list[tuple[str, orm.ProcessNode]], state: dict[str, Any]
) -> dict[str, Any]:
    """The choices of a stream of which some candidates are not in its table."""
    earlier = generation.inputs.interrupted if 'interrupted' in generation.inputs else {}
    table = state.get('table') or (generation.inputs.table if 'table' in generation.inputs else None)
    known = {row.candidate for row in table.get_rows()} if table is not None else set()
    batches, candidates = dict(earlier.get('batches', {})), dict(earlier.get('candidates', {}))
    for label, child in calls:
        if label == 'select' and child.is_finished_ok:
            batches[f'pk_{child.pk:012d}'] = child.outputs.batch
            candidates |= _candidates(child)
    candidates = {name: node for name, node in candidates.items() if name not in known}
    batches = {
        key: batch
        for key, batch in batches.items()
        if any(choice['candidate'] in candidates for choice in batch['choices'])
    }
    return {'batches': batches, 'candidates': candidates, **_results(generation, calls, candidates, earlier)}


def _candidates(selection: orm.ProcessNode) -> dict[str, orm.Data]:
    return dict(selection.outputs.candidates) if 'candidates' in selection.outputs else {}


def _results(
    generation: orm.WorkChainNode, calls: list[tuple[str, orm.ProcessNode]], names: dict[str, Any], earlier: Any
) -> dict[str, Any]:
    """Outcomes, properties and relaxed crystals of the candidates of these names that have finished."""
    again = {label for label, child in calls if child.description.startswith(AGAIN)}
    wanted = {*names, *again}
    has_harvested = any(label == 'harvest' and child.is_finished_ok for label, child in calls)
    results = Results.of_interrupted(earlier, wanted if has_harvested else None)
    results.add(generation, {label: child for label, child in calls if label in wanted and child.is_finished})
    return {**vars(results), 'outcomes': orm.Dict(results.outcomes)}
