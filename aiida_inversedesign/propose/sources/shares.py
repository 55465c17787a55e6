"""``propose.sources: auto``: the shares of the sources follow what their candidates were worth so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from aiida_inversedesign.campaign.candidate import Candidate
from aiida_inversedesign.campaign.row import EvaluationRow

#: least share of a source: one of the twenty best crystals of a formula may always come from it
FLOOR = 0.05


def worths(names: Sequence[str], earlier: Sequence[Candidate], rows: Sequence[EvaluationRow]) -> dict[str, float]:
    """What the candidates of each source were worth.

    Each formula has a worth of 1, which its accepted candidates share by their probabilities; after
    ``screen.potential`` those follow the energies. A distinct hit is worth 1 more. If several sources found a crystal,
    each has its part.
    """
    found = dict.fromkeys(names, 0.0)

    def give(candidate: Candidate, worth: float) -> None:
        finders = [name for name in (candidate.proposer, *candidate.also_proposed_by.split(', ')) if name in found]
        for name in finders:
            found[name] += worth / len(finders)

    of_formula: dict[str, list[Candidate]] = defaultdict(list)
    for item in earlier:
        if item.accepted and item.content is not None:
            of_formula[item.key].append(item)
    for items in of_formula.values():
        total = sum(item.probability or 0.0 for item in items)
        for item in items:
            give(item, (item.probability or 0.0) / total if total > 0 else 1 / len(items))
    by_id = {item.id: item for item in earlier}
    for row in rows:
        if row.is_distinct_hit and row.candidate in by_id:
            give(by_id[row.candidate], 1.0)
    return found


def drawn_shares(
    names: Sequence[str],
    earlier: Sequence[Candidate],
    rows: Sequence[EvaluationRow],
    seed: Sequence[int],
) -> dict[str, float]:
    """Shares that add up to 1, largest first: equal before anything is known, else drawn by Thompson sampling.

    The share of a source is the chance that a formula's best candidate comes from it; its posterior is a Dirichlet
    distribution with one pseudo-count for each source (Thompson 1933). Of the draw each source keeps
    at least :data:`FLOOR`.
    """
    found = worths(names, earlier, rows)
    if not any(found.values()):
        return dict.fromkeys(names, 1 / len(names))
    drawn = np.random.default_rng(list(seed)).dirichlet([1 + found[name] for name in names])
    drawn = FLOOR + (1 - FLOOR * len(names)) * drawn
    falling = np.argsort(-drawn, kind='stable')
    return {names[index]: float(drawn[index]) for index in falling}
