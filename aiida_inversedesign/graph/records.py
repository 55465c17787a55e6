"""What nodes say of themselves, as plain values. Imports no aiida."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SurrogateRecord:
    """The surrogate that a generation's evaluations taught.

    :param kind: as the campaign file asked for it. :param models: kind of model of each property.
    :param rows: number of training rows of each property.
    :param earlier: by property how earlier campaigns changed its predictions; empty where it learned from none.
    """

    uuid: str
    kind: str
    models: dict[str, str]
    rows: dict[str, int]
    earlier: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LibraryRecord:
    """A library as its node describes it.

    :param sources: licence and number of templates of each source.
    """

    label: str
    uuid: str
    count: int
    hash: str
    sources: dict[str, Any]


@dataclass(frozen=True)
class ScreeningJob:
    """A job in which a potential looked at candidates.

    :param candidates: how many it came to an end with.
    :param core_hours: threads × wall time.
    :param identity: versions, threads, and SHA-256 of the weights.
    :param phases: competing phases that it came to an end with besides.
    :param failed_phases: those of them that have no energy, so that the hull lacks them.
    :param questions: relaxed candidates whose properties it computed (``screen.estimate_cost``).
    """

    candidates: int
    core_hours: float
    identity: dict[str, Any]
    phases: int = 0
    failed_phases: int = 0
    questions: int = 0
