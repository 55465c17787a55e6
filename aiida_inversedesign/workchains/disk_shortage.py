"""Whether there is disk space left on this machine for another generation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from aiida import orm
from aiida.manage import get_manager

from aiida_inversedesign.processes.disk_space import space_here


def profile_folder() -> Path:
    """Where the loaded profile keeps its files."""
    profile = get_manager().get_profile()
    storage: dict[str, Any] = {} if profile is None else profile.storage_config
    if 'filepath' in storage:
        return Path(storage['filepath'])
    return Path(urlparse(storage.get('repository_uri', '')).path or Path.home())


def shortage(least_gb: float, nodes: Iterable[orm.Node]) -> str | None:
    """Which disk of this machine has less than ``least_gb`` free, in words, or None.

    Other machines would have to be asked through their transport, for which a step of a work chain is too short.

    :param nodes: among them the codes whose computers are looked at.
    """
    folders = [profile_folder()]
    for node in nodes:
        computer = node.computer if isinstance(node, orm.AbstractCode) else None
        if computer is not None and computer.transport_type == 'core.local' and '{' not in computer.get_workdir():
            folders.append(Path(computer.get_workdir()))
    for folder in folders:
        space = space_here(folder)
        if space.free_gb < least_gb:
            return f'too little disk space: {space} (evaluate.free_space_gb {least_gb:g})'
    return None
