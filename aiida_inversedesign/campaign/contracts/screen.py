"""The contract of a screen: cheap verdicts before anything is evaluated (group ``aiida_inversedesign.screens``)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.row import EvaluationRow
from aiida_inversedesign.campaign.section import ContradictionError, Model

if TYPE_CHECKING:
    from aiida_inversedesign.campaign.contracts.space import SpaceSection
    from aiida_inversedesign.campaign.spec import CampaignSettings


@dataclass(frozen=True)
class ScreenRequest:
    """What a screen may know.

    :param settings: the screen's own section, read by :attr:`Screen.section`; None if it has none.
    :param passed: candidates of the same proposal that passed all screens before these are judged: a source may ask
        about its candidates in portions.
    """

    spec: CampaignSettings
    rows: Sequence[EvaluationRow] = ()
    settings: Any = None
    passed: Sequence[Candidate] = ()


class Screen(ABC):
    """The base of all screens; a subclass overrides :meth:`judge`."""

    name: ClassVar[str]
    #: Kinds of spaces that it serves; empty: all.
    spaces: ClassVar[tuple[str, ...]] = ()
    #: Its section of the campaign file, below ``screen.<name>``; None if it has no settings.
    section: ClassVar[type[Model] | None] = None
    #: Whether it also judges candidates of which only the key is known.
    by_key: ClassVar[bool] = False
    #: Whether it is asked only about candidates that every screen before it let pass.
    only_passed: ClassVar[bool] = False

    @classmethod
    def contradictions(cls, settings: Mapping[str, Any], space: SpaceSection) -> Iterator[ContradictionError]:
        """What of its settings does not go together with the space, located from its section; by default nothing."""
        return iter(())

    @abstractmethod
    def judge(self, candidates: Sequence[Candidate], request: ScreenRequest) -> list[Verdict | None]:
        """A verdict for each candidate, in their order; None where it has nothing to say."""
