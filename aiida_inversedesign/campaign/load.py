"""Reading a campaign file: YAML in, a checked :class:`CampaignSpec` or a list of problems out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aiida_inversedesign.campaign.files import FileRefusedError, inside, read_bounded
from aiida_inversedesign.campaign.problems import CampaignFileError, Finding, Problem, findings, problems
from aiida_inversedesign.campaign.spec import CampaignSpec

#: No campaign file is larger; the limit keeps a wrong path (an archive, a log) from being parsed for minutes.
MAX_BYTES = 250_000

#: Keys that may name a file beside the campaign file, and how such a name ends.
_FILES = (('propose', 'model', '.npz'), ('propose', 'library', '.csv'), ('evaluate', 'data', '.csv'))

#: control characters but tab and line feed, directional formatting and halves of surrogate pairs
_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]')


class _Loader(yaml.SafeLoader):
    """YAML without tags that build objects, references, and keys that silently replace each other."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse references: a few lines of them can stand for billions of values."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, f'references such as *{event.anchor} are not read: write the value out', event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_scalar(self, node: Any) -> Any:
        """Refuse characters that no terminal, database or job script should be given."""
        text = super().construct_scalar(node)
        if isinstance(text, str) and _CONTROL.search(text):
            raise yaml.constructor.ConstructorError(None, None, 'control characters are not allowed', node.start_mark)
        return text


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        try:
            repeated = key in keys
            keys.add(key)
        except TypeError as error:
            raise yaml.constructor.ConstructorError(
                None, None, 'a key must be a word, not a list or a mapping', key_node.start_mark
            ) from error
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f'the key {key!r} is given twice in the same section', key_node.start_mark
            )
    return loader.construct_mapping(node, deep=True)


def _plain_resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """PyYAML's rules for plain words, less those that read ``2:1`` as 121 and ``NO`` as false (YAML 1.1)."""
    number = re.compile(r'[-+]?[0-9][0-9_]*$')
    real = re.compile(
        r'[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$'
    )
    truth = re.compile(r'(true|True|TRUE|false|False|FALSE)$')
    kept = {
        first: [
            (tag, rule)
            for tag, rule in rules
            if tag.rsplit(':', 1)[-1] not in ('int', 'float', 'bool', 'timestamp', 'merge', 'value')
        ]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, rule, starts in (
        ('int', number, '-+0123456789'),
        ('float', real, '-+.0123456789'),
        ('bool', truth, 'tTfF'),
    ):
        for first in starts:
            kept.setdefault(first, []).append((f'tag:yaml.org,2002:{tag}', rule))
    return kept


_Loader.yaml_implicit_resolvers = _plain_resolvers()
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_campaign(path: str | Path) -> CampaignSpec:
    """The checked campaign of a YAML file.

    A file that it names lies in its own folder or below, and is named from there.

    :raises CampaignFileError: if it cannot be read, is no YAML, or does not describe a campaign.
    """
    path = Path(path)
    try:
        text = read_bounded(path, MAX_BYTES).decode('utf-8')
    except FileRefusedError as error:
        raise CampaignFileError(str(path), [Problem('', '', f'{error}: not a campaign file')]) from error
    except UnicodeDecodeError as error:
        raise CampaignFileError(str(path), [Problem('', '', f'cannot be read ({error})')]) from error
    spec = _checked(_read(text, str(path)), str(path), path.parent)
    for section, key, ending in _FILES:
        name = getattr(getattr(spec, section), key, None)
        if isinstance(name, str) and name.endswith(ending):
            # seen from the current folder
            found = os.path.relpath(inside(path.parent, name))
            spec = spec.model_copy(update={section: getattr(spec, section).model_copy(update={key: found})})
    return spec


def parse_campaign(text: str, source: str = 'campaign') -> CampaignSpec:
    """The checked campaign of a YAML text.

    :raises CampaignFileError: see :func:`read_campaign`.
    """
    return validate_campaign(_read(text, source), source)


def validate_campaign(data: Mapping[str, Any], source: str = 'campaign') -> CampaignSpec:
    """The checked campaign of plain data.

    :raises CampaignFileError: with one problem for each thing that is wrong.
    """
    return _checked(data, source, None)


def _checked(data: Mapping[str, Any], source: str, folder: Path | None) -> CampaignSpec:
    """The campaign of plain data; a file that it names lies in ``folder`` or below, if one is given."""
    spec, found = None, []
    try:
        spec = CampaignSpec.model_validate(data)
    except ValidationError as error:
        found = findings(error, data)
    if folder is not None:
        found += _misplaced_files(data, folder)
    if found or spec is None:
        raise CampaignFileError(source, problems(found, data))
    return spec


def _misplaced_files(data: Mapping[str, Any], folder: Path) -> list[Finding]:
    found = []
    for section, key, ending in _FILES:
        given = data.get(section)
        name = given.get(key) if isinstance(given, dict) else None
        if isinstance(name, str) and name.endswith(ending):
            try:
                inside(folder, name)
            except FileRefusedError as error:
                found.append(Finding((section, key), 'value_error', error))
    return found


def _read(text: str, source: str) -> dict[str, Any]:
    """The sections of a YAML text."""
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise CampaignFileError(source, [_yaml_problem(error)]) from error
    except RecursionError as error:
        raise CampaignFileError(source, [Problem('', '', 'nested too deeply for a campaign file')]) from error
    except ValueError as error:
        raise CampaignFileError(source, [Problem('', '', f'a value cannot be read ({error})')]) from error
    if not isinstance(data, dict):
        kind = 'empty' if data is None else f'a {type(data).__name__}'
        raise CampaignFileError(
            source, [Problem('', '', f'expected sections such as goal and budget, but it is {kind}')]
        )
    return data


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, 'problem_mark', None)
    where = f'line {mark.line + 1}, column {mark.column + 1}' if mark else ''
    return Problem(where, '', f'not valid YAML: {getattr(error, "problem", None) or error}')
