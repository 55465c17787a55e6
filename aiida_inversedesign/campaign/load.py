"""Reading a campaign file: YAML in, a checked :class:`CampaignSpec` or a list of problems out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aiida_inversedesign.campaign.curves.functionals import read_target
from aiida_inversedesign.campaign.earlier import ARCHIVE
from aiida_inversedesign.campaign.files import FileRefusedError, inside, read_bounded
from aiida_inversedesign.campaign.section import Location
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.campaign.text.problems import CampaignFileError, Finding, Problem, findings, problems
from aiida_inversedesign.campaign.text.yaml_text import YamlTextError, decoded, read_yaml
from aiida_inversedesign.errors import InverseDesignError

LineOf = Callable[[Location], int]

#: No campaign file is larger; the limit keeps a wrong path (an archive, a log) from being parsed for minutes.
MAX_BYTES = 250_000

#: Keys that may name a file next to the campaign file, and how such a name ends.
_TABLES = ('.csv', '.csv.gz')
_FILES = (('propose', 'model', ('.npz',)), ('propose', 'library', _TABLES), ('evaluate', 'data', _TABLES))


def read_campaign(path: str | Path) -> CampaignSpec:
    """The checked campaign of a YAML file.

    A file that it names lies in its own folder or below, and is named from there.

    :raises CampaignFileError: if it cannot be read, is not YAML, or does not describe a campaign.
    """
    path = Path(path)
    try:
        text = decoded(read_bounded(path, MAX_BYTES))
    except FileRefusedError as error:
        raise CampaignFileError(str(path), [Problem('', '', str(error))]) from error
    except UnicodeDecodeError as error:
        raise CampaignFileError(str(path), [Problem('', '', f'cannot be read ({error})')]) from error
    data, line_of = _read(text, str(path))
    spec = _checked(data, str(path), path.parent, line_of)

    def seen(name: str) -> str:
        """The file seen from the current folder."""
        return os.path.relpath(inside(path.parent, name))

    for section, key, ending in _FILES:
        name = getattr(getattr(spec, section), key, None)
        if isinstance(name, str) and name.endswith(ending):
            spec = spec.model_copy(update={section: getattr(spec, section).model_copy(update={key: seen(name)})})
    items = [
        item.model_copy(update={'campaign': seen(item.campaign)}) if item.campaign.endswith(ARCHIVE) else item
        for item in spec.learn.earlier
    ]
    if items != spec.learn.earlier:
        spec = spec.model_copy(update={'learn': spec.learn.model_copy(update={'earlier': items})})
    return spec if spec.known is None else spec.model_copy(update={'known': seen(spec.known)})


def parse_campaign(text: str) -> CampaignSpec:
    """The checked campaign of a YAML text.

    :raises CampaignFileError: see :func:`read_campaign`.
    """
    data, line_of = _read(text, 'campaign')
    return _checked(data, 'campaign', None, line_of)


def validate_campaign(data: Mapping[str, Any], source: str = 'campaign') -> CampaignSpec:
    """The checked campaign of plain data.

    :raises CampaignFileError: with one problem for each thing that is wrong.
    """
    return _checked(data, source, None)


def _checked(
    data: Mapping[str, Any], source: str, folder: Path | None, line_of: LineOf = lambda location: 0
) -> CampaignSpec:
    """The campaign of plain data; a file that it names lies in ``folder`` or below, if one is given."""
    spec: CampaignSpec | None = None
    found: list[Finding] = []
    data, unread = (data, []) if folder is None else _with_curves(data, folder)
    try:
        spec = CampaignSpec.model_validate(data)
    except ValidationError as error:
        # one thing is wrong with a file, not two
        found = [item for item in findings(error, data) if item.location not in {other.location for other in unread}]
    found += unread
    if folder is not None:
        found += _unreadable_files(data, folder)
    if found or spec is None:
        raise CampaignFileError(source, problems(found, data, line_of))
    return spec


def _with_curves(data: Mapping[str, Any], folder: Path) -> tuple[Mapping[str, Any], list[Finding]]:
    """The data with the curves of the files that the goal names, and which of them cannot be read."""
    goal = data.get('goal')
    if not isinstance(goal, Mapping):
        return data, []
    found: list[Finding] = []
    lists: dict[str, Any] = {}
    for key in ('objectives', 'constraints'):
        items = goal.get(key)
        if not isinstance(items, list):
            continue
        lists[key] = list(items)
        for index, item in enumerate(items):
            name = item.get('curve') if isinstance(item, Mapping) else None
            if isinstance(name, str):
                try:
                    lists[key][index] = {**item, 'curve': read_target(inside(folder, name)).to_dict()}
                except InverseDesignError as error:
                    found.append(Finding(('goal', key, index, 'curve'), 'value_error', error))
    return {**data, 'goal': {**goal, **lists}}, found


def _unreadable_files(data: Mapping[str, Any], folder: Path) -> list[Finding]:
    """Which of the files that the data name are missing, or may not be read from where they lie."""
    named: list[tuple[Location, Any, str | tuple[str, ...]]] = [(('known',), data.get('known'), '')]
    learn = data.get('learn')
    items = learn.get('from') if isinstance(learn, Mapping) else None
    for index, item in enumerate(items if isinstance(items, list) else []):
        name = item.get('campaign') if isinstance(item, Mapping) else item
        named.append((('learn', 'from', index), name, ARCHIVE))
    for section, key, ending in _FILES:
        given = data.get(section)
        named.append(((section, key), given.get(key) if isinstance(given, dict) else None, ending))
    found = []
    for location, name, endings in named:
        if isinstance(name, str) and name.endswith(endings):
            try:
                # missing archives are reported with all other problems of `learn.from`, which needs a profile
                if not inside(folder, name).exists() and endings != ARCHIVE:
                    raise FileRefusedError(f'there is no file {name!r} in the folder of the campaign file')
            except FileRefusedError as error:
                found.append(Finding(location, 'value_error', error))
    return found


def _read(text: str, source: str) -> tuple[dict[str, Any], LineOf]:
    """The sections of a YAML text, and the line of each location."""
    try:
        read = read_yaml(text)
    except YamlTextError as error:
        raise CampaignFileError(source, [error.problem]) from error
    if not isinstance(read.data, dict):
        kind = 'empty' if read.data is None else f'a {type(read.data).__name__}'
        raise CampaignFileError(
            source, [Problem('', '', f'expected sections such as goal and budget, but it is {kind}')]
        )
    return read.data, read.line_of
