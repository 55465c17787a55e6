"""What a failed job said of itself, read from the files that came back and from its scheduler."""

from __future__ import annotations

from contextlib import suppress

from aiida.orm import CalcJobNode

from aiida_inversedesign.campaign.contracts.engine import installed
from aiida_inversedesign.graph.program_words import quotation, shortened

#: Characters that are read at the end of a file: that is where programs say why they stop.
TAIL = 200_000


def job_words(job: CalcJobNode) -> str:
    """Why a job failed, in the words of its program, its launcher and its scheduler; empty if none of them said it."""
    files = _files(job)
    output = files.pop(job.get_option('output_filename') or '', '')
    errors = '\n'.join(files.values())
    scheduler = job.get_scheduler_stderr() or ''
    texts = [output, errors, scheduler]
    own = next(
        filter(None, (engine.quote(job.process_type or '', text) for text in texts for engine in installed().values())),
        '',
    )
    records = job.get_detailed_job_info() or {}
    return quotation(shortened(own), output, errors, scheduler, records.get('stdout') or '')


def _files(job: CalcJobNode) -> dict[str, str]:
    """The ends of the text files that a job left at top level, by name."""
    if 'retrieved' not in job.outputs:
        return {}
    content = job.outputs.retrieved.base.repository
    wanted = (job.get_option('output_filename'), 'CRASH')
    found = {}
    for name in content.list_object_names():
        if name in wanted or name.endswith(('.err', '.stderr', 'stderr', '.log')):
            with suppress(OSError, UnicodeDecodeError, FileNotFoundError):
                found[name] = content.get_object_content(name, mode='rb')[-TAIL:].decode(errors='replace')
    return found
