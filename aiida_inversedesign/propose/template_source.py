"""Sources that put formulas into templates: CSPML and the plain rankings it is compared with."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.contracts.source import Progress, ProposalError, Source, SourceRequest
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.formulas import parse_ratio, ratio_label, reduced_formula
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.acceptable import BEYOND, RankedList, acceptable
from aiida_inversedesign.propose.build import Built, build, widened
from aiida_inversedesign.propose.generators.mix import Mix
from aiida_inversedesign.propose.generators.request import Proposed
from aiida_inversedesign.propose.generators.score import campaign_request
from aiida_inversedesign.propose.proposal_model import AnyModel, ProposalModel, shipped_model
from aiida_inversedesign.propose.rankers.baselines import ElementDissimilarityRanker, RandomRanker
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Group, Ranked, Ranker, Templates
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes
from aiida_inversedesign.screen.apply import screened
from aiida_inversedesign.spaces.crystals.formula_space import Counts, draw_formulas
from aiida_inversedesign.spaces.crystals.space import CrystalSpace


class TemplateSource(Source):
    """Formulas of the space, each in the templates of its ratio that a ranking puts first."""

    needs: ClassVar[tuple[str, ...]] = ('library',)

    @abstractmethod
    def tools(self, model: AnyModel | None, seed: int) -> tuple[Ranker, Volumes]:
        """What ranks the templates and what predicts their volumes."""

    def propose(self, request: SourceRequest) -> list[Candidate]:
        """The crystals of formulas that no earlier proposal considered.

        :raises ProposalError: if the space holds no formula, or the library no template for it.
        """
        spec, space = request.spec, _crystals_of(request.spec)
        drawn, not_neutral, generators = _formulas(request)
        # what the formula alone tells is asked before anything is ranked
        by_key = screened([_unbuilt(counts, self.name) for counts in drawn], spec, by_key=True)
        outside = [item for item in by_key if item.rejected_by]
        formulas = [counts for counts, item in zip(drawn, by_key, strict=True) if not item.rejected_by]
        if not formulas:
            raise ProposalError(_none_kept(outside))
        templates = Templates(request.library, space.max_sites, request.exclude)
        labels = {ratio_label(counts) for counts in formulas}
        if not labels & set(templates.labels):
            raise ProposalError(_no_template(sorted(labels), templates, space.max_sites))
        ranker, volumes = self.tools(request.model, spec.seed)
        ranked = _rank(formulas, templates, ranker, spec.propose.top_k + BEYOND, request.progress)
        lists, without = [], []
        for number, counts in enumerate(formulas):
            group = templates.group(ratio_label(counts))
            if group is None:
                without.append(self._without_template(counts, space.max_sites))
            else:
                lists.append(self._list(counts, ranked[number], group, volumes, spec.propose.min_distance))
        candidates = [
            *acceptable(lists, spec.propose.top_k, spec, request.rows, request.progress),
            *without,
            *(_unbuilt(counts, self.name) for counts in not_neutral),
            *outside,
        ]
        return [dataclasses.replace(item, generator=generators.get(item.key, item.generator)) for item in candidates]

    def _without_template(self, counts: Counts, max_sites: int) -> Candidate:
        """The record of a formula that the library has no template for."""
        reason = f'no template of ratio {ratio_label(counts)} with at most {max_sites} sites'
        return dataclasses.replace(_unbuilt(counts, self.name), verdicts={'template': Verdict(False, None, reason)})

    def _list(self, counts: Counts, ranked: Ranked, group: Group, volumes: Volumes, least: float) -> RankedList:
        """A formula's templates, best first, and what builds its crystals.

        :param least: least contact in sums of covalent radii.
        """

        def label(place: int) -> str:
            return label_of(group.library[int(ranked.indices[place])])

        def crystals(places: Sequence[int]) -> list[Candidate]:
            built = build(counts, ranked.indices[list(places)], group, volumes)
            return [
                self._candidate(widened(one, least), ranked, place + 1, group, label(place))
                for place, one in zip(places, built, strict=True)
            ]

        prints = group.library.fingerprints
        return RankedList(len(ranked), label, None if prints is None else prints[ranked.indices], crystals)

    def _candidate(self, built: Built, ranked: Ranked, rank: int, group: Group, label: str) -> Candidate:
        template, crystal = group.library[built.index], built.crystal
        within = None
        if ranked.within is not None:
            first, second, third = (float(value) for value in ranked.within[rank - 1])
            within = (first, second, third)
        if ranked.prototype is not None:
            probability: float | None = float(ranked.prototype[rank - 1])
        elif within:
            probability = within[0]
        else:
            probability = self.probability(float(ranked.scores[rank - 1]))
        return Candidate(
            id='',
            key=crystal.formula,
            content=crystal,
            proposer=self.name,
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
            within=within,
            volume=built.estimate.volume / crystal.nsites,
            volume_error=built.estimate.error,
            packing=built.estimate.packing,
        )

    def probability(self, score: float) -> float | None:
        """What a score of the ranking says of how sure the template is; None: nothing."""
        return None


class Cspml(TemplateSource):
    """Template-based crystal structure prediction: the calibrated posterior of our model, or the published network."""

    name = 'cspml'
    needs = ('library', 'model')
    words = 'template-based crystal structure prediction (CSPML)'
    citations = ('cspml2022', 'shotguncsp2024', 'settransformer2019', 'fingerprints2020')

    def tools(self, model: AnyModel | None, seed: int) -> tuple[Ranker, Volumes]:
        """Those of the model; without one, of the model shipped with the package."""
        trained = model or shipped_model()
        if isinstance(trained, ProposalModel):
            return trained.ranker, trained.volumes
        return PublishedRanker(trained), ElementVolumes()

    def probability(self, score: float) -> float | None:
        """The published network's score is a probability."""
        return score


