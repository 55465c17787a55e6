"""The published network as a ranker: every template of the ratio label, by the probability of being similar.

No shortlist and no other signal: the baseline of the comparisons. Source: Kusaba, Liu and Yoshida, Comput. Mater. Sci.
211, 111496 (2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aiida_inversedesign.chemistry.descriptors import describe
from aiida_inversedesign.propose.rankers.cspml import CspmlModel
from aiida_inversedesign.propose.rankers.ranking import Counts, Group, Ranked

#: where a group keeps the descriptors of its templates, which do not depend on the model
DESCRIPTORS = 'descriptors'


def descriptors(group: Group) -> NDArray[np.float64]:
    """Composition descriptors of the templates of a group, not scaled, shape (n, 290); computed once."""
    known = group.cache.get(DESCRIPTORS)
    if not isinstance(known, np.ndarray):
        known = describe(group.counts)
        group.cache[DESCRIPTORS] = known
    return known


def best(scores: NDArray[np.float64], group: Group, top_k: int) -> Ranked:
    """The ``top_k`` templates of highest score; ties go to the stable, small and symmetric ones.

    :param scores: of all templates of the group, shape (n,); those with −∞ are left out.
    """
    order = np.lexsort((group.order, -scores))[:top_k]
    order = order[scores[order] > -np.inf]
    return Ranked(group.indices[order], scores[order])


class PublishedRanker:
    """Ranks all templates by the mean probability of the ensemble."""

    name = 'published'

    def __init__(self, model: CspmlModel) -> None:
        self.model = model

    def scores(self, queries: Sequence[Counts], group: Group) -> list[NDArray[np.float64]]:
        """The probability of every template of the group for each formula, each of shape (n,).

        :raises ModelError: if the model was trained with other element features.
        """
        asked = self.model.describe([dict(counts) for counts in queries])
        templates = self.model.scaler.transform(descriptors(group)).astype(np.float32)
        return [self.model.probabilities(np.abs(templates - x)) for x in asked]

    def rank(self, queries: Sequence[Counts], group: Group, top_k: int) -> list[Ranked]:
        return [best(scores, group, top_k) for scores in self.scores(queries, group)]
