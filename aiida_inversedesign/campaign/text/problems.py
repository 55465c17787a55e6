"""What is wrong with a campaign file, in words: all of it at once, each with its location, in the order of the file."""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from aiida_inversedesign.campaign.consistency import unknown_property
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import WITHOUT_PACKAGE, find, installed, missing
from aiida_inversedesign.campaign.section import ContradictionError, Location
from aiida_inversedesign.campaign.spec import CampaignSpec
from aiida_inversedesign.campaign.text.number_words import hint
from aiida_inversedesign.errors import InverseDesignError

#: most problems that are shown at once
MOST_PROBLEMS = 30

#: Where a list of valid words begins.
_LIST = re.compile(r'[;:] (expected|installed are)(?= )')


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a campaign file.

    :param path: the key's path, e.g. ``goal.objectives[0].property``; empty for the file as a whole.
    :param value: what stands there, as written.
    :param nearest: the nearest valid word, or None.
    :param line: its line in the file, counted from 1; 0 if that is not known.
    """

    path: str
    value: str
    expected: str
    nearest: str | None = None
    line: int = 0

    def __str__(self) -> str:
        where = self.path or 'campaign file'
        value = f' = {self.value}' if self.value else ''
        line = f' (line {self.line})' if self.line else ''
        if not self.nearest:
            return f'{where}{value}: {self.expected}{line}'
        # the suggestion stands before the list of valid words, which may be long
        cut = _LIST.search(self.expected)
        said = self.expected[: cut.start()] if cut else self.expected
        words = f' {cut[1].capitalize()}{self.expected[cut.end() :]}' if cut else ''
        return f'{where}{value}: {said}; did you mean {self.nearest!r}?{words}{line}'


class CampaignFileError(InverseDesignError):
    """A campaign file that cannot be used, with every problem found in it."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source, self.problems = source, problems
        super().__init__(
            '\n'.join(
                [
                    f'{source}: {len(problems)} problem{"s" if len(problems) > 1 else ""}',
                    *(f'  {item}' for item in problems),
                ]
            )
        )


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, before it is put into words.

    :param location: where, as a path in the file.
    :param cause: the error of our own checks, if it is one.
    """

    location: Location
    kind: str
    cause: Exception | None = None
    message: str = ''
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def says(self) -> str:
        """What is wrong."""
        return str(self.cause) if self.cause is not None else self.message[:1].lower() + self.message[1:]


def findings(error: ValidationError, data: Mapping[str, Any]) -> list[Finding]:
    """Everything that is wrong with a file that was refused.

    Where a section is wrong by itself, pydantic does not hold the others against each other; here they are.
    """
    found = [_finding(item) for item in error.errors(include_url=False)]
    broken = {str(part) for item in found for part in item.location[:1]}
    between = CampaignSpec.contradictions_in(data, broken)
    found += [Finding(item.location, 'value_error', item) for item in between]
    return [*found, *_unknown_properties(data)]


def _finding(item: Any) -> Finding:
    location, context = tuple(item['loc']), item.get('ctx', {})
    # the tag of a discriminated union (the engine's name) is a step of pydantic's path, not of the file
    if location[:1] == ('evaluate',) and location[1:2] and location[1] in installed():
        location = (location[0], *location[2:])
    if location[:1] == ('space',) and location[1:2] and location[1] in registry.names('spaces'):
        location = (location[0], *location[2:])
    if location[:2] == ('propose', 'sources') and location[2:3] in (('shares',), ('learned',)):
        location = (*location[:2], *location[3:])
    if location[:2] == ('evaluate', 'arguments') and len(location) > 3:
        # a value of none of the types that it may have: pydantic tells it of each
        return Finding(
            location[:3], 'value_error', ContradictionError('expected a number, a single word, true or false')
        )
    return Finding(location, item['type'], context.get('error'), item['msg'], context)


def _unknown_properties(data: Mapping[str, Any]) -> Iterator[Finding]:
    """A finding for each property of the goal that nothing knows, as far as the data have the right shape."""
    goal, engine = data.get('goal'), data.get('evaluate')
    settings = engine if isinstance(engine, dict) else {}
    known, units = find(settings.get('engine')), None
    if known is not None and known.looks_up:
        units = settings['units'] if isinstance(settings.get('units'), dict) else {}
    for section in ('objectives', 'constraints'):
        items = goal.get(section) if isinstance(goal, dict) else None
        for index, item in enumerate(items if isinstance(items, list) else []):
            # the axes of functions are checked with their engine
            is_scalar = isinstance(item, dict) and item.get('functional') is None
            name = item.get('property') if is_scalar else None
            error = unknown_property(name, units) if isinstance(name, str) else None
            if error is not None:
                yield Finding(('goal', section, index, 'property'), 'value_error', error)


def problems(
    found: Iterable[Finding], data: Mapping[str, Any], line_of: Callable[[Location], int] = lambda location: 0
) -> list[Problem]:
    """What was found in words, in the order of the file; of very many the first.

    :param line_of: the line of a location, 0 if that is not known.
    """
    # checks that see the same from two sides repeat a finding
    unique = {(item.location, item.says): item for item in found}.values()
    ordered = sorted(unique, key=_Order(data).of)
    shown = [replace(_problem(item, data), line=line_of(item.location)) for item in ordered[:MOST_PROBLEMS]]
    if len(ordered) > MOST_PROBLEMS:
        shown.append(Problem('', '', f'{len(ordered) - MOST_PROBLEMS} further problems; only the first are shown'))
    return shown


class _Order:
    """The order of a file: how many keys or items stand before each one on the way to a location."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        # a section of very many wrong keys is numbered once
        self._numbers: dict[int, dict[Any, int]] = {}

    def of(self, finding: Finding) -> tuple[float, ...]:
        """The position of a finding; what is missing stands at the end of its section."""
        position: list[float] = []
        value: Any = self._data
        for part in finding.location:
            if isinstance(value, Mapping) and part in value:
                numbers = self._numbers.setdefault(id(value), {})
                if not numbers:
                    numbers.update((key, number) for number, key in enumerate(value))
                position.append(numbers[part])
            else:
                position.append(part if isinstance(part, int) and isinstance(value, list) else math.inf)
            value = _below(value, part)
        return tuple(position)


