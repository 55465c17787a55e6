"""Sources that put formulas into templates: CSPML and the plain rankings it is compared with."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts.source import Progress, ProposalError, SourceRequest
from aiida_inversedesign.chemistry.formulas import parse_ratio, ratio_label
from aiida_inversedesign.libraries.prototype_labels import label_of
from aiida_inversedesign.propose.acceptable import BEYOND, RankedList, acceptable
from aiida_inversedesign.propose.build import Built, build, widened
from aiida_inversedesign.propose.proposal_model import AnyModel, ProposalModel, shipped_model
from aiida_inversedesign.propose.rankers.baselines import ElementDissimilarityRanker, RandomRanker
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Group, Ranked, Ranker, Templates
from aiida_inversedesign.propose.sources.formulas import FormulaSource, candidate_of, crystals_of, unbuilt
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes
from aiida_inversedesign.spaces.crystals.formula_space import Counts


class TemplateSource(FormulaSource):
    """Formulas of the space, each in the templates of its ratio that a ranking puts first."""

    same_ratio: ClassVar[bool] = True

    @abstractmethod
    def tools(self, model: AnyModel | None, seed: int) -> tuple[Ranker, Volumes]:
        """What ranks the templates and what predicts their volumes."""

    def for_formulas(self, request: SourceRequest, formulas: Sequence[Counts]) -> list[Candidate]:
        """The crystals of each formula in the templates that are ranked first.

        :raises ProposalError: if the library has no template for any of them.
        """
        spec, space = request.spec, crystals_of(request.spec)
        templates = Templates(request.library, space.max_sites, request.exclude)
        labels = {ratio_label(counts) for counts in formulas}
        if not labels & set(templates.labels):
            raise ProposalError(_no_template(sorted(labels), templates, space.max_sites))
        ranker, volumes = self.tools(request.model, spec.seed)
        ranked = _rank(formulas, templates, ranker, spec.propose.top_k + BEYOND, request.progress)
        lists: list[RankedList] = []
        without: list[Candidate] = []
        for number, counts in enumerate(formulas):
            group = templates.group(ratio_label(counts))
            if group is None:
                reason = f'no template of ratio {ratio_label(counts)} with at most {space.max_sites} sites'
                without.append(unbuilt(counts, self.name, template=reason))
            else:
                lists.append(self._list(counts, ranked[number], group, volumes, spec.propose.min_distance))
        return [*acceptable(lists, spec.propose.top_k, spec, request.rows, request.progress), *without]

    def _list(self, counts: Counts, ranked: Ranked, group: Group, volumes: Volumes, least: float) -> RankedList:
        """A formula's templates, best first, and what builds its crystals.

        :param least: least contact in sums of covalent radii.
        """

        def label(position: int) -> str:
            return label_of(group.library[int(ranked.indices[position])])

        def crystals(numbers: Sequence[int]) -> list[Candidate]:
            built = build(counts, ranked.indices[list(numbers)], group, volumes)
            return [
                self._candidate(widened(one, least), ranked, position + 1, group, label(position))
                for position, one in zip(numbers, built, strict=True)
            ]

        prints = group.library.fingerprints
        return RankedList(len(ranked), label, None if prints is None else prints[ranked.indices], crystals)

    def _candidate(self, built: Built, ranked: Ranked, rank: int, group: Group, label: str) -> Candidate:
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
        found = candidate_of(built, group.library[built.index], self.name, probability, rank, label)
        return replace(found, within=within)

    def probability(self, score: float) -> float | None:
        """What a score of the ranking says of how sure the template is; None: nothing."""
        return None


class Cspml(TemplateSource):
    """Template-based crystal structure prediction: the calibrated posterior of our model, or the published network."""

    name = 'cspml'
    in_auto = True
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


def _rank(
    formulas: Sequence[Counts], templates: Templates, ranker: Ranker, top_k: int, report: Progress
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
