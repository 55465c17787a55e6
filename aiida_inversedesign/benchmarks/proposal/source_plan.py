"""What is asked of sources of crystals: the arms, how much they may do, and the draws of queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError, Query, formulas_of
from aiida_inversedesign.benchmarks.proposal.uniform import UNIFORM
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.libraries.library import Library


@dataclass(frozen=True)
class SourceArm:
    """A source or a mixture.

    :param shares: of each source; ``uniform`` stands for PyXtal without anything learned.
    """

    name: str
    shares: Mapping[str, float]

    @property
    def first(self) -> dict[str, float]:
        """The sources that need nothing of earlier generations."""
        return {name: share for name, share in self.shares.items() if not _builds_on_earlier(name)}

    @property
    def goes_on(self) -> bool:
        """Whether a source goes on from the energies of crystals, in later generations."""
        return len(self.first) < len(self.shares)


@dataclass(frozen=True)
class SourcePlan:
    """How much the arms may do.

    :param crystals: of each formula, the same number for each arm; so many are relaxed at most.
    :param max_sites: of a cell; queries with more in the primitive cell are left out.
    :param only_new: leave out queries whose prototype some template of their ratio has.
    :param trained_on: ids and reduced formulas that the potential was trained on; None if they are not known.
    :param lower_bound: relax crystals with the true prototype first, and the others only if a right one comes of
        these, to know its rank. Relaxations of others may lead to the true crystal too.
    :param most: compounds of each draw that are asked for, the first of its queries that are left; None for all.
    """

    arms: Sequence[SourceArm]
    crystals: int = 40
    max_sites: int = 12
    only_new: bool = False
    trained_on: Collection[str] | None = None
    lower_bound: bool = False
    most: int | None = None

    def seen(self, query: Query) -> bool:
        """Whether the potential was trained on the compound."""
        return self.trained_on is not None and not {query.id, query.formula}.isdisjoint(self.trained_on)


@dataclass(frozen=True)
class Draw:
    """Queries that are asked for together.

    :param templates: without the formulas of any of them.
    :param seed: of the sources.
    :param model: of the proposal, trained without them; None for sources that rank no templates.
    """

    queries: Sequence[Query]
    templates: Library
    seed: int
    model: Any = None

    @cached_property
    def formulas(self) -> frozenset[str]:
        """Of all queries, those that sources are not asked for included: they stay unknown to every source."""
        return formulas_of(self.queries)


def _builds_on_earlier(name: str) -> bool:
    return name != UNIFORM and bool(registry.part('sources', name).builds_on_earlier)


def source_arms(texts: Sequence[str]) -> list[SourceArm]:
    """Arms as they are written: ``symmetric``, ``cspml:0.6+symmetric:0.4``.

    :raises BenchmarkError: if there is no such source, or a share is not a positive number.
    """
    able = [name for name, source in registry.parts('sources').items() if source.mixes]
    found = []
    for text in dict.fromkeys(texts):
        shares = {}
        for part in text.split('+'):
            name, _, number = part.strip().partition(':')
            try:
                shares[name] = float(number or 1)
            except ValueError:
                shares[name] = 0.0
            if not 0 < shares[name] < np.inf:
                raise BenchmarkError(f'--sources {text}: {part!r} has no positive share; write e.g. cspml:0.6')
            if name != UNIFORM and name not in able:
                raise BenchmarkError(
                    f'--sources {text}: there is no source {name!r}; there are {", ".join([*able, UNIFORM])}'
                )
        if UNIFORM in shares and len(shares) > 1:
            raise BenchmarkError(f'--sources {text}: {UNIFORM} cannot be mixed')
        if not SourceArm(text, shares).first:
            raise BenchmarkError(f'--sources {text}: it goes on from what others propose: write {text}+symmetric')
        found.append(SourceArm(text, shares))
    return found
