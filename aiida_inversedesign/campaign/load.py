"""Reading a campaign file: YAML in, a checked :class:`CampaignSpec` or a list of problems out."""

from __future__ import annotations

import difflib
import functools
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aiida_inversedesign.campaign.files import FileRefusedError, inside, read_bounded
from aiida_inversedesign.campaign.properties import PROPERTIES
from aiida_inversedesign.campaign.spec import CampaignSpec, PropertyError
from aiida_inversedesign.chemistry.formulas import SYMBOLS
from aiida_inversedesign.errors import InverseDesignError

#: No campaign file is larger; the limit keeps a wrong path (an archive, a log) from being parsed for minutes.
MAX_BYTES = 250_000
#: most problems that are told at once
MOST_PROBLEMS = 30


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a campaign file.

    :param path: the key's path, e.g. ``goal.objectives[0].property``; empty for the file as a whole.
    :param value: what stands there, as written.
    :param expected: what should stand there.
    :param nearest: the nearest valid word, or None.
    """

    path: str
    value: str
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        where = self.path or 'campaign file'
        value = f' = {self.value}' if self.value else ''
        hint = f'; did you mean {self.nearest!r}?' if self.nearest else ''
        return f'{where}{value}: {self.expected}{hint}'


class CampaignFileError(InverseDesignError):
    """A campaign file that cannot be used, with every problem found in it."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source, self.problems = source, problems
        super().__init__('\n'.join([f'{source}: {len(problems)} problem(s)', *(f'  {item}' for item in problems)]))


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
    return _find_model(parse_campaign(text, source=str(path)), path)


def _find_model(spec: CampaignSpec, file: Path) -> CampaignSpec:
    """The campaign with the path of its model file, if it names one, seen from the current folder."""
    if not spec.propose.model.endswith('.npz'):
        return spec
    try:
        found = inside(file.parent, spec.propose.model)
    except FileRefusedError as error:
        problem = Problem('propose.model', _show(spec.propose.model), str(error))
        raise CampaignFileError(str(file), [problem]) from error
    propose = spec.propose.model_copy(update={'model': os.path.relpath(found)})
    return spec.model_copy(update={'propose': propose})


def parse_campaign(text: str, source: str = 'campaign') -> CampaignSpec:
    """The checked campaign of a YAML text.

    :raises CampaignFileError: see :func:`read_campaign`.
    """
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
    return validate_campaign(data, source)


def validate_campaign(data: Mapping[str, Any], source: str = 'campaign') -> CampaignSpec:
    """The checked campaign of plain data.

    :raises CampaignFileError: with one problem for each thing that is wrong.
    """
    try:
        spec = CampaignSpec.model_validate(data)
    except ValidationError as error:
        # the text of pydantic's nested errors may repeat the same finding for each member of a union
        found = error.errors(include_url=False)
        problems = list(dict.fromkeys(_problem(item, data) for item in found[:MOST_PROBLEMS]))
        # pydantic looks at the names of properties only where everything else is right
        unknown = islice(_unknown_properties(data), MOST_PROBLEMS)
        problems.extend(problem for problem in unknown if problem not in problems)
        if len(found) > MOST_PROBLEMS:
            problems.append(Problem('', '', f'{len(found) - MOST_PROBLEMS} further problems; only the first are shown'))
        raise CampaignFileError(source, problems) from error
    return spec


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, 'problem_mark', None)
    where = f'line {mark.line + 1}, column {mark.column + 1}' if mark else ''
    return Problem(where, '', f'not valid YAML: {getattr(error, "problem", None) or error}')


def _path(location: Iterable[int | str]) -> str:
    text = ''
    for part in location:
        text += f'[{part}]' if isinstance(part, int) else f'.{part}' if text else str(part)
    return text


def _nearest(word: object, words: Iterable[str]) -> str | None:
    matches = difflib.get_close_matches(str(word), list(words), n=1, cutoff=0.5)
    return matches[0] if matches else None


def _show(value: object) -> str:
    if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
        text = str(value)
    else:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + '…'


