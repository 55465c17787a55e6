"""What the processes below a work chain cost and why they failed."""

from __future__ import annotations

from collections.abc import Iterator

from aiida.orm import CalcJobNode, ProcessNode, WorkChainNode

from aiida_inversedesign.graph.failure_reasons import failure_reason, with_attempts
from aiida_inversedesign.graph.job_words import job_words
from aiida_inversedesign.graph.jobs import WITH_WALL_TIME


def jobs_below(node: WorkChainNode) -> Iterator[CalcJobNode]:
    """The calculation jobs below a work chain, in the order they were launched; cached copies are left out."""
    for child in sorted(node.called, key=lambda child: child.pk):
        if isinstance(child, CalcJobNode):
            if not child.base.caching.is_created_from_cache:
                yield child
        elif isinstance(child, WorkChainNode):
            yield from jobs_below(child)


def core_seconds(job: CalcJobNode) -> float:
    """Processes × wall time of a job; where the code recorded none, what it was granted or its lifetime if shorter."""
    resources = job.get_option('resources') or {}
    processes = resources.get('num_machines', 1) * resources.get('num_mpiprocs_per_machine', 1)
    recorded = (job.outputs[name].get_dict() for name in WITH_WALL_TIME if name in job.outputs)
    seconds = next((item['wall_time_seconds'] for item in recorded if item.get('wall_time_seconds')), None)
    if not seconds:
        lifetime = (job.mtime - job.ctime).total_seconds()
        seconds = min(job.get_option('max_wallclock_seconds') or lifetime, lifetime)
    return float(processes * seconds)


def explain(node: ProcessNode) -> str:
    """Why a process failed, in plain words: the reason of the last process below it that did not end well."""
    children = [child for child in node.called if isinstance(child, WorkChainNode | CalcJobNode)]
    failed = [child for child in sorted(children, key=lambda child: child.pk) if not child.is_finished_ok]
    if failed and isinstance(failed[-1], WorkChainNode):
        return explain(failed[-1])
    culprit = failed[-1] if failed else node
    state = 'killed' if culprit.is_killed else 'excepted' if culprit.is_excepted else 'finished'
    reason = failure_reason(
        culprit.process_type,
        culprit.exit_status,
        culprit.exit_message,
        state,
        culprit.exception or '',
        culprit.process_label or 'it',
        job_words(culprit) if isinstance(culprit, CalcJobNode) and culprit.is_finished else '',
    )
    return with_attempts(reason, len(failed))
