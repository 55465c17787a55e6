"""Removing the folders that jobs leave on their computers; what was retrieved stays in the provenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiida.orm import CalcJobNode, RemoteData


def remote_folders(jobs: Iterable[CalcJobNode]) -> list[RemoteData]:
    """The folders of ended jobs that are still there; a cached copy shares that of another job, and is left."""
    return [
        job.outputs.remote_folder
        for job in jobs
        if job.is_terminated
        and not job.base.caching.is_created_from_cache
        and 'remote_folder' in job.outputs
        and not job.outputs.remote_folder.is_cleaned
    ]


def remove_folders(folders: Iterable[RemoteData]) -> tuple[int, list[str]]:
    """Remove folders, with one connection for each computer.

    :returns: how many were removed, and what went wrong, in words.
    """
    computers: dict[str, list[RemoteData]] = defaultdict(list)
    for folder in folders:
        computers[folder.computer.uuid].append(folder)
    removed, problems = 0, []
    for waiting in computers.values():
        try:
            with waiting[0].get_authinfo().get_transport() as transport:
                for folder in waiting:
                    folder._clean(transport=transport)
                    removed += 1
        except Exception as error:  # plug-ins of transports raise whatever they like
            problems.append(f'{waiting[0].computer.label}: {type(error).__name__}: {error}')
    return removed, problems


def is_to_be_cleaned(mode: str, evaluation: Any) -> bool:
    """Whether ``evaluate.clean_workdir`` asks for the folders of an evaluation that has ended."""
    return mode == 'always' or (mode == 'completed' and evaluation.is_finished_ok)
