"""From a campaign's space to candidate crystals: formulas, templates, elements, volume, filters."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.campaign.spec import Propose, Space
from aiida_inversedesign.chemistry.crystal import Crystal
from aiida_inversedesign.chemistry.elements import unknown_elements
from aiida_inversedesign.chemistry.formulas import parse_ratio, ratio_label, reduced_formula
from aiida_inversedesign.propose.assign import assign_elements, dissimilarities, element_rows
from aiida_inversedesign.propose.candidate import Candidate, Verdict
from aiida_inversedesign.propose.cspml import CspmlModel, shipped_model
from aiida_inversedesign.propose.filters import (
    Duplicates,
    charge_verdict,
    distance_verdict,
    sites_verdict,
    volume_verdict,
)
from aiida_inversedesign.propose.library import Library
from aiida_inversedesign.propose.space import Counts, ProposalError, draw_formulas
from aiida_inversedesign.propose.volume import estimate_volume

__all__ = ['ProposalError', 'propose']

#: templates of least element dissimilarity that the networks look at, for each formula. Ranking all of a large
#: library's templates with the networks takes ten times longer; what they rank high is among the nearest anyway.
SHORTLIST = 100
#: formulas whose templates are ranked in one pass of the networks
BLOCK = 40

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class _Ranked:
    """A template that was kept for a formula."""

    index: int
    dissimilarity: float
    score: float | None


def propose(
    space: Space,
    settings: Propose,
    library: Library,
    model: CspmlModel | None,
    seed: int,
    generation: int,
    evaluated: Sequence[Crystal] = (),
    considered: Iterable[str] = (),
    exclude_templates: Iterable[str] = (),
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
    :param progress: called with what is being done and the fraction done.
    :raises ProposalError: if the space holds no formula, or the library no template for it.
    """
    report = progress or (lambda step, done: None)
    unused, excluded = frozenset(considered), frozenset(exclude_templates)
    if settings.method == 'library':
        candidates = list(_whole_library(space, library, evaluated, unused | excluded))
        if not candidates and unused:
            raise ProposalError('every structure of the library in this space has been proposed')
        if not candidates:
            raise ProposalError(_no_structure(space, library))
    else:
        # a large space is sampled anew for each generation
        formulas, not_neutral = draw_formulas(space, seed + generation - 1, unused)
        templates = _templates(library, space.max_sites, excluded)
        labels = {ratio_label(counts) for counts in formulas}
        if not labels & set(templates):
            raise ProposalError(_no_template(sorted(labels), templates, library, space.max_sites))
        ranked = _rank(formulas, templates, library, settings, model, seed, report)
        candidates = [
            *_crystals(formulas, ranked, templates, library, space, settings, evaluated, report),
            *(_not_neutral(counts, settings.method) for counts in not_neutral),
        ]
    width = max(4, len(str(len(candidates))))
    return [
        _with_id(candidate, f'g{generation:03d}_c{number:0{width}d}') for number, candidate in enumerate(candidates, 1)
    ]


def _with_id(candidate: Candidate, name: str) -> Candidate:
    from dataclasses import replace

    return replace(candidate, id=name)


def _whole_library(
    space: Space, library: Library, evaluated: Sequence[Crystal], excluded: frozenset[str]
) -> Iterator[Candidate]:
    """The library's own structures within the space, as they are; those evaluated before are rejected."""
    known = {crystal.content_hash for crystal in evaluated}
    formulas = set(space.formulas)
    for template in library:
        crystal = template.crystal
        if crystal.formula in excluded:
            continue
        inside = not (space.elements or formulas) or crystal.formula in formulas
        if space.elements and not inside:
            inside = set(crystal.counts) <= set(space.elements) and crystal.ratio_label in space.ratios
        if not inside:
            continue
        new = crystal.content_hash not in known
        yield Candidate(
            id='',
            formula=crystal.formula,
            crystal=crystal,
            proposer='library',
            template=template.id,
            template_formula=crystal.formula,
            prototype=template.prototype,
            assignment={symbol: symbol for symbol in crystal.counts},
            volume_scale=1.0,
            verdicts={
                'sites': sites_verdict(crystal, space.max_sites),
                'duplicate': Verdict(new, None, '' if new else 'evaluated before'),
            },
        )


