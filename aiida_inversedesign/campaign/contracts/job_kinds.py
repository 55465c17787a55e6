"""What the installed engines say of calculation jobs: what one was for, and whether it is charged as DFT."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.engine import JobKind, installed


@functools.lru_cache(maxsize=4)
def _kinds(_: tuple[str, ...]) -> dict[str, list[tuple[re.Pattern[str], JobKind]]]:
    found: dict[str, list[tuple[re.Pattern[str], JobKind]]] = {}
    for engine in installed().values():
        for kind in engine.job_kinds:
            found.setdefault(kind.process_type, []).append((re.compile(kind.path), kind))
    for rules in found.values():
        # a pattern that says something comes before one that takes every path
        rules.sort(key=lambda rule: rule[1].path == JobKind.path)
    return found


def job_kind(process_type: str, path: Iterable[str] = ()) -> JobKind | None:
    """What a calculation job was for, as the installed engines say it, or None if none of them knows.

    :param path: call link labels from the evaluation down to the job.
    """
    return _kind(registry.names('engines'), process_type, '/'.join(path))


@functools.lru_cache(maxsize=4096)
def _kind(names: tuple[str, ...], process_type: str, labels: str) -> JobKind | None:
    rules = _kinds(names).get(process_type, ())
    return next((kind for pattern, kind in rules if pattern.fullmatch(labels)), None)


@functools.lru_cache(maxsize=4)
def _dft_types(_: tuple[str, ...]) -> frozenset[str]:
    return frozenset(kind.process_type for item in installed().values() for kind in item.job_kinds if kind.is_dft)


def is_dft(process_type: str | None) -> bool:
    """Whether jobs of this type are charged to ``budget.dft_calculations``."""
    return process_type in _dft_types(registry.names('engines'))


def job_words() -> dict[str, str]:
    """What each kind of job is called for readers, by its name."""
    return {kind.name: kind.words for engine in installed().values() for kind in engine.job_kinds}