#: What stands where nothing stands.
_NOTHING: Any = object()


def _below(value: Any, part: Any) -> Any:
    try:
        return value[part] if isinstance(value, Mapping | list) else _NOTHING
    except (LookupError, TypeError):
        return _NOTHING


def _path(location: Iterable[int | str]) -> str:
    text = ''
    for part in location:
        if part != _KEY:
            text += f'[{part}]' if isinstance(part, int) else f'.{part}' if text else str(part)
    return text


#: The last step of pydantic's path to a key that is wrong, where keys are words of a list.
_KEY = '[key]'


def _nearest(word: object, words: Iterable[str]) -> str | None:
    """The word that was meant, or None."""
    known = {known.lower(): known for known in words}
    given = str(word).lower()
    # `ei` means `log_ei` rather than `pi`
    parts = [name for name in known if given in name.split('_')]
    matches = parts or difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return known[min(matches, key=len)] if matches else None


def _show(value: object) -> str:
    if value is None or isinstance(value, bool):
        # as YAML writes it
        return {None: 'null', True: 'true', False: 'false'}[value]
    if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
        text = str(value)
    else:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + '…'


@functools.cache
def _schema() -> dict[str, Any]:
    return CampaignSpec.model_json_schema()


def _keys_at(location: Iterable[int | str], data: Any) -> list[str]:
    """The keys that the schema allows in the section at ``location`` of a file's data; empty where that is unknown."""
    node, value = _resolved(_schema(), data), data
    for part in location:
        value = _below(value, part)
        items = node.get('items') if isinstance(part, int) else node.get('properties', {}).get(part)
        # sections by a name of the user's, such as variables
        patterns = [*node.get('patternProperties', {}).values(), node.get('additionalProperties')]
        node = _resolved(items or patterns[0], value)
    return list(node.get('properties', {}))


