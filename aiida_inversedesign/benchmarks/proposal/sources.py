"""Sources of crystals, alone and mixed, screened by a potential: which known structures they find, at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_inversedesign.benchmarks.common import Report, silent
from aiida_inversedesign.benchmarks.proposal.queries import BenchmarkError, Query
from aiida_inversedesign.benchmarks.proposal.source_answer import Answer
from aiida_inversedesign.benchmarks.proposal.source_figures import Found, summarise_sources
from aiida_inversedesign.benchmarks.proposal.source_plan import Draw, SourcePlan
from aiida_inversedesign.chemistry.prototypes import prototype_label
from aiida_inversedesign.propose.rankers.ranking import Templates

if TYPE_CHECKING:
    from aiida_inversedesign.benchmarks.potentials.relaxer import Relaxer


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
        if screen is None and arm.goes_on:
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
            found[arm.name].append(Answer(query, arm, plan, draw, screen).found())
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
