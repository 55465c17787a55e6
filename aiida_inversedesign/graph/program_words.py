"""What programs, MPI launchers and schedulers wrote when a job failed: the lines that say why. Imports no aiida."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Longest quotation, in characters.
LONGEST = 240

#: Lines by which the system or the scheduler says why a program had to end, most telling first.
_SYSTEM = [
    r'.*DUE TO (?:TIME LIMIT|NODE FAILURE|PREEMPTION|MEMORY LIMIT).*',
    r'.*(?:oom[-_]kill|OOM Killed|Out Of Memory|Exceeded (?:job|step) memory limit|out[- ]of[- ]memory).*',
    r'.*PBS: job killed:.*',
    r'.*TERM_(?:MEMLIMIT|RUNLIMIT|OWNER|ADMIN|CPULIMIT)\b.*',
    r'.*(?:Disk quota exceeded|No space left on device|Stale (?:NFS )?file handle|Read-only file system).*',
    r'.*(?:QOSMax\w+|Assoc(?:iation)?\w*Limit\w*|MaxSubmitJob\w*|Invalid account|job violates accounting).*',
    r'.*(?:sbatch|srun|slurmstepd|qsub|bsub): error: .*',
    r'.*error while loading shared libraries: .*',
    r'.*: (?:command not found|cannot execute binary file|Exec format error|Permission denied|not found)\b.*',
    r'.*(?:Cannot allocate memory|Allocation would exceed memory limit|Error allocating \d+ bytes|bad_alloc).*',
    r'.*Fortran runtime error: .*',
    r'.*forrtl: (?:severe|error) .*',
    r'.*(?:Segmentation fault|SIGSEGV|Illegal instruction|SIGILL|Bus error|Floating point exception|SIGFPE).*',
    r'.*(?:exited on signal \d+ \(|KILLED BY SIGNAL: ).*',
    r'\S*(?:: line \d+: +\d+ )?Killed\b.*',
]

#: What a scheduler's own records say of a job that did not end by itself.
_STATES = {
    'OUT_OF_MEMORY': 'out of memory',
    'TIMEOUT': 'time limit reached',
    'NODE_FAIL': 'node failure',
    'BOOT_FAIL': 'the node did not start',
    'PREEMPTED': 'preempted',
    'CANCELLED': 'cancelled',
    'DEADLINE': 'deadline reached',
}

#: A rule that Open MPI draws around its messages, and beginnings of those that say why nothing was started.
_RULE = re.compile(r'^-{20,}\s*$', re.M)
_NOT_STARTED = re.compile(
    r'\S*(?:mpirun|mpiexec|prterun)\S* (?:was unable|has detected|could not|noticed)|There are not enough slots|'
    r'A request was made to bind|An (?:ORTE|PRTE) daemon|It looks like \S+ failed|Your job has requested more |'
    r'All nodes which are allocated|Could not find executable'
)

#: What other MPI launchers write, and what follows from an error that is reported elsewhere.
_OTHER_MPI = re.compile(
    r'.*(?:execvp error on file|HYDU?\w*_\w+ \(.*\): |unable to (?:launch|find|start)|not enough slots|'
    r'BAD TERMINATION|Abort\(\d+\) on node|application called MPI_Abort).*'
)


def shortened(text: str) -> str:
    """One line of at most ``LONGEST`` characters."""
    text = ' '.join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + '…'


def last_exception(text: str) -> str:
    """The last line of the last Python traceback; empty if there is none."""
    _, header, after = text.rpartition('Traceback (most recent call last)')
    if not header:
        return ''
    # what belongs to the traceback is indented
    lines = (line for line in after.splitlines()[1:] if line.strip() and not line[0].isspace())
    return next(lines, '').strip()


def mpi_message(text: str) -> str:
    """The first meaningful sentence of what an MPI launcher wrote; empty if there is none."""
    blocks = (block.strip() for block in _RULE.split(text))
    lines = (line.strip() for line in text.splitlines())
    sentence = next((block.split('\n\n')[0] for block in blocks if _NOT_STARTED.match(block)), '')
    return sentence or next((line for line in lines if _OTHER_MPI.match(line)), '')


def system_message(text: str) -> str:
    """The line by which the system or the scheduler says why a program ended; empty if there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for pattern in _SYSTEM:
        known = re.compile(pattern)
        for line in lines:
            if known.fullmatch(line):
                return line
    return ''


def scheduler_state(records: str) -> str:
    """What the table of a scheduler's records (``sacct --parsable``) says of a job that did not end by itself."""
    lines = [line.split('|') for line in records.splitlines() if '|' in line]
    if not lines or 'State' not in lines[0]:
        return ''
    column, reasons = lines[0].index('State'), lines[0].index('Reason') if 'Reason' in lines[0] else None
    for row in lines[1:]:
        state = row[column].split()[0] if len(row) > column and row[column].split() else ''
        if state in _STATES:
            reason = row[reasons] if reasons is not None and len(row) > reasons else ''
            return f'{_STATES[state]} ({state})' + (f', {reason}' if reason not in ('', 'None', 'Unknown') else '')
    return ''


def quotation(own: str, output: str, errors: str, scheduler: str, records: str = '') -> str:
    """Why a job failed in the words of its program, its launcher and its scheduler; empty if none of them said it.

    :param own: what the engine of the job found in its output.
    :param output: of the program.
    :param errors: of the program and its launcher.
    :param scheduler: what the scheduler wrote to the job's error stream.
    :param records: the scheduler's own records of the job.
    """
    streams = '\n'.join((errors, scheduler))
    found = own or last_exception(streams) or last_exception(output) or mpi_message('\n'.join((streams, output)))
    why = system_message(scheduler) or system_message(errors) or system_message(output[-5000:])
    state = scheduler_state(records)
    return '; '.join(_distinct([found, why, f'scheduler: {state}' if state else '']))


def _distinct(texts: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for text in map(shortened, filter(None, texts)):
        if not any(text in other or other in text for other in kept):
            kept.append(text)
    return kept
