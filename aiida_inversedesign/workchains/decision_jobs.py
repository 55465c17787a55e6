"""Decisions that run as jobs on another computer, where the campaign names a code for them."""

from __future__ import annotations

import operator
from typing import Any

from aiida import orm
from aiida.engine import CalcJob

from aiida_inversedesign.engines.common.options import job_options, wall_seconds
from aiida_inversedesign.nodes.settings import settings_of
from aiida_inversedesign.processes.attempts import attempt_label, ended_with, is_due, was_cut_down
from aiida_inversedesign.processes.earlier_attempts import folders_before
from aiida_inversedesign.processes.idempotent import IdempotentWorkChain

#: The step of a generator; the call link labels of its jobs begin with it.
GENERATE = 'generate'
#: Step of a generation → the section of the campaign file that names its code and options, and where the context has
#: its last run.
_SECTIONS = {
    GENERATE: 'propose.external',
    'propose': 'propose',
    'fit': 'learn',
    'fit_known': 'learn',
    'screen': 'screen',
}
_RUNS = {GENERATE: 'generator', 'propose': 'proposal', 'fit': 'fitted', 'fit_known': 'fitted_known'}


def add_codes(spec: Any) -> None:
    """Declare the codes of decisions as optional inputs, by the section of the campaign file that names them."""
    spec.input_namespace(
        'codes',
        dynamic=True,
        valid_type=orm.AbstractCode,
        required=False,
        populate_defaults=False,
        help='Codes of `propose`, its generator, and `learn`, where these run as jobs.',
    )


def has_code(chain: IdempotentWorkChain, section: str) -> bool:
    """Whether a section's decision runs as a job."""
    return _port(section) in chain.inputs.get('codes', {})


def _port(section: str) -> str:
    """The name of a section's code among the inputs: ``external`` of ``propose.external``."""
    return section.rpartition('.')[2]


def decision_is_due(chain: IdempotentWorkChain, step: str) -> bool:
    """Whether a decision has not been made yet, or its job was cut down by its machine and may be submitted again.

    :param step: ``generate``, ``propose``, ``fit`` or ``fit_known``.
    """
    return is_due(chain.ctx.get(_RUNS[step]), chain.ctx.get(f'{step}_attempts', 0))


def submit_decision(
    chain: IdempotentWorkChain, step: str, job: type[CalcJob], seconds: int | None = None, **inputs: Any
) -> orm.CalcJobNode:
    """Submit the job of a decision, with the options that its section names.

    One that was cut down is submitted again as ``propose_attempt_2``, ``fit_attempt_2``, and so on.

    :param seconds: most wall time, where the budget allows less than the section.
    """
    section, number = _SECTIONS[step], chain.ctx.get(f'{step}_attempts', 0) + 1
    code = chain.inputs.codes[_port(section)]
    settings = operator.attrgetter(section)(settings_of(chain.inputs.settings)).model_dump(mode='json')
    longest = wall_seconds(settings)
    options = job_options(settings, longest if seconds is None else min(seconds, longest), code.with_mpi)
    cut_down = chain.ctx.get(_RUNS[step])
    if cut_down is not None:
        chain.report(f'{_location(cut_down)} was cut down: {cut_down.exit_message}')
        inputs |= folders_before(cut_down, attempt_label(step, number - 1))
    node = chain.submit_once(attempt_label(step, number), job, code=code, metadata={'options': options}, **inputs)
    chain.ctx[f'{step}_attempts'] = number
    chain.report(f'launching {job.__name__}<{node.pk}> on {code.computer.label}')
    return node


def explain_job(chain: IdempotentWorkChain, job: orm.CalcJobNode, reason: str) -> str:
    """Why the job of a decision failed, where it ran, and what can be done.

    :param reason: in words, as its exit message says it.
    """
    step = {'ProposeCalculation': 'propose', 'PotentialCalculation': 'screen'}.get(job.process_label or '', 'fit')
    attempts, words = chain.ctx.get(f'{step}_attempts', 1), reason.rstrip('.')
    words += f' (after {attempts} attempts, the last as {_location(job)})' if attempts > 1 else f' ({_location(job)})'
    if was_cut_down(job):
        return f'{words}; see whether nodes, scheduler and disk of that computer are in order'
    if ended_with(job, 'ERROR_SCHEDULER_OUT_OF_MEMORY', 'ERROR_SCHEDULER_OUT_OF_WALLTIME', 'ERROR_NO_RESULTS'):
        options = f'{_SECTIONS[step]}.options'
        return f'{words}; raise {options}.max_wallclock_seconds or {options}.max_memory_gb in the campaign file'
    return words


def _location(job: orm.CalcJobNode) -> str:
    """A job by its scheduler's number, its computer and its folder there."""
    number = f'job {job.get_job_id()}' if job.get_job_id() else 'a job that was never submitted'
    return f'{number} on {job.computer.label} in {job.get_remote_workdir() or "no folder"}'