@functools.cache
def _schema() -> dict[str, Any]:
    return CampaignSpec.model_json_schema()


def _keys_at(location: Iterable[int | str]) -> list[str]:
    """The keys that the schema allows in the section at ``location``."""
    schema = _schema()
    definitions = schema['$defs']

    def resolve(node: dict[str, Any]) -> dict[str, Any]:
        sections = [item for item in node.get('anyOf', ()) if '$ref' in item]
        if len(sections) == 1:
            # a section that may be left out: it, or null
            return resolve(sections[0])
        return resolve(definitions[node['$ref'].split('/')[-1]]) if '$ref' in node else node

    node = schema
    for part in location:
        if isinstance(part, int):
            node = resolve(node.get('items', {}))
        elif 'discriminator' in node:
            node = resolve({'$ref': node['discriminator']['mapping'].get(part, '')})
        else:
            node = resolve(node.get('properties', {}).get(part, {}))
    return list(node.get('properties', {}))


def _problem(error: Any, data: Mapping[str, Any]) -> Problem:
    kind, location, context = error['type'], tuple(error['loc']), error.get('ctx', {})
    cause = context.get('error')
    if isinstance(cause, PropertyError):
        return next(problem for problem in _unknown_properties(data) if problem.value == _show(cause.name))
    # the tag of a discriminated union (the engine's name) is a step of pydantic's path, not of the file
    shown = _path(part for index, part in enumerate(location) if not (index == 1 and location[0] == 'evaluate'))
    value = '' if kind == 'missing' or error['input'] is data else _show(error['input'])
    if kind == 'extra_forbidden':
        allowed = _keys_at(location[:-1])
        if location[:2] == ('goal', 'constraints') and location[-1] in _keys_at(('goal', 'composition', 0)):
            return Problem(shown, value, 'unknown key; limits on the formula itself stand in goal.composition')
        return Problem(shown, value, f'unknown key; expected {", ".join(allowed)}', _nearest(location[-1], allowed))
    if kind == 'missing':
        return Problem(shown, '', 'is missing and has no default')
    if kind in ('union_tag_invalid', 'union_tag_not_found'):
        engines = ['quantumespresso', 'ase', 'table']
        tag = context.get('tag', '')
        return Problem(
            'evaluate.engine', _show(tag) if tag else '', f'expected {", ".join(engines)}', _nearest(tag, engines)
        )
    if kind == 'literal_error':
        words = [word.strip("'") for word in str(context['expected']).replace(' or ', ', ').split(', ')]
        return Problem(shown, value, f'expected {context["expected"]}', _nearest(error['input'], words))
    if kind == 'value_error' and location[-1:] in (('element',), ('elements',), ('forbidden',)):
        named = [error['input']] if isinstance(error['input'], str) else error['input']
        wrong = [item for item in named if item not in SYMBOLS]
        return Problem(shown, value, str(cause), _nearest(str(wrong[0]).capitalize(), SYMBOLS) if wrong else None)
    message = str(cause) if kind == 'value_error' else error['msg'][0].lower() + error['msg'][1:]
    return Problem(shown, value if kind != 'value_error' or not isinstance(error['input'], dict) else '', message)


def _unknown_properties(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each property of the goal that nothing knows, as far as the data have the right shape."""
    goal, engine = data.get('goal'), data.get('evaluate')
    units = engine.get('units') if isinstance(engine, dict) and engine.get('engine') == 'table' else None
    declarable = isinstance(engine, dict) and engine.get('engine') == 'table'
    known = sorted({*PROPERTIES, *(units if isinstance(units, dict) else ())})
    for section in ('objectives', 'constraints'):
        items = goal.get(section) if isinstance(goal, dict) else None
        for index, item in enumerate(items if isinstance(items, list) else []):
            name = item.get('property') if isinstance(item, dict) else None
            if isinstance(name, str) and name not in known:
                error = PropertyError(name, known, declarable)
                yield Problem(f'goal.{section}[{index}].property', _show(name), str(error), _nearest(name, known))
