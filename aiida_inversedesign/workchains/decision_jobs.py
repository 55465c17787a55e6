"""Decisions that run as jobs on another computer, where the campaign names a code for them."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import CalcJob

from aiida_inversedesign.evaluate.options import job_options, wall_seconds
from aiida_inversedesign.workchains.once import OnceWorkChain


def add_codes(spec: Any) -> None:
    """Declare the codes of decisions as optional inputs, by the section of the campaign file that names them."""
    spec.input_namespace(
        'codes',
        dynamic=True,
        valid_type=orm.AbstractCode,
        required=False,
        populate_defaults=False,
        help='Codes of `propose` and `learn`, where these run as jobs.',
    )


def has_code(chain: OnceWorkChain, section: str) -> bool:
    """Whether a section's decision runs as a job."""
    return section in chain.inputs.get('codes', {})


def submit_decision(
    chain: OnceWorkChain, section: str, label: str, job: type[CalcJob], **inputs: Any
) -> orm.CalcJobNode:
    """Submit the job of a section's decision, with the options that the section names."""
    code, settings = chain.inputs.codes[section], chain.inputs.settings[section]
    options = job_options(settings, wall_seconds(settings), code.with_mpi)
    node = chain.submit_once(label, job, code=code, metadata={'options': options}, **inputs)
    chain.report(f'launching {job.__name__}<{node.pk}> on {code.computer.label}')
    return node
