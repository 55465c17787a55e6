"""Rankings by plain rules, without training: what a learned ranking has to beat.

- element dissimilarity of the best assignment (the assignment step of CSPML used as the ranking),
- rank fusion of that with the published network (Cormack, Clarke and Büttcher, SIGIR 2009, k = 60),
- distance of the composition descriptors,
- random order,
- substitution probabilities of ions mined from the ICSD (Hautier et al., Inorg. Chem. 50, 656 (2011)), in pymatgen's
  implementation and with its table.
"""

from __future__ import annotations

import functools
import math
import random
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import Scaler, describe
from aiida_inversedesign.chemistry.formulas import reduced_formula
from aiida_inversedesign.libraries.library import Library
from aiida_inversedesign.propose.assign import dissimilarities
from aiida_inversedesign.propose.rankers.published import PublishedRanker, best, descriptors
from aiida_inversedesign.propose.rankers.ranking import Counts, Group, Ranked

#: the constant of reciprocal rank fusion
FUSION_K = 60
#: formulas of more atoms are not given oxidation states: the number of combinations grows with them
MAX_ATOMS = 60


class ElementDissimilarityRanker:
    """Least element dissimilarity per atom, at the best assignment of the elements."""

    name = 'element_dissimilarity'

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        return [best(-dissimilarities(counts, group.rows), group, top_k) for counts in queries]


class FusionRanker:
    """Reciprocal rank fusion of the published network and the element dissimilarity.

    :param published: the network; its time is part of this ranking's.
    """

    name = 'fusion'

    def __init__(self, published: PublishedRanker) -> None:
        self.published = published

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        out = []
        for counts, scores in zip(queries, self.published.scores(queries, group), strict=True):
            first = _ranks(scores, group)
            second = _ranks(-dissimilarities(counts, group.rows), group)
            out.append(best(1 / (FUSION_K + first) + 1 / (FUSION_K + second), group, top_k))
        return out


class NearestDescriptorRanker:
    """Least Euclidean distance of the z-scored composition descriptors.

    :param library: gives the mean and standard deviation of each descriptor.
    """

    name = 'nearest_descriptor'

    def __init__(self, library: Library) -> None:
        self.scaler = Scaler.of(describe([template.crystal.counts for template in library]))

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        templates = self.scaler.transform(descriptors(group))
        asked = self.scaler.transform(describe([dict(counts) for counts in queries]))
        return [best(-np.linalg.norm(templates - x, axis=1), group, top_k) for x in asked]


class RandomRanker:
    """Random order, seeded by the formula, so that it does not depend on the other formulas.

    :param seed: another one gives another order.
    """

    name = 'random'

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        out = []
        for counts in queries:
            drawn = random.Random(f'{self.seed} {reduced_formula(counts)}').random  # noqa: S311
            out.append(best(np.array([drawn() for _ in range(len(group))]), group, top_k))
        return out


class SubstitutionRanker:
    """Probability that the ions of the template are replaced by those of the formula.

    Oxidation states are guessed for both. Formulas and templates for which that fails, or whose ions are not in the
    table of probabilities, cannot be ranked and are left out: metals and alloys above all.
    """

    name = 'substitution'

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        ions = group.cache.get(self.name)
        if not isinstance(ions, np.ndarray):
            width = group.rows.shape[1]
            found = [ion_rows(counts) for counts in group.counts]
            ions = np.array([rows if rows is not None else [-1] * width for rows in found], dtype=np.int64)
            group.cache[self.name] = ions
        known = np.flatnonzero((ions >= 0).all(axis=1))
        out = []
        for counts in queries:
            own = ion_rows(counts)
            scores = np.full(len(group), -np.inf)
            if own is not None and len(known):
                scores[known] = -_least_cost(
                    _costs()[ions[known]][:, :, list(own)], sorted(counts.values(), reverse=True)
                )
            out.append(best(scores, group, top_k))
        return out


def _ranks(scores: NDArray[np.float64], group: Group) -> NDArray[np.int64]:
    """Rank of each template, from 1, by falling score."""
    template_indices = np.empty(len(scores), dtype=np.int64)
    template_indices[np.lexsort((group.order, -scores))] = np.arange(1, len(scores) + 1)
    return template_indices


def _least_cost(costs: NDArray[np.float64], amounts: Sequence[int]) -> NDArray[np.float64]:
    """Least sum over one-to-one assignments of elements of equal amount.

    :param costs: of template ion i for ion j of the formula, shape (n, k, k), both by falling amount.
    :param amounts: atoms of each element, falling.
    :returns: shape (n,).
    """
    from scipy.optimize import linear_sum_assignment

    blocks: dict[int, list[int]] = defaultdict(list)
    for index, amount in enumerate(amounts):
        blocks[amount].append(index)
    total = np.zeros(len(costs))
    for template_indices in blocks.values():
        block = costs[:, template_indices[0] : template_indices[-1] + 1, template_indices[0] : template_indices[-1] + 1]
        if len(template_indices) <= 5:
            orders = permutations(range(len(template_indices)))
            sums = [np.sum([block[:, i, j] for i, j in enumerate(order)], axis=0) for order in orders]
            total += np.min(sums, axis=0)
        else:
            for row, square in enumerate(block):
                total[row] += square[linear_sum_assignment(square)].sum()
    return total


@functools.cache
def _species() -> dict[str, int]:
    """Index of each ion (``Fe3+``) of pymatgen's table."""
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    return {name: row for row, name in enumerate(sorted(map(str, SubstitutionProbability().species)))}


@functools.cache
def _costs() -> NDArray[np.float64]:
    """−log of the probability that ion i of a template is replaced by ion j of a formula, shape (s, s)."""
    from pymatgen.analysis.structure_prediction.substitution_probability import SubstitutionProbability

    table = SubstitutionProbability()
    names = list(_species())
    return np.array([[-math.log(table.cond_prob(given, wanted)) for wanted in names] for given in names])


def ion_rows(counts: Mapping[str, int]) -> tuple[int, ...] | None:
    """The ions of a formula as indices in the table, by falling amount; None if they are not known.

    The most likely oxidation states (ICSD statistics of pymatgen) that make the formula neutral; an element that
    needs mixed ones (Fe3O4) is in no table.
    """
    return _ion_rows(tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))


@functools.lru_cache(maxsize=65536)
def _ion_rows(items: tuple[tuple[str, int], ...]) -> tuple[int, ...] | None:
    from pymatgen.core import Composition, Species

    if len(items) < 2 or sum(amount for _, amount in items) > MAX_ATOMS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        guesses = Composition(dict(items)).oxi_state_guesses()
    if not guesses or any(state != round(state) for state in guesses[0].values()):
        return None
    names = [str(Species(symbol, round(guesses[0][symbol]))) for symbol, _ in items]
    table = _species()
    return tuple(table[name] for name in names) if all(name in table for name in names) else None
