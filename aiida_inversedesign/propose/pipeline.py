"""From a campaign's space to candidate crystals: formulas, templates, elements, volume, filters."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from aiida_inversedesign.campaign.candidate import Candidate, Verdict
from aiida_inversedesign.campaign.goal import CompositionConstraint
from aiida_inversedesign.campaign.spec import Propose, Space
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.formulas import parse_ratio, ratio_label, reduced_formula
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.libraries.prototype_labels import PrototypeLabels
from aiida_inversedesign.propose.build import Built, build
from aiida_inversedesign.propose.filters import (
    Duplicates,
    charge_verdict,
    composition_verdict,
    distance_verdict,
    oxidation_verdict,
    sites_verdict,
    volume_verdict,
    widened,
)
from aiida_inversedesign.propose.generators.request import Proposed
from aiida_inversedesign.propose.proposal_model import AnyModel, ProposalModel, shipped_model
from aiida_inversedesign.propose.rankers.baselines import ElementDissimilarityRanker, RandomRanker
from aiida_inversedesign.propose.rankers.published import PublishedRanker
from aiida_inversedesign.propose.rankers.ranking import Group, Ranked, Ranker, Templates
from aiida_inversedesign.propose.volumes.volume import ElementVolumes, Volumes
from aiida_inversedesign.propose.whole_library import no_structure, whole_library
from aiida_inversedesign.spaces.crystals.formula_space import Counts, ProposalError, draw_formulas

__all__ = ['ProposalError', 'propose']

Progress = Callable[[str, float], None]

#: proposals of more candidates than this do without the labels of their prototypes, which take 4 ms a template
LABELLED = 1000


def propose(
    space: Space,
    settings: Propose,
    library: Library,
    model: AnyModel | None,
    seed: int,
    generation: int,
    evaluated: Sequence[Crystal] = (),
    considered: Iterable[str] = (),
    exclude_templates: Iterable[str] = (),
    composition: Sequence[CompositionConstraint] = (),
    proposed: Sequence[Proposed] | None = None,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Propose crystals; the same inputs give the same candidates.

    Rejected candidates are returned too, with the verdict that rejected them.

    :param library: templates, as primitive cells.
    :param model: ranks the templates if the method is ``cspml``; None takes the one shipped with the package.
    :param seed: of the formulas drawn from a large space, and of the random ranking.
    :param generation: number of the generation, part of the ids: ``g001_c0001``.
    :param evaluated: crystals evaluated before, which are not proposed again.
    :param considered: reduced formulas that earlier proposals were made for; they are not proposed again.
    :param exclude_templates: reduced formulas whose templates are not used; a fair test of the ranking removes the
        formulas it asks for.
    :param composition: what the formulas themselves must keep; the others are rejected before anything is ranked.
    :param proposed: the formulas, from generators; None enumerates the space.
    :param progress: called with what is being done and the fraction done.
    :raises ProposalError: if the space holds no formula, or the library no template for it.
    """
    report = progress or (lambda step, done: None)
    unused, excluded = frozenset(considered), frozenset(exclude_templates)
    if settings.method == 'library':
        candidates = list(whole_library(space, library, evaluated, unused | excluded, composition))
        if not candidates and unused:
            raise ProposalError('every structure of the library in this space has been proposed')
        if not candidates:
            raise ProposalError(no_structure(space, library))
    else:
        if proposed is None:
            # a large space is sampled anew for each generation
            formulas, not_neutral = draw_formulas(space, seed + generation - 1, unused)
        else:
            formulas, not_neutral = [item.counts for item in proposed], []
            if not formulas:
                raise ProposalError('the generators find no further formula in the space: widen it')
        kept = [composition_verdict(counts, composition).passed for counts in formulas]
        outside = [counts for counts, passed in zip(formulas, kept, strict=True) if not passed]
        formulas = [counts for counts, passed in zip(formulas, kept, strict=True) if passed]
        if not formulas:
            raise ProposalError(_none_kept(outside, composition))
        templates = Templates(library, space.max_sites, excluded)
        labels = {ratio_label(counts) for counts in formulas}
        if not labels & set(templates.labels):
            raise ProposalError(_no_template(sorted(labels), templates, space.max_sites))
        ranker, volumes = _tools(settings, model, seed)
        ranked = _rank(formulas, templates, ranker, settings.top_k, report)
        candidates = [
            *_crystals(formulas, ranked, templates, volumes, space, settings, evaluated, report),
            *(_not_neutral(counts, settings.method) for counts in not_neutral),
            *(_outside(counts, settings.method, composition) for counts in outside),
        ]
    sources = {reduced_formula(item.counts): item.generator for item in proposed or ()}
    width = max(4, len(str(len(candidates))))
    return [
        dataclasses.replace(
            candidate,
            id=f'g{generation:03d}_c{number:0{width}d}',
            generator=sources.get(candidate.formula, candidate.generator),
        )
        for number, candidate in enumerate(candidates, 1)
    ]


