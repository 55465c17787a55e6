"""The contract of a source: what proposes candidates (entry point group ``aiida_inversedesign.sources``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.errors import InverseDesignError

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.space import SpaceSection
    from aiida_inversedesign.campaign.spec import CampaignSettings

Progress = Callable[[str, float], None]


class ProposalError(InverseDesignError):
    """Nothing can be proposed, with what to do."""


def _silent(step: str, done: float) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class SourceRequest:
    """What a source is asked for; the same request always has the same answer.

    :param spec: the campaign; its ``seed`` and the generation fix all random choices.
    :param generation: number of the generation, from 1.
    :param earlier: candidates of earlier proposals; their keys are not proposed again.
    :param library: the templates or data set of ``propose.library``; None if the source needs none.
    :param model: the proposal model, or None.
    :param surrogate: fitted to the evaluations so far, or None.
    :param generated: what the program of ``propose.external`` gave (``propose/generated.py``), or None.
    :param exclude: reduced formulas whose templates are not used: a fair test removes the formulas it asks for.
    """

    spec: CampaignSettings
    generation: int
    rows: Sequence[EvaluationRow] = ()
    earlier: Sequence[Candidate] = ()
    library: Any = None
    model: Any = None
    surrogate: Any = None
    generated: Mapping[str, Any] | None = None
    exclude: frozenset[str] = frozenset()
    progress: Progress = field(default=_silent)

    @property
    def seed(self) -> int:
        """A seed of this generation's own."""
        return self.spec.seed + self.generation - 1

    @property
    def considered(self) -> frozenset[str]:
        """Keys of earlier candidates."""
        return frozenset(candidate.key for candidate in self.earlier)


class Source(ABC):
    """The base of all sources; a subclass overrides :meth:`propose`."""

    name: ClassVar[str]
    #: Kinds of spaces that it serves.
    spaces: ClassVar[tuple[str, ...]] = ('crystals',)
    #: What it needs besides the campaign: ``library``, ``model``.
    needs: ClassVar[tuple[str, ...]] = ()
    #: Whether it can be one of several in ``propose.sources``: it proposes for formulas that it is given
    #: (:class:`aiida_inversedesign.propose.sources.formulas.FormulaSource`).
    mixes: ClassVar[bool] = False
    #: New candidates that each later generation proposes where ``propose.renew`` does not say, and that the first one
    #: proposes of a source that could go on forever; 0: new ones only when the pool runs out.
    renews: ClassVar[int] = 0
    #: Whether ``propose.sources: auto`` uses it.
    in_auto: ClassVar[bool] = False
    #: Whether it finds nothing for a formula of whose ratio the library has no template.
    same_ratio: ClassVar[bool] = False
    #: Whether it goes on from what other sources proposed in earlier generations: it is one of several, and needs
    #: ``propose.renew``.
    builds_on_earlier: ClassVar[bool] = False
    #: Packages that it imports and this package does not bring, each with the extra that does: ``pyxtal: symmetry``.
    packages: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: How it proposes, for the methods paragraph (empty: it takes what a data set has), and its publications (keys of
    #: ``paper/references.bib`` or BibTeX entries).
    words: ClassVar[str] = ''
    citations: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def account(cls, space: SpaceSection) -> tuple[str, tuple[str, ...]]:
        """Words and publications of what it does in a space; by default ``words`` and ``citations``."""
        return cls.words, cls.citations

    @abstractmethod
    def propose(self, request: SourceRequest) -> list[Candidate]:
        """New candidates, ids left empty.

        What was considered and cannot be built is returned too, with the verdict that says why.

        :raises ProposalError: if there is nothing to propose.
        """
