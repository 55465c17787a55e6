"""What is asked of a generator of formulas, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiida_inversedesign.arrays import Array
from aiida_inversedesign.errors import InverseDesignError
from aiida_inversedesign.spaces.crystals.space import CrystalSpace

Counts = dict[str, int]
#: amounts of elements on the way from one formula to another: atoms, but not whole numbers
Amounts = Mapping[str, float]
#: value of formulas, larger is better, shape (n,); asked in batches
Score = Callable[[Sequence[Counts]], Array]
#: how the score changes from a formula to amounts near it, shape (n,), and the scores of formulas that this counts as
Changes = Callable[[Counts, Sequence[Amounts]], tuple[Array, int]]


class GeneratorError(InverseDesignError):
    """A request that a generator cannot serve."""


class NotReadyError(GeneratorError):
    """Too little was evaluated to search for anything; enumeration always can."""


@dataclass(frozen=True)
class Known:
    """A formula that was evaluated.

    :param counts: element counts of the reduced formula.
    :param utility: how good it turned out to be; larger is better.
    """

    counts: Counts
    utility: float


@dataclass(frozen=True)
class Request:
    """Which formulas are wanted.

    :param space: the campaign's space; what does not belong to it is never proposed.
    :param number: most formulas wanted.
    :param seed: of all random choices; the same request has the same answer.
    :param score: value of formulas, e.g. an acquisition of :mod:`.score`; None as long as nothing can be learned.
    :param considered: reduced formulas that are not proposed again.
    :param allowed: further condition on formulas, e.g. the composition constraints of a campaign.
    :param calls: most formulas that are scored; default: what the generator takes for the number wanted.
    :param changes: of the score by the surrogate's own gradient; None: it has none, and a search by gradients takes
        differences of scores, which must then take amounts.
    """

    space: CrystalSpace
    number: int
    seed: int
    score: Score | None
    known: Sequence[Known] = ()
    considered: Collection[str] = frozenset()
    allowed: Callable[[Counts], bool] | None = None
    calls: int | None = None
    changes: Changes | None = None


@dataclass(frozen=True)
class Proposed:
    """A formula that a generator found.

    :param score: the request's score of the formula; None where the generator did not ask for it.
    :param residual: distance of the formula's descriptor from the point it was made of, for ``inverse_kmd``.
    """

    counts: Counts
    generator: str
    score: float | None = None
    residual: float | None = None


class FormulaGenerator(Protocol):
    """A source of formulas."""

    @property
    def name(self) -> str:
        """What the formulas it finds are marked with."""

    def propose(self, request: Request) -> list[Proposed]:
        """Different formulas of the space, the best first; fewer than wanted where it finds no more.

        :raises NotReadyError: if it searches and the request has no score.
        :raises GeneratorError: if the space or the score is wrong.
        """