def _no_structure(space: Space, library: Library) -> str:
    wanted = f'elements {", ".join(space.elements)}, ratios {", ".join(space.ratios)}' if space.elements else ''
    named = f'formulas {", ".join(space.formulas)}' if space.formulas else ''
    inside = '; '.join(filter(None, (wanted, named))) or 'any'
    return f'none of the {len(library)} structures of the library lies in the space ({inside}): widen it'


def _crystals(
    formulas: list[Counts],
    ranked: dict[int, list[_Ranked]],
    templates: dict[str, list[int]],
    library: Library,
    space: Space,
    settings: Propose,
    evaluated: Sequence[Crystal],
    report: Progress,
) -> Iterator[Candidate]:
    """The crystal of each formula in each of its templates, with the filters' verdicts."""
    duplicates = Duplicates(evaluated)
    for number, counts in enumerate(formulas):
        report('crystals', number / len(formulas))
        charge = charge_verdict(counts, space.charge_neutral)
        if ratio_label(counts) not in templates:
            reason = f'no template of ratio {ratio_label(counts)} with at most {space.max_sites} sites'
            verdicts = ({'charge': charge} if charge else {}) | {'template': Verdict(False, None, reason)}
            formula = reduced_formula(counts)
            yield Candidate(id='', formula=formula, crystal=None, proposer=settings.method, verdicts=verdicts)
            continue
        for rank, choice in enumerate(ranked[number], 1):
            yield _build(space, settings, library, counts, choice, rank, charge, duplicates)
    report('crystals', 1.0)


def _not_neutral(counts: Counts, proposer: str) -> Candidate:
    """The record of a formula that was rejected before templates were looked for."""
    rejected = charge_verdict(counts, 'require')
    verdicts = {'charge': rejected} if rejected else {}
    return Candidate(id='', formula=reduced_formula(counts), crystal=None, proposer=proposer, verdicts=verdicts)


def _templates(library: Library, max_sites: int, excluded: frozenset[str]) -> dict[str, list[int]]:
    """Indices of the usable templates of each ratio label."""
    usable: dict[str, list[int]] = {}
    for label in library.ratios:
        indices = [
            index
            for index in library.by_ratio(label)
            if library[index].crystal.nsites <= max_sites
            and not unknown_elements(library[index].crystal.counts)
            and (not excluded or library[index].crystal.formula not in excluded)
        ]
        if indices:
            usable[label] = indices
    return usable


def _no_template(missing: list[str], templates: dict[str, list[int]], library: Library, max_sites: int) -> str:
    large = [label for label in missing if label in library.ratios]
    if large:
        least = min(library[index].crystal.nsites for label in large for index in library.by_ratio(label))
        return (
            f'space.max_sites: every template of ratio {", ".join(large)} has more than {max_sites} sites: '
            f'set max_sites to {least} or more, or take another library'
        )
    if not templates:
        return f'the library has no usable template with at most {max_sites} sites: take another one'
    wanted = parse_ratio(missing[0])

    def distance(label: str) -> tuple[int, float, str]:
        counts = parse_ratio(label)
        shares = [count / sum(counts) for count in counts]
        own = [count / sum(wanted) for count in wanted]
        gap = sum(abs(x - y) for x, y in zip(shares, own, strict=False))
        return abs(len(counts) - len(wanted)), gap, label

    nearest = sorted(templates, key=distance)[:3]
    return (
        f'space.ratios: the library has no template of ratio {", ".join(missing)}; the nearest it has are '
        f'{", ".join(nearest)}: take one of these, or another library'
    )