def _resolved(section: Any, value: Any) -> dict[str, Any]:
    """The schema of a section. Of several (engines, kinds of space, a section or null) the one that ``value`` means."""
    if not isinstance(section, dict):
        return {}
    node: dict[str, Any] = section
    if '$ref' in node:
        node = _schema()['$defs'][node['$ref'].split('/')[-1]]
    branches = [_resolved(item, value) for item in node.get('anyOf') or node.get('oneOf') or () if '$ref' in item]
    if not branches:
        return node
    keys = value if isinstance(value, Mapping) else {}

    def fits(branch: dict[str, Any]) -> int:
        allowed = branch.get('properties', {})
        # the name of an engine or the kind of a space
        if any('const' in allowed[key] and allowed[key]['const'] != keys[key] for key in keys if key in allowed):
            return -1
        return sum(key in allowed for key in keys)

    best = max(branches, key=fits)
    return best if fits(best) >= 0 else {}


def _sections_of(key: int | str, location: Sequence[int | str], data: Any) -> list[str]:
    """The sections that allow a key, themselves or in their entries: within this one, else within the next larger."""
    for depth in range(len(location), -1, -1):
        around = location[:depth]
        found = [
            _path((*around, name))
            for name in _keys_at(around, data)
            if any(key in _keys_at((*around, name, *entry), data) for entry in ((), (0,)))
        ]
        if found:
            return found
    return []


def _problem(finding: Finding, data: Mapping[str, Any]) -> Problem:
    value = functools.reduce(_below, finding.location, data)
    # a section whose values do not go together is not written out again
    hidden = value is _NOTHING or value is data or (finding.kind == 'value_error' and isinstance(value, dict))
    location, shown = _path(finding.location), '' if hidden else _show(value)
    if finding.kind == 'extra_forbidden':
        *here, key = finding.location
        allowed = _keys_at(here, data)
        if finding.location[:2] == ('goal', 'constraints') and key in _keys_at(('goal', 'composition', 0), data):
            return Problem(location, shown, 'unknown key; limits on the formula itself belong in goal.composition')
        nearest = _nearest(key, allowed)
        if nearest is None and (sections := _sections_of(key, here, data)):
            return Problem(location, shown, f'unknown key here: it belongs to {" or ".join(sections)}')
        expected = f'; expected {", ".join(allowed)}' if allowed else ''
        return Problem(location, shown, f'unknown key{expected}', nearest)
    if finding.kind == 'missing':
        return Problem(location, '', 'is missing and has no default')
    if finding.kind in ('union_tag_invalid', 'union_tag_not_found') and location.startswith('space'):
        tag = str(finding.context.get('tag', ''))
        says = registry.not_installed('spaces', tag, hint=False)
        return Problem('space.kind', _show(tag), says, _nearest(tag, registry.names('spaces')))
    if finding.kind in ('union_tag_invalid', 'union_tag_not_found'):
        tag = finding.context.get('tag', '')
        engines = list(installed())
        nearest = _nearest(tag, engines) if tag and str(tag).lower() not in WITHOUT_PACKAGE else None
        expected = missing(str(tag)) if tag and nearest is None else f'expected {", ".join(engines)}'
        return Problem('evaluate.engine', _show(tag) if tag else '', expected, nearest)
    if finding.kind == 'literal_error':
        expected = str(finding.context['expected'])
        words = [word.strip("'") for word in expected.replace(' or ', ', ').split(', ')]
        wrong = finding.location[-2] if finding.location[-1] == _KEY else value
        return Problem(location, shown, f'expected {expected}', _nearest(wrong, words))
    if finding.kind in ('int_parsing', 'float_parsing') and isinstance(value, str) and (words := hint(value)):
        return Problem(location, shown, f'expected a number: {words}')
    meant = finding.cause.words if isinstance(finding.cause, ContradictionError) else ()
    return Problem(location, shown, finding.says, _nearest(value, meant) if meant else None)
