"""What several answers to one candidate say together. Imports no aiida."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from aiida_inversedesign.campaign.replicates import mean_of

Kind = Literal['answer', 'replicate', 'correction']
#: An answer to what was open, a further measurement of what was answered, or one instead of what was answered.
KINDS: tuple[Kind, ...] = ('answer', 'replicate', 'correction')


@dataclass(frozen=True)
class Answer:
    """What was said of a candidate at once.

    :param values: of each property ``value``, ``unit`` and, if it is known, ``error`` (standard error).
    :param failed: why it could not be measured; empty if it could.
    :param about: who, with what, and notes: kept, and not used.
    """

    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: str = ''
    kind: Kind = 'answer'
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Combined:
    """What is known of a candidate.

    :param values: of each property the measurements that count, in their order.
    :param failed: why it counts as failed; empty if it does not.
    """

    values: dict[str, list[Mapping[str, Any]]]
    failed: str

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """The wanted properties that have no answer; none of a candidate that failed."""
        return [] if self.failed else [name for name in wanted if name not in self.values]

    def record(self) -> dict[str, dict[str, Any]]:
        """The output ``properties``: means of the measurements with standard errors."""
        return {name: mean_of(items) for name, items in sorted(self.values.items())}


def combine(answers: Iterable[Answer]) -> Combined:
    """What answers to a candidate say, oldest first.

    A correction replaces earlier answers of the properties that it names; one that says that the measurement
    failed replaces everything. A failed replicate changes nothing.
    """
    values: dict[str, list[Mapping[str, Any]]] = {}
    failed = ''
    for answer in answers:
        if answer.failed:
            if answer.kind != 'replicate':
                values, failed = {}, answer.failed
            continue
        if answer.kind == 'correction' or failed:
            failed = ''
            for name in answer.values:
                values.pop(name, None)
        for name, item in answer.values.items():
            values.setdefault(name, []).append(item)
    return Combined(values, failed)


def counts(answers: Sequence[Answer], number: int) -> bool:
    """Whether any of what an answer said is among what is known in the end."""
    answer = answers[number]
    known = combine(answers)
    if answer.failed:
        last = max(index for index, item in enumerate(answers) if item.failed)
        return answer.kind == 'replicate' or (known.failed == answer.failed and number == last)
    return any(item is other for name, item in answer.values.items() for other in known.values.get(name, ()))
