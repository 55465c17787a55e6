"""YAML as campaign files use it: no references, no tags, and numbers that are what they look like.

Numbers in base 8 (``010``) and 60 (``1:30``) and the words yes, no, on and off of YAML 1.1 are not read as numbers or
truth values; a number that begins with a zero, or has a decimal comma, is an error with its line and key.
"""

from __future__ import annotations

import codecs
import itertools
import math
import re
from dataclasses import dataclass
from typing import Any

import yaml

from aiida_inversedesign.campaign.section import Location
from aiida_inversedesign.campaign.text.number_words import hint
from aiida_inversedesign.campaign.text.problems import Problem
from aiida_inversedesign.errors import InverseDesignError

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


class ValueRefusedError(yaml.constructor.ConstructorError):
    """A value that is read as something else than it looks like."""

    def __init__(self, problem: str, node: yaml.Node) -> None:
        super().__init__(None, None, problem, node.start_mark)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    _refuse_decimal_commas(node)
    for key_node, value_node in node.value:
        _refuse_octal(value_node, str(key_node.value))
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


def _refuse_octal(node: yaml.Node, name: str) -> None:
    """Refuse whole numbers that begin with a zero: YAML 1.1 reads 010 as 8, YAML 1.2 as 10."""
    if isinstance(node, yaml.SequenceNode):
        _refuse_decimal_list(node, name)
        for index, item in enumerate(node.value):
            _refuse_octal(item, f'{name}[{index}]')
    elif isinstance(node, yaml.ScalarNode) and node.style is None and re.fullmatch(r'[-+]?0[0-9_]+', node.value):
        decimal = int(node.value.replace('_', ''))
        raise ValueRefusedError(
            f'{name} = {node.value} begins with a zero: write {decimal}, or "{node.value}" in quotes if it is a text',
            node,
        )


def _refuse_decimal_commas(node: yaml.MappingNode) -> None:
    """Refuse ``{target: 5,47}``: YAML reads a target of 5 and a key 47 without a value."""
    for (key, value), (further, nothing) in itertools.pairwise(node.value):
        if (
            node.flow_style
            and isinstance(value, yaml.ScalarNode)
            and isinstance(further, yaml.ScalarNode)
            and _WHOLE.fullmatch(value.value)
            and further.style is None
            and re.fullmatch(r'\d+(?:[eE][-+]?\d+)?', further.value)
            and isinstance(nothing, yaml.ScalarNode)
            and not nothing.value
        ):
            text = f'{value.value},{further.value}'
            raise ValueRefusedError(f'{key.value} = {text}: {hint(text)}', value)


def _refuse_decimal_list(node: yaml.SequenceNode, name: str) -> None:
    """Refuse ``[0,5, 1,0]``, in which every other comma looks like a decimal one."""
    items = node.value
    if not node.flow_style or len(items) < 4 or len(items) % 2:
        return
    if not all(isinstance(item, yaml.ScalarNode) and _WHOLE.fullmatch(item.value) for item in items):
        return
    gaps = [after.start_mark.index - before.end_mark.index for before, after in itertools.pairwise(items)]
    if all((gap == 1) == (index % 2 == 0) for index, gap in enumerate(gaps)):
        first = f'{items[0].value},{items[1].value}'
        raise ValueRefusedError(
            f'{name} = [{first}, …]: {hint(first)}, or put a blank behind every comma of a list of whole numbers', node
        )


_WHOLE = re.compile(r'[-+]?\d+')


def _real(loader: _Loader, node: yaml.ScalarNode) -> float:
    number: float = yaml.constructor.SafeConstructor.construct_yaml_float(loader, node)
    if math.isinf(number) and 'inf' not in node.value.lower():
        raise ValueRefusedError(f'{node.value} is too large for a number', node)
    return number


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
_Loader.add_constructor('tag:yaml.org,2002:float', _real)


@dataclass(frozen=True)
class YamlText:
    """What a YAML text says, and where.

    :param node: the same as nodes, which know their lines; None of an empty text.
    """

    data: Any
    node: yaml.Node | None

    def line_of(self, location: Location) -> int:
        """The line of a key or of an item of a list, counted from 1; of what is missing that of its section."""
        node, line = self.node, 0
        for part in location:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line


class YamlTextError(InverseDesignError):
    """A text that is not YAML, or has values that are not read as they look.

    :param problem: where and what.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def decoded(content: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 with its byte order mark.

    :raises UnicodeDecodeError: if it is neither.
    """
    sixteen = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode('utf-16' if sixteen else 'utf-8-sig')


def read_yaml(text: str) -> YamlText:
    """The data of a YAML text.

    :raises YamlTextError: if it cannot be read, with the line.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return YamlText(None if node is None else loader.construct_document(node), node)
    except yaml.YAMLError as error:
        raise YamlTextError(_problem(error, text)) from error
    except RecursionError as error:
        raise YamlTextError(Problem('', '', 'nested too deeply for a campaign file')) from error
    except ValueError as error:
        raise YamlTextError(Problem('', '', f'a value cannot be read ({error})')) from error


def _problem(error: yaml.YAMLError, text: str) -> Problem:
    mark = getattr(error, 'problem_mark', None)
    words = str(getattr(error, 'problem', None) or error)
    if isinstance(error, ValueRefusedError) and mark is not None:
        return Problem(f'line {mark.line + 1}', '', words)
    if mark is None:
        before = text[: getattr(error, 'position', 0)]
        return Problem(f'line {before.count(chr(10)) + 1}' if before else '', '', f'not valid YAML: {words}')
    if "'\\t'" in words:
        words = 'a tab where YAML allows only blanks: replace it with blanks'
    # PyYAML counts other ends of lines than Python
    lines = text.splitlines() or ['']
    key = re.match(r'[\s-]*([\w.]+)\s*:', lines[min(mark.line, len(lines) - 1)])
    return Problem(
        f'line {mark.line + 1}, column {mark.column + 1}' + (f' ({key[1]})' if key else ''),
        '',
        f'not valid YAML: {words}',
    )
