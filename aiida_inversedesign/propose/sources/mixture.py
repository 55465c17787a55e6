"""Several sources of crystals together: each has its share of the slots of a formula, and passes on what it leaves."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.source import ProposalError, Source, SourceRequest
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.propose.sources.formulas import FormulaSource, unbuilt
from aiida_inversedesign.propose.sources.shares import drawn_shares
from aiida_inversedesign.screen.apply import screened
from aiida_inversedesign.spaces.crystals.formula_space import Counts

#: how often sources are asked for more, so that two that propose the same crystals do not ask forever
MOST_ROUNDS = 6
#: The screen whose verdict says that a crystal equals another one.
DUPLICATE = 'duplicate'


def mixture(spec: CampaignSettings) -> Source:
    """The source of a campaign: the only one, or the mixture of several."""
    sources = {name: registry.part('sources', name)() for name in spec.propose.shares}
    return next(iter(sources.values())) if len(sources) == 1 else Mixture(sources)


class Mixture(FormulaSource):
    """Several sources, largest share first.

    Every source proposes for the formulas of the same draw. What the sources leave of their slots, and what is lost
    because crystals of two sources are equal, goes to those that filled theirs, in turn.
    """

    #: formulas that are rejected before anything is built have no proposer
    name = ''

    def __init__(self, sources: Mapping[str, FormulaSource]) -> None:
        self.sources = dict(sources)

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """The crystals of new formulas, then further ones of formulas that earlier proposals considered.

        :raises ProposalError: if there is neither.
        """
        again = self._again(request)
        try:
            return [*super().propose(request), *again]
        except ProposalError:
            if not any(item.content is not None for item in again):
                raise
            return again

    def _again(self, request: SourceRequest) -> list[Candidate]:
        """What sources find for formulas of earlier proposals, each as much as is its share of a formula."""
        found, generators = list[Candidate](), {item.key: item.generator for item in request.earlier}
        for name, number in _slots(request).items():
            if number and (formulas := self.sources[name].again(request)):
                found += self.sources[name].for_formulas(_with_number(request, number), formulas)
        return [dataclasses.replace(item, generator=generators[item.key]) for item in found]

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """The judged crystals of all sources, of each formula the most probable first.

        :raises ProposalError: if no source finds anything, with what each says.
        """
        asked, slots = [_Asked(counts) for counts in formulas], _slots(request)
        for name, number in slots.items():
            if number:
                self._ask(name, request, {number: asked})
        reasons = {name: reason for one in asked for name, reason in one.reasons.items()}
        if not any(_crystals(items) for one in asked for items in one.found.values()) and reasons:
            raise ProposalError('; '.join(f'{name}: {reason}' for name, reason in reasons.items()))
        judged = _judged(asked, request)
        for _ in range(MOST_ROUNDS):
            # by source and how many are wanted, so that each source is asked in bulk
            more: dict[str, dict[int, list[_Asked]]] = {name: defaultdict(list) for name in self.sources}
            for one, items in zip(asked, judged, strict=True):
                missing = request.spec.propose.top_k - _crystals(items)
                full = [name for name in self.sources if one.filled(name)]
                if missing > 0 and full:
                    name = min(full, key=lambda name: one.numbers.get(name, 0) - slots[name])
                    more[name][one.numbers.get(name, 0) + missing].append(one)
            if not any(more.values()):
                break
            for name, wanting in more.items():
                self._ask(name, request, wanting)
            judged = _judged(asked, request)
        return [item for items in judged for item in items]

    def _ask(self, name: str, request: SourceRequest, wanting: Mapping[int, Sequence[_Asked]]) -> None:
        """Take what a source finds; a source that finds nothing at all has a reason for every formula."""
        for number, asked in sorted(wanting.items()):
            own = _with_number(request, number)
            by_key: dict[str, list[Candidate]] = defaultdict(list)
            try:
                for item in self.sources[name].for_formulas(own, [one.counts for one in asked]):
                    by_key[item.key].append(item)
            except ProposalError as error:
                for one in asked:
                    one.reasons[name] = str(error)
                    by_key[one.key] = [unbuilt(dict(one.counts), name, template=str(error))]
            for one in asked:
                one.numbers[name], one.found[name] = number, by_key[one.key]


def _with_number(request: SourceRequest, number: int) -> SourceRequest:
    """The request for so many crystals of a formula."""
    propose = request.spec.propose.model_copy(update={'top_k': number})
    return dataclasses.replace(request, spec=request.spec.model_copy(update={'propose': propose}))


def _slots(request: SourceRequest) -> dict[str, int]:
    """How many of the slots of a formula each source has in this generation."""
    propose = request.spec.propose
    if not propose.learns_shares:
        return propose.slots
    seed = (request.spec.seed, request.generation)
    return propose.slots_of(drawn_shares(list(propose.shares), request.earlier, request.rows, seed))


@dataclasses.dataclass
class _Asked:
    """What the sources were asked for one formula, and what they found.

    :param numbers: of crystals that each source was asked for.
    :param reasons: of sources that found nothing for any formula.
    """

    counts: Counts
    numbers: dict[str, int] = dataclasses.field(default_factory=dict)
    found: dict[str, list[Candidate]] = dataclasses.field(default_factory=dict)
    reasons: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        return reduced_formula(self.counts)

    def filled(self, name: str) -> bool:
        """Whether the source found all that it was asked for, if anything, and may have more."""
        return _crystals(self.found.get(name, ())) >= self.numbers.get(name, 0)


def _judged(asked: Sequence[_Asked], request: SourceRequest) -> list[list[Candidate]]:
    """The candidates of each formula, in order, with the verdicts of all screens."""
    ordered = [_in_order(list(one.found.values())) for one in asked]
    judged = iter(screened([item for items in ordered for item in items], request.spec, request.rows))
    return [list(islice(judged, len(items))) for items in ordered]


def _crystals(items: Sequence[Candidate]) -> int:
    """How many of the candidates are crystals."""
    return sum(item.accepted for item in items)


def _in_order(by_source: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """Crystals of a formula by falling probability with new ranks, then the reasons why there are no more."""
    # each source knows its own crystals only: whether one equals that of another is asked again
    items = [_without_comparison(item) for items in by_source for item in items]
    crystals = sorted((item for item in items if item.content is not None), key=lambda item: -(item.probability or 0.0))
    ranked = [dataclasses.replace(item, rank=rank) for rank, item in enumerate(crystals, 1)]
    return [*ranked, *(item for item in items if item.content is None)]


def _without_comparison(candidate: Candidate) -> Candidate:
    """The candidate as if it had not been compared with others, if it passed that."""
    if DUPLICATE not in candidate.verdicts or not candidate.accepted:
        return candidate
    verdicts = {name: verdict for name, verdict in candidate.verdicts.items() if name != DUPLICATE}
    return dataclasses.replace(candidate, verdicts=verdicts)


def named_together(candidates: Sequence[Candidate], space: SpaceSection) -> list[Candidate]:
    """The screened candidates; one that several sources found names the others."""
    if len({item.proposer for item in candidates}) == 1:
        return list(candidates)
    kept: dict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(candidates):
        if item.accepted:
            kept[item.key].append(number)
    out = list(candidates)
    for item in candidates:
        if item.rejected_by != DUPLICATE:
            continue
        for number in kept[item.key]:
            first = out[number]
            names = first.named_with(item.proposer)
            if names != first.also_proposed_by and space.same(first.content, item.content):
                out[number] = dataclasses.replace(first, also_proposed_by=names)
                break
    return out
