"""What every job that runs Python of this package has: options, exit codes, and the last line it wrote."""

from __future__ import annotations

from typing import Any

from aiida.parsers import Parser

from aiida_inversedesign.graph.program_words import quotation
from aiida_inversedesign.processes.earlier_attempts import add_earlier


def define_python_job(spec: Any, output: str) -> None:
    """Declare a serial job with its earlier attempts, and the exit codes 300 and 301 of missing results.

    :param output: name of the file that standard output goes to.
    """
    add_earlier(spec)
    options = spec.inputs['metadata']['options']
    options['resources'].default = lambda: {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
    options['withmpi'].default = False
    options['output_filename'].default = output
    spec.exit_code(300, 'ERROR_NO_RESULTS', message='the job left no results: {reason}', invalidates_cache=True)
    spec.exit_code(
        301,
        'ERROR_UNREADABLE_RESULTS',
        message='the results of the job cannot be read: {reason}',
        invalidates_cache=True,
    )


def last_words(parser: Parser, errors: str) -> str:
    """Why the program ended, in its own words or its scheduler's; else the last line that either wrote.

    :param errors: name of the file that standard error went to.
    """
    repository = parser.retrieved.base.repository
    text = repository.get_object_content(errors) if errors in repository.list_object_names() else ''
    scheduler = parser.node.get_scheduler_stderr() or ''
    if found := quotation('', '', text, scheduler):
        return found
    lines = [*text.strip().splitlines(), *scheduler.strip().splitlines()]
    return lines[-1] if lines else 'it was killed or ran out of wall time'
