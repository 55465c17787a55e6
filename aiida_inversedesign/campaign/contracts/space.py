"""The contract of a kind of space: the section ``space`` of the campaign file, and what its candidates are.

A kind of space is one class: its fields are the keys of the section, its methods say what can be done with the
candidates. It is found by the entry point group ``aiida_inversedesign.spaces``, under the name that ``kind`` has.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.arrays import Array as Array  # part of the contract
from aiida_inversedesign.campaign.section import ContradictionError, Model
from aiida_inversedesign.errors import InverseDesignError

#: What a cell of a data set holds.
Value = float | str


class RowError(InverseDesignError):
    """A row of a data set that names no content.

    :param kind: in a word or two, to count such rows by.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class RowReader(Protocol):
    """How the rows of a CSV data set name contents of a space; readers that read the same are equal."""

    @property
    def tolerant(self) -> bool:
        """Whether a row that cannot be read is left out and counted; else it is an error of the whole data set."""

    def columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns that name a content; numbers in others are properties.

        :raises RowError: if one is missing.
        """

    def read(self, cells: Mapping[str, Value | None]) -> Content:
        """The content of a row's cells in these columns.

        :raises RowError: if they name none.
        """


@runtime_checkable
class Content(Protocol):
    """What is evaluated: a crystal, a point …; it never changes.

    A content that a data set may list has a ``reader`` too (:class:`RowReader`).
    """

    @property
    def key(self) -> str:
        """What people are shown, e.g. a reduced formula."""

    @property
    def content_hash(self) -> str:
        """SHA-256 of what it is, insensitive to rounding."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data, which :meth:`SpaceSection.read` reads."""


@dataclass(frozen=True)
class Coordinate:
    """One variable that people read a candidate by: a column of tables, an axis of parallel coordinates.

    :param values: number (in the unit) or word of each candidate.
    :param choices: the words in their order; empty for numbers.
    :param bounds: ends of the axis; None: the least and the largest value.
    :param log: whether equal ratios are equal distances on the axis.
    """

    name: str
    values: tuple[float | str, ...]
    unit: str = ''
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    log: bool = False


class SpaceSection(Model):
    """The base of all kinds of spaces."""

    kind: str
    #: What one candidate and several are called.
    noun: ClassVar[str] = 'candidate'
    nouns: ClassVar[str] = 'candidates'
    #: What the key of a candidate is called: the heading of its column.
    key_name: ClassVar[str] = 'key'
    #: Whether the contents are crystals (:class:`~aiida_inversedesign.chemistry.crystal.Crystal`), so that figures of
    #: symmetry, novelty and composition make sense.
    of_crystals: ClassVar[bool] = False
    #: The source that proposes where ``propose.method`` names none.
    source: ClassVar[str] = ''
    #: Screens that always judge the candidates, in their order.
    screens: ClassVar[tuple[str, ...]] = ()
    #: Module of the AiiDA shell with ``node_of(content)`` (an unstored node) and ``content_of(node)``.
    nodes: ClassVar[str] = ''

    @classmethod
    @abstractmethod
    def read(cls, data: Mapping[str, Any]) -> Content:
        """The content of :meth:`Content.to_dict`."""

    @classmethod
    def identity(cls, content: Any) -> str:
        """What contents have in common that are equal: only those with the same are compared. Default: the key."""
        return str(content.key)

    @classmethod
    def same(cls, first: Any, second: Any) -> bool:
        """Whether two contents of the same identity are one and the same thing."""
        return bool(first.content_hash == second.content_hash)

    @classmethod
    def same_result(cls, first: Any, second: Any) -> bool:
        """Whether two contents of the same key, as evaluations left them, are the same thing: one counts as one hit."""
        return cls.same(first, second)

    @property
    def reader(self) -> RowReader | None:
        """How the rows of a CSV data set name candidates; None: they cannot."""
        return None

    @property
    def headings(self) -> Mapping[str, str]:
        """The columns that :attr:`reader` reads with their units, where the space names them."""
        return {}

    def violation(self, content: Any) -> str:
        """Which limit of the space a content breaks, in words; empty if it keeps all."""
        return ''

    @classmethod
    def picture(cls, content: Any) -> str:
        """An SVG of a content for report and paper, with nothing in it that is not drawn; empty: none."""
        return ''

    @abstractmethod
    def describe(self, contents: Sequence[Any], probabilities: Sequence[float | None]) -> tuple[Array, list[str]]:
        """Descriptors of contents, for the surrogates.

        :param contents: length n.
        :param probabilities: how sure the source was of each, length n; None where it does not say.
        :returns: finite descriptors, shape (n, d), and the names of the columns, length d.
        """

    def columns(self, names: Sequence[str], rows: int) -> Sequence[int] | None:
        """Which descriptors (of these names) a surrogate is fitted on that has so many evaluations; None: all."""
        return None

    def in_own_unit(self, name: str, values: Array) -> tuple[Array, str]:
        """Values of a descriptor of :meth:`describe`, shape (n,), as people read them, and their unit (if any)."""
        return values, ''

    def coordinates(self, contents: Sequence[Any]) -> list[Coordinate]:
        """The variables that report and paper show of contents; none by default: their keys say enough."""
        return []

    def composition_columns(self) -> NDArray[np.bool_] | None:
        """Which descriptors describe the composition, shape (d,); None where that makes no difference."""
        return None

    @property
    def elements_used(self) -> frozenset[str]:
        """Every element that the space can lead to; empty where that is not known or makes no sense."""
        return frozenset()

    @property
    def fewest_elements(self) -> int:
        """The least number of different elements of a candidate; 0 where that makes no sense."""
        return 0

    @property
    def renewed(self) -> int:
        """Candidates that each later generation proposes in addition; 0: only when the pool runs out."""
        return 0

    def contradictions_with(self, sections: Mapping[str, Any]) -> Iterator[ContradictionError]:
        """What does not go together with other sections of the file; locations begin at the file.

        :param sections: those that are valid by themselves, by name: ``goal``, ``propose``, ``evaluate`` …
        """
        return iter(())

    def plan(self) -> list[tuple[str, str]]:
        """What ``check`` prints of the space: pairs of a word and a text."""
        return [('space', self.kind)]

    def methods(self) -> str:
        """One sentence for the methods paragraph: which candidates were considered."""
        return f'The space was of the kind {self.kind!r}.'
