"""Command lines that set up what is missing: complete, to be copied. Imports no aiida."""

from __future__ import annotations

import shlex
import shutil
import sys

#: Executable of a code by the calculation it is for; of others the user knows it.
_EXECUTABLES = {f'quantumespresso.{name}': f'{name}.x' for name in ('pw', 'dos', 'projwfc')}


def code_command(plugin: str, label: str = '', is_here: bool = True) -> str:
    """The command that makes a code.

    :param plugin: entry point of the calculation it is for.
    :param label: as a campaign file names it: ``label@computer``, or without the computer.
    :param is_here: whether its computer is this machine, whose executable is then named.
    """
    program = _EXECUTABLES.get(plugin, 'python' if plugin.startswith('inversedesign.') else '')
    name, _, computer = label.partition('@')
    here = sys.executable if program == 'python' else shutil.which(program) if program else None
    path = here if is_here and here else f'/path/to/{program or "executable"}'
    words = [
        *('verdi', 'code', 'create', 'core.code.installed', '--non-interactive'),
        *('--label', name or program.partition('.')[0] or 'code', '--computer', computer or 'localhost'),
        *('--filepath-executable', path, '--default-calc-job-plugin', plugin),
        *(('--no-with-mpi',) if program == 'python' else ()),
    ]
    return shlex.join(words)


def computer_command(label: str) -> str:
    """The commands that make a computer of this machine, without a scheduler."""
    name = shlex.quote(label)
    return (
        f'verdi computer setup --non-interactive --label {name} --hostname localhost --transport core.local '
        f'--scheduler core.direct --work-dir /tmp/aiida-{name} && '
        f'verdi computer configure core.local {name} --non-interactive --safe-interval 0'
    )