class Dissimilarity(TemplateSource):
    """The templates whose elements are chemically most similar."""

    name = 'dissimilarity'
    words = 'the templates whose elements are chemically most similar'

    def tools(self, model: AnyModel | None, seed: int) -> tuple[Ranker, Volumes]:
        """By element dissimilarity alone."""
        return ElementDissimilarityRanker(), ElementVolumes()


class RandomTemplates(TemplateSource):
    """Templates drawn at random."""

    name = 'random'
    words = 'templates drawn at random'

    def tools(self, model: AnyModel | None, seed: int) -> tuple[Ranker, Volumes]:
        """A random ranking."""
        return RandomRanker(seed), ElementVolumes()


def _formulas(request: SourceRequest) -> tuple[list[Counts], list[Counts], dict[str, str]]:
    """The formulas to propose crystals for, those that cannot be neutral, and what found each formula."""
    spec, rows = request.spec, request.rows
    if not rows or not spec.propose.renewed:
        # a large space is sampled again for each generation
        formulas, not_neutral = draw_formulas(_crystals_of(spec), request.seed, request.considered)
        return formulas, not_neutral, {}
    found = _searched(request)
    if not found:
        raise ProposalError('the generators find no further formula in the space: widen it')
    return [item.counts for item in found], [], {reduced_formula(item.counts): item.generator for item in found}


def _searched(request: SourceRequest) -> list[Proposed]:
    """Formulas of the campaign's generators."""
    spec = request.spec
    wanted = campaign_request(
        _crystals_of(spec),
        spec.goal,
        request.rows,
        request.considered,
        number=spec.propose.renewed,
        seed=spec.seed + request.generation,
        acquisition=spec.select.acquisition,
    )
    return Mix({str(name): share for name, share in spec.propose.generators.items()}).propose(wanted)


def _crystals_of(spec: CampaignSettings) -> CrystalSpace:
    """The space of a campaign; sources are asked only for spaces that they serve."""
    assert isinstance(spec.space, CrystalSpace)  # noqa: S101
    return spec.space


def _unbuilt(counts: Counts, proposer: str) -> Candidate:
    """The record of a formula before its crystals are built."""
    return Candidate(id='', key=reduced_formula(counts), content=None, proposer=proposer)


def _none_kept(outside: Sequence[Candidate]) -> str:
    example = outside[0]
    verdict = example.verdicts[example.rejected_by or '']
    where = 'goal.composition' if example.rejected_by == 'composition' else f'the screen {example.rejected_by!r}'
    return (
        f'{where}: none of the {len(outside)} formulas tried passes it, e.g. {example.key}: {verdict.reason}: '
        'loosen it, or widen the space'
    )


def _rank(
    formulas: list[Counts], templates: Templates, ranker: Ranker, top_k: int, report: Progress
) -> dict[int, Ranked]:
    """The best templates of each formula, by its position in ``formulas``."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, counts in enumerate(formulas):
        groups[ratio_label(counts)].append(number)
    ranked: dict[int, Ranked] = {}
    done = 0
    for label in sorted(groups):
        group = templates.group(label)
        if group is None:
            continue
        report('ranking', done / len(formulas))
        found = ranker.rank([formulas[number] for number in groups[label]], group, top_k)
        ranked |= dict(zip(groups[label], found, strict=True))
        done += len(found)
    return ranked


def _no_template(missing: list[str], templates: Templates, max_sites: int) -> str:
    library = templates.library
    large = [label for label in missing if label in library.ratios]
    if large:
        least = min(library[index].crystal.nsites for label in large for index in library.by_ratio(label))
        return (
            f'space.max_sites: every template of ratio {", ".join(large)} has more than {max_sites} sites: '
            f'set max_sites to {least} or more, or take another library'
        )
    if not templates.labels:
        return f'the library has no usable template with at most {max_sites} sites: take another one'
    wanted = parse_ratio(missing[0])

    def distance(label: str) -> tuple[int, float, str]:
        counts = parse_ratio(label)
        shares = [count / sum(counts) for count in counts]
        own = [count / sum(wanted) for count in wanted]
        gap = sum(abs(x - y) for x, y in zip(shares, own, strict=False))
        return abs(len(counts) - len(wanted)), gap, label

    nearest = sorted(templates.labels, key=distance)[:3]
    return (
        f'space.ratios: the library has no template of ratio {", ".join(missing)}; the nearest it has are '
        f'{", ".join(nearest)}: take one of these, or another library'
    )