def _rank(
    formulas: list[Counts],
    templates: dict[str, list[int]],
    library: Library,
    settings: Propose,
    model: CspmlModel | None,
    seed: int,
    report: Progress,
) -> dict[int, list[_Ranked]]:
    """The best ``top_k`` templates of each formula, by its position in ``formulas``."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, counts in enumerate(formulas):
        groups[ratio_label(counts)].append(number)
    ranked: dict[int, list[_Ranked]] = {}
    done = 0
    for label in sorted(groups):
        if label not in templates:
            continue
        indices = np.array(templates[label])
        counts_of = [library[index].crystal.counts for index in indices]
        rows = element_rows([_reduced(counts) for counts in counts_of])
        order = _tie_order(library, indices)
        network = (model or shipped_model()) if settings.method == 'cspml' else None
        described = network.describe(counts_of) if network else None
        for start in range(0, len(groups[label]), BLOCK):
            report('ranking', done / len(formulas))
            numbers = groups[label][start : start + BLOCK]
            queries = [formulas[number] for number in numbers]
            distances = [dissimilarities(counts, rows) for counts in queries]
            if settings.method == 'random':
                # seeded by the formula, so that a formula's templates do not depend on the other formulas
                chosen = [_shuffled(len(indices), f'{seed} {reduced_formula(counts)}') for counts in queries]
                scores: list[NDArray[np.float64] | None] = [None] * len(queries)
            else:
                chosen = [np.lexsort((order, distance)) for distance in distances]
                scores = [None] * len(queries)
            if network is not None and described is not None:
                most = max(SHORTLIST, 4 * settings.top_k)
                chosen = [positions[:most] for positions in chosen]
                asked = network.describe(queries)
                block = np.concatenate(
                    [np.abs(described[positions] - x) for positions, x in zip(chosen, asked, strict=True)]
                )
                parts = np.split(network.probabilities(block), np.cumsum([len(item) for item in chosen])[:-1])
                for place, (positions, part) in enumerate(zip(chosen, parts, strict=True)):
                    # differences below the rounding of the networks are ties
                    best = np.lexsort((order[positions], distances[place][positions], -np.round(part, 6)))
                    chosen[place], scores[place] = positions[best], part[best]
            for number, positions, distance, score in zip(numbers, chosen, distances, scores, strict=True):
                ranked[number] = [
                    _Ranked(
                        int(indices[position]),
                        float(distance[position]),
                        None if score is None else float(score[place]),
                    )
                    for place, position in enumerate(positions[: settings.top_k])
                ]
            done += len(numbers)
    return ranked


def _tie_order(library: Library, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the templates when nothing else tells them apart: stable, small and symmetric ones first."""

    def key(position: int) -> tuple[float, int, int, str]:
        template = library[int(indices[position])]
        energy = template.e_above_hull if template.e_above_hull is not None else 0.0
        return energy, template.crystal.nsites, -template.spacegroup, template.id

    places = np.empty(len(indices), dtype=np.int64)
    places[sorted(range(len(indices)), key=key)] = np.arange(len(indices))
    return places


def _shuffled(length: int, seed: str) -> NDArray[np.int64]:
    positions = list(range(length))
    random.Random(seed).shuffle(positions)  # noqa: S311
    return np.array(positions)


def _reduced(counts: Counts) -> Counts:
    divisor = int(np.gcd.reduce(list(counts.values())))
    return {symbol: count // divisor for symbol, count in counts.items()}


def _build(
    space: Space,
    settings: Propose,
    library: Library,
    counts: Counts,
    choice: _Ranked,
    rank: int,
    charge: Verdict | None,
    duplicates: Duplicates,
) -> Candidate:
    template = library[choice.index]
    mapping, _ = assign_elements(counts, _reduced(template.crystal.counts))
    estimate = estimate_volume(template.crystal, mapping, choice.dissimilarity)
    crystal = template.crystal.with_species(mapping).scaled_to(estimate.volume)
    verdicts: dict[str, Verdict] = {'charge': charge} if charge else {}
    verdicts['sites'] = sites_verdict(crystal, space.max_sites)
    verdicts['volume'] = volume_verdict(estimate)
    verdicts['distance'] = distance_verdict(crystal, settings.min_distance)
    if all(verdict.passed for verdict in verdicts.values()):
        verdicts['duplicate'] = duplicates.verdict(f'{crystal.formula} as {template.id}', crystal)
    return Candidate(
        id='',
        formula=crystal.formula,
        crystal=crystal,
        proposer=settings.method,
        template=template.id,
        template_formula=template.crystal.formula,
        prototype=template.prototype,
        probability=choice.score,
        rank=rank,
        assignment=mapping,
        volume_scale=estimate.scale,
        verdicts=verdicts,
    )
