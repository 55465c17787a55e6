"""What became of the evaluations of a generation, in the words of the harvest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm

from aiida_inversedesign.graph.job_record import Cost
from aiida_inversedesign.graph.jobs import jobs_of_generation


def refuse_as_cache(generation: orm.WorkChainNode, evaluations: Iterable[orm.WorkChainNode]) -> None:
    """Keep jobs that failed in these evaluations out of AiiDA's cache, which would replay exit codes from 400 on."""
    for job in jobs_of_generation(generation.pk, [node.pk for node in evaluations]):
        if job.has_failed and not job.cached:
            orm.load_node(job.id).base.caching.is_valid_cache = False


def outcome_of(evaluation: orm.WorkChainNode, cost: Cost | None) -> dict[str, Any]:
    """What became of an evaluation, as the harvest is told: exit status, reason of a failure, and the cost."""
    return {
        'exit_status': evaluation.exit_status if evaluation.is_finished else -1,
        'reason': '' if evaluation.is_finished_ok else failure(evaluation),
        'dft_calculations': cost.dft_calculations if cost else 0,
        'core_hours': cost.core_hours if cost else None,
    }


def failure(node: orm.ProcessNode) -> str:
    """Why a process did not end well, in words."""
    if node.is_killed:
        return 'it was killed before it finished'
    if node.is_excepted:
        return 'it stopped with an internal error: ' + ((node.exception or '').strip().splitlines() or ['unknown'])[-1]
    return node.exit_message or f'it ended with exit code {node.exit_status}'
