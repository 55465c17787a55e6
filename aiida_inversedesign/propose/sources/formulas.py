"""Sources of crystals that propose for formulas: the formulas of a proposal are drawn once, for all of them."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.source import ProposalError, Source, SourceRequest
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Template
from aiida_inversedesign.propose.build import Built
from aiida_inversedesign.propose.generators.mix import Mix
from aiida_inversedesign.propose.generators.request import Proposed
from aiida_inversedesign.propose.generators.score import campaign_request
from aiida_inversedesign.propose.volumes.element_volumes import volume_sum
from aiida_inversedesign.propose.volumes.of_composition import VOLUME_ERROR
from aiida_inversedesign.screen.apply import screened
from aiida_inversedesign.spaces.crystals.formula_space import Counts, draw_formulas
from aiida_inversedesign.spaces.crystals.space import CrystalSpace


@dataclass(frozen=True)
class Drawn:
    """The formulas of one proposal.

    :param formulas: those to propose crystals for.
    :param rejected: those that a screen rejects by their formula, before anything is built.
    :param generators: what found each formula, where a search did.
    """

    formulas: list[Counts]
    rejected: list[Candidate]
    generators: dict[str, str]

    def complete(self, crystals: Iterable[Candidate]) -> list[Candidate]:
        """All candidates, those without a crystal last, each with what found its formula."""
        found = [*crystals, *self.rejected]
        return [dataclasses.replace(item, generator=self.generators.get(item.key, item.generator)) for item in found]


class FormulaSource(Source):
    """A source that gives formulas their crystals; it may be one of several in ``propose.sources``."""

    mixes: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ('library',)

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """The crystals of formulas that no earlier proposal considered.

        :raises ProposalError: if there is no formula, or nothing can be proposed for any.
        """
        drawn = draw(request, self.name)
        return drawn.complete(self.for_formulas(request, drawn.formulas))

    @abstractmethod
    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """At most ``request.spec.propose.top_k`` crystals of each formula, best first, by formula in the given order.

        With a larger ``top_k`` the list of a formula begins the same. A formula for which nothing is found has one
        candidate without content, whose verdict says why (:func:`unbuilt`).

        :raises ProposalError: if nothing can be proposed for any of them, with what to do.
        """

    def again(self, request: SourceRequest) -> list[Counts]:
        """Formulas of earlier proposals that it proposes further crystals for, at most ``propose.renew``.

        None by default.
        """
        return []


def draw(request: SourceRequest, proposer: str) -> Drawn:
    """The formulas to propose crystals for.

    :param proposer: the name that rejected formulas are recorded with.
    :raises ProposalError: if there is none.
    """
    drawn, not_neutral, generators = _formulas(request)
    # what the formula alone tells is asked before anything is built
    by_key = screened([unbuilt(counts, proposer) for counts in drawn], request.spec, by_key=True)
    outside = [item for item in by_key if item.rejected_by]
    formulas = [counts for counts, item in zip(drawn, by_key, strict=True) if not item.rejected_by]
    if not formulas:
        raise ProposalError(_none_kept(outside))
    return Drawn(formulas, [*(unbuilt(counts, proposer) for counts in not_neutral), *outside], generators)


def unbuilt(counts: Counts, proposer: str, **reasons: str) -> Candidate:
    """The record of a formula without a crystal.

    :param reasons: why there is none, by the name of the verdict.
    """
    verdicts = {name: Verdict(False, None, reason) for name, reason in reasons.items()}
    return Candidate(id='', key=reduced_formula(counts), content=None, proposer=proposer, verdicts=verdicts)


def candidate_of(
    built: Built, template: Template, proposer: str, probability: float | None, rank: int, label: str
) -> Candidate:
    """A formula in the structure of a template, as a candidate.

    :param label: the template's prototype.
    """
    crystal = built.crystal
    return Candidate(
        id='',
        key=crystal.formula,
        content=crystal,
        proposer=proposer,
        template=template.id,
        template_formula=template.crystal.formula,
        prototype=template.prototype,
        probability=probability,
        rank=rank,
        assignment=built.mapping,
        volume_scale=built.estimate.scale,
        source=template.source,
        template_e_above_hull=template.e_above_hull,
        proto_label=label,
        dissimilarity=built.dissimilarity,
        volume=built.estimate.volume / crystal.nsites,
        volume_error=built.estimate.error,
        packing=built.estimate.packing,
    )


def crystal_candidate(
    crystal: Crystal, proposer: str, probability: float, rank: int, label: str = '', **more: Any
) -> Candidate:
    """A crystal that no template gives, as a candidate.

    :param label: its prototype, where that is known.
    :param more: further fields.
    """
    return Candidate(
        id='',
        key=crystal.formula,
        content=crystal,
        proposer=proposer,
        probability=probability,
        rank=rank,
        proto_label=label or prototype_label(crystal),
        volume=crystal.volume / crystal.nsites,
        **more,
    )


def rearranged_candidate(
    crystal: Crystal,
    proposer: str,
    probability: float,
    rank: int,
    label: str,
    template: Template,
    assignment: Mapping[str, str],
) -> Candidate:
    """A crystal made of a template otherwise than by replacing each element by one other.

    :param label: its prototype.
    :param assignment: element of the template → elements of the formula.
    """
    return crystal_candidate(
        crystal,
        proposer,
        probability,
        rank,
        label,
        template=template.id,
        template_formula=template.crystal.formula,
        prototype=template.prototype,
        assignment=dict(assignment),
        source=template.source,
        template_e_above_hull=template.e_above_hull,
        volume_error=VOLUME_ERROR,
        packing=crystal.volume / volume_sum(crystal.counts),
    )


def for_each(
    request: SourceRequest,
    words: str,
    formulas: Sequence[Mapping[str, int]],
    find: Callable[[dict[str, int]], list[Candidate]],
) -> list[Candidate]:
    """What is found for one formula after the other.

    :param words: what is done, for the progress.
    """
    found = []
    for number, counts in enumerate(formulas):
        request.progress(words, number / len(formulas))
        found += find(dict(counts))
    request.progress(words, 1.0)
    return found


def rng_of(request: SourceRequest, counts: Counts, *more: int) -> np.random.Generator:
    """Random numbers of one formula, the same whatever other formulas are asked for.

    :param more: numbers that they also depend on, such as the generation where a formula is proposed for several times.
    """
    digest = hashlib.sha256(reduced_formula(counts).encode()).digest()
    return np.random.default_rng([request.spec.seed, int.from_bytes(digest[:8], 'big'), *more])


def crystals_of(spec: CampaignSettings) -> CrystalSpace:
    """The space of a campaign; sources are asked only for spaces that they serve."""
    assert isinstance(spec.space, CrystalSpace)  # noqa: S101
    return spec.space


def _formulas(request: SourceRequest) -> tuple[list[Counts], list[Counts], dict[str, str]]:
    """The formulas to propose crystals for, those that cannot be neutral, and what found each formula."""
    spec, rows = request.spec, request.rows
    if not rows or not spec.propose.renewed:
        # a large space is sampled again for each generation
        formulas, not_neutral = draw_formulas(crystals_of(spec), request.seed, request.considered)
        return formulas, not_neutral, {}
    found = _searched(request)
    if not found:
        raise ProposalError('the generators find no further formula in the space: widen it')
    return [item.counts for item in found], [], {reduced_formula(item.counts): item.generator for item in found}


def _searched(request: SourceRequest) -> list[Proposed]:
    """Formulas of the campaign's generators."""
    spec = request.spec
    wanted = campaign_request(
        crystals_of(spec),
        spec.goal,
        request.rows,
        request.considered,
        number=spec.propose.renewed,
        seed=spec.seed + request.generation,
        acquisition=spec.select.acquisition,
    )
    return Mix({str(name): share for name, share in spec.propose.generators.items()}).propose(wanted)


def _none_kept(outside: Sequence[Candidate]) -> str:
    example = outside[0]
    verdict = example.verdicts[example.rejected_by or '']
    where = 'goal.composition' if example.rejected_by == 'composition' else f'the screen {example.rejected_by!r}'
    return (
        f'{where}: none of the {len(outside)} formulas tried passes it, e.g. {example.key}: {verdict.reason}: '
        'loosen it, or widen the space'
    )