def _tools(settings: Propose, model: AnyModel | None, seed: int) -> tuple[Ranker, Volumes]:
    """What ranks the templates and what predicts their volumes."""
    if settings.method == 'random':
        return RandomRanker(seed), ElementVolumes()
    if settings.method == 'dissimilarity':
        return ElementDissimilarityRanker(), ElementVolumes()
    trained = model or shipped_model()
    if isinstance(trained, ProposalModel):
        return trained.ranker, trained.volumes
    return PublishedRanker(trained), ElementVolumes()


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


def _crystals(
    formulas: list[Counts],
    ranked: dict[int, Ranked],
    templates: Templates,
    volumes: Volumes,
    space: Space,
    settings: Propose,
    evaluated: Sequence[Crystal],
    report: Progress,
) -> Iterator[Candidate]:
    """The crystal of each formula in each of its templates, with the filters' verdicts."""
    duplicates = Duplicates(evaluated)
    labels = PrototypeLabels(templates.library) if len(formulas) * settings.top_k <= LABELLED else None
    for number, counts in enumerate(formulas):
        report('crystals', number / len(formulas))
        charge = _charge(counts, space)
        group = templates.group(ratio_label(counts))
        if group is None:
            reason = f'no template of ratio {ratio_label(counts)} with at most {space.max_sites} sites'
            verdicts = charge | {'template': Verdict(False, None, reason)}
            formula = reduced_formula(counts)
            yield Candidate(id='', formula=formula, crystal=None, proposer=settings.method, verdicts=verdicts)
            continue
        chosen = ranked[number]
        built = build(counts, chosen.indices, group, volumes)
        for rank, one in enumerate(built, 1):
            fitting = widened(one, settings.min_distance)
            candidate = _candidate(fitting, chosen, rank, group, space, settings, charge, duplicates)
            label = '' if labels is None else labels[one.index]
            yield dataclasses.replace(candidate, proto_label=label)
    report('crystals', 1.0)


def _candidate(
    built: Built,
    ranked: Ranked,
    rank: int,
    group: Group,
    space: Space,
    settings: Propose,
    charge: dict[str, Verdict],
    duplicates: Duplicates,
) -> Candidate:
    template, crystal = group.library[built.index], built.crystal
    verdicts = dict(charge)
    verdicts['sites'] = sites_verdict(crystal, space.max_sites)
    verdicts['volume'] = volume_verdict(built.estimate)
    verdicts['distance'] = distance_verdict(crystal, settings.min_distance)
    if all(verdict.passed for verdict in verdicts.values()):
        verdicts['duplicate'] = duplicates.verdict(f'{crystal.formula} as {template.id}', crystal)
    within = None
    if ranked.within is not None:
        first, second, third = (float(value) for value in ranked.within[rank - 1])
        within = (first, second, third)
    probability = within[0] if within else None
    if within is None and settings.method == 'cspml':
        probability = float(ranked.scores[rank - 1])
    return Candidate(
        id='',
        formula=crystal.formula,
        crystal=crystal,
        proposer=settings.method,
        template=template.id,
        template_formula=template.crystal.formula,
        prototype=template.prototype,
        probability=probability,
        rank=rank,
        assignment=built.mapping,
        volume_scale=built.estimate.scale,
        verdicts=verdicts,
        source=template.source,
        template_e_above_hull=template.e_above_hull,
        dissimilarity=built.dissimilarity,
        within=within,
        volume=built.estimate.volume / crystal.nsites,
        volume_error=built.estimate.error,
    )


def _charge(counts: Counts, space: Space) -> dict[str, Verdict]:
    """What the oxidation states say of a formula, once for all of its templates."""
    charge = charge_verdict(counts, space.charge_neutral)
    return {} if charge is None else {'charge': charge, 'oxidation': oxidation_verdict(counts)}


def _outside(counts: Counts, proposer: str, composition: Sequence[CompositionConstraint]) -> Candidate:
    """The record of a formula that breaks a composition constraint."""
    verdicts = {'composition': composition_verdict(counts, composition)}
    return Candidate(id='', formula=reduced_formula(counts), crystal=None, proposer=proposer, verdicts=verdicts)


def _none_kept(outside: list[Counts], composition: Sequence[CompositionConstraint]) -> str:
    example = composition_verdict(outside[0], composition).reason
    return (
        f'goal.composition: none of the {len(outside)} formulas tried keeps it, e.g. {reduced_formula(outside[0])}: '
        f'{example}: loosen it, or widen the space'
    )


def _not_neutral(counts: Counts, proposer: str) -> Candidate:
    """The record of a formula that was rejected before templates were looked for."""
    rejected = charge_verdict(counts, 'require')
    verdicts = {'charge': rejected} if rejected else {}
    return Candidate(id='', formula=reduced_formula(counts), crystal=None, proposer=proposer, verdicts=verdicts)


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
