"""Sources of crystals, alone and mixed, screened by a potential: which known structures they find, at what cost."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.proposal.matching import Reference
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError, Query, formulas_of
from aiida_inversedesign.benchmarks.proposal.scores import NEVER, first_hit
from aiida_inversedesign.benchmarks.proposal.source_figures import Found, summarise_sources
from aiida_inversedesign.benchmarks.proposal.uniform import UNIFORM, uniform_crystals
from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.contracts import registry
from aiida_inversedesign.campaign.spec import CampaignSettings
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.next_candidates import ProposalError, propose_next, settings_of_a_proposal
from aiida_inversedesign.propose.rankers.ranking import Templates
from aiida_inversedesign.screen.potentials.judge import by_chance, judged, to_screen

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer

#: Generations over which the share of a source is spread that goes on from screened crystals: a campaign has few.
ROUNDS = 4


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


def measure_sources(
    draws: Sequence[Draw], plan: SourcePlan, screen: Relaxer | None = None, progress: Report = silent
) -> dict[str, Any]:
    """Let every arm propose for the same queries, relax what it proposes, and compare with the truth.

    A crystal is right if StructureMatcher matches it with the true one and it has the same space group. A compound in
    several draws counts once, in the first of them.

    :param screen: the potential; None leaves the crystals as they are proposed.
    :raises BenchmarkError: if no query is left, or an arm needs a model that was not trained.
    """
    for arm in plan.arms:
        if 'cspml' in arm.shares and any(draw.model is None for draw in draws):
            raise BenchmarkError(f'--sources {arm.name}: cspml needs a model without the queries: add --recipe ours')
        if screen is None and arm.first.keys() != arm.shares.keys():
            raise BenchmarkError(f'--sources {arm.name}: it goes on from energies of crystals: add --screen POTENTIAL')
    chosen: dict[str, tuple[Query, Draw]] = {}
    for draw in draws:
        for query in _asked(draw, plan):
            chosen.setdefault(query.formula, (query, draw))
    if not chosen:
        kind = f' of at most {plan.max_sites} atoms' + (' whose prototype no template has' if plan.only_new else '')
        raise BenchmarkError(f'no query{kind} is left for --sources: ask for more (--n), or for larger cells')
    found: dict[str, list[Found]] = {arm.name: [] for arm in plan.arms}
    for number, (query, draw) in enumerate(chosen.values()):
        for index, arm in enumerate(plan.arms):
            progress(f'sources: {arm.name}', (number + index / len(plan.arms)) / len(chosen))
            found[arm.name].append(_answer(query, arm, plan, draw, screen))
    progress('sources', 1.0)
    queries = [query for query, _ in chosen.values()]
    seen = None if plan.trained_on is None else np.array([plan.seen(query) for query in queries], dtype=bool)
    return {
        'n': len(queries),
        'seeds': [draw.seed for draw in draws],
        'max_sites': plan.max_sites,
        'only_new_prototypes': plan.only_new,
        'crystals': plan.crystals,
        'lower_bound': plan.lower_bound,
        'screen': None if screen is None else screen.identity,
        'remark': (
            'no potential'
            if screen is None
            else 'the potential may have been trained on the compounds asked for'
            if seen is None
            else f'the potential was trained on {int(seen.sum())} of the compounds asked for'
        ),
        **summarise_sources(queries, found, seen),
    }


def _asked(draw: Draw, plan: SourcePlan) -> list[Query]:
    chosen = [item for item in draw.queries if item.crystal.nsites <= plan.max_sites]
    if plan.only_new:
        groups = Templates(draw.templates)
        chosen = [
            item
            for item in chosen
            if (group := groups.group(item.label)) is None or prototype_label(item.crystal) not in group.prototypes
        ]
    return chosen[: plan.most]


def _answer(
    query: Query,
    arm: SourceArm,
    plan: SourcePlan,
    draw: Draw,
    screen: Relaxer | None,
) -> Found:
    """The crystals of one arm for one query, screened and compared.

    A source that goes on from energies has its share in later generations, each screened with what was there before.
    """
    candidates: list[Candidate] = []
    chances: list[tuple[float, bool]] = []
    label, truth = prototype_label(query.crystal), Reference(query.crystal)
    crystals = relaxations = 0
    seconds, charged = 0.0, screen.charged if screen else 0.0
    as_proposed = NEVER if screen is not None and arm.first == arm.shares else None
    whole, first = sum(arm.shares.values()), arm.first

    def is_right(item: Candidate) -> bool:
        return bool(truth.matches(item.content) and truth.same_space_group(item.content))

    def in_order(items: Sequence[Candidate]) -> tuple[list[Candidate], int]:
        order = sorted((item for item in items if item.accepted), key=by_chance)
        return order, first_hit(np.array([is_right(item) for item in order], dtype=bool))

    number = max(1, round(plan.crystals * sum(first.values()) / whole))
    for generation in range(1, 2 if first == arm.shares else ROUNDS + 2):
        shares = first
        if generation > 1:
            number = -(-(plan.crystals - relaxations) // (ROUNDS + 2 - generation))
            if number < 1:
                break
            # beside it another one has the one further crystal of a formula, which it proposes only for new formulas
            shares = {name: share for name, share in arm.shares.items() if name not in first}
            shares, number = {**shares, next(iter(first)): 1e-6}, number + 1
        spec = _spec(query, shares, number, plan.max_sites, draw.seed, screen)
        begun = time.process_time()
        if UNIFORM in shares:
            found = uniform_crystals(query.counts, number, plan.max_sites, draw.seed)
        else:
            try:
                found = propose_next(
                    spec, draw.templates, draw.model, generation, (), candidates, exclude=draw.formulas
                )
            except ProposalError as error:
                seconds += time.process_time() - begun
                if generation > 1:
                    break
                return Found(NEVER, False, '', 0, 0, seconds, 0.0, [str(error)], as_proposed=as_proposed)
        seconds += time.process_time() - begun
        new = [item for item in found[len(candidates) :] if item.accepted]
        crystals += len(new)
        chances += [(item.probability, item.proto_label == label) for item in new if item.probability is not None]
        candidates = found
        if screen is not None:
            if as_proposed is not None:
                _, as_proposed = in_order(candidates)
            wanted = to_screen(candidates, spec.propose.min_distance)
            begin = wanted
            if plan.lower_bound:
                begin = [item for item in wanted if prototype_label(item.content) == label]
            results = _relaxed(begin, screen)
            candidates = judged(spec, found, results)
            if plan.lower_bound and any(item.accepted and is_right(item) for item in candidates):
                relaxed = {item.id for item in begin}
                results += _relaxed([item for item in wanted if item.id not in relaxed], screen)
                candidates = judged(spec, found, results)
            relaxations += len(results)

    ordered, position = in_order(candidates)
    proposer = ordered[position].proposer if position != NEVER else ''
    dropped = (item for item in candidates if item.content is not None and not item.accepted)
    return Found(
        position,
        position != NEVER or any(is_right(item) for item in dropped),
        proposer,
        crystals,
        relaxations,
        seconds,
        (screen.charged if screen else 0.0) - charged,
        [reason for item in candidates if item.content is None for reason in _why(item)],
        chances,
        as_proposed,
    )


def _relaxed(items: Sequence[Candidate], screen: Relaxer) -> list[dict[str, Any]]:
    records = screen.all_relaxed([item.content for item in items])
    return [{**record, 'id': item.id} for item, record in zip(items, records, strict=True)]


def _why(item: Candidate) -> list[str]:
    return [f'{item.proposer}: {name}' for name, verdict in item.verdicts.items() if not verdict.passed]


def _spec(
    query: Query, shares: Mapping[str, float], number: int, max_sites: int, seed: int, screen: Relaxer | None
) -> CampaignSettings:
    """The settings of a campaign that asks for so many crystals of this formula alone."""
    space = {'formulas': [query.formula], 'charge_neutral': 'off', 'max_sites': max_sites}
    named = {'method': 'random'} if UNIFORM in shares else {'sources': dict(shares), 'renew': 1}
    spec = settings_of_a_proposal(space, {**named, 'top_k': number}, seed)
    if screen is None:
        return spec
    # nothing is dropped for its energy: the order says it
    section = {'potential': screen.potential.name, 'code': 'python@localhost', 'window': 1e3}
    return CampaignSettings.model_validate({**spec.model_dump(), 'screen': section})
