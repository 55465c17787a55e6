"""Several sources of crystals together: each has its share of the places of a formula, and passes on what it leaves."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.contracts.source import ProposalError, Source, SourceRequest
from aiida_inversedesign.campaign.contracts.space import SpaceSection
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.propose.formula_source import FormulaSource, unbuilt
from aiida_inversedesign.spaces.crystals.formula_space import Counts

#: The screen whose verdict says that a crystal equals another one.
DUPLICATE = 'duplicate'


def mixture(spec: CampaignSettings) -> Source:
    """The source of a campaign: the only one, or the mixture of several."""
    sources = {name: registry.part('sources', name)() for name in spec.propose.shares}
    return next(iter(sources.values())) if len(sources) == 1 else Mixture(sources)


class Mixture(FormulaSource):
    """Several sources, largest share first.

    Every source proposes for the formulas of the same draw. Of what the sources leave of their places, those that
    filled theirs are asked for more, in the same order.
    """

    #: formulas that are rejected before anything is built have no proposer
    name = ''

    def __init__(self, sources: Mapping[str, FormulaSource]) -> None:
        self.sources = dict(sources)

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """The crystals of all sources, of each formula the most probable first.

        :raises ProposalError: if no source finds anything, with what each says.
        """
        keys, top_k = [reduced_formula(counts) for counts in formulas], request.spec.propose.top_k
        places, reasons = request.spec.propose.places, dict[str, str]()
        found: dict[str, dict[str, list[Candidate]]] = {key: {} for key in keys}
        for name in self.sources:
            if places[name]:
                self._ask(name, request, formulas, places[name], found, reasons)
        for name in self.sources:
            # by how many more are wanted, so that each source is asked in bulk
            more: dict[int, list[Counts]] = defaultdict(list)
            for key, counts in zip(keys, formulas, strict=True):
                missing = top_k - sum(_crystals(items) for items in found[key].values())
                if missing > 0 and _crystals(found[key].get(name, [])) >= places[name]:
                    more[missing].append(counts)
            for missing, wanting in sorted(more.items()):
                self._ask(name, request, wanting, places[name] + missing, found, reasons)
        if not any(_crystals(items) for of_formula in found.values() for items in of_formula.values()) and reasons:
            raise ProposalError('; '.join(f'{name}: {reason}' for name, reason in reasons.items()))
        return [item for key in keys for item in _in_order(list(found[key].values()))]

    def _ask(
        self,
        name: str,
        request: SourceRequest,
        formulas: Sequence[Counts],
        number: int,
        found: dict[str, dict[str, list[Candidate]]],
        reasons: dict[str, str],
    ) -> None:
        """Take what a source finds; a source that finds nothing at all has a reason for every formula."""
        spec = request.spec
        propose = spec.propose.model_copy(update={'top_k': number})
        asked = dataclasses.replace(request, spec=spec.model_copy(update={'propose': propose}))
        try:
            given = self.sources[name].for_formulas(asked, formulas)
        except ProposalError as error:
            reasons[name] = str(error)
            given = [unbuilt(dict(counts), name, template=str(error)) for counts in formulas]
        by_key: dict[str, list[Candidate]] = defaultdict(list)
        for item in given:
            by_key[item.key].append(item)
        for counts in formulas:
            key = reduced_formula(counts)
            found[key][name] = by_key[key]


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
