"""The folders of earlier attempts of a job, into which a later one looks before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.links import LinkType

from aiida_inversedesign.processes.attempts import ended_with


def add_earlier(spec: Any) -> None:
    """Declare the folders of earlier attempts as optional inputs, by the call link labels of these."""
    spec.input_namespace(
        'earlier',
        dynamic=True,
        valid_type=orm.RemoteData,
        required=False,
        populate_defaults=False,
        help='Folders of earlier attempts that were cut down: one that still runs is waited for and its results taken.',
    )


def paths_of_earlier(inputs: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the program gets about earlier attempts; nothing where there is none."""
    folders = inputs.get('earlier', {})
    return {'earlier_attempts': [folder.get_remote_path() for folder in folders.values()]} if folders else {}


def folders_before(job: orm.CalcJobNode | None, label: str) -> dict[str, dict[str, orm.RemoteData]]:
    """The input of the attempt that follows this job, as keyword argument.

    One whose results could not be read is left out: they would be taken over as they are.

    :param label: call link label of the job.
    """
    if job is None:
        return {}
    folders = dict(job.base.links.get_incoming(link_type=LinkType.INPUT_CALC).nested().get('earlier', {}))
    if 'remote_folder' in job.outputs and not ended_with(job, 'ERROR_UNREADABLE_RESULTS'):
        folders[label] = job.outputs.remote_folder
    return {'earlier': folders} if folders else {}
