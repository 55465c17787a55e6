"""Free disk space, and what a quota leaves of it. Imports no aiida."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
GB = 1e9


@dataclass(frozen=True)
class Space:
    """What a user can still write.

    :param free_gb: free space, GB.
    :param limit: what limits it: ``disk`` or ``quota``.
    """

    free_gb: float
    limit: str
    folder: str

    def __str__(self) -> str:
        return f'{self.free_gb:.3g} GB free in {self.folder}' + (' (quota)' if self.limit == 'quota' else '')


def space_here(folder: Path) -> Space:
    """The free space of this machine where ``folder`` is or will be."""
    present = folder
    while not present.exists() and present != present.parent:
        present = present.parent
    return Space(shutil.disk_usage(present).free / GB, 'disk', str(folder))


def space_command(folder: str) -> str:
    """A shell command that prints ``df`` and ``quota`` of the nearest folder that exists."""
    return (
        f'd={shlex.quote(folder)}; while [ ! -e "$d" ] && [ "$d" != / ]; do d=$(dirname "$d"); done; '
        'df -Pk "$d"; echo quota; quota -w 2>/dev/null; '
        'command -v lfs >/dev/null 2>&1 && lfs quota -q -u "$(id -un)" "$d" 2>/dev/null; true'
    )


def parse_space(text: str, folder: str) -> Space | None:
    """The free space that the output of :func:`space_command` tells, or None if it tells nothing.

    A quota counts where its line names the file system of the folder, or a folder above it. Both programs print KiB in
    use, the soft and the hard limit, 0 for none; ``*`` marks one that is exceeded. The hard limit is taken where there
    is one, as writing fails there.
    """
    disk, _, quotas = text.partition('\nquota\n')
    rows = [line.split() for line in disk.strip().splitlines()[1:]]
    if not rows or len(rows[-1]) < 6 or not rows[-1][3].isdigit():
        return None
    device, mount = rows[-1][0], rows[-1][5]
    space = Space(int(rows[-1][3]) * KIB / GB, 'disk', folder)
    for line in quotas.splitlines():
        words = line.split()
        numbers = [word.rstrip('*') for word in words[1:4]]
        if len(numbers) < 3 or not all(word.isdigit() for word in numbers):
            continue
        concerned = words[0] in (device, mount) or (words[0] != '/' and f'{folder}/'.startswith(f'{words[0]}/'))
        used, soft, hard = (int(word) for word in numbers)
        limit = hard or soft
        if concerned and limit and (free := max(0, limit - used) * KIB / GB) < space.free_gb:
            space = Space(free, 'quota', folder)
    return space
